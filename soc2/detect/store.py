"""Keeps logs as Parquet: the normalised columns, and each record as it was read, by source and day."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb

from soc2.detect.fields import identifier, literal
from soc2.detect.lines import LineNumbers
from soc2.detect.relations import FILE, RECORD, create_from_json, normalised, packed
from soc2.detect.schema import ID, LINE, NORMAL, SCHEMAS, LogSchema
from soc2.gather.logs.framing import locate_malformed
from soc2.gather.logs.segments import Malformed, Segment
from soc2.model.logs import LogKind

# Records can be long, and a reader holds a whole group of them in each thread.
_ROWS = 16_384


@dataclass(frozen=True)
class Kept:
    """What was kept of some segments: the Parquet files written, the records in them, and lines that are no record."""

    files: tuple[Path, ...]
    records: int
    malformed: tuple[Malformed, ...]


def keep(connection: duckdb.DuckDBPyConnection, kind: LogKind, segments: Sequence[Segment], folder: Path) -> Kept:
    """Append all records of segments, which are of one kind, to ``folder``, one sub-folder for each day.

    A file holds the columns of ``NORMAL``, ``origin`` and ``@line`` (where a record was read), ``@id`` and ``record``.
    What was kept before stays as it is; a record that is kept twice is told by its identity when it is read.
    """
    schema = SCHEMAS[kind]
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="keeping-", dir=folder) as work:
        # In a file, because tables in memory only are not bounded by it.
        connection.execute(f"ATTACH {literal(str(Path(work) / 'kept.duckdb'))} AS keeping")
        try:
            _read(connection, schema, segments)
            malformed = _malformed(connection, schema, segments)
            files = tuple(_written(connection, _placed(connection, segments), folder))
            (records,) = connection.execute("SELECT count(*) FROM keeping.kept WHERE valid").fetchall()[0]
        finally:
            connection.execute("DETACH keeping")
    return Kept(files, records, malformed)


def _read(connection: duckdb.DuckDBPyConnection, schema: LogSchema, segments: Sequence[Segment]) -> None:
    columns = (
        f"{normalised(schema)}, {identifier(FILE)}, {identifier(LINE)}, {identifier(ID)}, "
        f"{identifier(schema.required)} IS NOT NULL AS valid, "
        f"coalesce(strftime({schema.normal['event_time']}, '%Y-%m-%d'), 'undated') AS day, {packed(schema)} AS {RECORD}"
    )
    create_from_json(
        connection,
        schema,
        [segment.path for segment in segments],
        lambda relation: f"CREATE OR REPLACE TABLE keeping.kept AS SELECT {columns} FROM ({relation})",
    )


def _malformed(connection: duckdb.DuckDBPyConnection, schema: LogSchema, segments: Sequence[Segment]) -> tuple[Malformed, ...]:
    unread = connection.execute(f"SELECT DISTINCT {identifier(FILE)} FROM keeping.kept WHERE NOT valid").fetchall()
    broken = {file for (file,) in unread}
    return tuple(
        line
        for segment in segments
        if str(segment.path) in broken and not segment.framed
        for line in locate_malformed(segment, schema.required)
    )


def _placed(connection: duckdb.DuckDBPyConnection, segments: Sequence[Segment]) -> str:
    """Return the query of all records with the day, the origin and the line of each."""
    first = dict(connection.execute(f"SELECT {identifier(FILE)}, min(rowid) FROM keeping.kept GROUP BY ALL").fetchall())
    lines = LineNumbers()
    places = []
    for segment in segments:
        path = str(segment.path)
        blank = [] if segment.framed else lines.blank(segment.path)
        places.append(f"({literal(path)}, {literal(segment.origin)}, {first.get(path, 0)}, {blank}::BIGINT[])")
    columns = ", ".join(identifier(name) for name in NORMAL)
    number = "kept.rowid - first"
    line = f"{number} + 1 + len(list_filter(blank, lambda before: before <= {number}))"
    return (
        f"SELECT {columns}, origin, coalesce({identifier(LINE)}, {line}) AS {identifier(LINE)}, "
        f"{identifier(ID)}, {RECORD}, day "
        f"FROM keeping.kept JOIN (VALUES {', '.join(places)}) AS places(path, origin, first, blank) "
        f"ON path = {identifier(FILE)} WHERE valid"
    )


def _written(connection: duckdb.DuckDBPyConnection, placed: str, folder: Path) -> Iterator[Path]:
    """Write a file for each day. DuckDB could part the records by itself, and would hold all of them to do so."""
    for (day,) in connection.execute("SELECT DISTINCT day FROM keeping.kept WHERE valid ORDER BY day").fetchall():
        file = folder / f"day={day}" / f"kept-{uuid4()}.parquet"
        file.parent.mkdir(exist_ok=True)
        connection.execute(
            f"COPY (SELECT * EXCLUDE (day) FROM ({placed}) WHERE day = {literal(day)}) TO {literal(str(file))} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROWS})"
        )
        yield file
