"""Duties: those of a person are those of all identities together, and rights that are cut are no duty."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.access.duties import duties_of_subjects, duties_of_users
from soc2.model.access.primitives import rights_of_subjects
from soc2.model.aws.iam import ControlLevel, Principal
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Resource
from soc2.model.feeds import Duty, RosterEntry, people
from soc2.model.kubernetes.joins import Grant
from soc2.model.kubernetes.rbac import PolicyRule, Subject

IDENTITIES = st.sampled_from(["User/a", "User/b", "AWS::IAM::User/a"])
DUTIES = st.sampled_from(["approves", "deploys", "reviews"])
PERSONS = st.sampled_from(["Dana", "Erik"])
ALLOW_ALL = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@given(
    st.lists(st.tuples(IDENTITIES | PERSONS, DUTIES)),
    st.lists(st.tuples(IDENTITIES, DUTIES)),
    st.dictionaries(IDENTITIES, PERSONS | st.just("")),
)
def test_a_person_has_the_duties_of_all_identities(
    declared: list[tuple[str, str]], live: list[tuple[str, str]], roster: dict[str, str]
) -> None:
    entries = [RosterEntry(identity, "team", person) for identity, person in roster.items()]
    rows = [Duty(identity, duty) for identity, duty in declared]
    rights = [(Resource(kind, rest), duty) for name, duty in live for kind, rest in [name.split("/")]]
    wanted: dict[str, set[str]] = {}
    for name, duty in [*declared, *live]:
        holder = roster.get(name) or name
        wanted.setdefault(holder if "/" in holder else f"Person/{holder}", set()).add(duty)
    assert {str(one.resource): one.duties for one in people(rows, rights, entries)} == wanted


def user(statement: dict[str, Any], boundary: Any = None) -> PrincipalPolicies:
    principal = Principal(arn="arn:aws:iam::123456789012:user/dana", user_name="dana")
    return PrincipalPolicies(principal, (("p", {"Statement": [statement]}),), boundary)


IAM_ADMIN = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("one", "levels", "duties"),
    [
        (user(IAM_ADMIN), (), ["administers IAM"]),
        (user({**IAM_ADMIN, "Action": ["iam:Get*", "iam:List*"]}), (), []),
        (user({**IAM_ADMIN, "Action": "cloudtrail:Stop*"}), (), ["keeps the audit logs"]),
        (user(IAM_ADMIN, boundary={"Statement": [{**IAM_ADMIN, "Action": "s3:*"}]}), (), []),
        (user(IAM_ADMIN), (ControlLevel("r-root", ({"Statement": [{**IAM_ADMIN, "Effect": "Deny"}]}, ALLOW_ALL)),), []),
        (user({**IAM_ADMIN, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}), (), []),
    ],
)
def test_rights_in_the_account_are_duties(one: PrincipalPolicies, levels: tuple[ControlLevel, ...], duties: list[str]) -> None:
    assert [duty for _, duty in duties_of_users([one], levels)] == duties


def test_rights_in_the_cluster_are_duties() -> None:
    def granted(name: str, *rules: PolicyRule) -> Grant:
        return Grant(Resource("ClusterRoleBinding", name), name, "", (Subject("User", name),), rules, True)

    deploy = PolicyRule(verbs=("create",), api_groups=("apps",), resources=("deployments",))
    bindings = [
        granted("deployer", deploy),
        granted("reader", PolicyRule(verbs=("get",), api_groups=("apps",), resources=("deployments",))),
        granted("admin", PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",))),
        granted("system:component", deploy),
    ]
    found = [(str(who), duty) for who, duty in duties_of_subjects(rights_of_subjects(bindings, {}))]
    assert found == [
        ("User/deployer", "deploys to the cluster"),
        ("User/admin", "administers the cluster"),
        ("User/admin", "deploys to the cluster"),
    ]
