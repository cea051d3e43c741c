"""Policies of VPC endpoints, in every way to write one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from soc2.model.aws.movement import VpcEndpoint
from soc2.rules.perimeter import EndpointOpen, keeps_data_inside

SERVICE = "com.amazonaws.eu-west-1.s3"


def open_for(*statements: dict[str, Any]) -> str:
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    found = keeps_data_inside(VpcEndpoint(id="e", service=SERVICE, policy=policy))
    return " and ".join(each.what for each in found if isinstance(each, EndpointOpen))


ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
ORG = {"aws:PrincipalOrgID": "o-1"}
OWN = {"aws:ResourceAccount": ["123456789012"]}
CALLERS, RESOURCES = "callers of any account", "requests for what belongs to any account"


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (None, f"{CALLERS} and {RESOURCES}"),
        ({"StringEquals": ORG}, RESOURCES),
        ({"StringEquals": OWN}, CALLERS),
        ({"StringEquals": {**ORG, **OWN}}, ""),
        ({"StringEquals": ORG, "StringLike": OWN}, ""),
        ({"stringequals": {"AWS:principalorgid": "o-1"}, "StringLike": OWN}, ""),
        ({"StringEqualsIfExists": {**ORG, **OWN}}, f"{CALLERS} and {RESOURCES}"),
        ({"StringNotEquals": {**ORG, **OWN}}, f"{CALLERS} and {RESOURCES}"),
        ({"ForAllValues:StringEquals": {**ORG, **OWN}}, f"{CALLERS} and {RESOURCES}"),
        ({"StringLike": {"aws:PrincipalOrgID": ["o-1", "*"], **OWN}}, CALLERS),
        ({"StringEquals": {"aws:PrincipalOrgID": [], **OWN}}, CALLERS),
        ({"StringLike": {"aws:PrincipalOrgID": "o-*", **OWN}}, CALLERS),
        ({"StringLike": {"aws:PrincipalOrgID": "o-*", "aws:ResourceOrgID": "o-?*"}}, f"{CALLERS} and {RESOURCES}"),
        ({"StringEquals": "o-1"}, f"{CALLERS} and {RESOURCES}"),
        ({"StringLike": {**ORG, "aws:ResourceAccount": ["123456789012", "12345678901?"]}}, RESOURCES),
        ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}, "StringEquals": OWN}, ""),
        ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/r-1/*"}, "StringEquals": OWN}, CALLERS),
        ({"StringEquals": {**ORG, "aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}, ""),
        ({"StringEquals": {**ORG, "aws:ResourceOrgID": "${aws:ResourceOrgID}"}}, RESOURCES),
        ({"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}", **OWN}}, CALLERS),
        ({"StringEquals": {**ORG, "s3:ResourceAccount": "123456789012"}}, ""),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}, "StringEquals": OWN}, ""),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}, "StringEquals": OWN}, CALLERS),
        ({"Bool": {"aws:PrincipalIsAWSService": "true"}}, ""),
        ({"Bool": {"aws:PrincipalIsAWSService": True}}, ""),
        ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, f"{CALLERS} and {RESOURCES}"),
        ({"BoolIfExists": {"aws:PrincipalIsAWSService": "true"}}, f"{CALLERS} and {RESOURCES}"),
        ({"Null": {"aws:PrincipalOrgID": "false"}}, f"{CALLERS} and {RESOURCES}"),
    ],
)
def test_which_conditions_keep_data_inside(condition: dict[str, Any] | None, found: str) -> None:
    assert open_for({**ALLOW, **({"Condition": condition} if condition else {})}) == found


@pytest.mark.parametrize(
    ("policy", "open_"),
    [
        (None, True),
        ("", True),
        ("no JSON", True),
        ("[" * 20_000, True),
        ("[]", True),
        ('{"Statement": "x"}', True),
        ('{"Statement": []}', False),
    ],
)
def test_a_policy_that_is_not_told_lets_everything_through(policy: str | None, open_: bool) -> None:
    assert bool(list(keeps_data_inside(VpcEndpoint(id="e", policy=policy)))) is open_


def test_one_open_statement_is_enough() -> None:
    closed = {**ALLOW, "Condition": {"StringEquals": {**ORG, **OWN}}}
    assert open_for(closed) == ""
    assert open_for(closed, ALLOW) == f"{CALLERS} and {RESOURCES}"
    foreign: dict[str, Any] = {"StringNotEqualsIfExists": ORG}
    deny = {**ALLOW, "Effect": "Deny", "Condition": foreign}
    assert open_for(ALLOW, deny) == RESOURCES
    assert open_for(ALLOW, {**deny, "Action": "s3:Get*"}) == f"{CALLERS} and {RESOURCES}"
    assert open_for(ALLOW, {**deny, "Condition": {**foreign, "Bool": {"aws:SecureTransport": "false"}}}) == (
        f"{CALLERS} and {RESOURCES}"
    )


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ("arn:aws:s3:::notes/*", ""),
        (["arn:aws:s3:::notes", "arn:aws:s3:::notes/*"], ""),
        ("arn:aws:s3:::*", RESOURCES),
        ("arn:aws:s3:::notes-*/*", RESOURCES),
        ("arn:aws:s3:::note?", RESOURCES),
        ("arn:aws:s3:*:*:accesspoint/*", RESOURCES),
        ("arn:aws:secretsmanager:*:*:secret:*", RESOURCES),
        ("arn:aws:dynamodb:eu-west-1:*:table/notes", RESOURCES),
        ("arn:aws:kms:eu-west-1:${aws:PrincipalAccount}:key/*", RESOURCES),
        ("arn:aws:sqs:eu-west-1:123456789012:*", ""),
        ("arn:aws:secretsmanager:*:123456789012:secret:*", ""),
        (["arn:aws:s3:::notes", "*"], RESOURCES),
        ([], RESOURCES),
    ],
)
def test_named_resources_are_known(resource: str | list[str], found: str) -> None:
    assert open_for({**ALLOW, "Resource": resource, "Condition": {"StringEquals": ORG}}) == found


DENY = {**ALLOW, "Effect": "Deny", "Condition": {"StringNotEqualsIfExists": ORG}}
HUMANS = {"aws:PrincipalIsAWSService": "false"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, RESOURCES),
        ({"Principal": {"AWS": ["*"]}}, RESOURCES),
        ({"Action": ["s3:*"]}, RESOURCES),  # all there is at this endpoint
        ({"Action": "sqs:*"}, f"{CALLERS} and {RESOURCES}"),
        ({"Condition": {"StringNotEquals": ORG, "BoolIfExists": HUMANS}}, RESOURCES),
        ({"Condition": {"StringNotEquals": ORG, "Bool": {"aws:PrincipalIsAWSService": False}}}, RESOURCES),
        ({"Condition": {"StringNotEquals": ORG, "Bool": {"aws:PrincipalIsAWSService": "true"}}}, f"{CALLERS} and {RESOURCES}"),
        ({"Condition": {"StringNotLike": {"aws:PrincipalOrgID": "*"}}}, f"{CALLERS} and {RESOURCES}"),
        ({"Condition": {"StringNotLike": {"aws:PrincipalOrgID": ["o-1", "o-*"]}}}, f"{CALLERS} and {RESOURCES}"),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": []}}}, f"{CALLERS} and {RESOURCES}"),
        ({"Condition": {"ForAllValues:StringNotLike": {"aws:PrincipalOrgPaths": "o-1/*"}}}, RESOURCES),
        ({"Condition": {"ForAnyValue:StringNotLike": {"aws:PrincipalOrgPaths": "o-1/*"}}}, f"{CALLERS} and {RESOURCES}"),
        ({"Condition": {"StringNotEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}}, CALLERS),
        ({"NotPrincipal": "*", "Principal": None}, f"{CALLERS} and {RESOURCES}"),
    ],
)
def test_what_a_refusal_refuses(change: dict[str, Any], found: str) -> None:
    assert open_for(ALLOW, {**DENY, **change}) == found


@pytest.mark.parametrize(
    ("principal", "found"),
    [
        ({"AWS": "123456789012"}, ""),
        ({"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/reader"]}, ""),
        ({"AWS": ["arn:aws:iam::123456789012:root", "*"]}, CALLERS),
        ({"AWS": ["AROAEXAMPLE0READER", "AIDAEXAMPLE0000ANN"]}, ""),
        ({"AWS": "AROAEXAMPLE*"}, CALLERS),
        ({"AWS": "arn:aws:iam::*:role/reader"}, CALLERS),
        ({}, CALLERS),
        ({"AWS": []}, CALLERS),
        ({"AWS": "123456789012", "Federated": "*"}, CALLERS),
        (None, CALLERS),
    ],
)
def test_named_callers_are_known(principal: Any, found: str) -> None:
    assert open_for({**ALLOW, "Principal": principal, "Condition": {"StringEquals": OWN}}) == found
