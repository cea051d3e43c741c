"""The IAM evaluator: AWS' rules case by case, and properties that hold for any policy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.access.iam import Decision, Policies, Request, evaluate, trusts

ALICE = "arn:aws:iam::123456789012:user/alice"
OBJECT = "arn:aws:s3:::notes/a"
GET = Request("s3:GetObject", OBJECT)


def doc(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


ANY = doc(allow("*"))
SECURE = {"Bool": {"aws:SecureTransport": "true"}}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (Policies(), Decision.IMPLICIT_DENY),
        (Policies((ANY,)), Decision.ALLOW),
        (Policies((doc(allow("S3:get*", "arn:aws:s3:::notes/*")),)), Decision.ALLOW),
        (Policies((doc(allow("s3:Get?bject")),)), Decision.ALLOW),
        (Policies((doc(allow("s3:GetObject", "arn:aws:s3:::Notes/*")),)), Decision.IMPLICIT_DENY),
        (Policies((doc(allow("s3:PutObject")),)), Decision.IMPLICIT_DENY),
        (Policies((doc({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),)), Decision.ALLOW),
        (Policies((doc({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}),)), Decision.IMPLICIT_DENY),
        (Policies((doc({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::notes/*"}),)), Decision.IMPLICIT_DENY),
        (Policies((ANY, doc(deny()))), Decision.EXPLICIT_DENY),
        (Policies((ANY,), boundary=doc(allow("ec2:*"))), Decision.IMPLICIT_DENY),
        (Policies((ANY,), boundary=ANY), Decision.ALLOW),
        (Policies((ANY,), boundary=doc(deny())), Decision.EXPLICIT_DENY),
        (Policies((ANY,), session=()), Decision.IMPLICIT_DENY),
        (Policies((ANY,), session=(doc(allow()),)), Decision.ALLOW),
        (Policies((ANY,), service_control=((ANY,), (doc(allow("ec2:*")),))), Decision.IMPLICIT_DENY),
        (Policies((ANY,), service_control=((ANY, doc(deny())),)), Decision.EXPLICIT_DENY),
        (Policies((), service_control=((ANY,),)), Decision.IMPLICIT_DENY),
        (Policies((doc(allow(Condition=SECURE)),)), Decision.UNDECIDABLE),
        (Policies((ANY, doc(deny(Condition=SECURE)))), Decision.UNDECIDABLE),
        (Policies((doc(allow(Condition=SECURE), allow()),)), Decision.ALLOW),
    ],
)
def test_the_layers_are_combined_as_aws_does(policies: Policies, expected: Decision) -> None:
    assert evaluate(policies, GET) is expected


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"aws:PrincipalTag/team": ["notes", "web"]}}, {"aws:principaltag/team": "web"}, Decision.ALLOW),
        ({"StringEquals": {"aws:PrincipalTag/team": "notes"}}, {"aws:principaltag/team": None}, Decision.IMPLICIT_DENY),
        ({"StringEqualsIfExists": {"aws:PrincipalTag/team": "notes"}}, {"aws:principaltag/team": None}, Decision.ALLOW),
        ({"StringNotEquals": {"aws:PrincipalTag/team": "notes"}}, {"aws:principaltag/team": None}, Decision.ALLOW),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, Decision.IMPLICIT_DENY),
        ({"StringLike": {"k": "a*"}}, {"k": "abc"}, Decision.ALLOW),
        ({"Null": {"k": "true"}}, {"k": None}, Decision.ALLOW),
        ({"Null": {"k": "false"}}, {"k": None}, Decision.IMPLICIT_DENY),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:sourceip": "10.1.2.3"}, Decision.ALLOW),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:sourceip": "10.1.2.3"}, Decision.IMPLICIT_DENY),
        ({"NumericLessThan": {"k": "10"}}, {"k": "9"}, Decision.ALLOW),
        ({"DateGreaterThan": {"k": "2026-01-01T00:00:00Z"}}, {"k": "2025-01-01T00:00:00Z"}, Decision.IMPLICIT_DENY),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "b"]}, Decision.ALLOW),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {"k": ["a", "b"]}, Decision.IMPLICIT_DENY),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {"k": ["a", "b"]}, Decision.ALLOW),
        ({"StringEquals": {"k": "a"}, "Bool": {"aws:SecureTransport": "true"}}, {"k": "b"}, Decision.IMPLICIT_DENY),
        ({"SomethingNew": {"k": "a"}}, {"k": "a"}, Decision.UNDECIDABLE),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, Any], expected: Decision) -> None:
    policies = Policies((doc(allow(Condition=condition)),))
    assert evaluate(policies, Request("s3:GetObject", OBJECT, context)) is expected


def test_policy_variables_are_replaced() -> None:
    policies = Policies((doc(allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*")),))
    known = {"aws:username": "alice"}
    assert evaluate(policies, Request("s3:GetObject", "arn:aws:s3:::home/alice/x", known)) is Decision.ALLOW
    assert evaluate(policies, Request("s3:GetObject", "arn:aws:s3:::home/bob/x", known)) is Decision.IMPLICIT_DENY


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"AWS": ALICE}, Decision.ALLOW),
        ({"AWS": ["arn:aws:iam::123456789012:root"]}, Decision.ALLOW),
        ({"AWS": "123456789012"}, Decision.ALLOW),
        ("*", Decision.ALLOW),
        ({"AWS": "*"}, Decision.ALLOW),
        ({"AWS": "arn:aws:iam::123456789012:user/bob"}, Decision.IMPLICIT_DENY),
        ({"AWS": "arn:aws:iam::999999999999:root"}, Decision.IMPLICIT_DENY),
        ({"Service": "ec2.amazonaws.com"}, Decision.IMPLICIT_DENY),
    ],
)
def test_resource_and_trust_policies_name_their_principals(principal: Any, expected: Decision) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*"}
    assert evaluate(Policies(), GET, doc(statement), ALICE) is expected
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    assert trusts(doc(trust), ALICE, Request("sts:AssumeRole", "*")) is expected


STATEMENT = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.sampled_from(["*", "s3:*", "s3:GetObject", "ec2:*"]),
        "Resource": st.sampled_from(["*", OBJECT, "arn:aws:s3:::other/*"]),
    },
    optional={"Condition": st.sampled_from([SECURE, {"StringEquals": {"k": "a"}}])},
)
DOCUMENT = st.lists(STATEMENT, max_size=3).map(lambda items: doc(*items))
POLICIES = st.builds(
    Policies,
    st.lists(DOCUMENT, max_size=2).map(tuple),
    st.none() | DOCUMENT,
    st.none() | st.lists(DOCUMENT, max_size=2).map(tuple),
    st.lists(st.lists(DOCUMENT, max_size=2).map(tuple), max_size=2).map(tuple),
)
_ORDER = (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY, Decision.UNDECIDABLE, Decision.ALLOW)


@given(POLICIES, DOCUMENT)
def test_a_boundary_never_gives_anything(policies: Policies, boundary: dict[str, Any]) -> None:
    bounded = Policies(policies.identity, boundary, policies.session, policies.service_control)
    unbounded = Policies(policies.identity, None, policies.session, policies.service_control)
    assert _ORDER.index(evaluate(bounded, GET)) <= _ORDER.index(evaluate(unbounded, GET))


@given(POLICIES, st.sampled_from(["a", "b", None]), st.sampled_from(["true", "false"]))
def test_what_is_decided_without_the_context_stays_decided_with_it(policies: Policies, k: str | None, secure: str) -> None:
    blind = evaluate(policies, GET)
    seeing = evaluate(policies, Request(GET.action, GET.resource, {"k": k, "aws:securetransport": secure}))
    assert seeing is not Decision.UNDECIDABLE
    # A deny that was certain stays; an implicit one may turn out to be explicit.
    assert blind in (Decision.UNDECIDABLE, seeing) or (blind, seeing) == (Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY)


@given(POLICIES)
def test_an_explicit_deny_wins_wherever_it_stands(policies: Policies) -> None:
    denied = Policies((*policies.identity, doc(deny())), policies.boundary, policies.session, policies.service_control)
    assert evaluate(denied, GET) is Decision.EXPLICIT_DENY
