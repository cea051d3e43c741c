"""The compiler against other implementations, on rules and events that nobody chose."""

from __future__ import annotations

import copy
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma.backends.sqlite import sqlite as backends
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from soc2.detect.schema import LogSchema
from soc2.detect.sql import compile_rule
from soc2.model.logs import LogKind
from tests.detect.reference import matches
from tests.detect.strategies import detections, events, flat_detections, flat_events
from tests.detect.table import connect, load

_SCHEMA = LogSchema(
    kind=LogKind.KUBERNETES_AUDIT,
    columns={
        "verb": "VARCHAR",
        "level": "VARCHAR",
        "user": "STRUCT(username VARCHAR, groups VARCHAR[])",
        "responseStatus": "STRUCT(code INTEGER)",
        "sourceIPs": "VARCHAR[]",
        "requestObject": "JSON",
        "annotations": "JSON",
    },
    required="verb",
    logsources={},
    normal={},
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


def _parsed(detection: dict[str, Any]) -> SigmaRule | None:
    """None for what Sigma itself does not allow (a modifier that does not go with a value)."""
    try:
        rule = SigmaRule.from_dict({"title": "A rule", "logsource": {"product": "any"}, "detection": detection})
        assert rule.detection.parsed_condition[0].parsed is not None
    except SigmaError:
        return None
    return rule


@given(written=st.lists(detections(), min_size=1, max_size=2), logged=st.lists(events, min_size=1, max_size=6))
def test_the_compiler_agrees_with_the_slow_matcher(
    connection: duckdb.DuckDBPyConnection, folder: Path, written: list[dict[str, Any]], logged: list[dict[str, Any]]
) -> None:
    rules = [rule for detection in written if (rule := _parsed(detection))]
    load(connection, _SCHEMA, logged, folder)
    wheres = ", ".join(["1", *(compile_rule(rule, _SCHEMA).where for rule in rules)])
    rows = connection.execute(f"SELECT {wheres} FROM events ORDER BY number").fetchall()
    assert [row[1:] for row in rows] == [tuple(matches(rule, event, _SCHEMA) for rule in rules) for event in logged]


# pySigma's backend for SQLite, which knows flat events. Left out is what it does otherwise:
# - letters beyond ASCII, whose case SQLite's LIKE and NOCASE do not fold;
# - numbers compared with texts, where SQLite compares by the column's type and not by value;
# - booleans, which it writes as 1 as well, so that ``true`` matches the text "1";
# - networks, which it writes as patterns of text: they match what is no address, and miss other spellings of one;
# - weeks, which it counts from Monday and not as ISO 8601 does; and values without a field.

_BACKEND: Any = backends.sqliteBackend
_FLAT = LogSchema(
    kind=LogKind.NODE,
    columns={"a": "VARCHAR", "b": "VARCHAR", "n": "INTEGER"},
    required="a",
    logsources={},
    normal={},
)


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.create_function("REGEXP", 2, _search, deterministic=True)
        yield connection


def _search(pattern: str, text: object) -> bool:
    flags, found = re.ASCII, re.match(r"\(\?([ims]+)\)", pattern)
    if found is None or "m" not in found[1]:
        pattern = re.sub(r"(?<!\\)\$", r"\\Z", pattern)
    return text is not None and re.search(pattern, str(text), flags) is not None


@given(written=st.lists(flat_detections, min_size=1, max_size=3), logged=st.lists(flat_events, min_size=1, max_size=6))
def test_the_compiler_agrees_with_the_backend_for_sqlite(
    connection: duckdb.DuckDBPyConnection,
    sqlite: sqlite3.Connection,
    folder: Path,
    written: list[dict[str, Any]],
    logged: list[dict[str, Any]],
) -> None:
    rules = [rule for detection in written if (rule := _parsed(detection))]
    load(connection, _FLAT, logged, folder)
    sqlite.execute("DROP TABLE IF EXISTS logs")
    sqlite.execute("CREATE TABLE logs (a TEXT COLLATE NOCASE, b TEXT COLLATE NOCASE, n INTEGER)")
    sqlite.executemany("INSERT INTO logs VALUES (?, ?, ?)", [[event.get(name) for name in _FLAT.columns] for event in logged])
    for rule in rules:
        [query] = _BACKEND().convert_rule(copy.deepcopy(rule))
        theirs = sqlite.execute(query.replace("SELECT *", "SELECT rowid") + " ORDER BY 1").fetchall()
        ours = connection.execute(f"SELECT number FROM events WHERE {compile_rule(rule, _FLAT).where} ORDER BY 1").fetchall()
        assert ours == theirs
