"""Each rule that is shipped says all that it must, finds the event that it is made for, and leaves the near miss alone.

``events/<kind>/<name>.yaml`` has an event (for a correlation a list of them) under ``match`` and under ``near_miss``, which
differs in one thing, with the fields that the kind's log has.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from soc2.criteria import CRITERIA
from soc2.detect.engine import Detector
from soc2.detect.rules import SHIPPED, Correlation, Rule, RuleSet, load_rules
from soc2.gather.logs.segments import Segment
from soc2.model.logs import Alert, LogKind

_EVENTS = Path(__file__).parent / "events"
_FILES = sorted(SHIPPED.rglob("*.yml"))
_NAMES = [f"{path.parent.name}/{path.stem}" for path in _FILES]
_LEVELS = {"informational", "low", "medium", "high", "critical"}
_SAID = {"title", "id", "status", "description", "author", "date", "tags", "falsepositives", "level"}
_TACTICS = {
    *("reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation"),
    *("defense-evasion", "credential-access", "discovery", "lateral-movement", "collection", "command-and-control"),
    *("exfiltration", "impact"),
}
_TIMES = {"requestReceivedTimestamp", "stageTimestamp", "eventTime", "time", "createdAt", "updatedAt", "start", "end"}
# So many rules at once are planned quickest.
_AT_ONCE = 24
# By what the engine tells an event that it reads twice.
_IDENTITY = {
    LogKind.KUBERNETES_AUDIT: "auditID",
    LogKind.CLOUDTRAIL: "eventID",
    LogKind.FALCO: "uuid",
    LogKind.GUARDDUTY: "id",
}


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    return load_rules([SHIPPED])


@dataclass(frozen=True)
class Proved:
    """The alerts on the events of all rules, by the name of the rule whose events they are."""

    match: Mapping[str, list[Alert]]
    near_miss: Mapping[str, list[Alert]]


@pytest.fixture(scope="module")
def proved(shipped: RuleSet, tmp_path_factory: pytest.TempPathFactory) -> Proved:
    found: dict[str, dict[str, list[Alert]]] = {"match": {}, "near_miss": {}}
    for names in _batched(_NAMES, _AT_ONCE):
        folder = tmp_path_factory.mktemp("events")
        for (side, name), alerts in _alerts(_rules_of(shipped, names), folder, names).items():
            found[side][name] = alerts
    return Proved(**found)


def _batched(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _rules_of(shipped: RuleSet, names: Sequence[str]) -> RuleSet:
    paths = {SHIPPED / f"{name}.yml" for name in names}
    return RuleSet(
        tuple(rule for rule in shipped.rules if rule.path in paths),
        tuple(rule for rule in shipped.correlations if rule.path in paths),
    )


def _alerts(rules: RuleSet, folder: Path, names: Sequence[str]) -> dict[tuple[str, str], list[Alert]]:
    """Scans the events of each kind of log as one file, in which the line tells whose event it is.

    The events of each rule and side are some weeks apart from the others, so that correlations do not mix them.
    """
    owners: dict[tuple[LogKind, int], tuple[str, str]] = {}
    lines: dict[LogKind, list[dict[str, Any]]] = {}
    alerts: dict[tuple[str, str], list[Alert]] = {}
    for name in names:
        kind = LogKind(name.partition("/")[0])
        for side, events in _events(name).items():
            apart = timedelta(weeks=2 * len(alerts))
            alerts[side, name] = []
            for event in events:
                records = lines.setdefault(kind, [])
                own = {_IDENTITY[kind]: str(UUID(int=len(records)))} if kind in _IDENTITY else {}
                records.append({**_later(event, apart), **own, "@line": len(records) + 1})
                owners[kind, len(records)] = (side, name)
    segments = []
    for kind, found in lines.items():
        path = folder / f"{kind}.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in found), encoding="utf-8")
        segments.append(Segment(kind, path, kind, framed=True))
    with Detector(rules, folder) as detector:
        detector.add(segments)
        assert sum(scanned.records for scanned in detector.scanned) == len(owners)
        for alert in detector.alerts():
            alerts[owners[alert.source, alert.line]].append(alert)
    return alerts


def _events(name: str) -> dict[str, list[dict[str, Any]]]:
    proofs = yaml.safe_load((_EVENTS / f"{name}.yaml").read_text(encoding="utf-8"))
    return {side: found if isinstance(found, list) else [found] for side, found in proofs.items()}


def _later(event: Mapping[str, Any], apart: timedelta) -> dict[str, Any]:
    moved = dict(event)
    for key in _TIMES & set(event):
        if isinstance(event[key], int):
            moved[key] = event[key] + int(apart.total_seconds())
        else:
            moved[key] = (datetime.fromisoformat(str(event[key])) + apart).isoformat()
    return moved


def test_all_rules_can_be_used(shipped: RuleSet) -> None:
    assert shipped.problems == ()
    assert {*(rule.path for rule in shipped.rules), *(rule.path for rule in shipped.correlations)} == set(_FILES)


def test_there_are_enough_rules_of_each_kind_of_log() -> None:
    count = Counter(path.parent.name for path in _FILES)
    assert count.total() >= 120
    assert set(count) == set(LogKind)


def test_each_rule_has_events_and_each_event_a_rule() -> None:
    events = {f"{path.parent.name}/{path.stem}" for path in _EVENTS.rglob("*.yaml")}
    assert events == set(_NAMES)
    assert [path for path in SHIPPED.rglob("*") if path.is_file() and path.suffix != ".yml"] == []


def test_ids_names_and_titles_are_told_apart() -> None:
    documents = [document for path in _FILES for document in _documents(path)]
    for key in ("id", "name", "title"):
        values = Counter(document[key] for document in documents if key in document)
        assert [value for value, count in values.items() if count > 1] == []


@cache
def _documents(path: Path) -> tuple[dict[str, Any], ...]:
    return tuple(yaml.safe_load_all(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", _FILES, ids=_NAMES)
def test_a_rule_says_what_it_is(path: Path) -> None:
    documents = _documents(path)
    told = [document for document in documents if "description" in document]
    (rule,) = told if len(documents) > 1 else documents
    assert _SAID - set(rule) == set()
    assert ("correlation" in rule) == (len(documents) > 1)
    for document in documents:
        UUID(document["id"])
        assert 8 <= len(document["title"]) <= 100
        assert not document["title"].endswith(".")
    assert rule["author"] == "soc2-controls"
    assert date.fromisoformat(str(rule["date"])) >= date(2026, 11, 24)
    assert rule["status"] in {"stable", "test"}
    assert rule["level"] in _LEVELS
    assert len(rule["description"]) >= 40
    assert rule["falsepositives"]
    (criterion,) = [tag for tag in rule["tags"] if tag.startswith("soc2.")]
    assert criterion.removeprefix("soc2.").upper() in CRITERIA
    attack = [tag.removeprefix("attack.") for tag in rule["tags"] if tag != criterion]
    assert attack
    assert [tag for tag in attack if tag not in _TACTICS and not re.fullmatch(r"t\d{4}(\.\d{3})?", tag)] == []


@pytest.mark.parametrize("name", _NAMES)
def test_a_rule_finds_its_event_and_not_the_near_miss(name: str, shipped: RuleSet, proved: Proved) -> None:
    rules: list[Rule | Correlation] = [*shipped.rules, *shipped.correlations]
    (own,) = [rule for rule in rules if rule.path == SHIPPED / f"{name}.yml" and rule.alerts]
    found = Counter(alert.rule_id for alert in proved.match[name])
    assert found[own.id] == 1
    assert own.id not in {alert.rule_id for alert in proved.near_miss[name]}
    (alert,) = [alert for alert in proved.match[name] if alert.rule_id == own.id]
    assert (alert.title, alert.criterion, alert.severity) == (own.title, own.criterion, own.level)


@pytest.mark.parametrize("name", ["private-key-printed", "access-key-printed", "bearer-token-printed"])
def test_an_alert_does_not_repeat_the_secret_that_was_printed(name: str, proved: Proved) -> None:
    (event,) = _events(f"container/{name}")["match"]
    for alert in proved.match[f"container/{name}"]:
        assert event["message"] not in json.dumps(dict(alert.fields))
