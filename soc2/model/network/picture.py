"""The matrix of who can talk to whom, by workload or, where there are many, by namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple

from soc2.model.matrix import Cell, CellState, Matrix
from soc2.model.network.addresses import NO_ADDRESS, PRIVATE, AddressSet
from soc2.model.network.declared import Line, Piece, undeclared_addresses, undeclared_sources
from soc2.model.network.endpoints import Block, Peer
from soc2.model.network.paths import Paths
from soc2.model.network.ports import NO_PORT, PortRange, PortSet
from soc2.model.network.selection import set_of
from soc2.model.network.tiers import Table, both, either
from soc2.model.network.ways import Edges, stopping, ways
from soc2.model.network.workloads import Workload
from soc2.model.network.zones import INTERNET, METADATA_ADDRESSES, networks_in

MOST = 40
"""Up to so many workloads in scope are shown one by one; then namespaces, and so many of these."""
_ENDS = 4
_PORTS = 6
"""So many ranges of ports are named in a cell."""


class _Unit(NamedTuple):
    """A row or a column: workloads, or addresses that are no pod's."""

    name: str
    workloads: int = 0
    addresses: AddressSet = NO_ADDRESS


Ends = tuple[Workload | AddressSet, Workload | AddressSet]


class _Open(NamedTuple):
    """What is possible, what of it is not declared and would have to be, what needs no declaration, and what is declared
    at all; and ends that have some of what is not declared (or else, not possible)."""

    possible: PortSet
    undeclared: PortSet
    within: PortSet
    declared: PortSet
    example: Ends | None = None


_NOTHING = _Open(NO_PORT, NO_PORT, NO_PORT, NO_PORT)
_PRIVATE_NETWORKS = _Unit("private networks", addresses=PRIVATE)
_INTERNET = _Unit("internet", addresses=INTERNET)
_METADATA = _Unit("metadata", addresses=METADATA_ADDRESSES)


def matrix_of(
    paths: Paths, in_scope: Sequence[Workload], restricted: Iterable[Workload], edges: Edges, most: int = MOST
) -> Matrix:
    """Draw who can talk to whom: workloads in scope (by namespace when there are more than ``most``), namespaces out of
    scope, and what is outside. Of more than ``most`` namespaces, those that hold restricted data are shown, then the first
    by name, and the rest as one. Connections of which no end is in scope are left out."""
    examined, held = (set_of([each.number for each in some]) for some in (in_scope, restricted))
    inside = _units(in_scope, held, most)
    away = list(paths.workloads.members(paths.workloads.everybody & ~examined))
    others = _limited(list(_by_namespace(away)), held, most, "other namespaces out of scope")
    rows = (*inside, *others, _PRIVATE_NETWORKS, _INTERNET)
    columns = (*rows, _METADATA)
    cells = tuple(
        cell
        for column, target in enumerate(columns)
        for row, found in enumerate(_into(paths, target, rows))
        if (rows[row].workloads | target.workloads) & examined
        if (cell := _cell(row, column, found, paths, edges))
    )
    return Matrix(
        tuple(each.name for each in rows),
        tuple(each.name for each in columns),
        cells,
        tuple(place for place, each in enumerate(columns) if each.workloads & held),
    )


def _units(in_scope: Sequence[Workload], held: int, most: int) -> list[_Unit]:
    if len(in_scope) <= most:
        names = [each.name for each in in_scope]
        # Two kinds may have one name.
        return [_Unit(each.name if names.count(each.name) == 1 else str(each.resource), 1 << each.number) for each in in_scope]
    return _limited(list(_by_namespace(in_scope)), held, most, "other namespaces")


def _by_namespace(workloads: Iterable[Workload]) -> Iterator[_Unit]:
    found: dict[str, int] = {}
    for each in workloads:
        found[each.namespace] = found.get(each.namespace, 0) | 1 << each.number
    yield from (_Unit(f"{name}/*", members) for name, members in found.items())


def _limited(units: list[_Unit], held: int, most: int, rest: str) -> list[_Unit]:
    if len(units) <= most:
        return units
    ordered = sorted(units, key=lambda each: (not each.workloads & held, each.name))
    left = ordered[most - 1 :]
    together = 0
    for each in left:
        together |= each.workloads
    return [*sorted(ordered[: most - 1], key=lambda each: each.name), _Unit(f"{len(left):,} {rest}", together)]


def _into(paths: Paths, target: _Unit, rows: Sequence[_Unit]) -> list[_Open]:
    """Return what each row has open to a column."""
    found = [_NOTHING] * len(rows)
    for one in paths.workloads.members(target.workloads):
        lines = tuple(paths.declared.into(one.number))
        declared = [(line.source_addresses, line.connection.ports) for line in lines]
        table, outside = paths.into(one), paths.from_outside(one)
        for place, row in enumerate(rows):
            if row.addresses:
                some, addresses = _of_pieces(outside, declared, row.addresses)
                more = some._replace(example=(addresses, one))
            else:
                more = _of_workloads(paths, table, lines, row, one)
            found[place] = _joined(found[place], more)
    for place, row in enumerate(rows if target.addresses else ()):
        for one in paths.workloads.members(row.workloads):
            lines = tuple(paths.declared.out_of(one.number))
            declared = [(line.target_addresses, line.connection.ports) for line in lines]
            some, addresses = _of_pieces(paths.to_outside(one), declared, target.addresses)
            found[place] = _joined(found[place], some._replace(example=(one, addresses)))
    return found


def _of_workloads(paths: Paths, table: Table[int], lines: Sequence[Line], row: _Unit, target: Workload) -> _Open:
    wanted = row.workloads & ~(1 << target.number)
    open_to = {ports: left for ports, sources in table.items() if (left := sources & wanted)}
    about = [line for line in lines if line.sources & wanted]
    undeclared = undeclared_sources(open_to, about)
    # As for the check: pods in their node's network are no part of their namespace.
    inside = paths.workloads.of_namespace(target.namespace) & ~paths.workloads.hosts
    away = {ports: left for ports, sources in undeclared.items() if (left := sources & ~inside)}
    within = [ports for ports, sources in undeclared.items() if sources & inside]
    example = next(iter(away.values()), 0) or next((line.sources & wanted for line in about), 0)
    source = next(paths.workloads.members(example), None)
    return _Open(
        _all(open_to),
        _all(away),
        _all(within),
        _all(line.connection.ports for line in about),
        (source, target) if source else None,
    )


def _of_pieces(outside: Sequence[Piece], declared: Sequence[Piece], zone: AddressSet) -> tuple[_Open, AddressSet]:
    """Return what is open in a zone, and addresses for an example."""
    possible = [(inside, ports) for addresses, ports in outside if (inside := addresses & zone)]
    undeclared = undeclared_addresses(possible, declared)
    about = [(inside, ports) for addresses, ports in declared if (inside := addresses & zone)]
    example = next((addresses for addresses, _ in (*undeclared, *about)), NO_ADDRESS)
    return _Open(_ports(possible), _ports(undeclared), NO_PORT, _ports(about)), example


def _ports(pieces: Iterable[Piece]) -> PortSet:
    return _all(ports for _, ports in pieces)


def _all(every: Iterable[PortSet]) -> PortSet:
    found = NO_PORT
    for each in every:
        found = either(found, each)
    return found


def _joined(one: _Open, other: _Open) -> _Open:
    # The example of one that has more to tell is the better one.
    first = one if one.undeclared or not other.undeclared else other
    return _Open(
        either(one.possible, other.possible),
        either(one.undeclared, other.undeclared),
        either(one.within, other.within),
        either(one.declared, other.declared),
        first.example or one.example or other.example,
    )


def _cell(row: int, column: int, found: _Open, paths: Paths, edges: Edges) -> Cell | None:
    if found.undeclared:
        why = _ways(found.example, paths, edges, found.undeclared) if found.example else ""
        return Cell(row, column, CellState.UNDECLARED, _words(found.undeclared), why)
    if found.possible:
        return Cell(row, column, CellState.WITHIN if found.within else CellState.DECLARED, _words(found.possible))
    if found.declared:
        why = _stop(found.example, paths, found.declared) if found.example else ""
        return Cell(row, column, CellState.BLOCKED, _words(found.declared), why)
    return None


def _ways(example: Ends, paths: Paths, edges: Edges, ports: PortSet) -> str:
    ends = list(_ends(example, paths))
    # All that is open in the cell may be more than what is between these two.
    open_here = both(_all(paths.reach.allowed(*each) for each in ends), ports)
    return ways(paths.reach, edges, ends, open_here) if open_here else ""


def _stop(example: Ends, paths: Paths, ports: PortSet) -> str:
    pair = next(_ends(example, paths), None)
    return stopping(paths.reach, *pair, ports) if pair else ""


def _ends(example: Ends, paths: Paths) -> Iterator[tuple[Peer, Peer]]:
    source, target = example
    if isinstance(source, Workload) and isinstance(target, Workload):
        yield from islice(paths.pairs_of(source, target), _ENDS)
    elif isinstance(source, Workload) and isinstance(target, AddressSet):
        yield from product(paths.of_each_class(source), map(Block, networks_in(target, _ENDS)))
    elif isinstance(source, AddressSet) and isinstance(target, Workload):
        yield from product(map(Block, networks_in(source, _ENDS)), paths.of_each_class(target))


def _words(ports: PortSet) -> str:
    if len(ports.ranges) <= _PORTS:
        return ports.words
    first: tuple[PortRange, ...] = ports.ranges[:_PORTS]
    return f"{PortSet(first).words} and {len(ports.ranges) - _PORTS} more"
