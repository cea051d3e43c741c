"""Computed paths beside declared connections: who gets into workloads that hold restricted data, and what gets out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from soc2.model.deviation import Resource
from soc2.model.network.addresses import PRIVATE, AddressSet
from soc2.model.network.declared import Piece, undeclared_addresses, undeclared_sources
from soc2.model.network.endpoints import Block, Peer
from soc2.model.network.paths import Paths
from soc2.model.network.ports import PortRange, PortSet
from soc2.model.network.tiers import Table, both
from soc2.model.network.ways import Edges, names, ways
from soc2.model.network.workloads import Workload
from soc2.model.network.zones import INTERNET, METADATA_ADDRESSES, network_words, networks_in

_ONE_BY_ONE = 24
"""When more workloads than that get into one, they are told together, with examples of the ways that they have."""
_EXAMPLES = 3
_NETWORKS = 8
_METADATA_PORTS = PortSet.of([PortRange("TCP", 80, 80)])
_ZONES = ((INTERNET, "the internet"), (PRIVATE, "private networks"))


@dataclass(frozen=True)
class OpenPath:
    """Ports that are open to or from ``who`` and not declared, and ``ways``: the policies and rules that let it through."""

    who: str
    ports: PortSet
    ways: str


@dataclass(frozen=True)
class ReachedWorkload:
    """A workload that holds restricted data, with what reaches it from outside and other namespaces undeclared."""

    resource: Resource
    paths: tuple[OpenPath, ...]


@dataclass(frozen=True)
class WorkloadEgress:
    """A workload with what it reaches undeclared at the metadata service and in the internet."""

    resource: Resource
    metadata: tuple[OpenPath, ...]
    internet: tuple[OpenPath, ...]


def reached_workloads(paths: Paths, restricted: Iterable[Workload], edges: Edges) -> Iterator[ReachedWorkload]:
    """Join workloads with what reaches them undeclared.

    Sources are the internet, private networks, workloads of other namespaces, and those in their node's network of any.
    Sources of a namespace that have the same ports by the same ways are told together; when there are very many sources,
    all that have the same ports. Nodes themselves are none: nothing keeps them from their pods.
    """
    for target in restricted:
        outside = undeclared_addresses(
            paths.from_outside(target),
            ((line.source_addresses, line.connection.ports) for line in paths.declared.into(target.number)),
        )
        found = [path for zone in _ZONES for path in _outer(paths, target, outside, *zone, edges, incoming=True)]
        yield ReachedWorkload(target.resource, (*found, *_from_workloads(paths, target, edges)))


def undeclared_into(paths: Paths, target: Workload) -> Table[int]:
    """Return the workloads of other namespaces, and in their node's network, that reach a target undeclared, by ports."""
    inside = paths.workloads.of_namespace(target.namespace) & ~paths.workloads.hosts
    away = ~(inside | 1 << target.number)
    table = {ports: left for ports, sources in paths.into(target).items() if (left := sources & away)}
    return undeclared_sources(table, paths.declared.into(target.number))


def egress_of(paths: Paths, workloads: Iterable[Workload], edges: Edges) -> Iterator[WorkloadEgress]:
    """Join workloads with what they reach undeclared outside the cluster."""
    for source in workloads:
        left = undeclared_addresses(
            paths.to_outside(source),
            ((line.target_addresses, line.connection.ports) for line in paths.declared.out_of(source.number)),
        )
        metadata = [(addresses, both(ports, _METADATA_PORTS)) for addresses, ports in left]
        yield WorkloadEgress(
            source.resource,
            tuple(_outer(paths, source, metadata, METADATA_ADDRESSES, "the metadata service", edges, incoming=False)),
            tuple(_outer(paths, source, left, *_ZONES[0], edges, incoming=False)),
        )


def _outer(
    paths: Paths, inner: Workload, pieces: Iterable[Piece], zone: AddressSet, name: str, edges: Edges, *, incoming: bool
) -> Iterator[OpenPath]:
    """Yield the paths from or to what lies in a zone, one for each set of ports."""
    for addresses, ports in sorted(pieces, key=lambda piece: (piece[1].ranges, piece[0].spans)):
        inside = addresses & zone
        if not inside or not ports:
            continue
        blocks = [Block(network) for network in networks_in(inside, _NETWORKS)]
        pods = paths.of_each_class(inner)
        ends: list[tuple[Peer, Peer]] = [(block, pod) if incoming else (pod, block) for block, pod in product(blocks, pods)]
        yield OpenPath(network_words(inside, zone, name), ports, ways(paths.reach, edges, ends, ports, "it"))


def _from_workloads(paths: Paths, target: Workload, edges: Edges) -> Iterator[OpenPath]:
    table = undeclared_into(paths, target)
    groups: dict[tuple[bool, str, PortSet, str], int] = {}
    if sum(some.bit_count() for some in table.values()) <= _ONE_BY_ONE:
        for ports, some in table.items():
            for source in paths.workloads.members(some):
                how = ways(paths.reach, edges, paths.pairs_of(source, target), ports)
                key = (source.host_network, source.namespace, ports, how)
                groups[key] = groups.get(key, 0) | 1 << source.number
    else:
        hosts = paths.workloads.hosts
        for ports, some in table.items():
            for in_host, those in ((False, some & ~hosts), (True, some & hosts)):
                if those:
                    groups[in_host, "", ports, _examples(paths, those, target, ports, edges)] = those
    for (in_host, _, ports, how), those in sorted(groups.items(), key=_order):
        yield OpenPath(_who(paths, those, in_host=in_host), ports, how)


def _order(group: tuple[tuple[bool, str, PortSet, str], int]) -> tuple[bool, str, tuple[PortRange, ...], str]:
    in_host, namespace, ports, how = group[0]
    return in_host, namespace, ports.ranges, how


def _examples(paths: Paths, sources: int, target: Workload, ports: PortSet, edges: Edges) -> str:
    """Return the ways of some of the sources, each of another namespace."""
    found: dict[str, str] = {}
    for namespace in paths.workloads.namespaces_of(sources)[:_EXAMPLES]:
        source = next(paths.workloads.members(sources & paths.workloads.of_namespace(namespace)))
        found.setdefault(ways(paths.reach, edges, paths.pairs_of(source, target), ports), source.name)
    return "; ".join(f"from {name}: {how}" for how, name in found.items())


def _who(paths: Paths, sources: int, *, in_host: bool) -> str:
    count = sources.bit_count()
    place = (" in the network of its node" if count == 1 else " in the network of their nodes") if in_host else ""
    namespaces = paths.workloads.namespaces_of(sources)
    if len(namespaces) > 1:
        return f"{count:,} workloads of {len(namespaces):,} namespaces ({names(namespaces)}){place}"
    others = paths.workloads.of_namespace(namespaces[0]) & ~paths.workloads.hosts
    if sources == others and count > 1:
        return f"every workload of namespace {namespaces[0]}"
    return names([each.name for each in paths.workloads.members(sources)]) + place
