"""Which ports the rules of an Istio AuthorizationPolicy speak of, for a source that connects to a workload.

What only a request tells (methods, paths, hosts, headers, tokens) is not known of a connection, and neither is a field
that we do not know. A rule that depends on it is asked twice: what may it match, and what does it match for sure?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from soc2.model.kubernetes.istio import AuthorizationPolicy, AuthorizationRule, Condition, Matchers
from soc2.model.network.mesh.callers import EVERY_TCP, Caller, all_of, any_of, lies_in, negated, ports_of
from soc2.model.network.ports import NO_PORT, PortSet

_PORT_CONDITION = "destination.port"
_PORTS = ("ports", "notPorts")


def matched_ports(policy: AuthorizationPolicy, rule: AuthorizationRule, who: Caller, *, surely: bool) -> PortSet:
    """Return the TCP ports for which a rule matches a source: for sure, or possibly."""
    sources = rule.from_ or ()
    decided = [any_of(_source(each.source or {}, who, policy.namespace) for each in sources)] if sources else []
    decided += [_condition(each, who, policy.namespace) for each in rule.when or () if each.key != _PORT_CONDITION]
    answer = all_of(decided)
    if answer is False or (answer is None and surely):
        return NO_PORT
    operations = [each.operation or {} for each in rule.to or ()]
    ports = NO_PORT if operations else EVERY_TCP
    for operation in operations:
        given = {*_given(operation)}
        # One that says nothing is refused by Istio, so nothing is known of it.
        if not surely or (given and given <= {*_PORTS}):
            ports |= _ports(operation.get("ports"), operation.get("notPorts"))
    for condition in rule.when or ():
        if condition.key == _PORT_CONDITION:
            ports &= _ports(condition.values, condition.not_values)
    return ports


def undecided(rule: AuthorizationRule) -> tuple[str, ...]:
    """Return what a rule asks that a connection does not tell."""
    of_sources = (key for each in rule.from_ or () for key in _given(each.source or {}) if key not in _SOURCE)
    of_operations = (key for each in rule.to or () for key in _unknown_of_operations(each.operation or {}))
    of_conditions = (each.key for each in rule.when or () if each.key not in (_PORT_CONDITION, *_CONDITIONS))
    return tuple(dict.fromkeys(chain(of_sources, of_operations, of_conditions)))


def ip_blocks(policy: AuthorizationPolicy) -> Iterator[str]:
    """Yield every network that a policy speaks of."""
    for rule in policy.spec.rules or ():
        for each in rule.from_ or ():
            for key in ("ipBlocks", "notIpBlocks"):
                yield from (each.source or {}).get(key) or ()
        for condition in rule.when or ():
            if condition.key == "source.ip":
                yield from (*(condition.values or ()), *(condition.not_values or ()))


def _given(matchers: Matchers) -> Iterator[str]:
    return (key for key, values in matchers.items() if values)


def _unknown_of_operations(operation: Matchers) -> Iterator[str]:
    return (key for key in _given(operation) if key not in _PORTS)


def _ports(wanted: tuple[str, ...] | None, unwanted: tuple[str, ...] | None) -> PortSet:
    ports = ports_of(",".join(wanted)) if wanted else EVERY_TCP
    return ports - ports_of(",".join(unwanted)) if unwanted else ports


def _source(source: Matchers, who: Caller, home: str) -> bool | None:
    given = [_field(key, values, who, home) for key, values in source.items() if values]
    return all_of(given) if given else None


def _field(key: str, values: tuple[str, ...], who: Caller, home: str) -> bool | None:
    asked = _SOURCE.get(key)
    answer = asked(values, who, home) if asked else None
    return negated(answer) if key.startswith("not") else answer


def _condition(condition: Condition, who: Caller, home: str) -> bool | None:
    asked = _CONDITIONS.get(condition.key)
    if asked is None:
        return None
    wanted = asked(condition.values, who, home) if condition.values else True
    unwanted = asked(condition.not_values, who, home) if condition.not_values else False
    return all_of((wanted, negated(unwanted)))


def _fits(pattern: str, value: str) -> bool:
    """Match as Istio does: ``*`` is anything but nothing, one at an end is what may stand there."""
    if pattern == "*":
        return bool(value)
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _principal(patterns: tuple[str, ...], who: Caller, _: str) -> bool:
    return who.identity is not None and any(_fits(pattern, who.identity) for pattern in patterns)


def _namespace(patterns: tuple[str, ...], who: Caller, _: str) -> bool:
    return who.identity is not None and any(_fits(pattern, who.namespace) for pattern in patterns)


def _account(names: tuple[str, ...], who: Caller, home: str) -> bool:
    wanted = (name if "/" in name else f"{home}/{name}" for name in names)
    return who.identity is not None and f"{who.namespace}/{who.account}" in wanted


def _address(blocks: tuple[str, ...], who: Caller, _: str) -> bool | None:
    return lies_in(who, blocks)


_Asked = Callable[[tuple[str, ...], Caller, str], bool | None]

_SOURCE: dict[str, _Asked] = {
    "principals": _principal,
    "notPrincipals": _principal,
    "namespaces": _namespace,
    "notNamespaces": _namespace,
    "serviceAccounts": _account,
    "notServiceAccounts": _account,
    "ipBlocks": _address,
    "notIpBlocks": _address,
}
_CONDITIONS: dict[str, _Asked] = {
    "source.principal": _principal,
    "source.namespace": _namespace,
    "source.serviceAccount": _account,
    "source.ip": _address,
}
