"""The IAM evaluator: AWS' rules case by case, and properties that hold for any policy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.iam.access_control import IAMPolicy, PermissionResult

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
        ({"SomethingNotNew": {"k": "a"}}, {"k": None}, Decision.UNDECIDABLE),
        ({"ForSome:StringEquals": {"k": "a"}}, {"k": "a"}, Decision.UNDECIDABLE),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {"k": None}, Decision.ALLOW),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {"k": None}, Decision.IMPLICIT_DENY),
        ({"ForAnyValue:StringNotEquals": {"k": "a"}}, {"k": None}, Decision.IMPLICIT_DENY),
        ({"ForAnyValue:StringEqualsIfExists": {"k": "a"}}, {"k": None}, Decision.ALLOW),
        ({"ForAllValues:StringNotEquals": {"k": ["a", "b"]}}, {"k": ["c", "d"]}, Decision.ALLOW),
        ({"ForAllValues:StringNotEquals": {"k": ["a", "b"]}}, {"k": ["c", "b"]}, Decision.IMPLICIT_DENY),
        ({"ForAnyValue:StringNotEquals": {"k": ["a", "b"]}}, {"k": ["c", "b"]}, Decision.ALLOW),
        ({"Null": {"k": "yes"}}, {"k": None}, Decision.UNDECIDABLE),
        ({"Bool": {"k": True}}, {"k": "true"}, Decision.ALLOW),
        ({"IpAddress": {"k": "2001:db8::/32"}}, {"k": "2001:db8::7"}, Decision.ALLOW),
        ({"IpAddress": {"k": ["10.0.0.0/8", "2001:db8::/32"]}}, {"k": "2001:db9::7"}, Decision.IMPLICIT_DENY),
        ({"IpAddress": {"k": "10.0.0.0/33"}}, {"k": "10.0.0.1"}, Decision.UNDECIDABLE),
        ({"ArnLike": {"k": "arn:aws:iam::*:role/ops*"}}, {"k": "arn:aws:iam::1:role/ops/a"}, Decision.ALLOW),
        ({"ArnEquals": {"k": "arn:aws:iam:*:role/ops"}}, {"k": "arn:aws:iam::1:role/ops"}, Decision.UNDECIDABLE),
        ({"ArnLike": {"k": "arn:aws:*:*:*:role/ops"}}, {"k": "arn:aws:iam::1:role/ops"}, Decision.ALLOW),
        ({"ArnLike": {"k": "arn:aws:iam*:*:*:ops"}}, {"k": "arn:aws:iam::1:role:ops"}, Decision.IMPLICIT_DENY),
        ({"ArnNotLike": {"k": "arn:aws:iam::*:role/ops"}}, {"k": "arn:aws:iam::1:role/ops"}, Decision.IMPLICIT_DENY),
        ({"DateLessThan": {"k": "2026-01-01"}}, {"k": "1750000000"}, Decision.ALLOW),
        ({"DateLessThan": {"k": "1750000000"}}, {"k": "2026-01-01T00:00:00+02:00"}, Decision.IMPLICIT_DENY),
        ({"DateLessThan": {"k": "2026"}}, {"k": "2026-01-01T00:00:00Z"}, Decision.UNDECIDABLE),
        ({"NumericLessThan": {"k": 10}}, {"k": "ten"}, Decision.UNDECIDABLE),
        ({"StringEquals": {"k": "${j}"}}, {"k": "a*", "j": "a*"}, Decision.ALLOW),
        ({"StringLike": {"k": "${j}"}}, {"k": "ab", "j": "a*"}, Decision.IMPLICIT_DENY),
        ({"StringLike": {"k": "a${*}*"}}, {"k": "a*b"}, Decision.ALLOW),
        ({"StringLike": {"k": "a${*}*"}}, {"k": "abb"}, Decision.IMPLICIT_DENY),
        ({"StringEquals": {"k": "${j, 'x'}"}}, {"k": "x", "j": None}, Decision.ALLOW),
        ({"StringEquals": {"k": "${j}"}}, {"k": "x", "j": None}, Decision.IMPLICIT_DENY),
        ({"StringEquals": {"k": ["${unknown}", "y"]}}, {"k": "x"}, Decision.UNDECIDABLE),
        ({"StringEquals": {"k": ["${unknown}", "x"]}}, {"k": "x"}, Decision.ALLOW),
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
    assert evaluate(policies, Request("s3:GetObject", "arn:aws:s3:::home/bob/x")) is Decision.UNDECIDABLE
    old = {**policies.identity[0], "Version": "2008-10-17"}
    assert evaluate(Policies((old,)), Request("s3:GetObject", "arn:aws:s3:::home/alice/x", known)) is Decision.IMPLICIT_DENY


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"AWS": ALICE}, Decision.ALLOW),
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


@pytest.mark.parametrize(
    ("policies", "bucket", "expected"),
    [
        # The account's name delegates: it gives nothing, and it lets a policy of the identity count.
        (Policies(), allow(Principal={"AWS": "123456789012"}), Decision.IMPLICIT_DENY),
        (Policies(), allow(Principal={"AWS": "arn:aws:iam::123456789012:root"}), Decision.IMPLICIT_DENY),
        (Policies((ANY,)), deny(Principal={"AWS": "123456789012"}), Decision.EXPLICIT_DENY),
        # What is given to a user by its ARN passes its boundary, but no service control policy.
        (Policies(boundary=doc(allow("ec2:*"))), allow(Principal={"AWS": ALICE}), Decision.ALLOW),
        (Policies(boundary=doc(deny())), allow(Principal={"AWS": ALICE}), Decision.EXPLICIT_DENY),
        (Policies(boundary=doc(allow("ec2:*"))), allow(Principal="*"), Decision.UNDECIDABLE),
        (Policies(service_control=((doc(allow("ec2:*")),),)), allow(Principal={"AWS": ALICE}), Decision.IMPLICIT_DENY),
        # Who is not named is denied; who is named is spared only together with the account.
        (Policies((ANY,)), deny(NotPrincipal={"AWS": "arn:aws:iam::123456789012:user/bob"}), Decision.EXPLICIT_DENY),
        (Policies((ANY,)), deny(NotPrincipal={"AWS": [ALICE, "123456789012"]}), Decision.ALLOW),
        (Policies((ANY,)), deny(NotPrincipal={"AWS": ALICE}), Decision.UNDECIDABLE),
        (Policies((ANY,)), deny(NotPrincipal={"AWS": "123456789012"}), Decision.EXPLICIT_DENY),
    ],
)
def test_a_resource_policy_of_the_account(policies: Policies, bucket: dict[str, Any], expected: Decision) -> None:
    assert evaluate(policies, GET, doc(bucket), ALICE) is expected


def test_the_session_of_a_role_may_be_one_that_is_named() -> None:
    role, session = "arn:aws:iam::123456789012:role/team/ops", "arn:aws:sts::123456789012:assumed-role/ops/me"
    policy = doc(allow(Principal={"AWS": session}))
    assert evaluate(Policies(), GET, policy, role) is Decision.UNDECIDABLE
    assert evaluate(Policies(), GET, policy, f"{role}2") is Decision.IMPLICIT_DENY
    assert evaluate(Policies((ANY,)), GET, doc(deny(NotPrincipal={"AWS": session})), role) is Decision.UNDECIDABLE


@pytest.mark.parametrize(
    ("policies", "key_policy", "expected"),
    [
        (Policies((ANY,)), allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}), Decision.ALLOW),
        (Policies(), allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}), Decision.IMPLICIT_DENY),
        (Policies((ANY,)), allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:role/x"}), Decision.IMPLICIT_DENY),
        (Policies(), allow("kms:*", Principal={"AWS": ALICE}), Decision.ALLOW),
    ],
)
def test_a_key_policy_decides_whether_iam_counts(policies: Policies, key_policy: dict[str, Any], expected: Decision) -> None:
    request = Request("kms:DisableKey", "arn:aws:kms:eu-west-1:123456789012:key/a")
    assert evaluate(policies, request, doc(key_policy), ALICE, delegated=True) is expected


@pytest.mark.parametrize(
    "document",
    [
        "text",
        {"Statement": "text"},
        {"Statement": ["text"]},
        {"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}},
        {"Statement": {"Effect": "Allow", "Action": 5, "Resource": "*"}},
        {"Statement": {"Effect": "Allow", "Action": ["*", 5], "Resource": "*"}},
        {"Statement": {"Effect": "Allow", "Resource": "*"}},
        {"Statement": {"Effect": "Allow", "Action": "*"}},
        {"Statement": {"Effect": "Allow", "Action": "*", "Resource": {"a": 1}}},
        {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": "text"}},
        {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": "text"}}},
        {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"k": {}}}}},
    ],
)
def test_what_iam_would_not_take_is_undecidable(document: Any) -> None:
    assert evaluate(Policies((document,)), GET) is Decision.UNDECIDABLE


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


@given(POLICIES, st.lists(DOCUMENT, max_size=2).map(tuple))
def test_each_level_of_the_organization_and_each_session_only_takes_away(policies: Policies, level: tuple[Any, ...]) -> None:
    below = Policies(policies.identity, policies.boundary, policies.session, (*policies.service_control, level))
    assert _ORDER.index(evaluate(below, GET)) <= _ORDER.index(evaluate(policies, GET))
    whole = Policies(policies.identity, policies.boundary, None, policies.service_control)
    session = Policies(policies.identity, policies.boundary, level, policies.service_control)
    assert _ORDER.index(evaluate(session, GET)) <= _ORDER.index(evaluate(whole, GET))


@given(st.sampled_from(["Allow", "Deny"]), st.text("abcN", max_size=4), st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]))
def test_a_key_that_is_not_known_never_decides(effect: str, key: str, quantifier: str) -> None:
    for operator in ("StringEquals", "StringNotLikeIfExists", "Null", "Bool", "IpAddress", "New"):
        statement = {"Effect": effect, "Action": "*", "Resource": "*", "Condition": {f"{quantifier}{operator}": {key: "a"}}}
        assert (
            evaluate(
                Policies(
                    (doc(statement), *([ANY] if effect == "Deny" else [])),
                ),
                GET,
            )
            is Decision.UNDECIDABLE
        )


_PARTS = st.sampled_from(["s3:GetObject", "s3:Get*", "s3:*", "*", "ec2:*", "s3:PutObject", "*:Get*", "iam:PassRole"])
_ARNS = st.sampled_from(
    ["*", "arn:aws:s3:::notes/a", "arn:aws:s3:::notes/*", "arn:aws:s3:::*", "arn:aws:iam::1:role/x", "arn*a"]
)
_ONE_OR_MORE = st.lists(_PARTS, min_size=1, max_size=3, unique=True)
_PLAIN = st.builds(
    lambda effect, element, actions, resources: {"Effect": effect, element: actions, "Resource": resources},
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["Action", "Action", "NotAction"]),
    _ONE_OR_MORE | _PARTS,
    st.lists(_ARNS, min_size=1, max_size=2) | _ARNS,
)
_REQUESTED = st.builds(
    Request,
    st.sampled_from(["s3:GetObject", "s3:PutObject", "ec2:RunInstances", "iam:PassRole", "iam:GetRole"]),
    st.sampled_from(["arn:aws:s3:::notes/a", "arn:aws:s3:::other/b", "arn:aws:iam::1:role/x", "*"]),
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.lists(_PLAIN, min_size=1, max_size=3) | _PLAIN, min_size=1, max_size=3), _REQUESTED)
def test_our_answer_is_that_of_motos_evaluator(policies: list[Any], request: Request) -> None:
    """moto's evaluator (moto.iam.access_control) is another's work, so what both say is worth more.

    They are compared where it is right. Elsewhere it takes actions that differ in case for others, ``?`` and ``.`` for signs
    of a regular expression, ``NotResource`` for any resource (and a deny with it for an allow), and an allow whose condition
    does not hold for a deny; of conditions it knows ``StringEquals`` alone.
    """
    documents = tuple({"Version": "2012-10-17", "Statement": statement} for statement in policies)
    answers = [IAMPolicy(json.dumps(each)).is_action_permitted(request.action, request.resource) for each in documents]
    theirs = Decision.IMPLICIT_DENY
    if PermissionResult.DENIED in answers:
        theirs = Decision.EXPLICIT_DENY
    elif PermissionResult.PERMITTED in answers:
        theirs = Decision.ALLOW
    assert evaluate(Policies(documents), request) is theirs
