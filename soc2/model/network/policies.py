"""Every kind of network policy in one form: whom it is about, and rules with an action, peers and ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from soc2.model.deviation import Resource
from soc2.model.kubernetes.admin_network import (
    AdminNetworkPolicy,
    AdminPeer,
    AdminPort,
    AdminSubject,
    BaselineAdminNetworkPolicy,
    ClusterNetworkPolicy,
    ClusterProtocol,
    ProtocolMatch,
)
from soc2.model.kubernetes.meta import LabelSelector
from soc2.model.kubernetes.network import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from soc2.model.network.addresses import PRIVATE, AddressSet, network_of
from soc2.model.network.endpoints import NamedPort
from soc2.model.network.ports import EVERY_PORT, HIGHEST, PortRange, PortSet

Direction = Literal["Ingress", "Egress"]
Action = Literal["Allow", "Deny", "Pass"]
DIRECTIONS: tuple[Direction, Direction] = ("Ingress", "Egress")


class PodPeers(NamedTuple):
    """Pods by namespace and labels. ``namespace`` is a name, or a selector over namespaces."""

    namespace: str | LabelSelector
    pods: LabelSelector


class AddressPeers(NamedTuple):
    """Addresses. ``may_be_pods`` says that pods whose addresses are not known may have some of them."""

    addresses: AddressSet
    may_be_pods: bool


class NodePeers(NamedTuple):
    """The addresses of nodes by the labels of these."""

    nodes: LabelSelector


class DomainPeers(NamedTuple):
    """Whatever some names lead to, which nobody can tell from a policy."""

    names: tuple[str, ...]


class RelatedPeers(NamedTuple):
    """Pods of namespaces that are like the subject's, or not: of an early version of the API, and not worked out."""


class UnknownPeers(NamedTuple):
    """A peer of none of the kinds above: of a version of the API that came later."""


PeerPattern = PodPeers | AddressPeers | NodePeers | DomainPeers | RelatedPeers | UnknownPeers


@dataclass(frozen=True)
class PortPattern:
    """Ports by number, and by name with a protocol (any when it is None)."""

    numbers: PortSet = EVERY_PORT
    names: tuple[tuple[str, str | None], ...] = ()

    def resolve(self, named: Sequence[NamedPort]) -> PortSet:
        """Return the ports of a pod that declares these."""
        if not self.names:
            return self.numbers
        return self.numbers | PortSet.of(single(each) for each in named if self.speaks_of(each))

    def speaks_of(self, port: NamedPort) -> bool:
        return (port.name, port.protocol) in self.names or (port.name, None) in self.names


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule of a policy. ``peers`` is None when it is about everybody; ``name`` is its place (``ingress[0]``)."""

    policy: Resource
    name: str
    action: Action
    peers: tuple[PeerPattern, ...] | None
    ports: PortPattern


@dataclass(frozen=True, eq=False)
class Policy:
    """A policy. ``rules`` has the directions that it decides on; ``priority`` orders those of administrators."""

    resource: Resource
    subject: PodPeers | None
    rules: Mapping[Direction, tuple[Rule, ...]]
    priority: int = 0
    baseline: bool = False


def single(port: NamedPort) -> PortRange:
    return PortRange(port.protocol, port.number, port.number)


def of_network_policy(policy: NetworkPolicy) -> Policy:
    """Read a NetworkPolicy. Without policyTypes it decides on ingress, and on egress if it has egress rules."""
    spec = policy.spec
    types = spec.policy_types or (("Ingress", "Egress") if spec.egress else ("Ingress",))
    given = {
        "Ingress": [(rule.from_, rule.ports) for rule in spec.ingress],
        "Egress": [(rule.to, rule.ports) for rule in spec.egress],
    }
    rules: dict[Direction, tuple[Rule, ...]] = {
        direction: tuple(
            Rule(
                policy.resource,
                f"{direction.lower()}[{index}]",
                "Allow",
                tuple(_peer(each, policy.namespace) for each in peers) or None,
                _ports(ports),
            )
            for index, (peers, ports) in enumerate(given[direction])
        )
        for direction in DIRECTIONS
        if direction in types
    }
    return Policy(policy.resource, PodPeers(policy.namespace, spec.pod_selector), rules)


def _peer(peer: NetworkPolicyPeer, namespace: str) -> PeerPattern:
    if peer.ip_block is not None:
        return _block(peer.ip_block)
    if peer.namespace_selector is None and peer.pod_selector is None:
        return UnknownPeers()
    return PodPeers(
        namespace if peer.namespace_selector is None else peer.namespace_selector, peer.pod_selector or LabelSelector()
    )


def _block(block: IPBlock) -> AddressPeers:
    network = network_of(block.cidr)
    if network is None:
        return AddressPeers(AddressSet(), may_be_pods=False)
    excepted = AddressSet.of(*(each for text in block.except_ if (each := network_of(text))))
    addresses = AddressSet.of(network) & ~excepted
    return AddressPeers(addresses, network.prefixlen == 0 and bool(addresses & PRIVATE))


def _ports(ports: Sequence[NetworkPolicyPort]) -> PortPattern:
    if not ports:
        return PortPattern()
    return PortPattern(
        PortSet.of(each for port in ports for each in _numbers(port)),
        tuple((port.port, port.protocol) for port in ports if isinstance(port.port, str)),
    )


def _numbers(port: NetworkPolicyPort) -> Iterator[PortRange]:
    if port.port is None:
        yield PortRange(port.protocol, 0, HIGHEST)
    elif isinstance(port.port, int):
        yield from _range(port.protocol, port.port, port.port if port.end_port is None else port.end_port)


def _range(protocol: str, first: int, last: int) -> Iterator[PortRange]:
    if first <= last:
        yield PortRange(protocol, first, last)


def of_admin_policy(policy: AdminNetworkPolicy | BaselineAdminNetworkPolicy) -> Policy:
    """Read a policy of version v1alpha1."""
    spec = policy.spec
    rules = _admin_rules(
        policy.resource,
        [(each.action, each.from_, _admin_ports(each.ports)) for each in spec.ingress],
        [(each.action, each.to, _admin_ports(each.ports)) for each in spec.egress],
    )
    priority = policy.spec.priority if isinstance(policy, AdminNetworkPolicy) else 0
    return Policy(policy.resource, _subject(spec.subject), rules, priority, isinstance(policy, BaselineAdminNetworkPolicy))


def of_cluster_policy(policy: ClusterNetworkPolicy) -> Policy:
    """Read a policy of version v1alpha2."""
    spec = policy.spec
    rules = _admin_rules(
        policy.resource,
        [(each.action, each.from_, _protocols(each.protocols)) for each in spec.ingress],
        [(each.action, each.to, _protocols(each.protocols)) for each in spec.egress],
    )
    return Policy(policy.resource, _subject(spec.subject), rules, spec.priority, spec.tier == "Baseline")


_AdminRule = tuple[str, Sequence[AdminPeer], PortPattern]


def _admin_rules(
    policy: Resource, ingress: Sequence[_AdminRule], egress: Sequence[_AdminRule]
) -> dict[Direction, tuple[Rule, ...]]:
    given: dict[Direction, Sequence[_AdminRule]] = {"Ingress": ingress, "Egress": egress}
    return {
        direction: tuple(
            _admin_rule(policy, f"{direction.lower()}[{index}]", *rule) for index, rule in enumerate(given[direction])
        )
        for direction in DIRECTIONS
    }


def _admin_rule(policy: Resource, name: str, action: str, peers: Sequence[AdminPeer], ports: PortPattern) -> Rule:
    known: Action = "Deny" if action == "Deny" else "Pass" if action == "Pass" else "Allow"
    return Rule(policy, name, known, tuple(each for peer in peers for each in _admin_peers(peer)), ports)


def _subject(subject: AdminSubject) -> PodPeers | None:
    if subject.pods is not None:
        return PodPeers(subject.pods.namespace_selector, subject.pods.pod_selector)
    return None if subject.namespaces is None else PodPeers(subject.namespaces, LabelSelector())


def _admin_peers(peer: AdminPeer) -> Iterator[PeerPattern]:
    if peer.pods is not None:
        older = peer.pods.namespaces
        yield _in_namespaces(older.selector if older else peer.pods.namespace_selector, peer.pods.pod_selector)
    elif peer.namespaces is not None:
        yield _in_namespaces(peer.namespaces.selector, LabelSelector())
    elif peer.nodes is not None:
        yield NodePeers(peer.nodes)
    elif peer.networks:
        yield from (_block(IPBlock(cidr)) for cidr in peer.networks)
    else:
        yield DomainPeers(peer.domain_names) if peer.domain_names else UnknownPeers()


def _in_namespaces(namespaces: LabelSelector | None, pods: LabelSelector) -> PeerPattern:
    return RelatedPeers() if namespaces is None else PodPeers(namespaces, pods)


def _admin_ports(ports: Sequence[AdminPort] | None) -> PortPattern:
    if not ports:
        return PortPattern()
    numbers = [
        *(PortRange(one.protocol, one.port, one.port) for port in ports if (one := port.port_number)),
        *(each for port in ports if (span := port.port_range) for each in _range(span.protocol, span.start, span.end)),
    ]
    return PortPattern(PortSet.of(numbers), tuple((port.named_port, None) for port in ports if port.named_port))


def _protocols(protocols: Sequence[ClusterProtocol] | None) -> PortPattern:
    if not protocols:
        return PortPattern()
    numbers = [
        each
        for protocol in protocols
        for name, match in (("TCP", protocol.tcp), ("UDP", protocol.udp), ("SCTP", protocol.sctp))
        if match
        for each in _destinations(name, match)
    ]
    names = tuple((each.destination_named_port, None) for each in protocols if each.destination_named_port)
    return PortPattern(PortSet.of(numbers), names)


def _destinations(protocol: str, match: ProtocolMatch) -> Iterator[PortRange]:
    port = match.destination_port
    if port is None:
        yield PortRange(protocol, 0, HIGHEST)
    elif port.number is not None:
        yield PortRange(protocol, port.number, port.number)
    elif port.range is not None:
        yield from _range(protocol, port.range.start, port.range.end)
