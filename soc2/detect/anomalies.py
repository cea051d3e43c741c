"""Anomalies beyond rules: what an actor does for the first time, far more often than before, or from where it cannot be.

Each statistic compares the newer part of the events with a baseline: the history that was kept, or else the earlier part
of the same events. What it compared with, and why it fired, is part of every finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from soc2.model.logs import LogKind

# Kinds whose actors and actions are names that come again. The others tell of programs and connections.
KINDS = frozenset({LogKind.KUBERNETES_AUDIT, LogKind.CLOUDTRAIL})

# Without kept history this much of the span of the events is the baseline.
_BASELINE_SHARE = 2 / 3
_SHORTEST_BASELINE = timedelta(hours=8)
# An actor is known when the baseline shows it in this many different hours: one busy minute is no history.
_KNOWN_HOURS = 4
# Iglewicz and Hoaglin (1993) call a modified z-score over 3.5 an outlier of normal data. Hourly counts have heavier tails,
# so a rate must be over 6, five times the median, and more than a handful of events.
_Z_LIMIT = 6.0
_TIMES_MEDIAN = 5.0
_FEWEST_EVENTS = 20
# The 0.75 quantile of the normal distribution makes the median absolute deviation comparable with a standard deviation.
_NORMAL_QUANTILE = 0.6745
_PRIVATE = (
    r"^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\."
    r"|::1$|[fF][cCdD]|[fF][eE]80)"
)
_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class Baseline:
    """The time that counts as known: from ``start`` to before ``end``, UTC, and where it is from."""

    start: datetime
    end: datetime
    origin: str

    def __str__(self) -> str:
        return f"{self.origin}, {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class Anomaly:
    """One event (its row in the table asked) that stands out, by which statistic, and why in a sentence."""

    statistic: str
    title: str
    severity: str
    row: int
    why: str


def baseline_of(connection: duckdb.DuckDBPyConnection, table: str) -> Baseline | None:
    """Return what of the events is known: those before the window, or else the earlier part of those in it; None when
    neither spans enough time to tell."""
    (first, newest, earliest) = connection.execute(
        "SELECT min(event_time) FILTER (inside), max(event_time) FILTER (inside), min(event_time) FILTER (NOT inside) "
        f"FROM {table} WHERE valid"
    ).fetchall()[0]
    if first is None:
        return None
    if earliest is not None and first - earliest >= _SHORTEST_BASELINE:
        return Baseline(earliest, first, "kept history")
    end = first + (newest - first) * _BASELINE_SHARE
    return Baseline(first, end, "earlier part of the window") if end - first >= _SHORTEST_BASELINE else None


def find(connection: duckdb.DuckDBPyConnection, table: str, baseline: Baseline) -> Iterator[Anomaly]:
    """Yield what stands out among the events of ``table`` (as the engine makes it) that come after the baseline."""
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW seen AS SELECT rowid AS row, *, event_time < TIMESTAMP '{baseline.end}' AS known, "
        f"date_trunc('hour', event_time) AS hour FROM {table} WHERE valid AND actor IS NOT NULL "
        f"AND event_time >= TIMESTAMP '{baseline.start}' AND (inside OR event_time < TIMESTAMP '{baseline.end}')"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE known_actors AS SELECT actor FROM seen WHERE known "
        f"GROUP BY actor HAVING count(DISTINCT hour) >= {_KNOWN_HOURS}"
    )
    yield from _first_seen_actors(connection)
    yield from _first_seen_actions(connection)
    yield from _rates(connection, baseline)
    yield from _two_places(connection)
    yield from _from_outside(connection)


def _first_seen_actors(connection: duckdb.DuckDBPyConnection) -> Iterator[Anomaly]:
    found = connection.execute(
        "SELECT arg_min(row, event_time), actor, count(*) FROM seen GROUP BY actor HAVING NOT bool_or(known) ORDER BY actor"
    ).fetchall()
    for row, actor, count in found:
        why = f"{actor} does not occur in the baseline; {count:,} events since"
        yield Anomaly("first-seen-actor", "An actor appears for the first time", "low", row, why)


def _first_seen_actions(connection: duckdb.DuckDBPyConnection) -> Iterator[Anomaly]:
    found = connection.execute(
        'SELECT arg_min(row, event_time), actor, "action", "k8s.namespace.name", count(*) '
        "FROM seen SEMI JOIN known_actors USING (actor) "
        'GROUP BY actor, "action", "k8s.namespace.name" HAVING NOT bool_or(known) ORDER BY ALL'
    ).fetchall()
    for row, actor, action, namespace, count in found:
        place = f" in {namespace}" if namespace else ""
        why = f"{actor} is known, but did not {action}{place} in the baseline; {count:,} events since"
        yield Anomaly("first-seen-action", "A known actor does something for the first time", "medium", row, why)


def _rates(connection: duckdb.DuckDBPyConnection, baseline: Baseline) -> Iterator[Anomaly]:
    hours = (baseline.end - baseline.start) / timedelta(hours=1)
    # Hours without events count as zeros: their number is known though no row stands for them.
    found = connection.execute(
        f"""
        WITH counts AS (
            SELECT actor, outcome, hour, known, count(*) AS n, arg_min(row, event_time) AS row FROM seen GROUP BY ALL
        ), usual AS (
            SELECT actor, outcome, list(n) AS present FROM counts WHERE known GROUP BY ALL
        ), padded AS (
            SELECT actor, outcome, list_concat(present, list_transform(range({int(hours)} - len(present)), lambda x: 0))
                AS hourly FROM usual SEMI JOIN known_actors USING (actor)
        ), medians AS (
            SELECT actor, outcome, hourly, list_median(hourly) AS median FROM padded
        ), spread AS (
            SELECT *, list_median(list_transform(hourly, lambda x: abs(x - median))) AS deviation FROM medians
        )
        SELECT row, c.actor, c.outcome, hour, n, median,
            {_NORMAL_QUANTILE} * (n - median) / greatest(deviation, sqrt(median), 1) AS score
        FROM counts c JOIN spread s ON c.actor = s.actor AND c.outcome IS NOT DISTINCT FROM s.outcome
        WHERE NOT known AND n >= {_FEWEST_EVENTS} AND n >= {_TIMES_MEDIAN} * median AND score > {_Z_LIMIT}
        ORDER BY hour, c.actor, c.outcome
        """
    ).fetchall()
    for row, actor, outcome, hour, count, median, score in found:
        kind = f"{outcome} requests" if outcome else "events"
        usual = f"usually {median:g} (robust z-score {score:.1f})"
        why = f"{actor}: {count:,} {kind} in the hour from {hour:%Y-%m-%d %H:%M}, {usual}"
        yield Anomaly("rate", "An actor is far more active than before", "medium", row, why)


def _two_places(connection: duckdb.DuckDBPyConnection) -> Iterator[Anomaly]:
    found = connection.execute(
        "SELECT max(row), any_value(actor), list_sort(list(DISTINCT source_address)) AS places FROM seen "
        f"WHERE starts_with(actor, '{_SERVICE_ACCOUNT}') AND credential_id IS NOT NULL AND source_address IS NOT NULL "
        "GROUP BY credential_id HAVING count(DISTINCT source_address) > 1 AND NOT bool_and(known) ORDER BY 1"
    ).fetchall()
    for row, actor, places in found:
        why = f"one token of {actor}, which belongs to a single pod, was used from {', '.join(places[:5])}"
        yield Anomaly("impossible-source", "A ServiceAccount's token is used from two places", "high", row, why)


def _from_outside(connection: duckdb.DuckDBPyConnection) -> Iterator[Anomaly]:
    public = f"NOT regexp_matches(source_address, '{_PRIVATE}')"
    found = connection.execute(
        f"SELECT arg_min(row, event_time) FILTER (NOT known AND {public}), actor, "
        f"min(source_address) FILTER (NOT known AND {public}) AS address "
        f"FROM seen WHERE starts_with(actor, '{_SERVICE_ACCOUNT}') AND source_address IS NOT NULL GROUP BY actor "
        f"HAVING address IS NOT NULL AND NOT coalesce(bool_or({public}) FILTER (known), false) ORDER BY actor"
    ).fetchall()
    for row, actor, address in found:
        why = f"{actor} runs in the cluster, but asked from the public address {address}, as never in the baseline"
        yield Anomaly("impossible-source", "A ServiceAccount asks from outside", "high", row, why)
