"""An entry of the waivers file, as something to be judged."""

from __future__ import annotations

from dataclasses import dataclass

from soc2.model.deviation import Resource


@dataclass(frozen=True)
class WaiverEntry:
    """``problem`` says why the entry is no waiver of a known check; None when it is one."""

    resource: Resource
    problem: str | None
