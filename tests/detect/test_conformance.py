"""What Sigma rules mean, case by case: the compiler and the slow matcher both say so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from sigma.rule import SigmaRule

from soc2.detect.schema import SCHEMAS, LogSchema
from soc2.detect.sql import compile_rule, field_sql
from soc2.model.logs import LogKind
from tests.detect.reference import field_text, matches
from tests.detect.table import connect, load

_FOLDER = Path(__file__).parent / "conformance"


def _groups() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(_FOLDER.glob("*.yaml")):
        found = yaml.safe_load(path.read_text())
        for number, group in enumerate(found if isinstance(found, list) else [found]):
            yield f"{path.stem}-{number}", group


_GROUPS = dict(_groups())


def _rule(detection: dict[str, Any]) -> SigmaRule:
    whole = detection if "condition" in detection else _with_condition(detection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SigmaRule.from_dict({"title": "A rule", "logsource": {"product": "any"}, "detection": whole})


def _with_condition(detection: dict[str, Any]) -> dict[str, Any]:
    if "keywords" in detection:
        return {**detection, "condition": "keywords"}
    return {"selection": detection, "condition": "selection"}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


@pytest.mark.parametrize("name", _GROUPS)
def test_rules_match_the_events_that_they_should(name: str, connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    group = _GROUPS[name]
    schema = SCHEMAS[LogKind(group["kind"])]
    events, placeholders = group["events"], group.get("placeholders")
    rules = {case: _rule(found["detection"]) for case, found in group["cases"].items()}
    expected = {case: found["matches"] for case, found in group["cases"].items()}

    load(connection, schema, list(events.values()), tmp_path)
    wheres = [compile_rule(rule, schema, placeholders=placeholders).where for rule in rules.values()]
    rows = connection.execute(f"SELECT {', '.join(wheres)} FROM events ORDER BY number").fetchall()
    compiled = {
        case: [event for event, row in zip(events, rows, strict=True) if row[place]] for place, case in enumerate(rules)
    }
    slow = {
        case: [name for name, event in events.items() if matches(rule, event, schema, placeholders)]
        for case, rule in rules.items()
    }

    assert {None} - {value for row in rows for value in row} == {None}
    assert compiled == expected
    assert slow == expected


@pytest.mark.parametrize("name", _GROUPS)
def test_fields_have_the_texts_that_they_should(name: str, connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    group = _GROUPS[name]
    schema = SCHEMAS[LogKind(group["kind"])]
    events = list(group["events"].values())
    fields = _fields(group, schema)
    load(connection, schema, events, tmp_path)
    rows = connection.execute(f"SELECT {', '.join(['1', *fields.values()])} FROM events ORDER BY number").fetchall()

    assert [row[1:] for row in rows] == [tuple(field_text(schema, event, name) for name in fields) for event in events]


def _fields(group: dict[str, Any], schema: LogSchema) -> dict[str, str]:
    named: dict[str, str] = {}
    for found in group["cases"].values():
        named.update(compile_rule(_rule(found["detection"]), schema, placeholders=group.get("placeholders")).fields)
    return {name: field_sql(schema, name) for name in named}
