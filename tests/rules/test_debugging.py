"""Ways into running containers are closed by what refuses all of them, and by nothing that only looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from soc2.catalog import all_checks
from soc2.judge import Verdict
from soc2.model.outcome import Outcome
from tests.case import Case, run_check

CHECK = next(check for check in all_checks() if check.id == "running-containers-closed")
EXEC = {"apiGroups": [""], "resources": ["pods/exec"], "operations": ["CONNECT"]}


def judged(
    rule: dict[str, Any] | None = None,
    right: str = "pods/exec",
    verb: str = "create",
    expression: str = "false",
    binding: dict[str, Any] | None = None,
    **spec: Any,
) -> Verdict:
    """Return what is told of a namespace with a policy on exec, in which Ann has a right."""
    policy = {
        "matchConstraints": {"resourceRules": [{**EXEC, **(rule or {})}]},
        "validations": [{"expression": expression}],
        **spec,
    }
    given: dict[str, list[Any]] = {
        "namespaces": [{"metadata": {"name": "shop"}}],
        "validatingadmissionpolicies": [{"metadata": {"name": "p"}, "spec": policy}],
        "validatingadmissionpolicybindings": [
            {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"], **(binding or {})}}
        ],
        "roles": [
            {
                "metadata": {"name": "r", "namespace": "shop"},
                "rules": [{"apiGroups": [""], "resources": [right], "verbs": [verb]}],
            }
        ],
        "rolebindings": [
            {
                "metadata": {"name": "b", "namespace": "shop"},
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [{"kind": "User", "name": "ann"}],
            }
        ],
    }
    return run_check(CHECK, Case(given))


@pytest.mark.parametrize("resources", [["pods/exec"], ["pods/*"], ["*/exec"], ["*/*"]])
def test_a_policy_that_refuses_everybody_closes_the_way(resources: list[str]) -> None:
    assert judged({"resources": resources}).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("right", "verb", "held"),
    [
        ("pods/exec", "create", True),
        ("*/exec", "create", True),
        ("*", "create", True),
        ("pods/exec", "*", True),
        ("pods/exec", "delete", False),
        # RBAC has no star for the part.
        ("pods/*", "create", False),
        ("pods", "create", False),
    ],
)
def test_rights_are_those_that_the_authorizer_sees(right: str, verb: str, held: bool) -> None:
    verdict = judged({"resources": ["services"]}, right, verb)
    assert ("pods/exec" in [item.deviation.fields["subresource"] for item in verdict.deviations]) is held


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ({"operations": ["CREATE"]}, {}),
        ({"resources": ["pods", "*"]}, {}),
        ({"apiGroups": ["apps"]}, {}),
        ({"resourceNames": ["web"]}, {}),
        ({"scope": "Cluster"}, {}),
        ({}, {"failurePolicy": "Ignore"}),
        ({}, {"matchConditions": [{"name": "some", "expression": "true"}]}),
        ({}, {"binding": {"validationActions": ["Warn", "Audit"]}}),
        ({}, {"binding": {"matchResources": {"resourceRules": [{**EXEC, "resources": ["pods/attach"]}]}}}),
        ({}, {"binding": {"matchResources": {"excludeResourceRules": [EXEC]}}}),
        ({}, {"binding": {"matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}}}}),
    ],
)
def test_a_policy_that_leaves_some_requests_alone_closes_nothing(rule: dict[str, Any], more: dict[str, Any]) -> None:
    (deviation,) = [item.deviation for item in judged(rule, **more).deviations]
    assert deviation.message == (
        "nothing refuses commands in running containers (pods/exec) here, and User/ann may do it without being declared"
    )


def test_whom_an_expression_refuses_is_not_known() -> None:
    verdict = judged(expression="'on-call' in request.userInfo.groups")
    assert verdict.outcome is Outcome.EVIDENCE_MISSING
    assert "whom p refuses pods/exec in namespace shop is not evaluated" in verdict.reason
    assert judged(right="pods", expression="'on-call' in request.userInfo.groups").outcome is Outcome.PASS
