"""What of the connections that are possible is declared, exactly: by port, by workload and by address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from soc2.model.network.addresses import NO_ADDRESS, AddressSet
from soc2.model.network.parties import DeclaredConnection, Kind, Party
from soc2.model.network.ports import PortSet
from soc2.model.network.selection import places_in, set_of
from soc2.model.network.tiers import Table, take, without
from soc2.model.network.workloads import Workloads
from soc2.model.network.zones import INTERNET, METADATA_ADDRESSES

Piece = tuple[AddressSet, PortSet]
"""Addresses that are no pod's, and ports that are open to or from them."""


@dataclass(frozen=True)
class Line:
    """A declared connection with what it is about: workloads, or addresses that are no pod's, at each end."""

    connection: DeclaredConnection
    sources: int
    targets: int
    source_addresses: AddressSet
    target_addresses: AddressSet


class Declared:
    """The declared connections of a cluster. ``nodes`` are the addresses of its nodes."""

    def __init__(self, connections: Iterable[DeclaredConnection], workloads: Workloads, nodes: AddressSet) -> None:
        self._nodes = nodes
        self.lines = tuple(
            Line(
                each,
                workloads.of_party(each.source),
                workloads.of_party(each.target),
                self._addresses(each.source),
                self._addresses(each.target),
            )
            for each in connections
        )
        count = len(workloads.all)
        self._from = _by_member([line.sources for line in self.lines], count)
        self._to = _by_member([line.targets for line in self.lines], count)

    def into(self, target: int) -> Iterator[Line]:
        """Yield what is declared about a target."""
        return (self.lines[place] for place in places_in(self._to[target]))

    def out_of(self, source: int) -> Iterator[Line]:
        """Yield what is declared about a source."""
        return (self.lines[place] for place in places_in(self._from[source]))

    def _addresses(self, party: Party) -> AddressSet:
        match party.kind:
            case Kind.INTERNET:
                return INTERNET
            case Kind.METADATA:
                return METADATA_ADDRESSES
            case Kind.NODES:
                return self._nodes
        return NO_ADDRESS if party.network is None else AddressSet.of(party.network)


def undeclared_sources(table: Table[int], lines: Iterable[Line]) -> Table[int]:
    """Return what is left of the sources of a target, by open ports, without what is declared."""
    for line in lines:
        if line.sources:
            table = take(table, line.connection.ports, line.sources)
    return table


def undeclared_addresses(pieces: Sequence[Piece], declared: Iterable[Piece]) -> list[Piece]:
    """Return what is left of addresses, by open ports, without what is declared."""
    left = list(pieces)
    for addresses, ports in declared:
        left = [
            piece
            for each, open_ports in left
            for piece in ((each & ~addresses, open_ports), (each & addresses, without(open_ports, ports)))
            if piece[0] and piece[1]
        ]
    return merged(left)


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Return pieces with one for each set of ports."""
    found: dict[PortSet, AddressSet] = {}
    for addresses, ports in pieces:
        found[ports] = found.get(ports, NO_ADDRESS) | addresses
    return [(addresses, ports) for ports, addresses in found.items()]


def _by_member(sets: Sequence[int], count: int) -> list[int]:
    """Return for each member the places of the sets that it is in, as a set."""
    places: list[list[int]] = [[] for _ in range(count)]
    for place, members in enumerate(sets):
        for member in places_in(members):
            places[member].append(place)
    return [set_of(each) for each in places]
