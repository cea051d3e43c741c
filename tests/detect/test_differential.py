"""The compiler against other implementations, on rules and events that nobody chose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from soc2.detect.schema import LogSchema
from soc2.detect.sql import compile_rule
from soc2.model.logs import LogKind
from tests.detect.reference import matches
from tests.detect.strategies import detections, events
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
