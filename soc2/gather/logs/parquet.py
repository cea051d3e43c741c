"""Parquet files, as AWS delivers flow logs: DuckDB reads them, and writes what becomes framed records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb

from soc2.detect.schema import LINE, SCHEMAS
from soc2.gather.logs.segments import Framed, Malformed, Segment
from soc2.model.logs import LogKind

MAGIC: Final = b"PAR1"


def frame(path: Path, origin: str, spool: Path, lines: Callable[[Path], Framed]) -> Framed:
    """Frame a file whose rows are flows, by the names of its columns; ``lines`` frames a file of NDJSON, which any other
    becomes. The line of a record is its row, from 1."""
    digest = hashlib.sha256(f"{origin}\0{path}".encode("utf-8", "replace")).hexdigest()[:24]
    target = spool / "framed" / f"{digest}-parquet.ndjson"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET threads = 1")
            rows = connection.read_parquet(_literal(path))
            named = {name: name.lower().replace("_", "-") for name in rows.columns}
            if "interface-id" not in named.values():
                rows.create_view("rows")
                connection.execute(f"COPY rows TO {_quoted(target)} (FORMAT json)")
                return lines(target)
            columns = SCHEMAS[LogKind.VPC_FLOW].columns
            chosen = [f'{_column(old)} AS "{new}"' for old, new in named.items() if new in columns]
            rows.project(f'row_number() OVER () AS "{LINE}", ' + ", ".join(chosen)).create_view("flows")
            connection.execute(f"COPY flows TO {_quoted(target)} (FORMAT json)")
    except duckdb.Error as error:
        return Framed(malformed=(Malformed(origin, 1, 0, f"broken Parquet: {str(error).splitlines()[0][:80]}"),))
    return Framed((Segment(LogKind.VPC_FLOW, target, origin, True),))


def _literal(path: Path) -> str:
    """The path with no character that DuckDB takes for a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _column(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
