"""Whether a bucket takes requests without TLS, for every way to write its policy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.aws.joins import StoredBucket
from soc2.model.aws.storage import Bucket, BucketPolicy
from soc2.rules.cloud_storage import requires_tls

ARN = "arn:aws:s3:::notes"
BOTH = [ARN, f"{ARN}/*"]
TLS = "aws:SecureTransport"
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": BOTH, "Condition": {"Bool": {TLS: "false"}}}
ITSELF, OBJECTS = "the bucket itself", "its objects"
ALL = f"{ITSELF} and {OBJECTS}"


def found(policy: str, region: str = "eu-west-1") -> str:
    bucket = Bucket(name="notes", source_region=region)
    return " ".join(
        str(each.fields["found"]) for each in requires_tls(StoredBucket(bucket, policy=BucketPolicy(policy=policy)))
    )


def open_for(*statements: Any, region: str = "eu-west-1") -> str:
    words = found(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), region)
    return words.partition(" does for ")[2]


def other(**parts: Any) -> dict[str, Any]:
    """Return the statement with other parts, or (None) without them."""
    return {key: value for key, value in {**DENY, **parts}.items() if value is not None}


@pytest.mark.parametrize(
    ("condition", "open_"),
    [
        ({"Bool": {TLS: "false"}}, ""),
        ({"Bool": {TLS: False}}, ""),
        ({"Bool": {TLS: ["false"]}}, ""),
        ({"Bool": {"AWS:securetransport": "False"}}, ""),
        ({"BoolIfExists": {TLS: "false"}}, ""),
        ({"ForAnyValue:Bool": {TLS: "false"}}, ""),
        ({"StringEquals": {TLS: "false"}}, ""),
        ({"StringNotEquals": {TLS: "true"}}, ""),
        (None, ""),  # nobody gets through at all
        ({"Bool": {TLS: "true"}}, ALL),
        ({"Bool": {TLS: []}}, ALL),
        ({"Null": {TLS: "true"}}, ALL),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, ALL),
        ({"Bool": {TLS: "false"}, "NumericLessThan": {"s3:TlsVersion": "1.2"}}, ALL),
        ({"Bool": {TLS: "false"}, "StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, ALL),
        ({"Bool": {TLS: "false", "aws:ViaAWSService": "false"}}, ALL),
        ({"Bool": "false"}, ALL),
        ("false", ALL),
    ],
)
def test_which_conditions_refuse_every_request_without_tls(condition: Any, open_: str) -> None:
    assert open_for(other(Condition=condition)) == open_


@pytest.mark.parametrize(
    ("parts", "open_"),
    [
        ({"Principal": {"AWS": "*"}}, ""),
        ({"Principal": {"AWS": ["arn:aws:iam::123456789012:root", "*"]}}, ""),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, ALL),
        ({"Principal": {"Federated": "*"}}, ALL),
        ({"Principal": None}, ALL),
        ({"Principal": None, "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}}, ALL),
        ({"Action": "*"}, ""),
        ({"Action": ["s3:GetObject", "S3:*"]}, ""),
        ({"Action": "s3:GetObject"}, ALL),
        ({"Action": ["s3:Get*", "s3:Put*"]}, ALL),
        ({"Action": None, "NotAction": "s3:GetObject"}, ALL),
        ({"Resource": "*"}, ""),
        ({"Resource": f"{ARN}*"}, ""),
        ({"Resource": ARN}, OBJECTS),
        ({"Resource": f"{ARN}/*"}, ITSELF),
        ({"Resource": [ARN, f"{ARN}/private/*"]}, OBJECTS),
        ({"Resource": None, "NotResource": f"{ARN}/public/*"}, ALL),
        ({"Resource": [f"{ARN}-old", f"{ARN}-old/*"]}, ALL),
        ({"Effect": "Allow", "Condition": {"Bool": {TLS: "true"}}}, ALL),
    ],
)
def test_what_a_statement_has_to_cover(parts: dict[str, Any], open_: str) -> None:
    assert open_for(other(**parts)) == open_


def test_statements_count_together() -> None:
    assert open_for(other(Resource=ARN), other(Resource=f"{ARN}/*", Action="*")) == ""
    assert open_for(other(Effect="Allow"), DENY) == ""
    assert open_for(DENY, "no statement") == ""


@pytest.mark.parametrize(("region", "open_"), [("cn-north-1", ""), ("us-gov-west-1", ALL), ("eu-west-1", ALL)])
def test_each_partition_has_names_of_its_own(region: str, open_: str) -> None:
    assert open_for(other(Resource=["arn:aws-cn:s3:::notes", "arn:aws-cn:s3:::notes/*"]), region=region) == open_


@pytest.mark.parametrize("policy", ["", "no JSON", "[" * 20_000, "[]", '"x"', "null", '{"Statement": [null, 1, "x"]}'])
def test_a_policy_that_cannot_be_read_refuses_nothing(policy: str) -> None:
    assert found(policy)


_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, False, 1, "", "*", "false", [], [1], [[]], [None], {}, {"AWS": [1]}, {"Bool": {TLS: {}}}, {"Bool": 1}]
)


@given(st.dictionaries(st.sampled_from(list(DENY)), _ODD))
def test_whatever_a_statement_holds_there_is_an_answer(parts: dict[str, Any]) -> None:
    assert open_for({**DENY, **parts}) in ("", ITSELF, OBJECTS, ALL)
