"""Rules are read from folders; what cannot be used is a problem that names rule and field, and the others run."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
import yaml

from soc2.detect.rules import RuleProblem, RuleSet, load_rules
from soc2.detect.schema import SCHEMAS
from soc2.model.logs import LogKind
from tests.detect.table import connect, load


def _id(title: str) -> str:
    return str(uuid5(NAMESPACE_URL, title))


def _rule(title: str, detection: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "title": title,
        "id": _id(title),
        "logsource": {"product": "kubernetes", "service": "audit"},
        "detection": {"condition": "selection", **detection},
        "level": "high",
        **others,
    }


def _correlation(title: str, **correlation: Any) -> dict[str, Any]:
    whole = {"type": "event_count", "timespan": "5m", "condition": {"gte": 3}, **correlation}
    return {"title": title, "id": _id(title), "correlation": whole}


def _load(folder: Path, *documents: Any, **options: Any) -> RuleSet:
    (folder / "rules.yml").write_text("---\n".join(yaml.safe_dump(document) for document in documents))
    return load_rules([folder], **options)


_GOOD = _rule("Good", {"selection": {"verb": "delete"}})


def test_a_rule_says_what_alerts_need(tmp_path: Path) -> None:
    tags = ["attack.impact", "soc2.cc6.3"]
    document = _rule("Deleted", {"selection": {"verb": "delete"}}, level="critical", tags=tags)
    [rule] = _load(tmp_path, document).rules
    assert (rule.id, rule.title, rule.level, rule.criterion, rule.tags) == (
        _id("Deleted"), "Deleted", "critical", "CC6.3", tuple(tags),
    )  # fmt: skip
    assert (rule.kind, rule.limit, rule.path, rule.alerts) == (LogKind.KUBERNETES_AUDIT, None, tmp_path / "rules.yml", True)


def test_what_a_rule_leaves_out_has_a_default(tmp_path: Path) -> None:
    document = {"title": "Bare", "logsource": {"product": "aws", "service": "cloudtrail"}, "detection": _GOOD["detection"]}
    document["detection"] = {"selection": {"eventName": "X"}, "condition": "selection"}
    [rule] = _load(tmp_path, document).rules
    assert (rule.id, rule.level, rule.criterion, rule.kind) == (
        "Bare", "medium", "CC7.2", LogKind.CLOUDTRAIL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("logsource", "kind", "limited"),
    [
        ({"product": "kubernetes"}, LogKind.KUBERNETES_AUDIT, False),
        ({"category": "application", "product": "kubernetes", "service": "audit"}, LogKind.KUBERNETES_AUDIT, False),
        ({"product": "kubernetes", "service": "falco"}, LogKind.FALCO, False),
        ({"product": "Linux", "service": "SSHD"}, LogKind.NODE, True),
        ({"product": "linux", "service": "sshd", "category": "any"}, LogKind.NODE, True),
        ({"product": "linux", "category": "process_creation"}, LogKind.AUDITD, True),
        ({"product": "linux", "service": "auditd", "definition": "of SigmaHQ"}, LogKind.AUDITD, False),
    ],
)
def test_the_log_source_tells_the_kind(logsource: dict[str, str], kind: LogKind, limited: bool, tmp_path: Path) -> None:
    [rule] = (
        _load(tmp_path, _rule("A", {"selection": {"type": None}}, logsource=logsource)).rules
        or _load(tmp_path, _rule("A", {"selection": {"verb": "x"}}, logsource=logsource)).rules
        or _load(tmp_path, _rule("A", {"selection": {"message": "x"}}, logsource=logsource)).rules
        or _load(tmp_path, _rule("A", {"selection": {"rule": "x"}}, logsource=logsource)).rules
    )
    assert (rule.kind, rule.limit is not None) == (kind, limited)


def test_a_limit_holds_with_the_rule(tmp_path: Path) -> None:
    document = _rule("A", {"selection": {"user": "root"}}, logsource={"product": "linux", "service": "sudo"})
    document["detection"]["condition"] = "not selection"
    [rule] = _load(tmp_path, document).rules
    events: list[dict[str, Any]] = [{"message": "a", "program": "SUDO"}, {"message": "b", "program": "su"}, {"message": "c"}]
    with connect() as connection:
        load(connection, SCHEMAS[rule.kind], events, tmp_path)
        rows = connection.execute(f"SELECT {rule.compile().where} FROM events ORDER BY number").fetchall()
    assert rows == [(True,), (False,), (False,)]


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        (_rule("Bad", {"selection": {"vreb": "x"}}), "vreb", "logs of kubernetes-audit have no such field"),
        (_rule("Bad", {"selection": {"objectRef.nmae": "x"}}), "objectRef.nmae", "objectRef has no such part"),
        (_rule("Bad", {"selection": {"verb.x": "x"}}), "verb.x", "logs of kubernetes-audit have no such field"),
        (
            _rule("Bad", {"selection": {"verb|re": "(?!x)y"}}),
            "verb",
            "Regular expression '(?!x)y' is invalid: lookahead is not part of RE2's syntax",
        ),
        (
            _rule("Bad", {"selection": {"verb|re": r"(a)\1"}}),
            "verb",
            r"Regular expression '(a)\1' is invalid: references to groups are not part of RE2's syntax",
        ),
        (_rule("Bad", {"selection": {"verb|expand": "%who%"}}), "verb", "nothing is declared for the placeholder %who%"),
        (_rule("Bad", {"selection": {"verb|fieldref": "vreb"}}), "vreb", "logs of kubernetes-audit have no such field"),
        (_rule("Bad", {"selection": {"verb|contians": "x"}}), "verb", "Unknown modifier 'contians'"),
        (
            _rule("Bad", {"selection": {"sourceIPs|cidr": "10.0.0.1/8"}}),
            "sourceIPs",
            "Invalid CIDR expression: 10.0.0.1/8 has host bits set",
        ),
        (
            _rule("Bad", {"selection": {"verb|re": "("}}),
            "verb",
            "Regular expression '(' is invalid: missing ): (",
        ),
        (
            _rule("Bad", {"selection": {"verb": "x"}, "condition": "other"}),
            "condition",
            "Detection 'other' not defined in detections",
        ),
        (
            _rule("Bad", {"selection": {"verb": "x"}}, logsource={"product": "windows", "service": "security"}),
            "logsource",
            "no kind of log that is read here has the log source product windows, service security",
        ),
        (
            _rule("Bad", {"selection": {"type": "x"}}, logsource={"product": "linux", "category": "file_event"}),
            "logsource",
            "no kind of log that is read here has the log source category file_event, product linux",
        ),
        (_rule("Bad", {"selection": {"verb": "x"}}, level="grave"), None, "'grave' is not a valid Sigma rule level"),
        (_correlation("Bad", rules=[_id("none")]), "rules", f"no usable rule has the id or name {_id('none')!r}"),
        (_correlation("Bad", rules=[_id("Good")], type="often"), None, "'often' is no valid Sigma correlation type"),
        (
            _correlation("Bad", rules=[_id("Good")], **{"group-by": ["usre"]}),
            "usre",
            "logs of kubernetes-audit have no such field",
        ),
        (
            _correlation("Bad", rules=[_id("Good")], type="value_count", condition={"gte": 3, "field": "nmae"}),
            "nmae",
            "logs of kubernetes-audit have no such field",
        ),
        (
            _correlation("Bad", type="temporal_ordered", rules=[_id("Good")], condition={"gte": 2}),
            "condition",
            "temporal_ordered asks for all of its rules; a count of some has no order",
        ),
    ],
)
def test_a_problem_names_rule_and_field_and_the_others_run(
    document: dict[str, Any], field: str | None, message: str, tmp_path: Path
) -> None:
    loaded = _load(tmp_path, document, _GOOD)
    assert loaded.problems == (RuleProblem(tmp_path / "rules.yml", "Bad", field, message),)
    assert [rule.title for rule in loaded.rules] == ["Good"]
    assert loaded.correlations == ()


def test_a_problem_is_told_on_one_line() -> None:
    problem = RuleProblem(Path("a.yml"), "Bad", "verb", "no such field")
    assert str(problem) == "a.yml: Bad: verb: no such field"


def test_a_file_that_is_no_yaml_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("title: [")
    loaded = _load(tmp_path, _GOOD)
    assert [(problem.path.name, problem.rule, problem.field) for problem in loaded.problems] == [("bad.yaml", None, None)]
    assert [rule.title for rule in loaded.rules] == ["Good"]


def test_other_documents_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "flow.yml").write_text("title: [")
    (tmp_path / "notes.yml").write_text("- a list\n---\nname: of something\n---\n")
    assert _load(tmp_path, _GOOD).problems == ()


def test_an_id_that_two_rules_have_is_a_problem(tmp_path: Path) -> None:
    loaded = _load(tmp_path, _GOOD, {**_GOOD, "title": "Copy"})
    where = tmp_path / "rules.yml"
    assert loaded.problems == (RuleProblem(where, "Copy", "id", f"{where} has a rule of this id too"),)


def test_global_documents_are_merged(tmp_path: Path) -> None:
    rule = _rule("Part", {"selection": {"verb": "x"}})
    del rule["logsource"]
    loaded = _load(tmp_path, {"action": "global", "logsource": {"product": "kubernetes"}}, rule)
    assert [found.title for found in loaded.rules] == ["Part"]
    assert loaded.problems == ()


def test_filters_leave_out_what_they_say(tmp_path: Path) -> None:
    exception = {
        "title": "Known",
        "logsource": {"product": "kubernetes", "service": "audit"},
        "filter": {"rules": [_id("Good")], "selection": {"user.username": "robot"}, "condition": "not selection"},
    }
    loaded = _load(tmp_path, _GOOD, _rule("Second", {"selection": {"verb": "delete"}}), exception)
    events: list[dict[str, Any]] = [
        {"auditID": "1", "verb": "delete", "user": {"username": "robot"}},
        {"auditID": "2", "verb": "delete"},
    ]
    with connect() as connection:
        load(connection, SCHEMAS[LogKind.KUBERNETES_AUDIT], events, tmp_path)
        found = [
            connection.execute(f"SELECT auditID FROM events WHERE {rule.compile().where} ORDER BY 1").fetchall()
            for rule in loaded.rules
        ]
    assert found == [[("2",)], [("1",), ("2",)]]
    assert loaded.problems == ()


def test_a_filter_of_no_rule_is_a_problem(tmp_path: Path) -> None:
    exception = {
        "title": "Known",
        "logsource": {"product": "kubernetes", "service": "audit"},
        "filter": {"rules": ["nobody"], "selection": {"verb": "x"}, "condition": "not selection"},
    }
    loaded = _load(tmp_path, _GOOD, exception)
    assert loaded.problems == (
        RuleProblem(tmp_path / "rules.yml", "Known", "rules", "no usable rule has the id or name 'nobody'"),
    )


def test_rules_that_only_correlations_listen_to_do_not_alert(tmp_path: Path) -> None:
    named = {**_GOOD, "name": "good"}
    loaded = _load(
        tmp_path,
        _correlation("Outer", rules=[_id("Inner").upper()]),
        _correlation("Inner", rules=["good"], generate=False),
        _correlation("Loud", rules=[_id("Second")], generate=True),
        named,
        _rule("Second", {"selection": {"verb": "get"}}),
    )
    assert {rule.title: rule.alerts for rule in loaded.rules} == {"Good": False, "Second": True}
    assert [(each.title, each.alerts, each.steps) for each in loaded.correlations] == [
        ("Inner", False, (_id("Good"),)),
        ("Loud", True, (_id("Second"),)),
        ("Outer", True, (_id("Inner"),)),
    ]


def test_placeholders_are_declared_for_all_rules(tmp_path: Path) -> None:
    loaded = _load(tmp_path, _rule("A", {"selection": {"verb|expand": "%verbs%"}}), placeholders={"verbs": ["get", "list"]})
    assert loaded.rules[0].compile().parts == ("coalesce(lower(\"verb\") IN ('get', 'list'), false)",)


def test_lower_cased_copies_are_used_where_there_are_any(tmp_path: Path) -> None:
    loaded = _load(tmp_path, _rule("A", {"selection": {"verb": "get", "objectRef.resource|contains": "pods"}}))
    compiled = loaded.rules[0].compile({"verb": '"verb@lower"'}.get)
    assert compiled.where == (
        "(\"verb@lower\" IS NOT DISTINCT FROM 'get' AND "
        "coalesce(contains(lower(struct_extract(\"objectRef\", 'resource')), 'pods'), false))"
    )
    assert compiled.fields == (("objectRef.resource", "struct_extract(\"objectRef\", 'resource')"), ("verb", '"verb"'))


def test_cheap_tests_stand_first(tmp_path: Path) -> None:
    selection = {"requestObject.spec.hostPID": True, "userAgent|re": "x", "user.groups": "a", "verb": "create"}
    where = _load(tmp_path, _rule("A", {"selection": selection})).rules[0].compile().where
    places = [where.index(part) for part in ('"verb"', '"userAgent"', "'groups'", '"requestObject"')]
    assert places == sorted(places)
