"""Connections that were seen in flow logs: whose addresses they are between, how often, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address

from soc2.model.deviation import Resource
from soc2.model.network.addresses import PRIVATE, number_of
from soc2.model.network.ports import PortRange

_PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMP", 132: "SCTP"}
"""IANA, "Protocol Numbers"; ICMP of either family is one to whom it concerns."""


class EndKind(StrEnum):
    WORKLOAD = "workload"
    NODE = "node"
    MACHINE = "machine"
    ADDRESS = "address"


_KINDS = {
    EndKind.NODE: "Node",
    EndKind.MACHINE: "AWS::EC2::NetworkInterface",
    EndKind.ADDRESS: "Address",
}


@dataclass(frozen=True, order=True)
class End:
    """One end of a connection.

    ``name`` is what finally owns pods (``Deployment/notes/api``), a node, a network interface's id, or the network that
    addresses without an owner are together in (the narrowest declared one, ``internet``, or the single address).
    """

    kind: EndKind
    name: str

    def __str__(self) -> str:
        return self.name if self.kind is EndKind.WORKLOAD else f"{self.kind} {self.name}"

    @property
    def resource(self) -> Resource:
        if self.kind is EndKind.WORKLOAD:
            kind, namespace, name = self.name.split("/", 2)
            return Resource(kind, name, namespace)
        return Resource(_KINDS[self.kind], self.name)


INTERNET = End(EndKind.ADDRESS, "internet")


@dataclass(frozen=True)
class Place:
    """Where a record of it stands: the file or stream, and the line from 1."""

    origin: str
    line: int

    def __str__(self) -> str:
        return f"{self.origin}, line {self.line}"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Accepted connections from one end to a port of another. ``protocol`` is an IANA number, ``port`` the target's (0
    where the protocol has none); ``connections`` counts distinct pairs of addresses and ports, ``records`` and ``bytes``
    those of both directions at every interface that saw them. ``first`` and ``last`` are UTC.

    ``source_address`` and ``target_address`` are the lowest of them, ``source_last`` and ``target_last`` the highest,
    ``sources`` and ``targets`` how many there are.
    """

    source: End
    target: End
    protocol: int
    port: int
    connections: int
    records: int
    bytes: int
    first: datetime | None
    last: datetime | None
    place: Place
    seen_at: str
    source_address: str
    target_address: str
    source_last: str
    target_last: str
    sources: int = 1
    targets: int = 1

    @property
    def protocol_name(self) -> str:
        return _PROTOCOLS.get(self.protocol, f"protocol {self.protocol}")

    @property
    def key(self) -> tuple[str, int]:
        """Return protocol and port as ``PortSet`` knows them."""
        return self.protocol_name, self.port

    @property
    def has_ports(self) -> bool:
        return self.protocol in (6, 17, 132)

    @property
    def port_range(self) -> PortRange:
        return PortRange(self.protocol_name, self.port, self.port)


@dataclass(frozen=True, kw_only=True)
class ListedTraffic:
    """Connections between an end and addresses of an entry of the owner's list; ``outgoing`` when the end opened them.
    ``ports`` are those of the targets, at most some of them."""

    entry: str
    reason: str
    list_source: str
    end: End
    outgoing: bool
    accepted: bool
    ports: tuple[tuple[int, int], ...]
    address: str
    connections: int
    bytes: int
    first: datetime | None
    last: datetime | None
    place: Place


@dataclass(frozen=True, kw_only=True)
class Probe:
    """An address outside that was refused at ``targets`` distinct pairs of address and port. ``examples`` are some of them;
    ``entered`` are the connections of it that were accepted afterwards, as ``end port`` each."""

    address: str
    kind: str
    targets: int
    records: int
    first: datetime | None
    last: datetime | None
    place: Place
    examples: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InterfaceRecords:
    """What the flow logs of one source hold of a network interface in the window. ``quiet`` are records that say that
    there was no traffic; ``skipped`` those that say that records are missing."""

    interface: str
    log: str
    records: int
    quiet: int = 0
    skipped: int = 0
    newest: datetime | None = None

    @property
    def resource(self) -> Resource:
        return Resource("AWS::EC2::NetworkInterface", self.interface)


def is_private(address: str) -> bool:
    """Tell whether an address is one that networks use inside of them (RFC 1918, 6598 and 4193, or link-local)."""
    number = number_of(address)
    return number is not None and (number in PRIVATE or ip_address(address.partition("%")[0]).is_link_local)


def port_words(protocol: int, port: int) -> str:
    """Return a port as reports show it: ``tcp/443``, ``icmp``, ``protocol 47``."""
    name = _PROTOCOLS.get(protocol, f"protocol {protocol}").lower()
    return f"{name}/{port}" if protocol in (6, 17, 132) else name
