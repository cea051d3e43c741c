"""A policy closes a way into containers when it is asked about that very way, here, and refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from soc2.catalog import all_checks
from tests.case import Case, read_case, run_check

CHECK = next(check for check in all_checks() if check.id == "running-containers-closed")
CASE = read_case("running-containers-closed", "violating")
BOTH = ["pods/exec", "pods/ephemeralcontainers"]


def opened(rules: list[dict[str, Any]], binding: dict[str, Any] | None = None, **spec: Any) -> list[str]:
    """Return the ways that are open to bob, with a policy that is bound to every namespace."""
    sources = copy.deepcopy(CASE.sources)
    sources["validatingadmissionpolicies"][0]["spec"] = {"matchConstraints": {"resourceRules": rules}, **spec}
    bound = {"policyName": "no-debugging", "validationActions": ["Deny"], **(binding or {})}
    sources["validatingadmissionpolicybindings"] = [{"metadata": {"name": "b"}, "spec": bound}]
    found = run_check(CHECK, Case(sources)).deviations
    return [item.deviation.fields["subresource"] for item in found if str(item.deviation.resource) == "Namespace/tools"]


def rule(*resources: str, operations: tuple[str, ...] = ("*",), group: str = "") -> dict[str, Any]:
    return {"apiGroups": [group], "resources": list(resources), "operations": list(operations)}


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ([rule("pods/*")], []),
        ([rule("*/*", group="*")], []),
        ([rule("*/exec"), rule("pods/ephemeralcontainers", operations=("UPDATE",))], []),
        ([rule("pods/exec", operations=("CONNECT",))], ["pods/ephemeralcontainers"]),
        ([rule("*")], BOTH),
        ([rule("pods")], BOTH),
        ([rule("pods/*", operations=("CREATE",))], BOTH),
        ([rule("pods/*", group="apps")], BOTH),
        ([rule("pods/ephemeralcontainers", operations=("CONNECT",))], BOTH),
        ([], BOTH),
    ],
)
def test_only_a_rule_about_the_way_closes_it(rules: list[dict[str, Any]], left: list[str]) -> None:
    assert opened(rules) == left


@pytest.mark.parametrize(
    ("binding", "spec"),
    [
        ({"validationActions": ["Audit"]}, {}),
        ({"matchResources": {"namespaceSelector": {"matchLabels": {"closed": "yes"}}}}, {}),
        ({"matchResources": {"objectSelector": {"matchLabels": {"a": "b"}}}}, {}),
        ({}, {"matchConditions": [{"name": "new", "expression": "true"}]}),
    ],
)
def test_a_policy_that_may_pass_it_over_closes_nothing(binding: dict[str, Any], spec: dict[str, Any]) -> None:
    assert opened([rule("pods/*")], binding, **spec) == BOTH
