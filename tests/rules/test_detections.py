"""Alerts make episodes, rows of the alert store are about them, and rules see who was told and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.codec import Codec
from soc2.model.detections import EPISODE_GAP, Detection, episodes, with_records
from soc2.model.feeds import AlertRow
from soc2.model.logs import Alert, LogKind
from soc2.rules import detections as rules

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LIMITS = {"critical": 1, "high": 4, "medium": 24, "low": 72}
LATER = NOON + 100 * HOUR

TIMES = st.none() | st.integers(0, 600).map(lambda minutes: NOON + minutes * MINUTE)


def alert(time: datetime | None = NOON, line: int = 1, **changed: Any) -> Alert:
    given: dict[str, Any] = {
        "rule_id": "r1",
        "title": "Root logged in",
        "criterion": "CC6.2",
        "severity": "high",
        "time": time,
        "source": LogKind.CLOUDTRAIL,
        "file": "trail.json",
        "line": line,
        "actor": "root",
        "object": "console",
        "fields": {},
    }
    return Alert(**{**given, **changed})


ALERTS = st.lists(
    st.builds(alert, TIMES, st.integers(1, 9), actor=st.sampled_from(["root", "ann", None]), rule_id=st.sampled_from("rs"))
)


def row(opened: datetime = NOON, **given: Any) -> AlertRow:
    return Codec().convert({"rule": "r1", "opened": opened, **given}, AlertRow)


def said(found: Iterable[Any]) -> list[str]:
    return [deviation.problem for deviation in found]


def detected(*rows: AlertRow, **changed: Any) -> Detection:
    (found,) = with_records(episodes([alert(**changed)]), rows)
    return found


@given(ALERTS)
def test_episodes_split_alike_alerts_where_an_hour_is_quiet(alerts: list[Alert]) -> None:
    found = list(episodes(alerts))

    def key(item: Alert | Detection) -> tuple[str, str | None]:
        return item.rule_id, item.actor

    for group in {key(item) for item in alerts}:
        times = sorted(item.time for item in alerts if key(item) == group and item.time)
        begins = [time for number, time in enumerate(times) if not number or time - times[number - 1] >= EPISODE_GAP]
        assert [item.first for item in found if key(item) == group and item.first] == begins
    assert sum(item.count for item in found) == len(alerts)
    firsts = [item.first for item in found]
    assert firsts == sorted(filter(None, firsts)) + [None] * firsts.count(None)


@given(ALERTS, st.lists(st.tuples(TIMES, TIMES), max_size=4))
def test_a_row_is_about_what_it_names_when_it_happened(
    alerts: list[Alert], times: list[tuple[datetime | None, datetime | None]]
) -> None:
    rows = [row(opened or NOON, occurred=occurred, rule="r", ticket=str(n)) for n, (opened, occurred) in enumerate(times)]
    found = with_records(episodes(alerts), rows)
    assert Counter(item.count for item in found) == Counter(item.count for item in episodes(alerts))
    for given_row in rows:
        about = [item for item in found if given_row in item.rows and item.first]
        assert {item.rule_id for item in about} <= {"r"}
        if given_row.occurred is None:
            of_rule = sorted(item.first for item in found if item.rule_id == "r" and item.first)
            begun = [first for first in of_rule if first <= given_row.opened.last]
            assert {item.first for item in about} == {first for first in begun if begun[-1] - first < EPISODE_GAP}
        else:
            at = given_row.occurred.first
            near = [item for item in found if item.rule_id == "r" and item.first and item.last]
            assert about == [i for i in near if i.first - EPISODE_GAP < at < i.last + EPISODE_GAP]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"rule": "root LOGGED in"}, True),
        ({"rule": "root*", "actor": "ro?t", "object": "console", "source": "cloudtrail"}, True),
        ({"rule": "root*", "actor": "ann"}, False),
        ({"rule": "root*", "object": "bucket"}, False),
        ({"rule": "root*", "source": "node"}, False),
        ({"rule": "root*", "occurred": "2026-06-01"}, True),
        ({"rule": "root*", "occurred": "2026-05-30"}, False),
        ({"rule": "root*", "opened": "2026-05-31"}, False),
        ({"rule": "root*", "opened": "2026-05-31", "occurred": "2026-06-01T12:30:00Z"}, True),
    ],
)
def test_all_that_a_row_gives_has_to_match(pattern: dict[str, Any], matches: bool) -> None:
    assert bool(detected(row(**pattern)).rows) is matches


@given(st.sampled_from([*LIMITS, "informational"]), st.integers(0, 100 * 60), st.integers(0, 100 * 60))
def test_a_disposition_counts_inside_its_limit(severity: str, found_after: int, asked_after: int) -> None:
    limit = LIMITS.get(severity)
    as_of = NOON + asked_after * MINUTE
    rule = rules.handled(LIMITS, as_of)
    overdue = limit is not None and asked_after > limit * 60
    late = limit is not None and found_after > limit * 60
    handled_row = row(disposition="benign", triaged=NOON + found_after * MINUTE, closed=LATER)
    assert len(said(rule(detected(severity=severity)))) == overdue
    assert len(said(rule(detected(row(closed=NOON), severity=severity)))) == overdue
    assert len(said(rule(detected(handled_row, severity=severity)))) == (overdue and late)


@given(st.integers(-60, 200), st.integers(0, 200), st.integers(1, 100))
def test_an_alert_counts_inside_its_limit(opened_after: int, asked_after: int, limit: int) -> None:
    rule = rules.alerted(limit * MINUTE, NOON + asked_after * MINUTE)
    overdue = asked_after > limit
    told = detected(row(NOON + opened_after * MINUTE, occurred=NOON))
    assert len(said(rule(told))) == (overdue and opened_after > limit)
    assert len(said(rule(detected()))) == overdue
    assert said(rule(detected(time=None))) == []


def test_a_correlation_begins_when_it_was_fulfilled() -> None:
    told = {"user": "ann", "events": 9, "first": "2026-06-01T11:10:00", "last": "2026-06-01T12:00:00"}
    found = detected(row(NOON - 40 * MINUTE), fields=told)
    assert (found.first, found.last, len(found.rows)) == (NOON - 50 * MINUTE, NOON, 1)
    assert detected(fields={"first": "Ann"}).first == NOON


def test_what_is_wrong_with_the_handling_is_said() -> None:
    handled = rules.handled(LIMITS, LATER)
    assert said(handled(detected())) == ["no alert or ticket is about it, 4 hours are allowed"]
    assert said(handled(detected(row(ticket="T-1")))) == ["ticket T-1 has no disposition, 4 hours are allowed"]
    open_ended = row(disposition="true positive")
    assert said(handled(detected(open_ended))) == [
        "the alert of 2026-06-01T12:00:00+00:00 does not say when its disposition was found"
    ]
    late = row(disposition="benign", closed=NOON + 5 * HOUR, ticket="T-1")
    assert said(handled(detected(late))) == [
        "ticket T-1 has a disposition since 2026-06-01T17:00:00Z only, 4 hours are allowed"
    ]
    assert said(handled(detected(time=None))) == ["no alert or ticket is about it, 4 hours are allowed"]
    assert said(handled(detected(open_ended, time=None))) == []


def test_tampering_is_to_be_told_soon_and_said_once_when_nobody_was() -> None:
    rule = rules.alerted_and_handled(15 * MINUTE, LIMITS, LATER)
    assert said(rule(detected())) == ["no alert or ticket is about it, 15 minutes are allowed"]
    assert said(rule(detected(severity="informational"))) == []
    assert said(rule(detected(row(NOON + 20 * MINUTE)))) == [
        "an alert was opened after 20 minutes, 15 minutes are allowed",
        "the alert of 2026-06-01T12:20:00+00:00 has no disposition, 4 hours are allowed",
    ]
    assert said(rule(detected(row(disposition="benign", closed=NOON + HOUR)))) == []


def test_a_disposition_has_a_reason_and_somebody_who_answers_for_it() -> None:
    rule = rules.alerted_with_reasons(60 * MINUTE, LATER)
    whole: dict[str, Any] = {"ticket": "T-1", "disposition": "benign", "closed": NOON, "rationale": "drill", "owner": "ann"}
    assert said(rule(detected(row(**whole)))) == []
    assert said(rule(detected(row(**{**whole, "disposition": ""})))) == ["ticket T-1 is closed without a disposition"]
    assert said(rule(detected(row(**{**whole, "rationale": "", "owner": ""})))) == [
        "ticket T-1 says benign and does not say why",
        "ticket T-1 says benign and names nobody who answers for it",
    ]


def test_uses_and_changes_are_explained_by_tickets() -> None:
    used, changed = rules.ticketed(24 * HOUR, LATER), rules.changed_by_ticket(24 * HOUR, LATER)
    assert said(used(detected(row()))) == ["no ticket is about it, 24 hours are allowed"]
    late = row(NOON + 25 * HOUR, ticket="T-1", owner="ann")
    assert said(changed(detected(late))) == ["ticket T-1 was opened too late, 24 hours are allowed"]
    planned = row(NOON - 48 * HOUR, occurred=NOON, ticket="T-1", owner="ann")
    assert said(changed(detected(planned))) == []
    assert said(changed(detected(planned, actor="ann"))) == ["ticket T-1 names nobody else who answers for it"]
    assert said(rules.ticketed(24 * HOUR, NOON + HOUR)(detected())) == []
