"""Paths through IAM: what is possible, and what nearly is."""

from __future__ import annotations

from typing import Any

import pytest

from soc2.model.access.cloud import ACCOUNT_ADMIN, add_account, add_identities, store_of
from soc2.model.access.graph import AccessGraph
from soc2.model.aws.iam import AttachedPolicy, Principal
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Resource
from soc2.model.kubernetes.meta import Metadata
from soc2.model.kubernetes.rbac import ServiceAccount

ACCOUNT = "arn:aws:iam::123456789012"
ME, OTHER = f"{ACCOUNT}:role/me", f"{ACCOUNT}:role/other"
BUCKET = store_of(Resource("AWS::S3::Bucket", "notes"), "eu-west-1", "123456789012")


def doc(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements]}


def trust(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}]}


def role(arn: str, *documents: Any, trusted: Any = None, boundary: Any = None) -> PrincipalPolicies:
    attached = (AttachedPolicy("own", f"{ACCOUNT}:policy/own"),)
    principal = Principal(
        arn=arn, role_name=arn.rpartition("/")[2], assume_role_policy_document=trusted, attached_managed_policies=attached
    )
    return PrincipalPolicies(principal, tuple(("p", document) for document in documents), boundary)


def reached(target: str, *principals: PrincipalPolicies, control: Any = ()) -> list[str] | None:
    graph = AccessGraph()
    add_account(graph, principals, (BUCKET,), control)
    found = dict(graph.paths_to(target, [ME]))
    return [step.how for step in found[ME]] if ME in found else None


READER = role(OTHER, doc({"Action": "s3:GetObject"}), trusted=trust({"Service": "lambda.amazonaws.com"}))
PASS = {"Action": ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]}


@pytest.mark.parametrize(
    ("mine", "other", "first"),
    [
        (role(ME, doc({"Action": "s3:GetObject"})), READER, "s3:GetObject"),
        (role(ME, doc({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"})), READER, None),
        (role(ME, doc({"Action": "s3:*"}), boundary=doc({"Action": "ec2:*"})), READER, None),
        (role(ME, doc({"Action": "s3:*"}), {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}), READER, None),
        (role(ME, doc({"Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}})), READER, "s3:GetObject"),
        (role(ME, doc({"Action": "s3:*", "Condition": {"Bool": {"aws:ViaAWSService": "true"}}})), READER, "conditions hold"),
        (role(ME, doc(PASS)), READER, "iam:PassRole with lambda:createfunction"),
        (role(ME, doc({"Action": ["iam:PassRole", "lambda:CreateFunction"]})), READER, None),
        (role(ME, doc({**PASS, "Action": ["iam:PassRole", "ec2:RunInstances"]})), READER, None),
        (role(ME, doc({"Action": "iam:PassRole", "Resource": ME}, {"Action": "lambda:*"})), READER, None),
        (role(ME, doc({"Action": "iam:UpdateAssumeRolePolicy"})), READER, "iam:UpdateAssumeRolePolicy"),
        (role(ME, doc({"Action": "iam:AttachRolePolicy"})), READER, "iam:AttachRolePolicy on itself"),
        (role(ME, doc({"Action": "iam:AttachRolePolicy", "Resource": OTHER})), READER, None),
        (role(ME, doc({"Action": "iam:AttachRolePolicy"}), boundary=doc({"Action": "iam:*"})), READER, None),
        (role(ME, doc({"Action": "iam:CreatePolicyVersion"})), READER, "iam:CreatePolicyVersion on itself"),
        (role(ME), role(OTHER, doc({"Action": "s3:*"}), trusted=trust({"AWS": ME})), "sts:AssumeRole"),
        (role(ME), role(OTHER, doc({"Action": "s3:*"}), trusted=trust({"AWS": f"{ACCOUNT}:root"})), None),
        (
            role(ME, doc({"Action": "sts:AssumeRole", "Resource": OTHER})),
            role(OTHER, doc({"Action": "s3:*"}), trusted=trust({"AWS": f"{ACCOUNT}:root"})),
            "sts:AssumeRole",
        ),
        (role(ME, doc({"Action": "*"})), READER, "s3:GetObject"),
    ],
)
def test_a_path_to_data_needs_every_right_on_its_way(mine: Any, other: Any, first: str | None) -> None:
    how = reached(BUCKET.node, mine, other)
    if first is None:
        assert how is None
    else:
        assert how is not None
        assert first in how[0]


def test_a_service_control_policy_cuts_a_path() -> None:
    mine = role(ME, doc({"Action": "*"}))
    everything = (doc({"Action": "*"}),)
    without_iam = ({"Statement": [{"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"}]},)
    assert reached(ACCOUNT_ADMIN, mine, control=(everything,)) == ["do everything"]
    assert reached(ACCOUNT_ADMIN, mine, control=(everything, without_iam)) is None
    assert reached(BUCKET.node, mine, control=(everything, without_iam)) is None


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"idp.example/A:sub": "system:serviceaccount:shop:robot"}}, {"robot"}),
        ({"StringLike": {"idp.example/A:sub": "system:serviceaccount:shop:*"}}, {"robot", "other"}),
        ({"StringEquals": {"idp.example/A:aud": "sts.amazonaws.com"}}, {"robot", "other"}),
        ({"StringEquals": {"idp.example/A:sub": "system:serviceaccount:safe:robot"}}, set()),
        ({"StringEquals": {"idp.example/A:aud": "somebody-else"}}, set()),
    ],
)
def test_a_role_is_assumed_by_the_accounts_that_its_trust_names(condition: Any, expected: set[str]) -> None:
    provider = {"Federated": f"{ACCOUNT}:oidc-provider/idp.example/A"}
    trusted = trust(provider, Condition=condition)
    trusted["Statement"][0]["Action"] = "sts:AssumeRoleWithWebIdentity"
    graph = AccessGraph()
    accounts = [ServiceAccount(metadata=Metadata(name=name, namespace="shop")) for name in ("robot", "other")]
    add_identities(graph, (), accounts, [role(OTHER, trusted=trusted)])
    names = [f"ServiceAccount/shop/{name}" for name in ("robot", "other")]
    assert {name.rpartition("/")[2] for name, _ in graph.paths_to(OTHER, names)} == expected
