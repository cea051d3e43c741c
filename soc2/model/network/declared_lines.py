"""Declared connections beside what is there: whether they name anything, and are possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from soc2.model.deviation import Resource
from soc2.model.network.addresses import AddressSet
from soc2.model.network.declared import Line, Piece
from soc2.model.network.endpoints import Block, Endpoint, Peer
from soc2.model.network.parties import Kind
from soc2.model.network.paths import Paths
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortSet
from soc2.model.network.tiers import both, either
from soc2.model.network.ways import stopping
from soc2.model.network.workloads import Workload
from soc2.model.network.zones import networks_in

_NETWORKS = 4


@dataclass(frozen=True)
class DeclaredLine:
    """A line of the declared connections. ``nobody`` are the patterns that name no workload, each with the nearest name
    ("" when none is near); ``closed`` are the declared ports that are open nowhere, and ``stopped`` what stops them."""

    resource: Resource
    nobody: tuple[tuple[str, str], ...] = ()
    closed: PortSet = NO_PORT
    stopped: str = ""


def declared_lines(paths: Paths) -> Iterator[DeclaredLine]:
    """Hold each declared connection against what is there. Machines of the account and connections between addresses are
    left to those who know them."""
    for line in paths.declared.lines:
        resource = Resource("DeclaredConnection", line.connection.text)
        parties = ((line.connection.source, line.sources), (line.connection.target, line.targets))
        nobody = tuple(
            (party.pattern, _nearest(party.pattern, paths))
            for party, members in parties
            if party.kind is Kind.WORKLOAD and not members
        )
        closed = NO_PORT if nobody or not _decided(line) else _closed(line, _open(paths, line))
        yield DeclaredLine(resource, nobody, closed, _stopped(paths, line, closed) if closed else "")


def _nearest(pattern: str, paths: Paths) -> str:
    return next(iter(get_close_matches(pattern, dict.fromkeys(each.name for each in paths.workloads.all), 1)), "")


def _decided(line: Line) -> bool:
    """Tell whether policies decide on the connection: one end has to be a workload, and the other to be known."""
    kinds = {line.connection.source.kind, line.connection.target.kind}
    return Kind.WORKLOAD in kinds and Kind.MACHINE not in kinds


def _closed(line: Line, open_ports: PortSet) -> PortSet:
    """Return those of the declared ranges in which nothing is open; of every port, some is enough."""
    ports = line.connection.ports
    if ports == EVERY_PORT:
        return NO_PORT if open_ports else EVERY_PORT
    return PortSet.of(each for each in ports if not both(PortSet.of([each]), open_ports))


def _open(paths: Paths, line: Line) -> PortSet:
    """Return the declared ports that are open anywhere between the parties, as far as it takes to know that all are."""
    found = NO_PORT
    for ports in _open_between(paths, line):
        before, found = found, either(found, both(ports, line.connection.ports))
        if found != before and not _closed(line, found):
            break
    return found


def _open_between(paths: Paths, line: Line) -> Iterator[PortSet]:
    """Yield the ports that are open between any two of the parties. Nothing stops nodes on the way to their pods."""
    if Kind.NODES in (line.connection.source.kind, line.connection.target.kind):
        yield EVERY_PORT
    for target in paths.workloads.members(line.targets):
        itself = 1 << target.number
        for ports, sources in paths.into(target).items():
            if sources & line.sources & ~itself or (line.sources == itself and sources & itself):
                yield ports
        if line.source_addresses:
            yield from _meeting(paths.from_outside(target), line.source_addresses)
    for source in paths.workloads.members(line.sources) if line.target_addresses else ():
        yield from _meeting(paths.to_outside(source), line.target_addresses)


def _meeting(pieces: Iterable[Piece], wanted: AddressSet) -> Iterator[PortSet]:
    return (ports for addresses, ports in pieces if addresses & wanted)


def _stopped(paths: Paths, line: Line, closed: PortSet) -> str:
    """Return what stops the first closed port, between two that stand for all."""
    ends = next(_ends(paths, line), None)
    if ends is None:
        return "no two of them are different pods"
    source, target = ends
    example = f", for example from {_name(source)} to {_name(target)}" if _many(line) else ""
    return stopping(paths.reach, source, target, closed) + example


def _many(line: Line) -> bool:
    return line.sources.bit_count() > 1 or line.targets.bit_count() > 1


def _name(end: Peer) -> str:
    return end.name if isinstance(end, Endpoint) else str(end)


def _ends(paths: Paths, line: Line) -> Iterator[tuple[Peer, Peer]]:
    targets, sources = paths.workloads.members(line.targets), paths.workloads.members(line.sources)
    if not line.sources:
        yield from (
            (Block(network), pod) for pod in _pods(targets) for network in networks_in(line.source_addresses, _NETWORKS)
        )
    elif not line.targets:
        yield from (
            (pod, Block(network)) for pod in _pods(sources) for network in networks_in(line.target_addresses, _NETWORKS)
        )
    for source in sources:
        for target in paths.workloads.members(line.targets):
            yield from paths.pairs_of(source, target)


def _pods(workloads: Iterable[Workload]) -> Iterator[Endpoint]:
    return (endpoint for each in workloads for endpoint in each.endpoints)
