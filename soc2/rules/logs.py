"""Rules on the collection of logs: declared, fresh, without gaps, readable, and by clocks that agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.log_health import (
    HOUR,
    ClockReading,
    CollectedLog,
    JudgedStream,
    LogNeed,
    NodeDelivery,
    silences,
    whole_hours,
)


@dataclass(frozen=True, kw_only=True)
class LogNotDeclared(Deviation):
    template: ClassVar[str] = "the system has {part}, and no log of this kind is collected"
    part: str


@dataclass(frozen=True, kw_only=True)
class LogSilent(Deviation):
    template: ClassVar[str] = "no record since {since}, within {limit_minutes} minutes one is due"
    since: str
    limit_minutes: int


@dataclass(frozen=True, kw_only=True)
class LogStale(Deviation):
    template: ClassVar[str] = "the newest record is of {newest}, {age_minutes} minutes old; the limit is {limit_minutes}"
    newest: str
    age_minutes: int
    limit_minutes: int


@dataclass(frozen=True, kw_only=True)
class NodeSilent(Deviation):
    template: ClassVar[str] = "log {source} has no record of the node since {since}"
    source: str
    since: str


@dataclass(frozen=True, kw_only=True)
class LogGap(Deviation):
    template: ClassVar[str] = (
        "no record from {since} until {until} ({hours} h); {covered} of {expected} hours have records ({coverage:.1%})"
    )
    since: str
    until: str
    hours: int
    covered: int
    expected: int
    coverage: float


@dataclass(frozen=True, kw_only=True)
class RecordsUnreadable(Deviation):
    template: ClassVar[str] = "{count} records of {origin} cannot be read, the first on line {line}: {reason}"
    origin: str
    count: int
    line: int
    reason: str
    share: float


@dataclass(frozen=True, kw_only=True)
class ClockAhead(Deviation):
    template: ClassVar[str] = (
        "a record is {seconds:.1f} s later than its own arrival, the limit is {limit_seconds:g} s: the clock is ahead"
    )
    seconds: float
    limit_seconds: float


@dataclass(frozen=True, kw_only=True)
class ClockBehind(Deviation):
    template: ClassVar[str] = (
        "records take at least {least_seconds:.1f} s to arrive, of the others {others_seconds:.1f} s: the clock is behind, or "
        "the shipper late, by more than {limit_seconds:g} s"
    )
    least_seconds: float
    others_seconds: float
    limit_seconds: float


def collected(need: LogNeed) -> Iterator[Deviation]:
    """A kind of log that the system needs is collected, or the owner says why there is none."""
    if not need.sources and need.absent is None:
        yield LogNotDeclared(resource=need.resource, part=need.part)


def fresh(judged: JudgedStream) -> Iterator[Deviation]:
    """The newest record is not older than the log's limit at the end of the window."""
    limit, newest = judged.log.age_limit_minutes, judged.stream.newest
    if limit is None or not judged.current or judged.end - judged.begin <= timedelta(minutes=limit):
        return
    if newest is None:
        yield LogSilent(resource=judged.resource, since=_text(judged.begin), limit_minutes=limit)
    elif judged.end - newest > timedelta(minutes=limit):
        minutes = int((judged.end - newest).total_seconds() // 60)
        yield LogStale(resource=judged.resource, newest=_text(newest), age_minutes=minutes, limit_minutes=limit)


def delivered(record: NodeDelivery) -> Iterator[Deviation]:
    """The node's records are in the log."""
    if not record.records:
        yield NodeSilent(resource=record.resource, source=record.log.source, since=_text(record.log.since))


def unbroken(judged: JudgedStream) -> Iterator[Deviation]:
    """No stretch of whole hours as long as the log's limit is without a record.

    Hours that the span has only a part of are not judged, nor is what may still be on its way at the end of the window.
    """
    limit = judged.log.gap_limit_minutes
    if limit is None:
        return
    end = judged.end - timedelta(minutes=judged.log.age_limit_minutes or 0) if judged.current else judged.end
    expected = list(whole_hours(judged.begin, end))
    covered = sum(1 for hour in expected if judged.stream.hours.get(hour))
    for since, until in silences(judged.stream.hours, judged.begin, end):
        if until - since >= timedelta(minutes=limit):
            yield LogGap(
                resource=judged.resource,
                since=_text(since),
                until=_text(until),
                hours=(until - since) // HOUR,
                covered=covered,
                expected=len(expected),
                coverage=covered / len(expected),
            )


def readable(log: CollectedLog) -> Iterator[Deviation]:
    """Every record of the log can be read."""
    for file in log.malformed:
        yield RecordsUnreadable(
            resource=log.resource,
            origin=file.origin,
            count=file.count,
            line=file.line,
            reason=file.reason,
            share=round(log.malformed_share, 6),
        )


def clock_agrees(tolerance_seconds: float, lag_seconds: float = 30.0) -> Callable[[ClockReading], Iterator[Deviation]]:
    """Return the rule that no record is later than its arrival by more than the tolerance, and that the quickest record of
    a stream does not lag behind the quickest of the others.

    The lag is in seconds: shippers send every few seconds, so that 30 more than the others is no matter of chance.
    """

    def rule(reading: ClockReading) -> Iterator[Deviation]:
        stream, delays = reading.stream, reading.stream.delays
        if stream.ahead_seconds > tolerance_seconds:
            yield ClockAhead(
                resource=reading.resource, seconds=round(stream.ahead_seconds, 3), limit_seconds=tolerance_seconds
            )
        elif delays and reading.others_least is not None and delays.least - reading.others_least > lag_seconds:
            yield ClockBehind(
                resource=reading.resource,
                least_seconds=round(delays.least, 3),
                others_seconds=round(reading.others_least, 3),
                limit_seconds=lag_seconds,
            )

    return rule


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
