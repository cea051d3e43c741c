"""Events in a table of DuckDB, read as the engine reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from soc2.detect.macros import install
from soc2.detect.schema import LogSchema


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory that knows the macros."""
    connection = duckdb.connect()
    install(connection)
    return connection


def load(connection: duckdb.DuckDBPyConnection, schema: LogSchema, events: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Makes the table ``events``, with the columns of the kind of log and ``number``, from 1."""
    path = folder / "events.ndjson"
    path.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events))
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in schema.columns.items())
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE events AS SELECT row_number() OVER () AS number, * FROM read_json('{path}', "
        f"format = 'newline_delimited', columns = {{{columns}}})"
    )
