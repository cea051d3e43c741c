"""Correlations of Sigma: true sliding windows over the hits of rules, by window functions and without self-joins.

The engine makes a table ``hits`` with a row for each event that a rule matched (``create_hits``): ``rule`` VARCHAR (its id),
``kind`` VARCHAR and ``event`` BIGINT (which event), ``event_time`` TIMESTAMP (UTC), and ``fields`` VARCHAR[]: the values that
correlations ask of the rule, in the order that ``needed`` tells. Events without a time are left out.

A window ends at each event of a group and reaches back by the timespan, both ends inclusive, so that events at the same
time have the same window, whatever their order. One result is a maximal run of events whose windows all fulfil the
condition, none later than the timespan after the one before: what comes back days later is told again. An event that
several rules matched counts once. Fields that are absent are a group of their own, and no value to count.
``temporal_ordered`` asks that each rule has an event no earlier than one of the rule before it.

A correlation of correlations takes as events those whose windows fulfil the inner condition: each of them for the temporal
types, the first of each run for those that count. They have the values of the inner group-by and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from soc2.detect.fields import field_sql
from soc2.detect.ruleset import Correlation, RuleSet
from soc2.detect.schema import SCHEMAS
from soc2.detect.windows import SECOND, asked_fields, groups_of, judged, runs, table_of
from soc2.model.logs import LogKind


@dataclass(frozen=True)
class EventRef:
    """Which event: its kind of log, and its number there, as the table of hits has it."""

    kind: LogKind
    event: int


@dataclass(frozen=True)
class Fired:
    """A run of events whose windows fulfil the condition. Times are UTC.

    ``time`` is when the condition was first fulfilled (at the event ``trigger``), ``end`` that of the ``last`` event of the
    run; ``first`` is the first event of the first window. ``count`` is how many events lie between ``first`` and ``last``.
    ``group`` are the values of the group-by fields, None for an absent one.
    """

    correlation: Correlation
    time: datetime
    end: datetime
    group: dict[str, str | None]
    first: EventRef
    trigger: EventRef
    last: EventRef
    count: int


def create_hits(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the empty table of hits."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE hits (rule VARCHAR, kind VARCHAR, event BIGINT, event_time TIMESTAMP, fields VARCHAR[])"
    )


def needed(rules: RuleSet) -> dict[str, str]:
    """For each rule that correlations refer to, by id: the SQL of ``fields``, over the columns of the rule's kind of log."""
    return {
        rule.id: f"[{', '.join(field_sql(SCHEMAS[rule.kind], name) for name in names)}]::VARCHAR[]"
        for rule in rules.rules
        if (names := asked_fields(rules, rule.id, SCHEMAS[rule.kind])) is not None
    }


def correlate(connection: duckdb.DuckDBPyConnection, rules: RuleSet) -> Iterator[Fired]:
    """What the correlations that alert found in the table of hits, one correlation after the other, each in order of time."""
    for number, correlation in enumerate(rules.correlations):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {judged(rules, correlation)}")
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {table_of(number)} AS {runs(correlation, 'judged')}")
        if correlation.alerts:
            yield from _fired(connection, correlation, table_of(number))


def _fired(connection: duckdb.DuckDBPyConnection, correlation: Correlation, table: str) -> Iterator[Fired]:
    names = correlation.sigma.group_by or []
    groups = groups_of(correlation)
    kept = "".join(f", {group}" for group in groups)
    key = "{'kind': kind, 'event': event}"
    found_runs = (
        f"SELECT min(t) AS start, max(t) AS stop, min(back) AS back, arg_min({key}, place) AS trigger, "
        f"arg_max({key}, place) AS last, max(place) AS until{kept} FROM {table} WHERE fulfilled GROUP BY run{kept}"
    )
    # The first event of the first window is the first of the group at the time that it reaches back to.
    same = " AND ".join(["events.t = runs.back", *(f"events.{group} IS NOT DISTINCT FROM runs.{group}" for group in groups)])
    found = connection.execute(
        f"SELECT start, stop, arg_min({key}, events.place) AS first, trigger, last, until - min(events.place) + 1"
        f"{kept.replace(', ', ', runs.')} FROM ({found_runs}) AS runs JOIN {table} AS events ON {same} "
        f"GROUP BY start, stop, trigger, last, until{kept.replace(', ', ', runs.')} ORDER BY start, trigger, stop"
    ).fetchall()
    for start, stop, first, trigger, last, count, *values in found:
        yield Fired(
            correlation,
            datetime.fromtimestamp(start / SECOND, UTC),
            datetime.fromtimestamp(stop / SECOND, UTC),
            dict(zip(names, values, strict=True)),
            _ref(first),
            _ref(trigger),
            _ref(last),
            count,
        )


def _ref(found: dict[str, Any]) -> EventRef:
    return EventRef(LogKind(found["kind"]), found["event"])
