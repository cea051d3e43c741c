"""Rules on the collection of logs, and the spans in which streams are judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Node, NodeCondition, NodeStatus
from soc2.model.kubernetes.meta import Metadata
from soc2.model.log_health import (
    HOUR,
    CollectedLog,
    Delays,
    JudgedStream,
    LogStream,
    clock_readings,
    judged_streams,
    log_needs,
    node_deliveries,
)
from soc2.model.logs import LogKind
from soc2.model.population import Cause, Problem
from soc2.rules import logs

START = datetime(2026, 6, 1, tzinfo=UTC)
MINUTES = st.integers(0, 24 * 60)
MOMENTS = st.integers(0, 24 * 3600 - 1).map(lambda second: START + timedelta(seconds=second))


def log(*streams: LogStream, **given: Any) -> CollectedLog:
    made: dict[str, Any] = {
        "source": "audit",
        "kind": LogKind.KUBERNETES_AUDIT,
        "origin": "test",
        "per": "cluster",
        "since": START,
        "until": START + timedelta(hours=12),
        "read_at": START + timedelta(hours=12),
        "age_limit_minutes": 5,
        "gap_limit_minutes": 60,
    }
    return CollectedLog(**{**made, **given}, streams=streams)


def node(name: str, made: datetime = START - timedelta(days=9), ready: str = "True") -> Node:
    status = NodeStatus(conditions=(NodeCondition("Ready", ready),))
    return Node(metadata=Metadata(name=name, creation_timestamp=made), status=status)


@given(st.lists(MOMENTS, max_size=20), MINUTES, MINUTES, st.integers(0, 90), st.sampled_from([60, 120, 180]))
def test_gaps_are_the_silent_hours_of_an_obvious_count(
    events: list[datetime], one: int, other: int, age: int, limit: int
) -> None:
    begin, end = (START + timedelta(minutes=minute) for minute in sorted((one, other)))
    last = end - timedelta(minutes=age)
    expected: list[datetime] = []
    hours = [START + timedelta(hours=number) for number in range(24)]
    whole = [hour for hour in hours if begin <= hour and hour + HOUR <= last]
    silent = [hour for hour in whole if not any(hour <= event < hour + HOUR for event in events)]
    for hour in silent:
        around = [other for other in silent if all(between in silent for between in _between(hour, other))]
        if len(around) * 60 >= limit:
            expected.append(hour)
    counts = Counter(event.replace(minute=0, second=0) for event in events)
    collected = log(age_limit_minutes=age or None, gap_limit_minutes=limit)
    judged = JudgedStream(log=collected, stream=LogStream("main", hours=counts), begin=begin, end=end)
    found = [gap.fields for gap in logs.unbroken(judged)]
    named = [hour for gap in found for hour in hours if gap["since"] <= f"{hour:%Y-%m-%dT%H:%M:%SZ}" < gap["until"]]
    assert named == expected
    covered = len(whole) - len(silent)
    assert all((gap["covered"], gap["expected"]) == (covered, len(whole)) for gap in found)


def _between(one: datetime, other: datetime) -> list[datetime]:
    first, last = sorted((one, other))
    return [first + number * HOUR for number in range((last - first) // HOUR + 1)]


@given(st.lists(MOMENTS, max_size=5), st.integers(1, 2000), MINUTES)
def test_a_stream_is_fresh_when_its_last_event_is(events: list[datetime], limit: int, end: int) -> None:
    until = START + timedelta(minutes=end)
    seen = [event for event in events if event < until]
    judged = JudgedStream(
        log=log(age_limit_minutes=limit), stream=LogStream("main", newest=max(seen, default=None)), begin=START, end=until
    )
    # A stream that had less time than it may take has nothing to show.
    due = until - timedelta(minutes=limit)
    assert bool(list(logs.fresh(judged))) == (due > START and not any(event >= due for event in seen))


def test_a_planted_silent_hour_is_named() -> None:
    counts = {START + hour * HOUR: 9 for hour in range(12) if hour != 7}
    (judged,) = judged_streams([log(LogStream("main", hours=counts), expected=("main",))], None)
    assert [deviation.message for deviation in logs.unbroken(judged)] == [
        "no record from 2026-06-01T07:00:00Z until 2026-06-01T08:00:00Z (1 h); 10 of 11 hours have records (90.9%)"
    ]


def test_a_log_without_limits_may_be_empty() -> None:
    quiet = log(kind=LogKind.GUARDDUTY, age_limit_minutes=None, gap_limit_minutes=None)
    (judged,) = judged_streams([quiet], None)
    assert [*logs.fresh(judged), *logs.unbroken(judged)] == []
    assert quiet.staleness is None


def test_a_log_without_any_record_is_silent() -> None:
    (judged,) = judged_streams([log()], None)
    assert [*logs.fresh(judged), *logs.unbroken(judged)] == [
        logs.LogSilent(resource=Resource("Log", "audit"), since="2026-06-01T00:00:00Z", limit_minutes=5),
        logs.LogGap(
            resource=Resource("Log", "audit"),
            since="2026-06-01T00:00:00Z",
            until="2026-06-01T11:00:00Z",
            hours=11,
            covered=0,
            expected=11,
            coverage=0.0,
        ),
    ]
    assert log().staleness == Problem(Cause.STALE, "no record since 2026-06-01T00:00:00Z")


def test_what_was_not_read_completely_is_no_silence() -> None:
    assert list(judged_streams([log(complete=False)], None)) == []


def test_streams_are_judged_while_their_nodes_exist() -> None:
    made, gone = START + timedelta(hours=3), (START + timedelta(hours=1), START + timedelta(hours=2))
    streams = (LogStream("n1"), LogStream("n2"), LogStream("old", oldest=gone[0], newest=gone[1]))
    hosts = log(*streams, source="hosts", kind=LogKind.NODE, per="node")
    found = list(judged_streams([hosts], [node("n1.example"), node("n2", made), node("n3")]))
    assert [(each.stream.name, each.begin, each.end, each.current) for each in found] == [
        ("n1", hosts.since, hosts.until, True),
        ("n2", made, hosts.until, True),
        ("old", *gone, False),
    ]
    everything = list(judged_streams([hosts], None))
    assert [(each.begin, each.end, each.current) for each in everything] == [(hosts.since, hosts.until, True)] * 3


def test_declared_streams_have_to_deliver_and_others_do_not() -> None:
    trail = log(LogStream("1"), LogStream("3"), per="account", expected=("1", "2"))
    assert [each.stream.name for each in judged_streams([trail], None)] == ["1", "2"]


def test_a_short_host_name_that_two_nodes_have_is_of_neither() -> None:
    hosts = log(LogStream("n1", records=1), LogStream("n2", records=1), kind=LogKind.NODE, per="node")
    nodes = [node("n1.a"), node("n1.b"), node("n2.a"), node("n9", ready="False")]
    assert [(each.node.name, each.records) for each in node_deliveries([hosts], nodes)] == [
        ("n1.a", 0),
        ("n1.b", 0),
        ("n2.a", 1),
    ]


def test_a_new_node_has_time_to_deliver() -> None:
    hosts = log(per="node")
    edge = hosts.until - timedelta(minutes=5)
    found = node_deliveries([hosts], [node("n1", edge), node("n2", edge + timedelta(seconds=1))])
    assert [each.node.name for each in found] == ["n1"]


def test_the_needs_of_a_system_follow_its_parts() -> None:
    logs_read = [log(), replace(log(), source="audit2")]
    found = log_needs(logs_read, {LogKind.NODE: "Fargate"}, kubernetes=True, aws=False)
    assert [(need.kind, need.sources, need.absent, bool(list(logs.collected(need)))) for need in found] == [
        ("kubernetes-audit", ("audit", "audit2"), None, False),
        ("container", (), None, True),
        ("node", (), "Fargate", False),
    ]
    assert [need.kind for need in log_needs([], {}, kubernetes=False, aws=True)] == ["cloudtrail", "vpc-flow"]
    assert list(log_needs([], {}, kubernetes=False, aws=False)) == []


def test_clocks_are_compared_where_three_streams_have_enough_records() -> None:
    def stream(name: str, least: float, records: int = 100) -> LogStream:
        return LogStream(name, records=records, delays=Delays(records, least, least, least))

    three = log(stream("n1", 1.0), stream("n2", 2.0), stream("n3", 90.0), stream("n4", 500.0, 99))
    assert [(each.stream.name, each.others_least) for each in clock_readings([three])] == [
        ("n1", 2.0),
        ("n2", 2.0),
        ("n3", 2.0),
        ("n4", None),
    ]
    two = log(stream("n1", 1.0), stream("n2", 90.0))
    assert [each.others_least for each in clock_readings([two])] == [None, None]


@given(st.floats(0, 10_000), st.floats(0.1, 3600))
def test_a_clock_may_be_ahead_by_the_tolerance(ahead: float, tolerance: float) -> None:
    (reading,) = clock_readings([log(LogStream("n1", records=1, ahead_seconds=ahead))])
    assert bool(list(logs.clock_agrees(tolerance)(reading))) == (ahead > tolerance)
