"""Who can talk to whom by workloads, beside what is declared: worked out once, for all that is asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain

from soc2.model.kubernetes.cluster import Node
from soc2.model.network.addresses import AddressSet, number_of
from soc2.model.network.classes import EndpointClass
from soc2.model.network.declared import Declared, Piece, merged
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.parties import DeclaredConnection
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortSet
from soc2.model.network.reachability import Group, Reachability
from soc2.model.network.selection import places_in, set_of
from soc2.model.network.tiers import Table, add, either
from soc2.model.network.workloads import Workload, Workloads
from soc2.model.network.zones import EVERYWHERE


class Paths:
    """The workloads of a cluster, what is open between them, and what is declared.

    ``Reachability`` says of classes which ports are open between any two endpoints of them. That is exact for pods with a
    network of their own; pods in their node's network reach those on their node, so they are looked at one by one.
    """

    def __init__(
        self, reach: Reachability, connections: Iterable[DeclaredConnection] = (), nodes: Sequence[Node] = ()
    ) -> None:
        self.reach = reach
        endpoints = [each for one in reach.classes for each in one.endpoints]
        self.workloads = Workloads(endpoints)
        self.declared = Declared(connections, self.workloads, _addresses_of(nodes, endpoints))
        numbers = self.workloads.numbers
        self._members = [set_of([numbers[each.workload] for each in one.endpoints]) for one in reach.classes]
        self._hosts = set_of([one.number for one in reach.classes if one.endpoints[0].host_network])
        self._workloads_of: dict[int, int] = {}
        self._into: dict[int, Table[int]] = {}
        self._firsts: dict[int, tuple[Endpoint, ...]] = {}
        self._pieces: dict[tuple[int, bool], list[Piece]] = {}

    @cached_property
    def _groups(self) -> dict[int, tuple[Group, ...]]:
        return {target.number: groups for target, groups in self.reach.pairs()}

    def into(self, target: Workload) -> Table[int]:
        """Return the workloads that reach any endpoint of a target, itself among them, by the ports open to them."""
        found = self._into.get(target.number)
        if found is None:
            found = self._into[target.number] = self._make_into(target)
        return found

    def _make_into(self, target: Workload) -> Table[int]:
        table: Table[int] = {}
        each_by_itself = self.workloads.hosts
        for one in self.classes_of(target):
            if one.endpoints[0].host_network:
                each_by_itself = self.workloads.everybody
                continue
            for group in self._groups[one.number]:
                table = add(table, group.ports, self._of_classes(group.classes & ~self._hosts))
        for source in self.workloads.members(each_by_itself):
            if ports := self._between(source, target):
                table = add(table, ports, 1 << source.number)
        return table

    def from_outside(self, target: Workload) -> list[Piece]:
        """Return the addresses of no pod from which any endpoint of a target is reached, by ports."""
        return merged(piece for one in self.classes_of(target) for piece in self._parts(one, outgoing=False))

    def to_outside(self, source: Workload) -> list[Piece]:
        """Return the addresses of no pod that any endpoint of a source reaches, by ports."""
        return merged(piece for one in self.classes_of(source) for piece in self._parts(one, outgoing=True))

    def _parts(self, one: EndpointClass, *, outgoing: bool) -> list[Piece]:
        found = self._pieces.get((one.number, outgoing))
        if found is None:
            endpoint = one.endpoints[0]
            ends = [(endpoint, block) if outgoing else (block, endpoint) for block in EVERYWHERE]
            parts = [part for end in ends for part in self.reach.parts(*end)]
            found = merged((AddressSet.of(*part.networks), part.ports) for part in parts)
            self._pieces[one.number, outgoing] = found
        return found

    def classes_of(self, workload: Workload) -> Iterable[EndpointClass]:
        """Return the classes that the endpoints of a workload are in."""
        return [self.reach.class_of(each) for each in self.of_each_class(workload)]

    def pairs_of(self, source: Workload, target: Workload) -> Iterator[tuple[Endpoint, Endpoint]]:
        """Yield pairs of endpoints that stand for all: of each two classes one on the same node if there is, and one."""
        yield from self._on_one_node(source, target)
        for sender in self.of_each_class(source):
            for receiver in self.of_each_class(target):
                if sender.resource != receiver.resource:
                    yield sender, receiver

    def _on_one_node(self, source: Workload, target: Workload) -> Iterator[tuple[Endpoint, Endpoint]]:
        """Yield pairs of which one is in the network of the node that the other is on, or may be."""
        seen = set()
        for ours, theirs, turned in ((source, target, False), (target, source, True)):
            hosts: dict[str, list[Endpoint]] = {}
            for each in ours.endpoints if ours.host_network else ():
                if each.host_network:
                    hosts.setdefault(each.node, []).append(each)
            for other in theirs.endpoints if hosts else ():
                near = [*hosts.get(other.node, ()), *hosts.get("", ())] if other.node else chain(*hosts.values())
                for host in near:
                    pair = (other, host) if turned else (host, other)
                    key = tuple(self.reach.class_of(each).number for each in pair)
                    if host.resource != other.resource and key not in seen:
                        seen.add(key)
                        yield pair

    def of_each_class(self, workload: Workload) -> tuple[Endpoint, ...]:
        """Return an endpoint of a workload from each class that it has some in."""
        found = self._firsts.get(workload.number)
        if found is None:
            firsts: dict[int, Endpoint] = {}
            for endpoint in workload.endpoints:
                firsts.setdefault(self.reach.class_of(endpoint).number, endpoint)
            found = self._firsts[workload.number] = tuple(firsts.values())
        return found

    def _between(self, source: Workload, target: Workload) -> PortSet:
        """Return the ports that are open between any two endpoints."""
        found = NO_PORT
        for sender, receiver in self.pairs_of(source, target):
            found = either(found, self.reach.allowed(sender, receiver))
            if found == EVERY_PORT:
                break
        return found

    def _of_classes(self, classes: int) -> int:
        found = self._workloads_of.get(classes)
        if found is None:
            found = 0
            for number in places_in(classes):
                found |= self._members[number]
            self._workloads_of[classes] = found
        return found


def _addresses_of(nodes: Iterable[Node], endpoints: Iterable[Endpoint]) -> AddressSet:
    texts = [address.address for node in nodes for address in node.status.addresses]
    texts += [address for each in endpoints if each.host_network for address in each.addresses]
    return AddressSet.of_numbers(number for text in texts if (number := number_of(text)) is not None)
