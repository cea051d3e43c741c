"""What a scan reads: SQL over the raw records of one kind of log, with the names and types of its schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb

from soc2.detect.fields import identifier, literal
from soc2.detect.schema import ID, LINE, NORMAL, LogSchema

FILE = "@file"
"""The file that DuckDB read a record from (JSON) or the origin that was kept with it (Parquet)."""
RECORD = "record"
"""The column of kept records that holds a record as it was read, beside the normalised columns."""

# Longer lines than DuckDB's default of 16 MiB are framed, at most 64 MiB each (soc2/gather/logs).
_LONGEST_RECORD = 68_157_440


def json_relation(schema: LogSchema, files: Sequence[Path], *, long_records: bool = False) -> str:
    """Return a query over files of one JSON object a line; a line that is none gives a row of NULLs."""
    columns = {**schema.columns, LINE: "BIGINT", ID: "VARCHAR"}
    types = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    paths = ", ".join(literal(str(path)) for path in files)
    options = ["format = 'newline_delimited'", f"columns = {{{types}}}", "ignore_errors = true", f"filename = {literal(FILE)}"]
    if long_records:
        options.append(f"maximum_object_size = {_LONGEST_RECORD}")
    return f"SELECT * FROM read_json([{paths}], {', '.join(options)})"


def create_from_json(
    connection: duckdb.DuckDBPyConnection, schema: LogSchema, files: Sequence[Path], statement: Callable[[str], str]
) -> None:
    """Run a statement that creates a table from files of one JSON object a line; it is given their relation."""
    try:
        connection.execute(statement(json_relation(schema, files)))
    except duckdb.InvalidInputException as error:
        if "maximum_object_size" not in str(error):
            raise
        # Room for the longest records costs memory in every thread, so it is made only where it is needed.
        connection.execute(statement(json_relation(schema, files, long_records=True)))


def parquet_relation(schema: LogSchema, files: Iterable[Path]) -> str:
    """Return a query over kept files, as ``soc2.detect.store`` writes them."""
    paths = ", ".join(literal(str(path)) for path in files)
    native = ", ".join(f"{RECORD}.{identifier(name)} AS {identifier(name)}" for name in schema.columns)
    return f"SELECT {native}, {identifier(LINE)}, {identifier(ID)}, origin AS {identifier(FILE)} FROM read_parquet([{paths}])"


def normalised(schema: LogSchema) -> str:
    """Return the select list of the columns that all kinds share; what the kind does not tell is NULL."""
    return ", ".join(
        f"CAST({schema.normal.get(name, 'NULL')} AS {kind}) AS {identifier(name)}" for name, kind in NORMAL.items()
    )


def packed(schema: LogSchema) -> str:
    """Return the SQL of a record as one value."""
    return "struct_pack(" + ", ".join(f"{identifier(name)} := {identifier(name)}" for name in schema.columns) + ")"
