"""Keeps logs as Parquet: the normalised columns, and each record as it was read, by source and day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from soc2.detect.lines import LineNumbers
from soc2.detect.relations import FILE, RECORD, create_from_json, literal, normalised, packed, quoted
from soc2.detect.schema import ID, LINE, NORMAL, SCHEMAS
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
    segment_of = {str(segment.path): segment for segment in segments}
    places = ", ".join(f"({literal(path)}, {literal(segment.origin)})" for path, segment in segment_of.items())
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    columns = (
        f"{normalised(schema)}, {quoted(FILE)}, {quoted(LINE)}, {quoted(ID)}, {quoted(schema.required)} IS NOT NULL AS valid"
    )
    create_from_json(
        connection,
        schema,
        [segment.path for segment in segments],
        lambda relation: (
            f"CREATE OR REPLACE TEMP TABLE kept AS SELECT {columns}, {packed(schema)} AS {RECORD} FROM ({relation})"
        ),
    )
    malformed = _number_lines(connection, segment_of, schema.required)
    (records,) = connection.execute("SELECT count(*) FROM kept WHERE valid").fetchone() or (0,)
    if not records:
        return Kept((), 0, malformed)
    shown = ", ".join(quoted(name) for name in (*NORMAL, "origin", LINE, ID, RECORD))
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.rglob("*.parquet"))
    connection.execute(
        f"COPY (SELECT {shown}, coalesce(strftime(event_time, '%Y-%m-%d'), 'undated') AS day FROM kept "
        f"JOIN (VALUES {places}) AS places(path, origin) ON path = {quoted(FILE)} WHERE valid) "
        f"TO {literal(str(folder))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROWS}, PARTITION_BY (day), "
        "APPEND, FILENAME_PATTERN 'kept-{uuid}')"
    )
    return Kept(tuple(sorted(set(folder.rglob("*.parquet")) - before)), records, malformed)


def _number_lines(
    connection: duckdb.DuckDBPyConnection, segment_of: Mapping[str, Segment], required: str
) -> tuple[Malformed, ...]:
    """Give the records of unframed files their lines, and return the lines that are no record."""
    lines, malformed = LineNumbers(), []
    for path, segment in segment_of.items():
        if segment.framed:
            continue
        blank = lines.blank(Path(path))
        connection.execute(
            f"UPDATE kept SET {quoted(LINE)} = number + 1 + len(list_filter(?, lambda before: before <= number)) FROM "
            f"(SELECT rowid AS row, rowid - min(rowid) OVER () AS number FROM kept WHERE {quoted(FILE)} = ?) "
            "WHERE kept.rowid = row",
            [blank, path],
        )
        unread = f"SELECT count(*) FROM kept WHERE NOT valid AND {quoted(FILE)} = ?"
        if connection.execute(unread, [path]).fetchone() != (0,):
            malformed += locate_malformed(segment, required)
    return tuple(malformed)
