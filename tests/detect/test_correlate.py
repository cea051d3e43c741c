"""Correlations: what they mean, case by case, and against the slow matcher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import duckdb
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sigma.correlations import SigmaCorrelationRule

from soc2.detect.correlate import EventRef, Fired, correlate, create_hits, needed
from soc2.detect.rules import Correlation, RuleSet, load_rules
from soc2.detect.schema import SCHEMAS
from soc2.detect.windows import asked_fields, references
from soc2.model.logs import LogKind
from tests.detect import reference
from tests.detect.table import connect, load

_START = datetime(2024, 1, 1, tzinfo=UTC)
_SCHEMA = SCHEMAS[LogKind.NODE]
_RULES = {"fail": "Failed", "pass": "Accepted", "sudo": "COMMAND"}
Event = Mapping[str, Any]


def _id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def _documents(correlations: Sequence[Mapping[str, Any]]) -> str:
    rules = [
        {
            "title": name,
            "name": name,
            "id": _id(name),
            "logsource": {"product": "linux"},
            "detection": {"selection": {"message|contains": word}, "condition": "selection"},
        }
        for name, word in _RULES.items()
    ]
    wholes = [
        {
            "title": f"c{number}",
            "name": f"c{number}",
            "id": _id(f"c{number}"),
            "correlation": {"timespan": "10s", **correlation},
        }
        for number, correlation in enumerate(correlations)
    ]
    return "\n---\n".join(yaml.safe_dump(document) for document in [*rules, *wholes])


def _rules(folder: Path, *correlations: Mapping[str, Any]) -> RuleSet:
    (folder / "rules.yml").write_text(_documents(correlations))
    loaded = load_rules([folder])
    assert loaded.problems == ()
    return loaded


def _event(second: float | None, message: str, **fields: Any) -> Event:
    time = None if second is None else (_START + timedelta(seconds=second)).isoformat()
    return {"time": time, "message": message, **fields}


def _fired(connection: duckdb.DuckDBPyConnection, rules: RuleSet, events: Sequence[Event], folder: Path) -> list[Fired]:
    load(connection, _SCHEMA, events, folder)
    create_hits(connection)
    asked = needed(rules)
    for rule in rules.rules:
        if rule.id in asked:
            connection.execute(
                f"INSERT INTO hits SELECT '{rule.id}', 'node', number - 1, soc2_time(\"time\"), {asked[rule.id]} FROM events "
                f"WHERE {rule.compile().where}"
            )
    return list(correlate(connection, rules))


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


def _runs(found: Sequence[Fired]) -> list[tuple[float, float, dict[str, str | None], int]]:
    """Start and end in seconds, the group and the count."""
    return [
        ((each.time - _START).total_seconds(), (each.end - _START).total_seconds(), each.group, each.count) for each in found
    ]


_CASES = [
    pytest.param(group["events"], case, id=name)
    for group in yaml.safe_load((Path(__file__).parent / "correlations.yaml").read_text())
    for name, case in group["cases"].items()
]
_FAILS = [_event(second, "Failed", address="a") for second in (0, 4, 10)]
_COUNT = {"type": "event_count", "rules": ["fail"]}


@pytest.mark.parametrize(("events", "case"), _CASES)
def test_a_correlation_fires_where_its_windows_fulfil_it(
    events: list[Any], case: dict[str, Any], connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    correlation = {key: value for key, value in case.items() if key != "expected"}
    found = _fired(connection, _rules(tmp_path, correlation), [_event(*event[:2], **event[2]) for event in events], tmp_path)
    assert [list(run) for run in _runs(found)] == case["expected"]


def test_a_result_tells_its_events(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rules = _rules(tmp_path, {**_COUNT, "condition": {"gte": 2}, "group-by": ["address"]})
    assert _fired(connection, rules, _FAILS, tmp_path) == [
        Fired(
            correlation=rules.correlations[0],
            time=_START + timedelta(seconds=4),
            end=_START + timedelta(seconds=10),
            group={"address": "a"},
            first=EventRef(LogKind.NODE, 0),
            trigger=EventRef(LogKind.NODE, 1),
            last=EventRef(LogKind.NODE, 2),
            count=3,
        )
    ]


def test_a_correlation_may_refer_to_another(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rules = _rules(
        tmp_path,
        {**_COUNT, "condition": {"gte": 2}, "group-by": ["address"]},
        {"type": "temporal_ordered", "rules": ["c0", "pass"], "group-by": ["address"]},
    )
    events = [
        _event(0, "Failed", address="a"),
        _event(1, "Failed", address="a"),
        _event(5, "Failed", address="a"),
        _event(12, "Accepted", address="a"),
        _event(13, "Failed", address="b"),
        _event(14, "Accepted", address="b"),
    ]
    assert [each.title for each in rules.correlations if each.alerts] == ["c1"]
    assert _runs(_fired(connection, rules, events, tmp_path)) == [(12, 12, {"address": "a"}, 2)]


def test_counts_of_a_correlation_are_of_its_runs(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    inner = {**_COUNT, "condition": {"gte": 2}, "timespan": "2s"}
    outer = {"type": "event_count", "rules": ["c0"], "condition": {"gte": 2}, "timespan": "1h"}
    rules = _rules(tmp_path, inner, outer)
    events = [_event(second, "Failed") for second in (0, 1, 2, 3, 20, 21)]
    assert _runs(_fired(connection, rules, events, tmp_path)) == [(21, 21, {}, 2)]


# Against the slow matcher

_conditions = st.builds(
    lambda operator, count: {operator: count}, st.sampled_from(["gt", "gte", "lt", "lte", "eq", "neq"]), st.integers(1, 4)
)
_names = st.sampled_from(list(_RULES))
_some = st.lists(_names, min_size=1, max_size=2, unique=True)
_several = st.lists(_names, min_size=2, max_size=3, unique=True)
_logical = st.sampled_from(["fail and not pass", "fail or pass and sudo", "not (fail and pass)", "not sudo or fail"])
_values = st.builds(lambda condition: {**condition, "field": "pid"}, _conditions)
_SHARED = {
    "group-by": st.sampled_from([None, ["address"], ["address", "user"]]),
    "timespan": st.sampled_from(["1s", "2s", "5s"]),
}


def _correlation(kinds: Sequence[str], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.sampled_from(kinds), **parts, **_SHARED})


_correlations = st.one_of(
    _correlation(["event_count"], rules=_some, condition=_conditions),
    _correlation(["value_count", "value_sum", "value_median"], rules=_some, condition=_values),
    _correlation(["temporal", "temporal_ordered"], rules=_several),
    _correlation(["temporal"], condition=_logical),
)
_logged = st.lists(
    st.builds(
        _event,
        st.integers(0, 24).map(lambda half: half / 2),
        st.sampled_from(["Failed", "Accepted", "COMMAND", "Failed COMMAND", "other"]),
        address=st.sampled_from(["a", "b", None]),
        user=st.sampled_from(["x", "y"]),
        pid=st.sampled_from(["1", "2", "3", "x", None]),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """The rules alone."""
    return _rules(tmp_path_factory.mktemp("rules"))


@given(written=_correlations, events=_logged)
def test_windows_agree_with_the_slow_matcher(
    connection: duckdb.DuckDBPyConnection, base: RuleSet, written: dict[str, Any], events: list[Event]
) -> None:
    sigma = SigmaCorrelationRule.from_dict({"title": "c", "correlation": written})
    names = {_id(name): name for name in references(sigma)}
    rules = replace(base, correlations=(Correlation("c", "c", "low", "CC7.2", (), Path("c"), sigma, tuple(names), names),))
    hits = [
        reference.Hit(name, datetime.fromisoformat(event["time"]), row, event, _SCHEMA)
        for row, event in enumerate(events)
        for name, word in _RULES.items()
        if word in event["message"]
    ]
    create_hits(connection)
    if hits:
        connection.execute("INSERT INTO hits VALUES " + ", ".join(_row(rules, hit) for hit in hits))

    found = [
        (tuple(each.group.values()), each.time, each.end, each.trigger.event, each.last.event, each.count)
        for each in correlate(connection, rules)
    ]
    expected = [(run.group, run.start, run.end, run.first, run.last, run.count) for run in reference.correlate(sigma, hits)]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def _row(rules: RuleSet, hit: reference.Hit) -> str:
    """The hit as ``needed`` asks for it."""
    asked = [hit.event.get(name) for name in asked_fields(rules, _id(hit.rule), _SCHEMA) or []]
    fields = ", ".join("NULL" if value is None else f"'{value}'" for value in asked)
    return f"('{_id(hit.rule)}', 'node', {hit.row}, '{hit.time:%Y-%m-%d %H:%M:%S.%f}', [{fields}]::VARCHAR[])"
