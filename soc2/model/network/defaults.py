"""What policies say of the pods of a namespace by default, and which rules undo it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.meta import LabelSelector
from soc2.model.network.addresses import EVERY_ADDRESS, NO_ADDRESS, AddressSet
from soc2.model.network.policies import AddressPeers, Direction, PodPeers, Policy, Rule
from soc2.model.network.ports import EVERY_PORT, PROTOCOLS, PortRange, PortSet
from soc2.model.network.selection import identity
from soc2.model.network.selectors import NAME_LABEL, select_everything, selector_words, selects

_FAMILIES = {
    "every IPv4 address": AddressSet.of(ip_network("0.0.0.0/0")),
    "every IPv6 address": AddressSet.of(ip_network("::/0")),
}
_EVERYBODY = "everybody"
_ALL_PODS = "every pod of the cluster"
_PORTS = {protocol: PortSet.of([PortRange(protocol, 1, 65535)]) for protocol in PROTOCOLS}
"""Nothing listens at port 0."""


@dataclass(frozen=True)
class OpenDefault:
    """Rules that let everything through: ``what`` (peers and ports) for ``whom``, by ``policies`` (each with its rules)."""

    policies: tuple[str, ...]
    what: str
    whom: str


@dataclass(frozen=True)
class NamespaceDefault:
    """A namespace with the policies about its pods, in their normal form: of teams, and of administrators."""

    namespace: Namespace
    policies: tuple[Policy, ...]
    admin: tuple[Policy, ...]

    @property
    def resource(self) -> Resource:
        return self.namespace.resource

    def denies(self, direction: Direction) -> bool:
        """Tell whether whatever pod comes into the namespace is denied everything that no policy allows.

        NetworkPolicies do when together they select every pod, whatever its labels. Administrators' policies do for
        egress when one that is about every pod of the namespace denies all pods and addresses. For ingress they cannot:
        their rules speak of pods only, so that whatever is outside the cluster gets in.
        """
        selecting = [each.subject.pods for each in self.policies if each.subject and direction in each.rules]
        return select_everything(selecting) or (direction == "Egress" and self.denying(direction) is not None)

    def denying(self, direction: Direction) -> Policy | None:
        """Return the administrators' policy that denies all pods of the namespace everything its rules can speak of."""
        return self._denying_of_tier(direction, baseline=False) or self._denying_of_tier(direction, baseline=True)

    def nearly(self, direction: Direction) -> tuple[str, ...]:
        """Return the policies that select only some pods in a direction, with their selectors."""
        return tuple(
            f"{each.resource.name} ({selector_words(each.subject.pods)})"
            for each in self.policies
            if each.subject and direction in each.rules and not select_everything([each.subject.pods])
        )

    def undone(self, direction: Direction) -> Iterator[OpenDefault]:
        """Yield what lets everything through for all pods, or for those that some policies select."""
        of_all = [each for each in self.policies if each.subject and select_everything([each.subject.pods])]
        everybody = list(_opened(of_all, direction, "all pods"))
        yield from everybody
        known = {each.what for each in everybody}
        groups: dict[object, list[Policy]] = {}
        for policy in self.policies:
            if policy.subject and policy not in of_all:
                groups.setdefault(identity(policy.subject.pods), []).append(policy)
        for group in groups.values():
            subject = group[0].subject
            whom = f"the pods with {selector_words(subject.pods)}" if subject else ""
            for found in _opened([*of_all, *group], direction, whom):
                if found.what not in known:
                    yield found
        for policy in self.admin:
            if policy.subject and not policy.baseline:
                words = selector_words(policy.subject.pods)
                yield from _opened([policy], direction, f"the pods with {words}" if words else "all pods")

    def _denying_of_tier(self, direction: Direction, *, baseline: bool) -> Policy | None:
        for policy in sorted((each for each in self.admin if each.baseline == baseline), key=lambda each: each.priority):
            verdict = _denies(policy, direction)
            if verdict is not None:
                return policy if verdict else None
        return None


def namespace_defaults(
    namespaces: Iterable[Namespace], policies: Iterable[Policy], admin: Iterable[Policy]
) -> Iterator[NamespaceDefault]:
    """Join namespaces with the policies about their pods."""
    by_namespace: dict[object, list[Policy]] = {}
    for policy in policies:
        by_namespace.setdefault(policy.resource.namespace, []).append(policy)
    everywhere = tuple(admin)
    for namespace in namespaces:
        about = tuple(each for each in everywhere if _is_about(each, namespace))
        yield NamespaceDefault(namespace, tuple(by_namespace.get(namespace.name, ())), about)


def _is_about(policy: Policy, namespace: Namespace) -> bool:
    if policy.subject is None or isinstance(policy.subject.namespace, str):
        return False
    return selects(policy.subject.namespace, {**namespace.labels, NAME_LABEL: namespace.name})


class _Reach:
    """Whom some rules are about together."""

    def __init__(self) -> None:
        self.addresses = NO_ADDRESS
        self.everybody = False
        self._namespaces: list[LabelSelector] = []

    def add(self, rule: Rule) -> None:
        if rule.peers is None:
            self.everybody = True
            self.addresses = EVERY_ADDRESS
        for peer in rule.peers or ():
            if isinstance(peer, AddressPeers):
                self.addresses |= peer.addresses
            elif isinstance(peer, PodPeers) and not isinstance(peer.namespace, str) and select_everything([peer.pods]):
                self._namespaces.append(peer.namespace)

    def all_pods(self) -> bool:
        return self.everybody or select_everything(self._namespaces, [NAME_LABEL])

    def whole(self) -> list[str]:
        """Return what of everything it is all of."""
        if self.everybody:
            return [_EVERYBODY]
        found = [name for name, family in _FAMILIES.items() if not family & ~self.addresses]
        return [*([_ALL_PODS] if self.all_pods() else []), *found]


def _denies(policy: Policy, direction: Direction) -> bool | None:
    """Tell whether a policy denies everything to all pods, or lets much past before it could; None when it does neither."""
    of_all = policy.subject is not None and select_everything([policy.subject.pods])
    denied = _Reach()
    for rule in policy.rules.get(direction, ()):
        if rule.action == "Deny":
            if rule.ports.numbers == EVERY_PORT:
                denied.add(rule)
            if of_all and denied.all_pods() and (direction == "Ingress" or denied.addresses == EVERY_ADDRESS):
                return True
        elif rule.action == "Pass" or _is_wide(rule):
            return False
    return None


def _is_wide(rule: Rule) -> bool:
    """Tell whether a rule is about all of some kind of peers, on every port of some protocol."""
    one = _Reach()
    one.add(rule)
    return bool(one.whole()) and any(wanted <= rule.ports.numbers for wanted in _PORTS.values())


def _opened(policies: Sequence[Policy], direction: Direction, whom: str) -> Iterator[OpenDefault]:
    """Yield what some policies that select the same pods let through in whole, one for each kind of peers."""
    rules = [rule for each in policies for rule in each.rules.get(direction, ()) if rule.action == "Allow"]
    if rules and rules[0].policy.kind != "NetworkPolicy":
        rules = list(_before_denial(policies[0], direction))
    protocols: dict[str, list[str]] = {}
    for protocol, wanted in _PORTS.items():
        for what in _whole_for(rules, wanted):
            protocols.setdefault(what, []).append(protocol)
    if _EVERYBODY in protocols:
        protocols = {_EVERYBODY: protocols[_EVERYBODY]}
    for what, known in protocols.items():
        ports = "" if len(known) == len(PROTOCOLS) else f" on every {'/'.join(known).lower()} port"
        yield OpenDefault(tuple(_named(_needed(rules, what, known))), what + ports, whom)


def _before_denial(policy: Policy, direction: Direction) -> Iterator[Rule]:
    """Yield the allowing rules of an administrators' policy that come before one that denies or passes on as much."""
    for rule in policy.rules.get(direction, ()):
        if rule.action == "Allow":
            yield rule
        elif _is_wide(rule):
            return


def _whole_for(rules: Sequence[Rule], wanted: PortSet) -> list[str]:
    """Return the kinds of peers that are all let through to the ports."""
    pieces = {each.ports.numbers & wanted for each in rules}
    found: list[str] | None = None
    for port in _representatives(pieces, wanted):
        reach = _Reach()
        for rule in rules:
            if port in rule.ports.numbers:
                reach.add(rule)
        whole = reach.whole()
        found = whole if found is None else _common(found, whole)
        if not found:
            return []
    return found or []


def _common(one: list[str], other: list[str]) -> list[str]:
    """Return what is whole for both: who lets everything through, lets all of each kind through."""
    if one == [_EVERYBODY]:
        return other
    return one if other == [_EVERYBODY] else [each for each in one if each in other]


def _representatives(pieces: Iterable[PortSet], wanted: PortSet) -> list[tuple[str, int]]:
    """Return a port of each stretch that the pieces do not tell apart."""
    (whole,) = wanted.ranges
    edges = {whole.first} | {edge for piece in pieces for each in piece for edge in (each.first, each.last + 1)}
    return [(whole.protocol, edge) for edge in sorted(edges) if edge <= whole.last]


def _needed(rules: Sequence[Rule], what: str, protocols: Sequence[str]) -> list[Rule]:
    """Return one rule that is enough by itself, or all that take part in it."""

    def enough(some: Sequence[Rule]) -> bool:
        return all(what in _whole_for(some, _PORTS[each]) for each in protocols)

    for rule in rules:
        if enough([rule]):
            return [rule]
    kept = list(rules)
    for rule in rules:
        without = [each for each in kept if each is not rule]
        if enough(without):
            kept = without
    return kept


def _named(rules: Sequence[Rule]) -> list[str]:
    found: dict[str, list[str]] = {}
    for rule in rules:
        kind = "" if rule.policy.kind == "NetworkPolicy" else f"{rule.policy.kind} "
        found.setdefault(f"{kind}{rule.policy.name}", []).append(rule.name)
    return [f"{name} {', '.join(places)}" for name, places in found.items()]
