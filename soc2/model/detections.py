"""Detections: alerts joined to episodes, and episodes joined with what the owner's alert store holds about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache

from soc2.model.deviation import Resource
from soc2.model.feeds import AlertRow
from soc2.model.logs import Alert

# Alerts of the same rule, actor and object that lie closer together are one episode, handled by one record.
EPISODE_GAP = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """An episode: the alerts of one rule about one actor and object, each less than ``EPISODE_GAP`` after the one before.

    ``first`` and ``last`` are UTC, and None when the events bear no time; ``place`` is where the first was read.
    ``rows`` are the records of the alert store about it.
    """

    rule_id: str
    title: str
    criterion: str
    severity: str
    source: str
    actor: str | None
    object: str | None
    count: int
    first: datetime | None
    last: datetime | None
    place: str
    rows: tuple[AlertRow, ...] = ()

    @property
    def resource(self) -> Resource:
        """The same for every episode of the rule, the actor and the object, so that a waiver can name it."""
        by = f" by {self.actor}" if self.actor else ""
        on = f" on {self.object}" if self.object else ""
        return Resource("Detection", f"{self.title}{by}{on}", self.source)


def episodes(alerts: Iterable[Alert]) -> Iterator[Detection]:
    """Join alerts to episodes, in the order of their first alerts; those without a time come last."""
    alike: dict[tuple[str, str, str | None, str | None], list[Alert]] = {}
    for alert in alerts:
        alike.setdefault((alert.rule_id, alert.source, alert.actor, alert.object), []).append(alert)
    found = [_episode(together) for group in alike.values() for together in _split(group)]
    timed = sorted((item for item in found if item.first), key=lambda item: item.first or datetime.min)
    yield from timed
    yield from (item for item in found if not item.first)


def _split(alerts: list[Alert]) -> Iterator[list[Alert]]:
    timed = sorted(((alert.time, alert) for alert in alerts if alert.time), key=lambda pair: pair[0])
    episode: list[Alert] = []
    before: datetime | None = None
    for time, alert in timed:
        if before is not None and time - before >= EPISODE_GAP:
            yield episode
            episode = []
        episode.append(alert)
        before = time
    if episode:
        yield episode
    if without := [alert for alert in alerts if not alert.time]:
        yield without


def _episode(alerts: list[Alert]) -> Detection:
    first, last = alerts[0], alerts[-1]
    return Detection(
        rule_id=first.rule_id,
        title=first.title,
        criterion=first.criterion,
        severity=first.severity,
        source=str(first.source),
        actor=first.actor,
        object=first.object,
        count=len(alerts),
        first=_began(first),
        last=last.time,
        place=f"{first.file}, line {first.line}",
    )


def _began(alert: Alert) -> datetime | None:
    """Return when an alert was due. That of a correlation bears the time of its last event, and says when it was fulfilled."""
    fulfilled = alert.fields.get("first")
    if alert.time is None or "events" not in alert.fields or not isinstance(fulfilled, str):
        return alert.time
    return min(alert.time, datetime.fromisoformat(fulfilled).replace(tzinfo=UTC))


def with_records(detections: Iterable[Detection], rows: Iterable[AlertRow]) -> list[Detection]:
    """Join episodes with the rows about them, in the order of the rows. Rows about none of them are left out.

    A row that says when its matter occurred is about every matching episode then; any other is about the last
    matching episode that began before the row was opened, and those that began less than ``EPISODE_GAP`` before that one.
    """
    given = list(detections)
    about: list[list[AlertRow]] = [[] for _ in given]
    for row in rows:
        matching = [number for number, detection in enumerate(given) if _matches(row, detection)]
        for number in _then(row, matching, given):
            about[number].append(row)
    return [replace(detection, rows=tuple(found)) for detection, found in zip(given, about, strict=True)]


def _matches(row: AlertRow, detection: Detection) -> bool:
    rule = _like(detection.rule_id, row.rule) or _like(detection.title, row.rule)
    wanted = ((row.actor, detection.actor), (row.object, detection.object), (row.source, detection.source))
    return rule and all(not pattern or _like(value or "", pattern) for pattern, value in wanted)


@cache
def _like(value: str, pattern: str) -> bool:
    return fnmatchcase(value.lower(), pattern.lower())


def _then(row: AlertRow, matching: list[int], detections: list[Detection]) -> list[int]:
    """Return those of the matching episodes whose time fits; without a time of its own, an episode fits any row."""
    times = {number: (one.first, one.last) for number in matching if (one := detections[number]).first and one.last}
    untimed = [number for number in matching if number not in times]
    if row.occurred is not None:
        began, ended = row.occurred.first - EPISODE_GAP, row.occurred.last + EPISODE_GAP
        return [number for number, (first, last) in times.items() if first < ended and began < last] + untimed
    begun = {number: first for number, (first, _) in times.items() if first <= row.opened.last}
    newest = max(begun.values(), default=None)
    return [number for number, first in begun.items() if newest and newest - first < EPISODE_GAP] + untimed
