"""Each statistic fires on what it is for, and is silent on a quiet log."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from soc2.detect.anomalies import Anomaly, Baseline, baseline_of, find
from soc2.detect.schema import NORMAL

START = datetime(2026, 6, 1)
CONTROLLER = "system:serviceaccount:notes:api"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in NORMAL.items())
        connection.execute(f"CREATE TABLE events ({columns}, valid BOOLEAN, inside BOOLEAN)")
        yield connection


def _event(hour: float, actor: str = CONTROLLER, action: str = "get pods", **others: Any) -> dict[str, Any]:
    return {"event_time": START + timedelta(hours=hour), "actor": actor, "action": action, "outcome": "success", **others}


def _quiet() -> list[dict[str, Any]]:
    """A day: two actors, each some twenty requests an hour, from one private address."""
    made = random.Random(1)  # noqa: S311
    actors = [(CONTROLLER, "10.0.1.5"), ("alice@example.com", "192.168.7.2")]
    return [
        _event(hour + made.random(), actor, made.choice(("get pods", "list pods")), source_address=address)
        for hour in range(24)
        for actor, address in actors
        for _ in range(made.randint(15, 25))
    ]


def _found(connection: duckdb.DuckDBPyConnection, events: Iterable[dict[str, Any]], window: datetime = START) -> list[Anomaly]:
    rows = [{**dict.fromkeys(NORMAL), **event} for event in events]
    columns = ", ".join(f'unnest(?::{kind}[]) AS "{name}"' for name, kind in NORMAL.items())
    values = [[row[name] for row in rows] for name in NORMAL]
    connection.execute(f"INSERT INTO events SELECT *, true, event_time >= ? FROM (SELECT {columns})", [window, *values])
    baseline = baseline_of(connection, "events")
    assert baseline is not None
    return list(find(connection, "events", baseline))


def test_a_quiet_day_has_no_anomaly(connection: duckdb.DuckDBPyConnection) -> None:
    assert _found(connection, _quiet()) == []


def test_an_actor_that_was_never_there(connection: duckdb.DuckDBPyConnection) -> None:
    found = _found(connection, [*_quiet(), _event(20, "mallory"), _event(21, "mallory")])
    why = "mallory does not occur in the baseline; 2 events since"
    assert [(item.statistic, item.why) for item in found] == [("first-seen-actor", why)]


def test_a_known_actor_does_something_new(connection: duckdb.DuckDBPyConnection) -> None:
    new = _event(20.5, action="list secrets", **{"k8s.namespace.name": "payments"}, source_address="10.0.1.5")
    found = _found(connection, [*_quiet(), new])
    why = f"{CONTROLLER} is known, but did not list secrets in payments in the baseline; 1 events since"
    assert [(item.statistic, item.why) for item in found] == [("first-seen-action", why)]


def test_a_burst(connection: duckdb.DuckDBPyConnection) -> None:
    burst = [_event(20 + number / 1000, source_address="10.0.1.5") for number in range(400)]
    (found,) = _found(connection, [*_quiet(), *burst])
    assert found.statistic == "rate"
    assert found.why.startswith(f"{CONTROLLER}: 4")
    assert "success requests in the hour from 2026-06-01 20:00, usually " in found.why


def test_denied_requests_are_counted_apart(connection: duckdb.DuckDBPyConnection) -> None:
    denied = [_event(hour, outcome="denied", source_address="10.0.1.5") for hour in range(1, 9)]
    burst = [_event(20 + number / 1000, outcome="denied", source_address="10.0.1.5") for number in range(25)]
    (found,) = _found(connection, [*_quiet(), *denied, *burst])
    assert found.why == f"{CONTROLLER}: 25 denied requests in the hour from 2026-06-01 20:00, usually 1 (robust z-score 16.2)"


def test_one_token_from_two_places(connection: duckdb.DuckDBPyConnection) -> None:
    used = [
        _event(19 + at, source_address=address, credential_id="JTI=1") for at, address in ((0, "10.0.1.5"), (1, "10.0.9.9"))
    ]
    found = _found(connection, [*_quiet(), *used])
    why = f"one token of {CONTROLLER}, which belongs to a single pod, was used from 10.0.1.5, 10.0.9.9"
    assert [(item.statistic, item.why) for item in found] == [("impossible-source", why)]


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1"])
def test_a_service_account_from_outside(connection: duckdb.DuckDBPyConnection, address: str) -> None:
    (found,) = _found(connection, [*_quiet(), _event(22, source_address=address)])
    assert found.statistic == "impossible-source"
    assert address in found.why


def test_people_may_come_from_outside(connection: duckdb.DuckDBPyConnection) -> None:
    assert _found(connection, [*_quiet(), _event(22, "alice@example.com", source_address="203.0.113.9")]) == []


def test_kept_history_is_the_baseline(connection: duckdb.DuckDBPyConnection) -> None:
    """Of two events that the window does not know from itself, history knows one."""
    day = timedelta(hours=24)
    history = [{**event, "event_time": event["event_time"] - day} for event in _quiet()]
    history += [_event(hour - 30, "carol@example.com") for hour in range(8)]
    found = _found(connection, [*history, *_quiet(), _event(20, "mallory"), _event(20, "carol@example.com")])
    assert [item.why for item in found] == ["mallory does not occur in the baseline; 1 events since"]
    baseline = baseline_of(connection, "events")
    assert baseline is not None
    assert baseline.origin == "kept history"
    assert baseline.start == START - timedelta(hours=30)


def test_too_little_time_is_no_baseline(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO events (event_time, actor, valid, inside) VALUES (?, 'a', true, true)", [START])
    assert baseline_of(connection, "events") is None


def test_the_baseline_says_where_it_is_from() -> None:
    baseline = Baseline(START, START + timedelta(days=7), "kept history")
    assert str(baseline) == "kept history, 2026-06-01 00:00 to 2026-06-08 00:00"
