"""Which ports the rules of an Istio AuthorizationPolicy speak of, for a source that connects to a workload.

What only a request tells (methods, paths, hosts, headers, tokens) is not known of a connection, and neither is a field
that we do not know. A rule that depends on it is asked twice: what may it match, and what does it match for sure?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from soc2.model.deviation import Resource
from soc2.model.kubernetes.istio import AuthorizationPolicy, AuthorizationRule, Condition, Matchers
from soc2.model.network.mesh.callers import EVERY_TCP, Caller, all_of, any_of, lies_in, negated, ports_of
from soc2.model.network.ports import NO_PORT, PortSet

_PORT_CONDITION = "destination.port"
_PORTS = ("ports", "notPorts")


class IstioRule:
    """A rule of a policy, with the ports that it may match and those that it matches for sure, whoever connects."""

    def __init__(self, policy: AuthorizationPolicy, index: int) -> None:
        self.policy: Resource = policy.resource
        self.index = index
        rule = (policy.spec.rules or ())[index]
        self._home = policy.namespace
        self._sources = [each.source or {} for each in rule.from_ or ()]
        self._conditions = [each for each in rule.when or () if each.key != _PORT_CONDITION]
        self._possible = _ports_of(rule, surely=False)
        self._sure = _ports_of(rule, surely=True)
        self.undecided = tuple(dict.fromkeys(_undecided(rule)))
        """What it asks that a connection does not tell."""

    def ports(self, who: Caller, *, surely: bool) -> PortSet:
        """Return the TCP ports for which it matches a source: for sure, or possibly."""
        answer = self._speaks_of(who)
        if answer is None and surely:
            return NO_PORT
        return NO_PORT if answer is False else self._sure if surely else self._possible

    def _speaks_of(self, who: Caller) -> bool | None:
        answer = any_of(_source(each, who, self._home) for each in self._sources) if self._sources else True
        if answer is False or not self._conditions:
            return answer
        return all_of((answer, *(_condition(each, who, self._home) for each in self._conditions)))


def rules_of(policy: AuthorizationPolicy) -> tuple[IstioRule, ...]:
    """Return the rules of a policy, in their order."""
    return tuple(IstioRule(policy, index) for index in range(len(policy.spec.rules or ())))


def ip_blocks(policy: AuthorizationPolicy) -> Iterator[str]:
    """Yield every network that a policy speaks of."""
    for rule in policy.spec.rules or ():
        for each in rule.from_ or ():
            for key in ("ipBlocks", "notIpBlocks"):
                yield from (each.source or {}).get(key) or ()
        for condition in rule.when or ():
            if condition.key == "source.ip":
                yield from (*(condition.values or ()), *(condition.not_values or ()))


def asks_identity(policy: AuthorizationPolicy) -> bool:
    """Tell whether a policy tells sources in the mesh from one another by more than their address."""
    rules = policy.spec.rules or ()
    asked = [_SOURCE.get(key) for rule in rules for each in rule.from_ or () for key in each.source or {}]
    asked += [_CONDITIONS.get(each.key) for rule in rules for each in rule.when or ()]
    return any(each not in (None, _address) for each in asked)


def _ports_of(rule: AuthorizationRule, *, surely: bool) -> PortSet:
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


def _ports(wanted: tuple[str, ...] | None, unwanted: tuple[str, ...] | None) -> PortSet:
    ports = ports_of(",".join(wanted)) if wanted else EVERY_TCP
    return ports - ports_of(",".join(unwanted)) if unwanted else ports


def _undecided(rule: AuthorizationRule) -> Iterator[str]:
    of_sources = (key for each in rule.from_ or () for key in _given(each.source or {}) if key not in _SOURCE)
    of_operations = (key for each in rule.to or () for key in _given(each.operation or {}) if key not in _PORTS)
    of_conditions = (each.key for each in rule.when or () if each.key not in (_PORT_CONDITION, *_CONDITIONS))
    return chain(of_sources, of_operations, of_conditions)


def _given(matchers: Matchers) -> Iterator[str]:
    return (key for key, values in matchers.items() if values)


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


def _principal(patterns: tuple[str, ...], who: Caller, _: str) -> bool | None:
    if who.identity is None:
        return False
    if any(_fits(pattern, who.identity) for pattern in patterns):
        return True
    return None if any(_fits_elsewhere(pattern, who.identity) for pattern in patterns) else False


def _fits_elsewhere(pattern: str, identity: str) -> bool:
    """Tell whether it fits but for the trust domain, of which it is not known whether it is the mesh's own."""
    (domain, _, wanted), (own, _, account) = pattern.partition("/"), identity.partition("/")
    return domain not in (own, "*") and not wanted.startswith("*") and _fits(wanted, account)


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
