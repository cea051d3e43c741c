"""The matrix of who can talk to whom, by workload or, where there are many, by namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from soc2.model.matrix import Cell, CellState, Matrix
from soc2.model.network.addresses import NO_ADDRESS, PRIVATE, AddressSet
from soc2.model.network.declared import Line, Piece, undeclared_addresses
from soc2.model.network.paths import Paths
from soc2.model.network.ports import NO_PORT, PortRange, PortSet
from soc2.model.network.tiers import both, either, without
from soc2.model.network.workloads import Workload
from soc2.model.network.zones import INTERNET, METADATA_ADDRESSES

MOST = 40
"""Up to so many workloads in scope are shown one by one; then namespaces, and so many of these."""
_PORTS = 6
"""So many ranges of ports are named in a cell."""


class _Unit(NamedTuple):
    """A row or a column: workloads, or addresses that are no pod's. ``own`` is the namespace that they are all of."""

    name: str
    workloads: int = 0
    addresses: AddressSet = NO_ADDRESS
    own: str = ""


class _Open(NamedTuple):
    """What is possible, what of it is not declared, and what is declared at all."""

    possible: PortSet
    undeclared: PortSet
    declared: PortSet


_NOTHING = _Open(NO_PORT, NO_PORT, NO_PORT)
_PRIVATE_NETWORKS = _Unit("private networks", addresses=PRIVATE)
_INTERNET = _Unit("internet", addresses=INTERNET)
_METADATA = _Unit("metadata", addresses=METADATA_ADDRESSES)


def matrix_of(paths: Paths, in_scope: Sequence[Workload], restricted: Iterable[Workload], most: int = MOST) -> Matrix:
    """Draw who can talk to whom: workloads in scope (by namespace when there are more than ``most``), namespaces out of
    scope, and what is outside. Of more than ``most`` namespaces, those that hold restricted data come first, and the rest
    is one."""
    held = _set(restricted)
    inside = _units(in_scope, held, most)
    away = [each for each in paths.workloads.all if not _set(in_scope) >> each.number & 1]
    others = _limited(list(_by_namespace(away)), held, most, "other namespaces out of scope")
    rows = (*inside, *others, _PRIVATE_NETWORKS, _INTERNET)
    columns = (*inside, *others, _PRIVATE_NETWORKS, _INTERNET, _METADATA)
    cells = tuple(
        cell
        for column, target in enumerate(columns)
        for row, found in enumerate(_into(paths, target, rows))
        if (cell := _cell(row, column, rows[row], target, found))
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
        return [
            _Unit(each.name if names.count(each.name) == 1 else str(each.resource), 1 << each.number, own=each.namespace)
            for each in in_scope
        ]
    return _limited(list(_by_namespace(in_scope)), held, most, "other namespaces")


def _by_namespace(workloads: Iterable[Workload]) -> Iterator[_Unit]:
    found: dict[str, int] = {}
    for each in workloads:
        found[each.namespace] = found.get(each.namespace, 0) | 1 << each.number
    yield from (_Unit(f"{name}/*", members, own=name) for name, members in found.items())


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
    if target.workloads:
        for one in paths.workloads.members(target.workloads):
            lines = tuple(paths.declared.into(one.number))
            table = paths.into(one)
            outside = paths.from_outside(one)
            for place, row in enumerate(rows):
                more = _addresses(outside, lines, row) if row.addresses else _workloads(table, lines, row, one)
                found[place] = _joined(found[place], more)
        return found
    for place, row in enumerate(rows):
        for source in paths.workloads.members(row.workloads):
            lines = tuple(paths.declared.out_of(source.number))
            declared = [(line.target_addresses, line.connection.ports) for line in lines]
            pieces = [(addresses & target.addresses, ports) for addresses, ports in paths.to_outside(source)]
            found[place] = _joined(found[place], _of_pieces(pieces, declared, target.addresses))
    return found


def _workloads(table: dict[PortSet, int], lines: Sequence[Line], row: _Unit, target: Workload) -> _Open:
    wanted = row.workloads & ~(1 << target.number)
    possible = undeclared = declared = NO_PORT
    for ports, sources in table.items():
        left = sources & wanted
        if not left:
            continue
        possible = either(possible, ports)
        undeclared = either(undeclared, _rest(ports, left, lines))
    for line in lines:
        if line.sources & wanted:
            declared = either(declared, line.connection.ports)
    return _Open(possible, undeclared, declared)


def _rest(ports: PortSet, sources: int, lines: Sequence[Line]) -> PortSet:
    """Return the ports that are not declared for at least one of some sources."""
    groups = {ports: sources}
    for line in lines:
        after: dict[PortSet, int] = {}
        for each, members in groups.items():
            for left, those in (
                (without(each, line.connection.ports), members & line.sources),
                (each, members & ~line.sources),
            ):
                if left and those:
                    after[left] = after.get(left, 0) | those
        groups = after
    found = NO_PORT
    for each in groups:
        found = either(found, each)
    return found


def _addresses(outside: Sequence[Piece], lines: Sequence[Line], row: _Unit) -> _Open:
    declared = [(line.source_addresses, line.connection.ports) for line in lines]
    return _of_pieces([(addresses & row.addresses, ports) for addresses, ports in outside], declared, row.addresses)


def _of_pieces(pieces: Sequence[Piece], declared: Sequence[Piece], zone: AddressSet) -> _Open:
    known = [(addresses, ports) for addresses, ports in pieces if addresses]
    possible = undeclared = wanted = NO_PORT
    for _, ports in known:
        possible = either(possible, ports)
    for _, ports in undeclared_addresses(known, declared):
        undeclared = either(undeclared, ports)
    for addresses, ports in declared:
        if addresses & zone:
            wanted = either(wanted, ports)
    return _Open(possible, undeclared, wanted)


def _joined(one: _Open, other: _Open) -> _Open:
    return _Open(*(either(mine, its) for mine, its in zip(one, other, strict=True)))


def _cell(row: int, column: int, source: _Unit, target: _Unit, found: _Open) -> Cell | None:
    if found.possible:
        within = bool(source.own) and source.own == target.own
        state = CellState.WITHIN if within and found.undeclared else CellState.DECLARED
        if found.undeclared and not within:
            return Cell(row, column, CellState.UNDECLARED, _words(found.undeclared), _beside(found))
        return Cell(row, column, state, _words(found.possible))
    if found.declared:
        return Cell(row, column, CellState.BLOCKED, _words(found.declared), "declared, and no policy lets it through")
    return None


def _beside(found: _Open) -> str:
    declared = both(found.possible, found.declared)
    return f"beside what is declared: {_words(declared)}" if declared else ""


def _words(ports: PortSet) -> str:
    if len(ports.ranges) <= _PORTS:
        return ports.words
    first: tuple[PortRange, ...] = ports.ranges[:_PORTS]
    return f"{PortSet(first).words} and {len(ports.ranges) - _PORTS} more"


def _set(workloads: Iterable[Workload]) -> int:
    found = 0
    for each in workloads:
        found |= 1 << each.number
    return found
