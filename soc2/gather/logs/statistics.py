"""What kept logs show of their own collection: counts by hour and stream, delays, doubles and disorder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from soc2.detect.fields import identifier, literal
from soc2.detect.relations import FILE, packed, parquet_relation
from soc2.detect.schema import ID, LINE, LogSchema
from soc2.model.log_health import Delays, LogStream

_STREAM_COLUMN = {"node": "k8s.node.name", "cluster": "k8s.cluster.name", "account": "cloud.account.id"}


@dataclass(frozen=True)
class Arrivals:
    """When records arrived: ``known`` are files of JSON lines with ``eventId`` and ``ingestionTime`` (milliseconds), as
    CloudWatch gives them; by origin, the moment by which all of it had arrived, which is when each record did where origins
    are ``objects``, written at once; and ``read_at`` for all others."""

    read_at: datetime
    known: tuple[Path, ...] = ()
    by_origin: Mapping[str, datetime] = field(default_factory=dict)
    objects: bool = False


@dataclass(frozen=True)
class Statistics:
    """Of the window: ``records`` once each, ``undated`` of them, and each stream."""

    records: int
    undated: int
    streams: tuple[LogStream, ...]


def measure(
    connection: duckdb.DuckDBPyConnection,
    schema: LogSchema,
    files: Sequence[Path],
    *,
    per: str,
    unnamed: str,
    window: tuple[datetime, datetime],
    arrivals: Arrivals,
) -> Statistics:
    """Measure the records of kept files in the window [since, until); those that name no stream are ``unnamed``'s.

    Records later than the window still tell of the clock that wrote them.
    """
    if not files:
        return Statistics(0, 0, ())
    _load(connection, schema, files, per, unnamed, window[0], arrivals)
    until = _naive(window[1])
    inside = "(time IS NULL OR time < ?)"
    counts = connection.execute(
        f"SELECT stream, count(*) FILTER ({inside}), min(time) FILTER (time < ?), max(time) FILTER (time < ?), "
        "coalesce(sum(again), 0), max(epoch(time) - epoch(arrived_by)), count(delay), min(delay), median(delay), "
        "quantile_cont(delay, 0.95) FROM logged GROUP BY stream ORDER BY stream",
        [until] * 3,
    ).fetchall()
    hours: dict[str, dict[datetime, int]] = {}
    for stream, hour, count in connection.execute(
        "SELECT stream, date_trunc('hour', time), count(*) FROM logged WHERE time < ? GROUP BY ALL ORDER BY ALL", [until]
    ).fetchall():
        hours.setdefault(stream, {})[_aware(hour)] = count
    disorder = dict(
        connection.execute(
            "SELECT stream, count(*) FROM (SELECT stream, time < lag(time) OVER (PARTITION BY origin ORDER BY line) AS late "
            "FROM logged) WHERE late GROUP BY stream"
        ).fetchall()
    )
    (undated,) = connection.execute("SELECT count(*) FROM logged WHERE time IS NULL").fetchone() or (0,)
    streams = tuple(
        LogStream(
            name=name,
            records=records,
            oldest=_aware(oldest) if oldest else None,
            newest=_aware(newest) if newest else None,
            hours=hours.get(name, {}),
            duplicates=int(again),
            out_of_order=disorder.get(name, 0),
            delays=Delays(delayed, *(round(each, 3) for each in delays)) if delayed else None,
            ahead_seconds=round(max(ahead or 0.0, 0.0), 3),
        )
        for name, records, oldest, newest, again, ahead, delayed, *delays in counts
    )
    return Statistics(sum(stream.records for stream in streams), undated, streams)


def _load(
    connection: duckdb.DuckDBPyConnection,
    schema: LogSchema,
    files: Sequence[Path],
    per: str,
    unnamed: str,
    since: datetime,
    arrivals: Arrivals,
) -> None:
    """Make the table ``logged``: every record since then once, ``again`` times more than that it was read."""
    stream, time = schema.normal.get(_STREAM_COLUMN[per], "NULL"), schema.normal["event_time"]
    # The same line of the same file may be another record since the file was rotated.
    content = f"hash({packed(schema)})" if schema.identity is None else "''"
    place = f"concat({identifier(FILE)}, '#', {identifier(LINE)}, '#', {content})"
    identity = f"coalesce({schema.identity or 'NULL'}, {identifier(ID)}, {place})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE arrivals AS {_known_arrivals(arrivals.known)}")
    connection.execute("CREATE OR REPLACE TEMP TABLE places (origin VARCHAR, whole TIMESTAMP)")
    if places := [[origin, _naive(at)] for origin, at in arrivals.by_origin.items()]:
        connection.executemany("INSERT INTO places VALUES (?, ?)", places)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE logged AS WITH told AS (SELECT CAST({time} AS TIMESTAMP) AS stamp, "
        f"nullif(CAST({stream} AS VARCHAR), '') AS whose, {identifier(FILE)} AS origin, {identifier(LINE)} AS number, "
        f"{identifier(ID)} AS store_id, hash({identity}) AS identity FROM ({parquet_relation(schema, files)})), "
        "once AS (SELECT min(stamp) AS time, coalesce(min(whose), ?) AS stream, min(origin) AS origin, min(number) AS line, "
        "min(store_id) AS id, count(*) - 1 AS again FROM told WHERE stamp IS NULL OR stamp >= ? GROUP BY identity) "
        "SELECT once.*, coalesce(arrivals.arrived, places.whole, ?) AS arrived_by, "
        f"epoch(coalesce(arrivals.arrived, {'places.whole' if arrivals.objects else 'NULL'})) - epoch(time) AS delay "
        "FROM once LEFT JOIN arrivals USING (id) LEFT JOIN places USING (origin)",
        [unnamed, _naive(since), _naive(arrivals.read_at)],
    )


def _known_arrivals(files: Iterable[Path]) -> str:
    names = ", ".join(literal(str(file)) for file in files)
    if not names:
        return "SELECT NULL::VARCHAR AS id, NULL::TIMESTAMP AS arrived WHERE false"
    return (
        "SELECT eventId AS id, min(make_timestamp(ingestionTime * 1000)) AS arrived FROM read_json("
        f"[{names}], format = 'newline_delimited', columns = {{eventId: 'VARCHAR', ingestionTime: 'BIGINT'}}) GROUP BY ALL"
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
