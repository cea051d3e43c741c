"""Evaluates IAM policies: may a principal do an action on a resource? What cannot be decided is said to be.

After AWS' documentation of the policy evaluation logic: an explicit deny wins; then every layer that is there (service
control policies, permissions boundary, session policies) has to allow, and an identity or resource policy has to. What
cannot be told makes a statement "maybe", and never silently yes or no: a condition or a variable over keys whose values
are not known, an operator that is not known, and an element that IAM would not have taken.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any

Document = Mapping[str, Any]


class Decision(StrEnum):
    ALLOW = "allow"
    EXPLICIT_DENY = "explicit deny"
    IMPLICIT_DENY = "implicit deny"
    UNDECIDABLE = "undecidable"


class _Truth(IntEnum):
    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True)
class Request:
    """An action (``service:Action``) on a resource (ARN, or ``*`` for actions without one).

    ``context`` are the condition keys that are known, by lower-case name; a value of None says that the key is known to
    be absent. Keys that are not in it are unknown.
    """

    action: str
    resource: str
    context: Mapping[str, str | Sequence[str] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Policies:
    """Everything that is evaluated together for one principal.

    ``identity`` are its own, attached and group policies; ``boundary`` its permissions boundary (None: it has none);
    ``session`` the policies of its session (None: none was passed); ``service_control`` one tuple of documents for
    each level of the organization, every one of which has to allow (empty: no organization).
    """

    identity: tuple[Document, ...] = ()
    boundary: Document | None = None
    session: tuple[Document, ...] | None = None
    service_control: tuple[tuple[Document, ...], ...] = ()


def evaluate(
    policies: Policies,
    request: Request,
    resource_policy: Document | None = None,
    principal: str = "",
    *,
    delegated: bool = False,
) -> Decision:
    """Return what AWS would decide for a principal (its ARN) of the account that the resource is in.

    ``delegated`` says that policies of identities count only where the resource's own policy lets the account or the
    principal in, as with KMS keys. Across accounts both sides have to allow, which is not what this answers.
    """
    session = () if policies.session is None else (policies.session,)
    bounds = (*policies.service_control, *session)
    boundary = () if policies.boundary is None else ((policies.boundary,),)
    from_resource = () if resource_policy is None else (resource_policy,)
    own = _about(principal)
    denied = max(
        *(_any(documents, "Deny", request) for documents in (*bounds, *boundary, policies.identity)),
        _any(from_resource, "Deny", request, lambda statement: max(own(statement), _account_named(statement, principal))),
    )
    if denied is _Truth.YES:
        return Decision.EXPLICIT_DENY
    direct = _any(from_resource, "Allow", request, own)
    by_identity = _any(policies.identity, "Allow", request)
    if delegated:
        let_in = _any(from_resource, "Allow", request, lambda statement: _account_named(statement, principal))
        by_identity = min(by_identity, max(let_in, direct))
    limits = [_any(documents, "Allow", request) for documents in bounds]
    bounded = [*limits, *(_any(documents, "Allow", request) for documents in boundary)]
    # What a resource policy gives to a user by its ARN, the user's boundary does not limit.
    past_boundary = _any(from_resource, "Allow", request, lambda statement: _user_named(statement, principal))
    allowed = max(min(max(by_identity, direct), *bounded, _Truth.YES), min(past_boundary, *limits, _Truth.YES))
    return _decision(allowed, denied)


def trusts(trust_policy: Document | None, principal: str, request: Request) -> Decision:
    """Return whether a role's trust policy lets a principal (ARN, service name or identity provider's ARN) assume it."""
    documents = () if trust_policy is None else (trust_policy,)
    own = _about(principal)

    def named(statement: Mapping[str, Any]) -> _Truth:
        return max(own(statement), _account_named(statement, principal))

    denied = _any(documents, "Deny", request, named)
    return _decision(_any(documents, "Allow", request, named), denied)


def _decision(allowed: _Truth, denied: _Truth) -> Decision:
    if denied is _Truth.YES:
        return Decision.EXPLICIT_DENY
    if allowed is _Truth.NO:
        return Decision.IMPLICIT_DENY
    return Decision.ALLOW if allowed is _Truth.YES and denied is _Truth.NO else Decision.UNDECIDABLE


def statements(document: Document | None) -> list[Mapping[str, Any]]:
    """Return the statements of a policy, of which a single one may stand without a list."""
    given = document.get("Statement") if isinstance(document, Mapping) else None
    return [item for item in _list(given) if isinstance(item, Mapping)]


def action_patterns(document: Document | None) -> Iterator[str]:
    """Yield, in lower case, patterns of all actions that a policy may be about; ``*`` for what cannot be read."""
    given = document.get("Statement") if isinstance(document, Mapping) else document
    for statement in _list(given):
        for pattern in _list(statement.get("Action") if isinstance(statement, Mapping) else "*") or ["*"]:
            yield pattern.lower() if isinstance(pattern, str) else "*"


def resource_patterns(document: Document | None) -> Iterator[str]:
    """Yield the patterns of resources that a policy's allowing statements name."""
    for statement in statements(document):
        if statement.get("Effect") == "Allow":
            yield from (pattern for pattern in _list(statement.get("Resource")) if isinstance(pattern, str))


def principals_named(statement: Mapping[str, Any], kind: str = "") -> tuple[str, ...]:
    """Return the principals that a statement of a resource or trust policy names, read leniently: all of them, or those of
    a kind (``AWS``, ``Service``, ``Federated``). A bare ``*`` is of the kind ``AWS``."""
    given = statement.get("Principal")
    kinds = given if isinstance(given, Mapping) else {"AWS": given}
    values = (value for name, named in kinds.items() if kind in ("", name) for value in _list(named))
    return tuple(value for value in values if isinstance(value, str))


def names_principal(statement: Mapping[str, Any], principal: str) -> bool:
    """Tell whether a statement of a resource or trust policy may be about a principal."""
    try:
        return max(_about(principal)(statement), _account_named(statement, principal)) is not _Truth.NO
    except _Unreadable:
        return True


class _Unreadable(Exception):
    """An element that is not in the grammar of policies."""


def _about(principal: str) -> Callable[[Mapping[str, Any]], _Truth]:
    """Return what tells whether a statement names a principal itself, or everybody."""
    session = _session_prefix(principal)

    def named(statement: Mapping[str, Any]) -> _Truth:
        if "NotPrincipal" in statement:
            beside = _principals(statement["NotPrincipal"])
            if "*" in beside:
                return _Truth.NO
            if principal in beside:
                # A deny spares only who is named together with the account (documentation of NotPrincipal).
                spared = statement.get("Effect") == "Allow" or bool(_account_of(principal) & beside)
                return _Truth.NO if spared else _Truth.MAYBE
            return _Truth.MAYBE if _any_starts(beside, session) else _Truth.YES
        given = _principals(statement.get("Principal"))
        if {"*", principal} & given:
            return _Truth.YES
        return _Truth.MAYBE if _any_starts(given, session) else _Truth.NO

    return named


def _account_named(statement: Mapping[str, Any], principal: str) -> _Truth:
    return _truth(bool(_account_of(principal) & _principals(statement.get("Principal"))))


def _user_named(statement: Mapping[str, Any], principal: str) -> _Truth:
    """Tell whether a statement names an IAM user by its ARN; of a wildcard, the documentation does not say so."""
    if ":user/" not in principal:
        return _Truth.NO
    given = _principals(statement.get("Principal"))
    return _Truth.YES if principal in given else _Truth.MAYBE if "*" in given else _Truth.NO


def _principals(given: Any) -> set[str]:
    """Return the named principals; ``*`` stands for everybody, of services and identity providers it does not."""
    if given is None:
        return set()
    if isinstance(given, str):
        return {given}
    if not isinstance(given, Mapping):
        raise _Unreadable
    return {value for kind, values in given.items() for value in _strings(values) if value != "*" or kind == "AWS"}


def _account_of(principal: str) -> set[str]:
    parts = principal.split(":")
    return {parts[4], f"{parts[0]}:{parts[1]}:iam::{parts[4]}:root"} if len(parts) >= 6 and parts[4] else set()


def _session_prefix(principal: str) -> str:
    """Return how the ARNs of a role's sessions begin, or the empty string for what is no role."""
    parts = principal.split(":", 5)
    if len(parts) < 6 or not parts[5].startswith("role/"):
        return ""
    return f"{parts[0]}:{parts[1]}:sts::{parts[4]}:assumed-role/{parts[5].rpartition('/')[2]}/"


def _any_starts(names: set[str], prefix: str) -> bool:
    return bool(prefix) and any(name.startswith(prefix) for name in names)


def _any(
    documents: Iterable[Document],
    effect: str,
    request: Request,
    named: Callable[[Mapping[str, Any]], _Truth] | None = None,
) -> _Truth:
    """Return whether a statement with the effect applies. ``named`` is given for policies that name principals."""
    best = _Truth.NO
    for document in documents:
        given = document.get("Statement") if isinstance(document, Mapping) else document
        variables = isinstance(document, Mapping) and document.get("Version") == "2012-10-17"
        for statement in _list(given):
            try:
                best = max(best, _applies(statement, effect, request, named, variables=variables))
            except _Unreadable:
                best = max(best, _Truth.MAYBE)
            if best is _Truth.YES:
                return best
    return best


def _applies(
    statement: Any,
    effect: str,
    request: Request,
    named: Callable[[Mapping[str, Any]], _Truth] | None,
    *,
    variables: bool,
) -> _Truth:
    if not isinstance(statement, Mapping) or statement.get("Effect") not in ("Allow", "Deny"):
        raise _Unreadable
    if statement["Effect"] != effect or not _about_action(statement, request.action.lower()):
        return _Truth.NO
    holds = named(statement) if named else _Truth.YES
    if named is None or "Resource" in statement or "NotResource" in statement:
        holds = min(holds, _about_resource(statement, request, variables=variables))
    if holds is _Truth.NO:
        return holds
    return min(holds, _conditions_hold(statement.get("Condition") or {}, request, variables=variables))


def _about_action(statement: Mapping[str, Any], action: str) -> bool:
    beside = "NotAction" in statement
    patterns = _strings(statement["NotAction"] if beside else statement.get("Action"))
    return any(like(pattern.lower(), action) for pattern in patterns) != beside


def _about_resource(statement: Mapping[str, Any], request: Request, *, variables: bool) -> _Truth:
    beside = "NotResource" in statement
    patterns = _strings(statement["NotResource"] if beside else statement.get("Resource"))
    found = max((_matches(like, each, request.resource, request, variables) for each in patterns), default=_Truth.NO)
    return _Truth(_Truth.YES - found) if beside else found


_VARIABLE = re.compile(r"\$\{\s*([^},\s]+)\s*(?:,\s*'([^']*)'\s*)?\}")
# A wildcard that a variable stands for is no wildcard.
_LITERAL = {ord("*"): "\ue000", ord("?"): "\ue001"}
_SIGNS = {0xE000: "*", 0xE001: "?"}


def _matches(compare: Callable[[str, str], bool], pattern: str, value: str, request: Request, variables: bool) -> _Truth:
    """Compare after the pattern's variables are replaced. One that is known to be absent matches nothing."""
    known = True
    absent = False

    def replaced(match: re.Match[str]) -> str:
        nonlocal known, absent
        name, default = match[1].lower(), match[2]
        if name in ("*", "?", "$"):
            return name.translate(_LITERAL)
        found = request.context.get(name)
        if isinstance(found, str):
            return found.translate(_LITERAL)
        if default is not None and name in request.context and found is None:
            return str(default).translate(_LITERAL)
        known = known and name in request.context and found is None
        absent = True
        return ""

    text = _VARIABLE.sub(replaced, pattern) if variables and "${" in pattern else pattern
    if absent:
        return _Truth.NO if known else _Truth.MAYBE
    try:
        return _truth(compare(text, value))
    except (ValueError, OverflowError, OSError):
        return _Truth.MAYBE


@lru_cache(maxsize=65_536)
def _pattern(pattern: str) -> re.Pattern[str]:
    signs = (".*" if c == "*" else "." if c == "?" else re.escape(c.translate(_SIGNS)) for c in pattern)
    return re.compile("".join(signs) + r"\Z", re.S)


def like(pattern: str, text: str) -> bool:
    """Compare with a pattern in which ``*`` is any text and ``?`` any character."""
    return pattern == "*" or bool(_pattern(pattern).match(text))


def _conditions_hold(conditions: Any, request: Request, *, variables: bool) -> _Truth:
    if not isinstance(conditions, Mapping):
        raise _Unreadable
    worst = _Truth.YES
    for operator, keys in conditions.items():
        if not isinstance(keys, Mapping):
            raise _Unreadable
        for key, wanted in keys.items():
            texts = [_scalar(item) for item in _list(wanted)]
            worst = min(worst, _condition_holds(operator, key.lower(), texts, request, variables=variables))
    return worst


def _condition_holds(operator: str, key: str, wanted: list[str], request: Request, *, variables: bool) -> _Truth:
    quantifier, _, name = operator.rpartition(":")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if key not in request.context or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        return _Truth.MAYBE
    given = request.context[key]
    if name == "Null":
        if not {value.lower() for value in wanted} <= {"true", "false"}:
            return _Truth.MAYBE
        return _truth(any((value.lower() == "true") == (given is None) for value in wanted))
    if name not in _OPERATORS:
        return _Truth.MAYBE
    compare, negated = _OPERATORS[name]
    values = [given] if isinstance(given, str) else list(given or ())
    if not values:
        # Of no value, "for all" holds and "for any" does not; without a quantifier, negated operators hold.
        return _truth(optional or quantifier == "ForAllValues" or (negated and not quantifier))
    found = [
        max((_matches(compare, each, value, request, variables) for each in wanted), default=_Truth.NO) for value in values
    ]
    if negated:
        found = [_Truth(_Truth.YES - each) for each in found]
    return min(found) if quantifier == "ForAllValues" or (negated and not quantifier) else max(found)


def _truth(holds: bool) -> _Truth:
    return _Truth.YES if holds else _Truth.NO


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, value: compare(float(value), float(wanted))


def _date(compare: Callable[[datetime, datetime], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, value: compare(_moment(value), _moment(wanted))


def _moment(text: str) -> datetime:
    """Read ISO 8601 or seconds since 1970; without a zone it is UTC. Four digits may be a year or seconds: ValueError."""
    if text.isdigit() and len(text) > 4:
        return datetime.fromtimestamp(int(text), UTC)
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _like_arn(pattern: str, value: str) -> bool:
    """Compare the six parts of two ARNs, each by itself: in the first five, a wildcard does not reach past a colon."""
    parts, others = pattern.split(":", 5), value.split(":", 5)
    if len(parts) != 6 or len(others) != 6:
        raise ValueError("not an ARN")
    return all(like(part, other) for part, other in zip(parts, others, strict=True))


def _equal(wanted: str, value: str) -> bool:
    return wanted.translate(_SIGNS) == value


def _equal_in_any_case(wanted: str, value: str) -> bool:
    return wanted.translate(_SIGNS).lower() == value.lower()


def _in_network(wanted: str, value: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_in_any_case, False),
    "StringNotEqualsIgnoreCase": (_equal_in_any_case, True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "ArnEquals": (_like_arn, False),
    "ArnNotEquals": (_like_arn, True),
    "ArnLike": (_like_arn, False),
    "ArnNotLike": (_like_arn, True),
    "Bool": (_equal_in_any_case, False),
    "BinaryEquals": (_equal, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "NumericEquals": (_number(lambda a, b: a == b), False),
    "NumericNotEquals": (_number(lambda a, b: a == b), True),
    "NumericLessThan": (_number(lambda a, b: a < b), False),
    "NumericLessThanEquals": (_number(lambda a, b: a <= b), False),
    "NumericGreaterThan": (_number(lambda a, b: a > b), False),
    "NumericGreaterThanEquals": (_number(lambda a, b: a >= b), False),
    "DateEquals": (_date(lambda a, b: a == b), False),
    "DateNotEquals": (_date(lambda a, b: a == b), True),
    "DateLessThan": (_date(lambda a, b: a < b), False),
    "DateLessThanEquals": (_date(lambda a, b: a <= b), False),
    "DateGreaterThan": (_date(lambda a, b: a > b), False),
    "DateGreaterThanEquals": (_date(lambda a, b: a >= b), False),
}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _Unreadable
    return value


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise _Unreadable
    return str(value)
