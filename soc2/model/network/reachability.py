"""Which connections the policies of a cluster let through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from soc2.model.deviation import Resource
from soc2.model.kubernetes.admin_network import AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.network import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from soc2.model.network.endpoints import Block, Endpoint, Network, Peer
from soc2.model.network.layers import Layer, Reason
from soc2.model.network.ports import EVERY_PORT, HIGHEST, NO_PORT, PortRange, PortSet

_LAYER = "NetworkPolicy"


@dataclass(frozen=True)
class EndpointClass:
    """Endpoints that no policy and no layer tells from one another. ``number`` is its bit in the sets of classes."""

    number: int
    endpoints: tuple[Endpoint, ...]


class Group(NamedTuple):
    """Classes as a set (the bit ``1 << number`` of each), and the ports that are open between each of them and another."""

    classes: int
    ports: PortSet


class _Rule(NamedTuple):
    policy: Resource
    name: str
    namespace: str
    peers: tuple[NetworkPolicyPeer, ...]
    ports: tuple[NetworkPolicyPort, ...]


class Reachability:
    """Answers who can talk to whom. Only endpoints that it was made with can be asked for, and any Block."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        namespaces: Mapping[str, Mapping[str, str]],
        policies: Sequence[NetworkPolicy] = (),
        admin: Sequence[AdminNetworkPolicy | ClusterNetworkPolicy] = (),  # noqa: ARG002
        baseline: Sequence[BaselineAdminNetworkPolicy] = (),  # noqa: ARG002
        layers: Sequence[Layer] = (),
        nodes: Sequence[Node] = (),  # noqa: ARG002
    ) -> None:
        self._namespaces = {name: {**labels, "kubernetes.io/metadata.name": name} for name, labels in namespaces.items()}
        self._policies: dict[str, list[NetworkPolicy]] = {}
        for policy in policies:
            self._policies.setdefault(policy.namespace, []).append(policy)
        self._layers = tuple(layers)
        self.classes = tuple(EndpointClass(number, (each,)) for number, each in enumerate(endpoints))
        self._numbers = {each.endpoints[0].resource: each.number for each in self.classes}

    def class_of(self, endpoint: Endpoint) -> EndpointClass:
        return self.classes[self._numbers[endpoint.resource]]

    def members(self, classes: int) -> Iterator[EndpointClass]:
        """Yield the classes of a set."""
        return (each for each in self.classes if classes >> each.number & 1)

    def allowed(self, source: Peer, target: Peer) -> PortSet:
        """Return the ports of the target that policies at both ends and every layer let the source connect to.

        Of a Block: those that are open for at least one of its addresses.
        """
        if isinstance(source, Endpoint) and isinstance(target, Endpoint) and source.resource == target.resource:
            return EVERY_PORT
        ports = EVERY_PORT if _same_node(source, target) else self._side(source, target, "Egress", target)
        if not _same_node(source, target):
            ports &= self._side(target, source, "Ingress", target)
        for layer in self._layers:
            ports &= layer.allowed(source, target)
        return ports

    def reasons(self, source: Peer, target: Peer, port: tuple[str, int]) -> tuple[Reason, ...]:
        """Return what decides on a port: at the egress end, at the ingress end, and in each layer."""
        if isinstance(source, Endpoint) and isinstance(target, Endpoint) and source.resource == target.resource:
            return (Reason(_LAYER, None, "a pod always reaches itself"),)
        if _same_node(source, target):
            found: tuple[Reason, ...] = (Reason(_LAYER, None, "a node always reaches the pods on it, and they it"),)
        else:
            found = (
                self._reason(source, target, "Egress", target, port),
                self._reason(target, source, "Ingress", target, port),
            )
        return (*found, *(layer.reason(source, target, port) for layer in self._layers))

    def row(self, source: Peer) -> tuple[Group, ...]:
        """Return the targets that a source reaches, as groups of classes that have the same ports open."""
        found: dict[PortSet, int] = {}
        for each in self.classes:
            ports = self.allowed(source, each.endpoints[0])
            found[ports] = found.get(ports, 0) | 1 << each.number
        return tuple(Group(classes, ports) for ports, classes in found.items() if ports)

    def pairs(self) -> Iterator[tuple[EndpointClass, tuple[Group, ...]]]:
        """Yield every class as a target, with the groups of classes that reach it and on which ports."""
        for target in self.classes:
            found: dict[PortSet, int] = {}
            for each in self.classes:
                ports = self.allowed(each.endpoints[0], target.endpoints[0])
                found[ports] = found.get(ports, 0) | 1 << each.number
            yield target, tuple(Group(classes, ports) for ports, classes in found.items() if ports)

    def all_pairs(self) -> Iterator[tuple[EndpointClass, EndpointClass, PortSet]]:
        """Yield (source, target, ports) for every pair of classes with an open port."""
        for target, groups in self.pairs():
            for group in groups:
                for source in self.members(group.classes):
                    yield source, target, group.ports

    def _selecting(self, subject: Peer, direction: str) -> list[NetworkPolicy]:
        if isinstance(subject, Block) or subject.host_network:
            return []
        return [
            policy
            for policy in self._policies.get(subject.namespace, ())
            if direction in _directions(policy) and policy.spec.pod_selector.matches(dict(subject.labels))
        ]

    def _side(self, subject: Peer, peer: Peer, direction: str, target: Peer) -> PortSet:
        policies = self._selecting(subject, direction)
        if not policies:
            return EVERY_PORT
        ports = NO_PORT
        for rule in _rules(policies, direction):
            if self._matches(rule, peer):
                ports |= _ports(rule, target)
        return ports

    def _reason(self, subject: Peer, peer: Peer, direction: str, target: Peer, port: tuple[str, int]) -> Reason:
        policies = self._selecting(subject, direction)
        if not policies:
            return Reason(_LAYER, None, f"no NetworkPolicy selects {subject} for {direction.lower()}")
        for rule in _rules(policies, direction):
            if self._matches(rule, peer) and port in _ports(rule, target):
                return Reason(_LAYER, rule.policy, rule.name)
        names = ", ".join(sorted(policy.name for policy in policies))
        return Reason(_LAYER, policies[0].resource, f"no rule of {names} allows it")

    def _matches(self, rule: _Rule, peer: Peer) -> bool:
        return not rule.peers or any(self._is_peer(each, rule.namespace, peer) for each in rule.peers)

    def _is_peer(self, wanted: NetworkPolicyPeer, namespace: str, peer: Peer) -> bool:
        if wanted.ip_block is not None:
            return _covers(wanted.ip_block, peer)
        if isinstance(peer, Block) or peer.host_network:
            return False
        if wanted.namespace_selector is None and wanted.pod_selector is None:
            return False
        if wanted.namespace_selector is None:
            inside = peer.namespace == namespace
        else:
            given = self._namespaces.get(peer.namespace, {"kubernetes.io/metadata.name": peer.namespace})
            inside = wanted.namespace_selector.matches(given)
        return inside and (wanted.pod_selector is None or wanted.pod_selector.matches(dict(peer.labels)))


def _directions(policy: NetworkPolicy) -> tuple[str, ...]:
    return policy.spec.policy_types or (("Ingress", "Egress") if policy.spec.egress else ("Ingress",))


def _rules(policies: Sequence[NetworkPolicy], direction: str) -> Iterator[_Rule]:
    for policy in policies:
        if direction == "Ingress":
            for index, ingress in enumerate(policy.spec.ingress):
                yield _Rule(policy.resource, f"ingress[{index}]", policy.namespace, ingress.from_, ingress.ports)
        else:
            for index, egress in enumerate(policy.spec.egress):
                yield _Rule(policy.resource, f"egress[{index}]", policy.namespace, egress.to, egress.ports)


def _ports(rule: _Rule, target: Peer) -> PortSet:
    if not rule.ports:
        return EVERY_PORT
    return PortSet.of(one for each in rule.ports for one in _ranges(each, target))


def _ranges(port: NetworkPolicyPort, target: Peer) -> Iterator[PortRange]:
    if port.port is None:
        yield PortRange(port.protocol, 0, HIGHEST)
    elif isinstance(port.port, int):
        last = port.port if port.end_port is None else port.end_port
        if port.port <= last:
            yield PortRange(port.protocol, port.port, last)
    elif isinstance(target, Endpoint):
        for named in target.ports:
            if (named.name, named.protocol) == (port.port, port.protocol):
                yield PortRange(named.protocol, named.number, named.number)


def _same_node(source: Peer, target: Peer) -> bool:
    if isinstance(source, Block) or isinstance(target, Block):
        return False
    if not source.host_network and not target.host_network:
        return False
    return not source.node or not target.node or source.node == target.node


def _covers(block: IPBlock, peer: Peer) -> bool:
    """Tell whether an ipBlock covers an address of a peer, or may when the address is not known."""
    network = ip_network(block.cidr, strict=False)
    excepted = [ip_network(each, strict=False) for each in block.except_]
    if isinstance(peer, Endpoint):
        if not peer.addresses:
            return peer.host_network or network.prefixlen == 0
        given = [ip_network(ip_address(each)) for each in peer.addresses]
        return any(_overlap(network, each) and not any(_overlap(one, each) for one in excepted) for each in given)
    return _overlap(network, peer.network) and not any(_within(peer.network, one) for one in excepted)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
