"""Which of the connections that were seen are declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import ip_address, ip_network

from soc2.model.aws.base import tag
from soc2.model.aws.compute import Instance, NetworkInterface
from soc2.model.kubernetes.cluster import Node
from soc2.model.network.endpoints import Endpoint, Network
from soc2.model.network.flows import End, EndKind, Flow, is_private
from soc2.model.network.parties import DeclaredConnection, Kind, Party
from soc2.model.network.ports import EVERY_PORT

_PATTERN = frozenset("*?[")
Span = tuple[str, str]
"""The lowest and the highest address of an end, both included."""
_Numbers = tuple[frozenset[int], frozenset[int]]
"""The declared connections, by number, that an end is the source of, and those that it is the target of."""


class Machines:
    """By which names declared connections know nodes and interfaces: their own, and those of their instances."""

    def __init__(self, nodes: Iterable[Node], interfaces: Iterable[NetworkInterface], instances: Iterable[Instance]) -> None:
        tags = {each.instance_id: tag(each.tags, "Name") or "" for each in instances}
        self._names: dict[End, tuple[str, ...]] = {}
        for node in nodes:
            instance = node.spec.provider_id.rpartition("/")[2]
            self._names[End(EndKind.NODE, node.name)] = _given(node.name, instance, tags.get(instance))
        for interface in interfaces:
            instance = interface.attachment.instance_id if interface.attachment else ""
            own = (interface.network_interface_id, tag(interface.tags, "Name"), interface.description)
            end = End(EndKind.MACHINE, interface.network_interface_id)
            self._names[end] = _given(*own, instance, tags.get(instance))

    def names(self, end: End) -> tuple[str, ...]:
        return self._names.get(end, ())

    def shown(self, end: End) -> str:
        """Return an end as reports show it: a machine by the name of its instance, if that has one."""
        names = [name for name in self.names(end) if name != end.name]
        return f"{names[-1]} ({end.name})" if end.kind is EndKind.MACHINE and names else str(end)


def _given(*names: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


class Declared:
    """The declared connections, asked about flows.

    A pod in its node's network is seen as the node, so what is declared of it is declared of the nodes it runs on. ICMP
    goes along with connections (answers that a port is closed, or that a packet is too large): it is declared between two ends
    when anything is, in either direction. Other protocols without ports are declared where no ports are named.
    """

    def __init__(self, declared: Sequence[DeclaredConnection], machines: Machines, endpoints: Iterable[Endpoint] = ()) -> None:
        self._declared = declared
        self._from_party: dict[Party, set[int]] = {}
        self._to_party: dict[Party, set[int]] = {}
        for number, each in enumerate(declared):
            self._from_party.setdefault(each.source, set()).add(number)
            self._to_party.setdefault(each.target, set()).add(number)
        # Names without a pattern are looked up, for there may be thousands of them.
        self._named: dict[str, set[Party]] = {}
        self._patterns: set[Party] = set()
        self._addresses: set[Party] = set()
        for party in self._from_party.keys() | self._to_party.keys():
            if party.kind is Kind.WORKLOAD and not _PATTERN.intersection(party.pattern):
                self._named.setdefault(party.pattern, set()).add(party)
            elif party.kind in (Kind.ADDRESSES, Kind.INTERNET):
                self._addresses.add(party)
            else:
                self._patterns.add(party)
        self._machines = machines
        self._hosted: dict[str, set[str]] = {}
        for endpoint in endpoints:
            if endpoint.host_network:
                self._hosted.setdefault(endpoint.node, set()).add(endpoint.name)
        self._by_name = cache(self._of_name)
        self._by_span = cache(self._of_span)

    def allows(self, flow: Flow) -> bool:
        source, target = (flow.source_address, flow.source_last), (flow.target_address, flow.target_last)
        there = self._from(flow.source, source) & self._to(flow.target, target)
        if flow.has_ports:
            return any(flow.key in self._declared[number].ports for number in there)
        if flow.protocol_name == "ICMP":
            return bool(there or self._from(flow.target, target) & self._to(flow.source, source))
        return any(self._declared[number].ports == EVERY_PORT for number in there)

    def _from(self, end: End, span: Span) -> frozenset[int]:
        return self._by_name(end)[0] | self._by_span(end, span)[0]

    def _to(self, end: End, span: Span) -> frozenset[int]:
        return self._by_name(end)[1] | self._by_span(end, span)[1]

    def _of_name(self, end: End) -> _Numbers:
        found = {party for party in self._patterns if self._is_named(party, end)}
        return self._numbers(found.union(*(self._named.get(name, ()) for name in self._workloads(end))))

    def _of_span(self, end: End, span: Span) -> _Numbers:
        return self._numbers({party for party in self._addresses if _lies_in(party, end, span)})

    def _numbers(self, found: set[Party]) -> _Numbers:
        return (
            frozenset(number for party in found for number in self._from_party.get(party, ())),
            frozenset(number for party in found for number in self._to_party.get(party, ())),
        )

    def _is_named(self, party: Party, end: End) -> bool:
        match party.kind:
            case Kind.WORKLOAD:
                return any(party.names_workload(name) for name in self._workloads(end))
            case Kind.NODES:
                return end.kind is EndKind.NODE
            case Kind.MACHINE:
                return any(fnmatchcase(name, party.pattern) for name in self._machines.names(end))
            case _:
                return party.kind is Kind.METADATA and end == METADATA_END

    def _workloads(self, end: End) -> Iterable[str]:
        if end.kind is EndKind.WORKLOAD:
            return (end.name.partition("/")[2],)
        return self._hosted.get(end.name, ()) if end.kind is EndKind.NODE else ()


METADATA_END = End(EndKind.ADDRESS, "metadata")


def _lies_in(party: Party, end: End, span: Span) -> bool:
    if party.network is not None:
        return all(_within(address, party.network) for address in span)
    return end.kind is EndKind.ADDRESS and end != METADATA_END and not any(map(is_private, span))


def _within(address: str, network: Network) -> bool:
    found = ip_address(address.partition("%")[0])
    return found.version == network.version and found in network


def block_of(address: str) -> Network:
    """Return the network of a single address."""
    return ip_network(address.partition("%")[0])


def by_address(endpoints: Iterable[Endpoint]) -> Mapping[str, Endpoint]:
    """Return the pods by their addresses, those in their node's network left out."""
    return {address: each for each in endpoints if not each.host_network for address in each.addresses}
