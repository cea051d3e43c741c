"""What ``soc2 init`` proposes as declared connections: those that the policies of a live cluster let through today.

It judges nothing: what is proposed is what is, for the owner to review. Pods in their node's network are left out, as
policies say nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar, cast

from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.unevaluated import UNEVALUATED
from soc2.gather.source import Gatherer, Source
from soc2.model.kubernetes.workloads import AnyWorkload
from soc2.model.network.addresses import PRIVATE, AddressSet
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.endpoints_of import endpoints_of
from soc2.model.network.parties import Kind
from soc2.model.network.ports import EVERY_PORT, PortRange, PortSet
from soc2.model.network.reachability import Part, Reachability
from soc2.model.network.zones import EVERYWHERE, INTERNET, METADATA_ADDRESSES

_NAMED = 8
"""Up to so many networks are named one by one; more than that of the internet are called by its name."""
_SHOWN = 500
T = TypeVar("T")


class Line(NamedTuple):
    """A connection as ``[[network.connections]]`` has it."""

    source: str
    target: str
    ports: PortSet


class UnknownError(Exception):
    """What the policies let through is not known, as something could not be listed or is not evaluated."""


def live_connections(gatherer: Gatherer) -> list[Line]:
    """Return what the policies of a live cluster let through. Raises UnknownError."""
    _all(gatherer, UNEVALUATED)
    workloads = [
        each for source in sources.POD_SOURCES[1:] for each in cast("tuple[AnyWorkload, ...]", _all(gatherer, source))
    ]
    older, newer = _all(gatherer, sources.ADMIN_NETWORK_POLICIES), _all(gatherer, sources.CLUSTER_NETWORK_POLICIES)
    return proposed_connections(
        Reachability(
            endpoints_of(_all(gatherer, sources.PODS), workloads),
            {each.name: each.metadata.labels or {} for each in _all(gatherer, sources.NAMESPACES)},
            _all(gatherer, sources.NETWORK_POLICIES),
            (*older, *newer),
            _all(gatherer, sources.BASELINE_NETWORK_POLICIES),
            nodes=_all(gatherer, sources.NODES),
        )
    )


def _all(gatherer: Gatherer, source: Source[T]) -> tuple[T, ...]:
    listing = gatherer.get(source)
    for status in listing.statuses:
        if status.problem:
            raise UnknownError(f"{status.source}: {status.problem}")
    return listing.items


def proposed_connections(reach: Reachability) -> list[Line]:
    """Return what policies let through: between workloads, as patterns where a whole namespace has the same, and between
    workloads and addresses that are no pod's."""
    names = _Names(each for one in reach.classes for each in one.endpoints)
    outgoing: dict[str, set[tuple[str, PortSet]]] = {}
    incoming: dict[str, set[tuple[str, PortSet]]] = {}
    for one in reach.classes:
        example = one.endpoints[0]
        if example.host_network:
            continue
        targets = {(target, group.ports) for group in reach.row(example) for target in names.of(reach, group.classes)}
        targets |= set(_addresses(part for block in EVERYWHERE for part in reach.parts(example, block)))
        found = _addresses(part for block in EVERYWHERE for part in reach.parts(block, example))
        callers = {end for end in found if end[0] != Kind.METADATA}  # which only answers
        for each in one.endpoints:
            outgoing.setdefault(each.name, set()).update(targets)
            incoming.setdefault(each.name, set()).update(callers)
    lines = [Line(name, *end) for end, found in _by_end(outgoing).items() for name in names.patterns(found)]
    lines += [Line(end[0], name, end[1]) for end, found in _by_end(incoming).items() for name in names.patterns(found)]
    return sorted(lines, key=lambda line: (line.source, line.target, line.ports.words))


def as_comments(lines: Sequence[Line]) -> str:
    """Return the lines as text of system.toml, all of it commented out."""
    head = "# What the policies of the cluster let through today, but for a mesh: keep what is meant to be, and say why.\n"
    shown = "\n".join(f"# {text}" if text else "" for line in lines[:_SHOWN] for text in _entry(line))
    more = f"# And {len(lines) - _SHOWN} more.\n" * (len(lines) > _SHOWN)
    return f"{head}{shown}\n{more}"


def _entry(line: Line) -> Iterator[str]:
    yield "[[network.connections]]"
    yield f'from = "{line.source}"'
    yield f'to = "{line.target}"'
    if line.ports != EVERY_PORT:
        yield f"ports = [{', '.join(map(_port, line.ports))}]"
    yield 'reason = ""'
    yield ""


def _port(each: PortRange) -> str:
    numbers = str(each.first) if each.first == each.last else f"{each.first}-{each.last}"
    return f'"{each.protocol.lower()}/{numbers}"'


class _Names:
    """Names of workloads, and patterns that stand for sets of them."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_namespace: dict[str, set[str]] = {}
        for each in endpoints:
            if not each.host_network:
                self._by_namespace.setdefault(each.namespace, set()).add(each.name)
        self._patterns: dict[int, tuple[str, ...]] = {}

    def of(self, reach: Reachability, classes: int) -> tuple[str, ...]:
        """Return patterns that stand for the workloads of a set of classes."""
        if classes not in self._patterns:
            members = (each for one in reach.members(classes) for each in one.endpoints)
            self._patterns[classes] = self.patterns({each.name for each in members if not each.host_network})
        return self._patterns[classes]

    def patterns(self, names: set[str]) -> tuple[str, ...]:
        whole = {namespace for namespace, all_of_it in self._by_namespace.items() if all_of_it <= names}
        if len(whole) == len(self._by_namespace):
            return ("*/*",)
        return (*(f"{namespace}/*" for namespace in whole), *(name for name in names if name.partition("/")[0] not in whole))


def _by_end(ends: dict[str, set[tuple[str, PortSet]]]) -> dict[tuple[str, PortSet], set[str]]:
    found: dict[tuple[str, PortSet], set[str]] = {}
    for name, its in ends.items():
        for end in its:
            found.setdefault(end, set()).add(name)
    return found


def _addresses(parts: Iterable[Part]) -> Iterator[tuple[str, PortSet]]:
    for networks, ports in parts:
        addresses = AddressSet.of(*networks)
        outside = tuple((addresses & INTERNET).networks())
        parties = tuple(map(str, outside)) if len(outside) <= _NAMED else (Kind.INTERNET.value,)
        own = map(str, (addresses & PRIVATE).networks())
        metadata = (Kind.METADATA.value,) if addresses & METADATA_ADDRESSES else ()
        yield from ((party, ports) for party in (*parties, *own, *metadata))
