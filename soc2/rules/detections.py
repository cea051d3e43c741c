"""Rules on what was detected: somebody was told, it was found what it was, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from soc2.model.detections import Detection
from soc2.model.deviation import Deviation
from soc2.model.feeds import AlertRow

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class NotHandled(Deviation):
    """``count`` is how many alerts the episode has, ``first`` when it began (ISO 8601, UTC), ``place`` where that stands."""

    template: ClassVar[str] = "{severity}, alerts: {count}, the first of {first} ({place}): {problem}"
    rule: str
    severity: str
    count: int
    first: str
    place: str
    problem: str


def handled(limits_hours: Mapping[str, int], as_of: datetime) -> Callable[[Detection], Iterator[Deviation]]:
    """Return the rule that a disposition of what was detected is recorded within the limit of its severity, counted from
    the episode's begin. What has no limit needs none; what is younger than its limit has time left."""

    def rule(detection: Detection) -> Iterator[Deviation]:
        hours = limits_hours.get(detection.severity)
        if hours is None:
            return
        began = detection.first
        if began is not None and as_of <= began + timedelta(hours=hours):
            return
        disposed = [row for row in detection.rows if row.disposition]
        found_at = min((at for row in disposed if (at := _found_at(row))), default=None)
        allowed = f"{hours} hours are allowed"
        if not detection.rows:
            yield _deviation(detection, f"no alert or ticket is about it, {allowed}")
        elif not disposed:
            yield _deviation(detection, f"{_name(detection.rows[0])} has no disposition, {allowed}")
        elif began is not None and found_at is None:
            yield _deviation(detection, f"{_name(disposed[0])} does not say when its disposition was found")
        elif began is not None and found_at is not None and found_at > began + timedelta(hours=hours):
            late = f"has a disposition since {found_at:%FT%TZ} only"
            yield _deviation(detection, f"{_name(disposed[0])} {late}, {allowed}")

    return rule


def alerted(limit: timedelta, as_of: datetime) -> Callable[[Detection], Iterator[Deviation]]:
    """Return the rule that an alert or ticket was opened within the limit, counted from the episode's begin. What happened
    at no known time cannot be late."""
    allowed = f"{limit // _MINUTE} minutes are allowed"

    def rule(detection: Detection) -> Iterator[Deviation]:
        began = detection.first
        if began is None or as_of <= began + limit:
            return
        opened = min((row.opened.last for row in detection.rows), default=None)
        if opened is None:
            yield _deviation(detection, f"no alert or ticket is about it, {allowed}")
        elif opened > began + limit:
            yield _deviation(detection, f"an alert was opened after {(opened - began) // _MINUTE} minutes, {allowed}")

    return rule


def alerted_and_handled(
    limit: timedelta, limits_hours: Mapping[str, int], as_of: datetime
) -> Callable[[Detection], Iterator[Deviation]]:
    """Return both rules as one: where nobody was told, there is nothing more to say."""
    told, found = alerted(limit, as_of), handled(limits_hours, as_of)

    def rule(detection: Detection) -> Iterator[Deviation]:
        if detection.severity in limits_hours:
            yield from told(detection)
            yield from found(detection) if detection.rows or detection.first is None else ()

    return rule


def alerted_with_reasons(limit: timedelta, as_of: datetime) -> Callable[[Detection], Iterator[Deviation]]:
    """Return the rule that an alert was opened within the limit and, once a disposition is given, says why and who answers
    for it."""
    told = alerted(limit, as_of)

    def rule(detection: Detection) -> Iterator[Deviation]:
        yield from told(detection)
        for row in detection.rows:
            if row.closed and not row.disposition:
                yield _deviation(detection, f"{_name(row)} is closed without a disposition")
            if row.disposition and not (row.rationale and row.rationale.features.length):
                yield _deviation(detection, f"{_name(row)} says {row.disposition} and does not say why")
            if row.disposition and not row.owner:
                yield _deviation(detection, f"{_name(row)} says {row.disposition} and names nobody who answers for it")

    return rule


def ticketed(limit: timedelta, as_of: datetime) -> Callable[[Detection], Iterator[Deviation]]:
    """Return the rule that a ticket explains the use, opened before it or within the limit after it."""
    allowed = f"{limit // _HOUR} hours are allowed"

    def rule(detection: Detection) -> Iterator[Deviation]:
        tickets = [row for row in detection.rows if row.ticket]
        due = detection.first + limit if detection.first else None
        if due is not None and as_of <= due:
            return
        if not tickets:
            yield _deviation(detection, f"no ticket is about it, {allowed}")
        elif due is not None and min(row.opened.last for row in tickets) > due:
            yield _deviation(detection, f"{_name(tickets[0])} was opened too late, {allowed}")

    return rule


def changed_by_ticket(limit: timedelta, as_of: datetime) -> Callable[[Detection], Iterator[Deviation]]:
    """Return the rule that a change has a ticket that somebody else than its author answers for."""
    explained = ticketed(limit, as_of)

    def rule(detection: Detection) -> Iterator[Deviation]:
        yield from explained(detection)
        tickets = [row for row in detection.rows if row.ticket]
        if tickets and all(not row.owner or row.owner == detection.actor for row in tickets):
            yield _deviation(detection, f"{_name(tickets[0])} names nobody else who answers for it")

    return rule


def _found_at(row: AlertRow) -> datetime | None:
    moment = row.triaged or row.closed
    return moment.last if moment else None


def _name(row: AlertRow) -> str:
    return f"ticket {row.ticket}" if row.ticket else f"the alert of {row.opened}"


def _deviation(detection: Detection, problem: str) -> NotHandled:
    return NotHandled(
        resource=detection.resource,
        rule=detection.rule_id,
        severity=detection.severity,
        count=detection.count,
        first=detection.first.isoformat(timespec="seconds") if detection.first else "unknown time",
        place=detection.place,
        problem=problem,
    )
