"""Rules on canaries: what happens is found in the logs, soon, and with the name of who did it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.canaries import CanaryPath
from soc2.model.deviation import Deviation


@dataclass(frozen=True, kw_only=True)
class CanaryLost(Deviation):
    template: ClassVar[str] = "{lost} of {sent} canaries were not found in it within {limit_seconds} s ({latency})"
    lost: int
    sent: int
    limit_seconds: int
    latency: str


@dataclass(frozen=True, kw_only=True)
class CanaryUnnamed(Deviation):
    template: ClassVar[str] = "its record of a request by {sender} names {named}"
    sender: str
    named: str


def found_in_time(path: CanaryPath) -> Iterator[Deviation]:
    """Every canary arrives within the limit."""
    if path.lost:
        yield CanaryLost(
            resource=path.resource,
            lost=path.lost,
            sent=len(path.runs),
            limit_seconds=path.limit_seconds,
            latency=path.latency,
        )


def found_with_sender(path: CanaryPath) -> Iterator[Deviation]:
    """Every canary arrives within the limit, and the record names who sent it."""
    yield from found_in_time(path)
    for named in sorted({run.actor for run in path.runs if run.seconds is not None} - {path.sender}):
        yield CanaryUnnamed(resource=path.resource, sender=path.sender, named=named or "nobody")
