"""Rules on waivers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.waiver import WaiverEntry


@dataclass(frozen=True, kw_only=True)
class WaiverNotInForce(Deviation):
    template: ClassVar[str] = "the waiver is not in force: {problem}"
    problem: str


def in_order(entry: WaiverEntry) -> Iterator[Deviation]:
    """The entry is a waiver of a known check. What else is wrong with it fails the check that it names."""
    if entry.problem is not None:
        yield WaiverNotInForce(resource=entry.resource, problem=entry.problem)
