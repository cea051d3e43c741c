"""Evaluates IAM policies: may a principal do an action on a resource? What cannot be decided is said to be.

After AWS' documentation of the policy evaluation logic: an explicit deny wins; then every layer that is there (service
control policies, permissions boundary, session policies) has to allow, and an identity or resource policy has to. A
condition over keys whose values are not known makes the statement "maybe", and never silently yes or no.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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


def evaluate(policies: Policies, request: Request, resource_policy: Document | None = None, principal: str = "") -> Decision:
    """Return what AWS would decide for a principal (its ARN) of the account that the resource is in."""
    layers: list[tuple[Document, ...]] = [*policies.service_control]
    if policies.boundary is not None:
        layers.append((policies.boundary,))
    if policies.session is not None:
        layers.append(policies.session)
    from_resource = () if resource_policy is None else (resource_policy,)
    denied = max(
        (
            *(_any(documents, "Deny", request, None) for documents in (*layers, policies.identity)),
            _any(from_resource, "Deny", request, principal),
        )
    )
    if denied is _Truth.YES:
        return Decision.EXPLICIT_DENY
    granted = max(_any(policies.identity, "Allow", request, None), _any(from_resource, "Allow", request, principal))
    allowed = min((granted, *(_any(documents, "Allow", request, None) for documents in layers)))
    if allowed is _Truth.NO:
        return Decision.IMPLICIT_DENY
    return Decision.ALLOW if allowed is _Truth.YES and denied is _Truth.NO else Decision.UNDECIDABLE


def trusts(trust_policy: Document | None, principal: str, request: Request) -> Decision:
    """Return whether a role's trust policy lets a principal (ARN, service name or identity provider's ARN) assume it."""
    documents = () if trust_policy is None else (trust_policy,)
    if _any(documents, "Deny", request, principal) is _Truth.YES:
        return Decision.EXPLICIT_DENY
    allowed = _any(documents, "Allow", request, principal)
    if allowed is _Truth.NO:
        return Decision.IMPLICIT_DENY
    return Decision.ALLOW if allowed is _Truth.YES else Decision.UNDECIDABLE


def statements(document: Document | None) -> list[Mapping[str, Any]]:
    """Return the statements of a policy, of which a single one may stand without a list."""
    return [item for item in _list((document or {}).get("Statement")) if isinstance(item, Mapping)]


def names_principal(statement: Mapping[str, Any], principal: str) -> bool:
    """Tell whether a statement of a resource or trust policy is about a principal."""
    if "NotPrincipal" in statement:
        return not _principal_in(statement["NotPrincipal"], principal)
    return _principal_in(statement.get("Principal"), principal)


def _principal_in(given: Any, principal: str) -> bool:
    if given == "*":
        return True
    named = [str(value) for values in (given or {}).values() for value in _list(values)] if isinstance(given, Mapping) else []
    account = principal.split(":")[4] if principal.count(":") >= 5 else ""
    whole_account = {account, f"arn:aws:iam::{account}:root"} if account else set()
    return bool({"*", principal, *whole_account} & set(named))


def _any(documents: Iterable[Document], effect: str, request: Request, principal: str | None) -> _Truth:
    """Return whether a statement with the effect applies. ``principal`` is given for policies that name theirs."""
    best = _Truth.NO
    for document in documents:
        for statement in statements(document):
            if statement.get("Effect") != effect:
                continue
            if principal is not None and not names_principal(statement, principal):
                continue
            best = max(best, _applies(statement, request, needs_resource=principal is None or "Resource" in statement))
            if best is _Truth.YES:
                return best
    return best


def _applies(statement: Mapping[str, Any], request: Request, *, needs_resource: bool) -> _Truth:
    action = request.action.lower()
    if "NotAction" in statement:
        if any(_like(str(pattern).lower(), action) for pattern in _list(statement["NotAction"])):
            return _Truth.NO
    elif not any(_like(str(pattern).lower(), action) for pattern in _list(statement.get("Action"))):
        return _Truth.NO
    if needs_resource:
        resources = [_substituted(str(pattern), request) for pattern in _list(statement.get("Resource"))]
        if "NotResource" in statement:
            beside = [_substituted(str(pattern), request) for pattern in _list(statement["NotResource"])]
            if any(_covers(pattern, request.resource) for pattern in beside):
                return _Truth.NO
        elif not any(_covers(pattern, request.resource) for pattern in resources):
            return _Truth.NO
    return _conditions_hold(statement.get("Condition") or {}, request)


def _covers(pattern: str, resource: str) -> bool:
    return _like(pattern, resource)


_VARIABLE = re.compile(r"\$\{([^}]+)\}")


def _substituted(text: str, request: Request) -> str:
    def value(match: re.Match[str]) -> str:
        known = request.context.get(match[1].lower())
        return known if isinstance(known, str) else match[0]

    return _VARIABLE.sub(value, text)


@lru_cache(maxsize=65_536)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern) + r"\Z", re.S)


def _like(pattern: str, text: str) -> bool:
    return pattern == "*" or bool(_pattern(pattern).match(text))


def _conditions_hold(conditions: Mapping[str, Any], request: Request) -> _Truth:
    worst = _Truth.YES
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            worst = min(worst, _condition_holds(operator, key.lower(), [str(item) for item in _list(wanted)], request))
    return worst


def _condition_holds(operator: str, key: str, wanted: list[str], request: Request) -> _Truth:
    quantifier, _, name = operator.rpartition(":")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if key not in request.context:
        return _Truth.MAYBE
    given = request.context[key]
    if name == "Null":
        return _truth(any((value.lower() == "true") == (given is None) for value in wanted))
    if given is None:
        # Negated operators hold for a key that is not there, as does "for all values" of none.
        return _truth(optional or "Not" in name or quantifier == "ForAllValues")
    values = [given] if isinstance(given, str) else list(given)
    negated = "Not" in name
    compare = _OPERATORS.get(name.replace("Not", ""))
    if compare is None:
        return _Truth.MAYBE
    try:
        matched = [any(compare(_substituted(pattern, request), value) for pattern in wanted) != negated for value in values]
    except ValueError:
        return _Truth.MAYBE
    return _truth(all(matched) if quantifier == "ForAllValues" or (negated and not quantifier) else any(matched))


def _truth(holds: bool) -> _Truth:
    return _Truth.YES if holds else _Truth.NO


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, value: compare(float(value), float(wanted))


def _date(compare: Callable[[datetime, datetime], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, value: compare(datetime.fromisoformat(value), datetime.fromisoformat(wanted))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringEqualsIgnoreCase": lambda wanted, value: wanted.lower() == value.lower(),
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    "BinaryEquals": lambda wanted, value: wanted == value,
    "IpAddress": lambda wanted, value: ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False),
    "NumericEquals": _number(lambda a, b: a == b),
    "NumericLessThan": _number(lambda a, b: a < b),
    "NumericLessThanEquals": _number(lambda a, b: a <= b),
    "NumericGreaterThan": _number(lambda a, b: a > b),
    "NumericGreaterThanEquals": _number(lambda a, b: a >= b),
    "DateEquals": _date(lambda a, b: a == b),
    "DateLessThan": _date(lambda a, b: a < b),
    "DateLessThanEquals": _date(lambda a, b: a <= b),
    "DateGreaterThan": _date(lambda a, b: a > b),
    "DateGreaterThanEquals": _date(lambda a, b: a >= b),
}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
