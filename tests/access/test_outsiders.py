"""Who comes in from outside, and who nearly does: trusts of roles and policies of buckets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.access.cloud import ACCOUNT_ADMIN, Store, add_account, store_of
from soc2.model.access.graph import AccessGraph
from soc2.model.access.outsiders import add_outsiders, outsiders
from soc2.model.aws.iam import Principal
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Resource

OWN = "123456789012"
ROLE = f"arn:aws:iam::{OWN}:role/partner"
GITHUB = f"arn:aws:iam::{OWN}:oidc-provider/token.actions.githubusercontent.com"
CLUSTER = f"arn:aws:iam::{OWN}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A"
SUB = "token.actions.githubusercontent.com:sub"


def role(trust: Any) -> PrincipalPolicies:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", **trust} if trust else None
    document = {"Statement": [statement]} if statement else None
    principal = Principal(arn=ROLE, role_name="partner", assume_role_policy_document=document)
    reads = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    return PrincipalPolicies(principal, (("p", reads),))


def bucket(*statements: dict[str, Any], closed: bool = False) -> Store:
    document = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **each} for each in statements]}
    return store_of(Resource("AWS::S3::Bucket", "notes"), "eu-west-1", OWN, document if statements else None, closed=closed)


def readers(one: PrincipalPolicies, store: Store) -> dict[str, str]:
    """Return how the path of everybody outside who reads the store begins."""
    graph = AccessGraph()
    add_account(graph, [one], [store])
    found = outsiders([one], [store], [OWN])
    add_outsiders(graph, found, [one], [store])
    return {start: steps[0].how for start, steps in graph.paths_to(store.node, [other.node for other in found])}


def conditions(operator: str, key: str, value: str) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


ANYONE = {"Principal": {"AWS": "*"}}
FEDERATED = {"Principal": {"Federated": GITHUB}, "Action": "sts:AssumeRoleWithWebIdentity"}
FROM_CLUSTER = {"Principal": {"Federated": CLUSTER}, "Action": "sts:AssumeRoleWithWebIdentity"}
PROVIDER = "AWS::IAM::OIDCProvider/token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    ("trust", "found"),
    [
        (ANYONE, {"AWS::Account/anyone": "sts:AssumeRole"}),
        ({"Principal": "*"}, {"AWS::Account/anyone": "sts:AssumeRole"}),
        ({"Principal": {"AWS": f"arn:aws:iam::{OWN}:root"}}, {}),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, {}),
        ({**ANYONE, **conditions("StringEquals", "sts:ExternalId", "x")}, {}),
        ({**ANYONE, **conditions("StringEquals", "aws:PrincipalOrgID", "o-1")}, {}),
        ({**ANYONE, **conditions("StringEquals", "aws:PrincipalAccount", OWN)}, {}),
        ({**ANYONE, **conditions("IpAddress", "aws:SourceIp", "10.0.0.0/8")}, {}),
        ({**ANYONE, **conditions("IpAddress", "aws:SourceIp", "0.0.0.0/0")}, {"AWS::Account/anyone": "sts:AssumeRole"}),
        ({**ANYONE, **conditions("StringEquals", "aws:SourceVpce", "vpce-1")}, {}),
        ({**ANYONE, **conditions("Bool", "aws:MultiFactorAuthPresent", "true")}, {"AWS::Account/anyone": "conditions hold"}),
        ({"Principal": {"AWS": "999999999999"}}, {"AWS::Account/999999999999": "sts:AssumeRole"}),
        ({**FEDERATED, **conditions("StringLike", SUB, "repo:*")}, {PROVIDER: "sts:AssumeRoleWithWebIdentity"}),
        ({"Principal": {"AWS": "210987654321"}}, {"AWS::Account/210987654321": "sts:AssumeRole"}),
        ({"Principal": {"AWS": ["arn:aws:iam::210987654321:role/x"]}}, {"AWS::Account/210987654321": "sts:AssumeRole"}),
        (FEDERATED, {PROVIDER: "sts:AssumeRoleWithWebIdentity"}),
        ({**FEDERATED, **conditions("StringLike", SUB, "*")}, {PROVIDER: "sts:AssumeRoleWithWebIdentity"}),
        ({**FEDERATED, **conditions("StringLike", SUB, "repo:team/*")}, {}),
        (FROM_CLUSTER, {}),
        (None, {}),
    ],
)
def test_trusts(trust: Any, found: dict[str, str]) -> None:
    assert_begins(readers(role(trust), bucket()), found)


@pytest.mark.parametrize(
    ("store", "found"),
    [
        (bucket({"Principal": "*"}), {"AWS::Account/anyone": "s3:GetObject"}),
        (bucket({"Principal": "*"}, closed=True), {}),
        (bucket({"Principal": "*", **conditions("StringEquals", "aws:PrincipalOrgID", "o-1")}), {}),
        (bucket({"Principal": "*"}, {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}), {}),
        (bucket({"Principal": "*", "Action": "s3:PutObject"}), {}),
        (bucket({"Principal": "*", "Resource": "arn:aws:s3:::notes/2026/*"}), {"AWS::Account/anyone": "s3:GetObject"}),
        (bucket({"Principal": "*", "Resource": "arn:aws:s3:::notes-2/*"}), {}),
        (bucket({"Principal": {"AWS": "arn:aws:iam::210987654321:root"}}), {"AWS::Account/210987654321": "s3:GetObject"}),
        (bucket({"Principal": {"AWS": "210987654321"}}, closed=True), {"AWS::Account/210987654321": "s3:GetObject"}),
        (bucket({"Principal": {"AWS": OWN}}), {}),
    ],
)
def test_policies_of_buckets(store: Store, found: dict[str, str]) -> None:
    assert_begins(readers(role(None), store), found)


def assert_begins(given: dict[str, str], wanted: dict[str, str]) -> None:
    assert given.keys() == wanted.keys()
    assert all(words in given[start] for start, words in wanted.items())


@pytest.mark.parametrize(
    ("store", "reads"),
    [
        (bucket(), True),
        (bucket({"Effect": "Deny", "Principal": "*"}), False),
        (bucket({"Effect": "Deny", "Principal": {"AWS": ROLE}}), False),
        (bucket({"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{OWN}:role/other"}}), True),
        (bucket({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}), True),
        (bucket({"Effect": "Deny", "Principal": "*", **conditions("Bool", "aws:SecureTransport", "false")}), True),
    ],
)
def test_a_buckets_policy_counts_for_those_inside_too(store: Store, reads: bool) -> None:
    graph = AccessGraph()
    add_account(graph, [role(None)], [store])
    assert bool(dict(graph.paths_to(store.node, [ROLE] if ROLE in graph else []))) == reads


def test_a_principal_of_another_account_that_a_cluster_lets_in_is_told() -> None:
    graph, theirs = AccessGraph(), "arn:aws:iam::210987654321:role/ops"
    graph.add(theirs, "Group/ops", "be a member of the group by access entry")
    found = outsiders([role(None)], (), [OWN], [ROLE, theirs])
    add_outsiders(graph, found, [role(None)], ())
    assert [other.node for other in found] == ["AWS::Account/210987654321"]
    assert dict(graph.paths_to("Group/ops", [found[0].node]))


ARNS = [f"arn:aws:iam::{OWN}:role/{name}" for name in ("partner", "a", "b")]
ACTIONS = st.sampled_from(["*", "s3:*", "s3:GetObject", "ec2:*", "sts:AssumeRole", "iam:PassRole", "iam:AttachRolePolicy"])
STATEMENT = st.fixed_dictionaries({"Action": ACTIONS, "Resource": st.sampled_from(["*", "arn:aws:s3:::notes/a/*", *ARNS])})
TRUSTS = st.sampled_from(["*", {"AWS": OWN}, {"AWS": ROLE}, {"Service": "lambda.amazonaws.com"}])
LIMITED = st.tuples(st.lists(STATEMENT, max_size=2), TRUSTS, STATEMENT, st.booleans())


@given(st.lists(LIMITED, min_size=3, max_size=3))
def test_a_deny_or_a_boundary_never_adds_a_path(given_roles: list[Any]) -> None:
    def paths(*, limited: bool) -> set[tuple[str, str]]:
        principals = []
        for arn, (allowed, trusted, denied, bounded) in zip(ARNS, given_roles, strict=True):
            trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}]}
            document = {"Statement": [{"Effect": "Allow", **each} for each in allowed]}
            deny = {"Statement": [{"Effect": "Deny", **denied}] if limited else []}
            boundary = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]} if limited and bounded else None
            principal = Principal(arn=arn, role_name=arn, assume_role_policy_document=trust)
            principals.append(PrincipalPolicies(principal, (("p", document), ("d", deny)), boundary))
        graph, store = AccessGraph(), bucket()
        add_account(graph, principals, [store])
        found = outsiders(principals, [store], [OWN])
        add_outsiders(graph, found, principals, [store])
        starts = [*ARNS, *(other.node for other in found)]
        return {(start, target) for target in (store.node, ACCOUNT_ADMIN) for start, _ in graph.paths_to(target, starts)}

    assert paths(limited=True) <= paths(limited=False)
