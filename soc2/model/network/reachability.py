"""Which connections the policies of a cluster let through: NetworkPolicies, those of administrators, and other layers.

What is not known is answered so that no possible connection is missed:

- An ipBlock or network that covers a pod's address lets that pod through. Kubernetes leaves it to the network plugin whether
  one does. Endpoints that have addresses of both families may connect over either, and so may one whose addresses are not
  known (a pod that waits, a template). Such a pod may be in a block of prefix 0, unless that leaves out all private
  addresses; one in its node's network may be in any block. It surely is in a rule that is about all addresses of a family.
- Nothing stops traffic between a node and the pods on it. A pod whose node is not known may be on every node.
- A rule that allows domain names may allow every address outside; one whose peers are of an unknown kind may deny nothing.
- A rule on namespaces by labels in common (of early releases of AdminNetworkPolicy) may allow every pod, and deny none.
- Of administrators' policies of equal priority each may come first.

Policies do not hold for pods in their node's network: as peers these are addresses, and their ports have no names. A pod
always reaches itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from soc2.model.kubernetes.admin_network import AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.network import NetworkPolicy
from soc2.model.network.addresses import AddressSet, single_number
from soc2.model.network.classes import Classes, EndpointClass
from soc2.model.network.crossings import Crossings
from soc2.model.network.endpoints import Block, Endpoint, Network, Peer
from soc2.model.network.layered import Layered
from soc2.model.network.layers import Layer, Reason
from soc2.model.network.neighbours import Neighbours
from soc2.model.network.policies import of_admin_policy, of_cluster_policy, of_network_policy
from soc2.model.network.ports import EVERY_PORT, PortSet
from soc2.model.network.selection import places_in, set_of
from soc2.model.network.sides import Side, Sides
from soc2.model.network.tiers import Cause, Table, both, explain
from soc2.model.network.why import ITSELF, NEIGHBOURS, reason_of

_BASELINE = "default"
"""The only name under which a BaselineAdminNetworkPolicy counts."""


class Group(NamedTuple):
    """Classes as a set (the bit ``1 << number`` of each) and the ports that are open between them and another."""

    classes: int
    ports: PortSet


class Part(NamedTuple):
    """A part of a Block, and the ports that are open for all addresses in it."""

    networks: tuple[Network, ...]
    ports: PortSet


class Reachability:
    """Answers who can talk to whom. Endpoints are those that it was made with; Blocks may be any.

    ``namespaces`` are labels by name; ``nodes`` tell the addresses and labels of nodes, which are otherwise known only
    by the pods in their network.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        namespaces: Mapping[str, Mapping[str, str]],
        policies: Sequence[NetworkPolicy] = (),
        admin: Sequence[AdminNetworkPolicy | ClusterNetworkPolicy] = (),
        baseline: Sequence[BaselineAdminNetworkPolicy] = (),
        layers: Sequence[Layer] = (),
        nodes: Sequence[Node] = (),
    ) -> None:
        ours = [of_network_policy(each) for each in policies]
        baselines = (each for each in baseline if each.name == _BASELINE)
        theirs = [
            *(of_cluster_policy(each) if isinstance(each, ClusterNetworkPolicy) else of_admin_policy(each) for each in admin),
            *(of_admin_policy(each) for each in baselines),
        ]
        self._classes = Classes(endpoints, namespaces, [*ours, *theirs], layers, nodes)
        self._sides = Sides(self._classes, ours, theirs)
        self._neighbours = Neighbours(self._classes)
        self._layered = Layered(layers, self._classes)
        self._crossings = Crossings(self._classes, self._sides)

    @property
    def classes(self) -> tuple[EndpointClass, ...]:
        return self._classes.classes

    def class_of(self, endpoint: Endpoint) -> EndpointClass:
        """Return the class of an endpoint. Raises KeyError when it is not among those that this was made with."""
        return self.classes[self._classes.numbers[endpoint.resource]]

    def members(self, classes: int) -> Iterator[EndpointClass]:
        """Yield the classes of a set."""
        return (self.classes[number] for number in places_in(classes))

    def allowed(self, source: Peer, target: Peer) -> PortSet:
        """Return the ports of the target that policies at both ends and every layer let the source connect to.

        Of a Block: those that are open for at least one of its addresses. ``parts`` tells for which.
        """
        if _same(source, target):
            return EVERY_PORT
        ports = EVERY_PORT if self._neighbours.are(source, target) else self._by_policies(source, target)
        return both(ports, self._layered.allowed(source, target)) if ports else ports

    def parts(self, source: Peer, target: Peer) -> tuple[Part, ...]:
        """Return the parts of the Block at one end for which anything is open. Layers are asked for the whole of it.

        Raises ValueError when not exactly one end is a Block.
        """
        block, side = self._outer(source, target)
        layers = self._layered.allowed(source, target)
        if self._neighbours.are(source, target):
            return (Part((block.network,), layers),) if layers else ()
        found = ((addresses, both(ports, layers)) for ports, addresses in side.of_block(AddressSet.of(block.network)).items())
        return tuple(Part(tuple(addresses.networks()), ports) for addresses, ports in found if ports)

    def reasons(self, source: Peer, target: Peer, port: tuple[str, int]) -> tuple[Reason, ...]:
        """Return what decides on a protocol and port, at the egress end, at the ingress end, and in each layer: what lets
        the connection through, or what stops it."""
        if _same(source, target):
            return ITSELF, ITSELF
        layers = self._layered.reasons(source, target, port)
        if self._neighbours.are(source, target):
            return NEIGHBOURS, NEIGHBOURS, *layers
        egress, ingress = self._causes(source, target, port)
        return reason_of(egress, source, target, "Egress"), reason_of(ingress, target, source, "Ingress"), *layers

    def stops(self, source: Peer, target: Peer, port: tuple[str, int]) -> tuple[Reason, ...]:
        """Return those of the reasons that stop a protocol and port; nothing where it is open."""
        if _same(source, target):
            return ()
        found = [] if self._neighbours.are(source, target) else self._stopping_ends(source, target, port)
        return (*found, *self._layered.stops(source, target, port))

    def row(self, source: Peer) -> tuple[Group, ...]:
        """Return what a source reaches, as groups of classes that have the same ports open to it.

        A port of a class counts when it is open at any endpoint of it but the source.
        """
        if isinstance(source, Block):
            found = self._row_of_block(source)
        else:
            found = self._crossings.targets(self._classes.numbers[source.resource])
            found = _opened(found, self._neighbours.of(source))
        return _groups(self._layered.to_classes(source, found))

    def pairs(self) -> Iterator[tuple[EndpointClass, tuple[Group, ...]]]:
        """Yield every class as a target, with the groups of classes that reach it.

        A port counts when it is open between any two different endpoints of the classes: those on one node may have more
        open than others. Of a class with itself, one more endpoint like those in it is thought of.
        """
        for target, found in zip(self.classes, self._crossings.sources(), strict=True):
            opened = _opened(found, self._neighbours.of_class(target.number))
            yield target, _groups(self._layered.from_classes(opened, target.endpoints[0]))

    def _by_policies(self, source: Peer, target: Peer) -> PortSet:
        if isinstance(source, Endpoint) and isinstance(target, Endpoint):
            numbers = self._classes.numbers
            return self._crossings.between(numbers[source.resource], numbers[target.resource])
        if isinstance(source, Block) and isinstance(target, Block):
            return EVERY_PORT
        block, side = self._outer(source, target)
        return side.open_to(self._addresses(block))

    def _outer(self, source: Peer, target: Peer) -> tuple[Block, Side]:
        """Return the Block at one end, and what policies say at the other."""
        if isinstance(source, Block) and isinstance(target, Endpoint):
            return source, self._sides.ingress[self._classes.numbers[target.resource]]
        if isinstance(source, Endpoint) and isinstance(target, Block):
            return target, self._sides.egress[self._classes.numbers[source.resource]]
        raise ValueError("one end of the connection has to be a Block, and the other an Endpoint")

    def _addresses(self, block: Block) -> AddressSet:
        """Return addresses that stand for a Block: a single one by one of its kind, so that none is worked out twice."""
        number = single_number(block.network)
        return AddressSet.of(block.network) if number is None else self._classes.like(number)

    def _row_of_block(self, source: Block) -> Table[int]:
        found: Table[int] = {}
        for side, targets in self._sides.classes_of(self._sides.ingress).items():
            ports = side.open_to(self._addresses(source))
            found[ports] = found.get(ports, 0) | targets
        near = [e.number for e in self.classes if any(self._neighbours.are(source, each) for each in e.endpoints)]
        return _opened(found, set_of(near))

    def _stopping_ends(self, source: Peer, target: Peer, port: tuple[str, int]) -> list[Reason]:
        egress, ingress = self._causes(source, target, port)
        found = [reason_of(egress, source, target, "Egress")] if egress and not egress.allowed else []
        return [*found, reason_of(ingress, target, source, "Ingress")] if ingress and not ingress.allowed else found

    def _causes(self, source: Peer, target: Peer, port: tuple[str, int]) -> tuple[Cause | None, Cause | None]:
        """Return what decides at the egress and at the ingress end; None where policies are about nothing."""
        if isinstance(source, Block) and isinstance(target, Block):
            return None, None
        if isinstance(source, Block) or isinstance(target, Block):
            block, side = self._outer(source, target)
            cause = explain(side.of_addresses, AddressSet.of(block.network), port)
            return (None, cause) if block is source else (cause, None)
        sending, taking = self._classes.numbers[source.resource], self._classes.numbers[target.resource]
        causes = []
        for meeting in self._crossings.meetings(sending, taking):
            seen = self._classes.faces_of(taking, meeting.egress), self._classes.faces_of(sending, meeting.ingress)
            egress = explain(self._sides.egress[sending].of_classes, seen[0], port)
            ingress = explain(self._sides.ingress[taking].of_classes, seen[1], port)
            causes.append((egress, ingress))
        return next((each for each in causes if each[0].allowed and each[1].allowed), causes[0])


def _same(source: Peer, target: Peer) -> bool:
    return isinstance(source, Endpoint) and isinstance(target, Endpoint) and source.resource == target.resource


def _groups(table: Table[int]) -> tuple[Group, ...]:
    return tuple(Group(classes, ports) for ports, classes in table.items() if ports)


def _opened(table: Table[int], classes: int) -> Table[int]:
    """Return the table with every port open for some."""
    if not classes:
        return table
    found = {ports: rest for ports, members in table.items() if (rest := members & ~classes)}
    found[EVERY_PORT] = found.get(EVERY_PORT, 0) | classes
    return found
