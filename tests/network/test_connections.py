"""Computed paths beside declared connections, held against asking for each pair, port and address by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.declared_network import Connection
from soc2.model.deviation import Resource
from soc2.model.network.connections import egress_of, reached_workloads, undeclared_into
from soc2.model.network.declared import Piece, undeclared_addresses
from soc2.model.network.declared_lines import declared_lines
from soc2.model.network.endpoints import Block, Endpoint
from soc2.model.network.parties import METADATA, DeclaredConnection, Kind, Party
from soc2.model.network.paths import Paths
from soc2.model.network.policies import of_network_policy
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortRange, PortSet
from soc2.model.network.ways import edges_of
from soc2.model.network.workloads import Workload
from soc2.model.network.zones import INTERNET
from tests.network.strategies import NODE_OBJECTS, Cluster, clusters

SOME = settings(max_examples=settings().max_examples // 3)
SINGLE = tuple(
    Block(ip_network(each)) for each in ("10.0.0.9", "10.77.0.1", "203.0.113.9", "8.8.8.8", "fd00::9", "2001:db8::1")
)
"""Addresses of no pod or node."""
PORTS = tuple(product(("TCP", "UDP", "SCTP"), (1, 80, 81, 443, 8080)))
PARTIES = st.sampled_from(
    [
        "*/*",
        "red/*",
        "red/w0",
        "*/w1",
        "blue/w2",
        "nobody/*",
        "10.0.0.0/24",
        "203.0.113.0/24",
        "fd00::/64",
        "internet",
        "nodes",
    ]
)
CONNECTIONS = st.builds(
    lambda source, target, ports: Connection(source, target, "meant", tuple(ports)).declared,
    PARTIES,
    PARTIES,
    st.sampled_from([(), ("tcp/80",), ("tcp/80-443", "udp/53"), ("sctp/1-65535", "tcp/443")]),
)


def in_workloads(cluster: Cluster) -> Cluster:
    """Give the pods to three workloads of each namespace."""
    owned = tuple(
        replace(each, workload=Resource("Deployment", f"w{number % 3}", each.namespace))
        for number, each in enumerate(cluster.endpoints)
    )
    return replace(cluster, endpoints=owned)


CLUSTERS = clusters().map(in_workloads)


def paths_of(cluster: Cluster, declared: Iterable[DeclaredConnection] = ()) -> Paths:
    return Paths(cluster.reachability(), declared, NODE_OBJECTS)


def union(found: Iterable[PortSet]) -> PortSet:
    ports = NO_PORT
    for each in found:
        ports |= each
    return ports


def between(paths: Paths, source: Workload, target: Workload) -> PortSet:
    return union(
        paths.reach.allowed(one, other)
        for one, other in product(source.endpoints, target.endpoints)
        if one.resource != other.resource
    )


def in_table(table: dict[PortSet, int], source: Workload) -> PortSet:
    return union(ports for ports, sources in table.items() if sources >> source.number & 1)


def in_pieces(pieces: Iterable[Piece], block: Block) -> PortSet:
    return union(ports for addresses, ports in pieces if _number(block) in addresses)


def _number(block: Block) -> int:
    address = block.network.network_address
    return int(address) + ((1 << 32) if address.version == 6 else 0)


def is_workload(party: Party, workload: Workload) -> bool:
    if party.kind is Kind.WORKLOAD:
        return fnmatchcase(workload.name, party.pattern)
    network = party.network
    if network is None:
        return False
    every = [[ip_address(text) for text in each.addresses] for each in workload.endpoints]
    return all(addresses and all(each in network for each in addresses) for addresses in every)


def is_address(party: Party, block: Block) -> bool:
    address = block.network.network_address
    if party.kind is Kind.INTERNET:
        return address.is_global or str(address).startswith(("203.0.113.", "2001:db8:"))
    return party.network is not None and address in party.network


@SOME
@given(CLUSTERS)
def test_workloads_reach_each_other_as_their_pods_do(cluster: Cluster) -> None:
    paths = paths_of(cluster)
    for source, target in product(paths.workloads.all, repeat=2):
        if source is not target:
            assert in_table(paths.into(target), source) == between(paths, source, target)
    for workload, block in product(paths.workloads.all, SINGLE):
        incoming = union(paths.reach.allowed(block, each) for each in workload.endpoints)
        outgoing = union(paths.reach.allowed(each, block) for each in workload.endpoints)
        assert in_pieces(paths.from_outside(workload), block) == incoming
        assert in_pieces(paths.to_outside(workload), block) == outgoing


@SOME
@given(CLUSTERS, st.lists(CONNECTIONS, max_size=4))
def test_what_is_declared_is_taken_away_exactly(cluster: Cluster, declared: list[DeclaredConnection]) -> None:
    paths = paths_of(cluster, declared)
    for target in paths.workloads.all:
        found = undeclared_into(paths, target)
        for source in paths.workloads.all:
            meant = union(
                each.ports for each in declared if is_workload(each.source, source) and is_workload(each.target, target)
            )
            foreign = source.namespace != target.namespace or source.host_network
            expected = between(paths, source, target) - meant if foreign and source is not target else NO_PORT
            assert in_table(found, source) == expected
        for block in SINGLE:
            meant = union(
                each.ports for each in declared if is_address(each.source, block) and is_workload(each.target, target)
            )
            left = undeclared_addresses(
                paths.from_outside(target),
                [(line.source_addresses, line.connection.ports) for line in paths.declared.into(target.number)],
            )
            assert in_pieces(left, block) == in_pieces(paths.from_outside(target), block) - meant


@SOME
@given(CLUSTERS, st.lists(CONNECTIONS, max_size=3))
def test_every_way_is_found_and_told(cluster: Cluster, declared: list[DeclaredConnection]) -> None:
    paths, edges = paths_of(cluster, declared), edges_of(map(of_network_policy, cluster.policies))
    for record, target in zip(reached_workloads(paths, paths.workloads.all, edges), paths.workloads.all, strict=True):
        assert bool(record.paths) >= any(undeclared_into(paths, target))
        for path in record.paths:
            assert path.ports
            assert path.who
            assert "not found" not in path.ways
    for leaving in egress_of(paths, paths.workloads.all, edges):
        assert all(path.ports <= PortSet.of([PortRange("TCP", 80, 80)]) for path in leaving.metadata)
        for path in (*leaving.metadata, *leaving.internet):
            assert path.ports
            assert "not found" not in path.ways


@SOME
@given(CLUSTERS, CONNECTIONS)
def test_a_declared_connection_holds_when_some_of_it_is_open(cluster: Cluster, declared: DeclaredConnection) -> None:
    paths = paths_of(cluster, [declared])
    (line,) = declared_lines(paths)
    ends = (declared.source, declared.target)
    assert [pattern for pattern, _ in line.nobody] == [
        party.pattern
        for party in ends
        if party.kind is Kind.WORKLOAD and not any(is_workload(party, each) for each in paths.workloads.all)
    ]
    if line.nobody or not all(party.kind is Kind.WORKLOAD for party in ends):
        return
    pairs = [
        (source, target)
        for source, target in product(paths.workloads.all, repeat=2)
        if is_workload(declared.source, source) and is_workload(declared.target, target)
    ]
    different = [each for each in pairs if each[0] is not each[1]]
    possible = union(between(paths, *each) for each in different)
    if not different:
        return
    whole = [EVERY_PORT] if declared.ports == EVERY_PORT else [PortSet.of([each]) for each in declared.ports]
    assert line.closed == union(each for each in whole if not each & possible)
    assert bool(line.stopped) is bool(line.closed)


def pod(namespace: str, name: str, **more: Any) -> Endpoint:
    here = Resource("Pod", name, namespace)
    return Endpoint(**{"resource": here, "workload": here, "namespace": namespace, "labels": {"app": name}, **more})


def test_many_sources_are_told_together() -> None:
    target = pod("notes", "api")
    others = [pod(f"team-{number}", name) for number in range(30) for name in ("web", "jobs")]
    paths = paths_of(Cluster((target, pod("notes", "near"), *others)))
    (record,) = reached_workloads(paths, [paths.workloads.all[paths.workloads.numbers[target.workload]]], {})
    told = [(path.who, path.ports.words) for path in record.paths]
    assert told == [
        ("the internet", "every port"),
        ("private networks", "every port"),
        ("60 workloads of 30 namespaces (team-0, team-1, team-10, team-11, team-12 and 25 more)", "every port"),
    ]
    assert record.paths[2].ways == (
        "from team-0/jobs: no NetworkPolicy selects the source for egress and no NetworkPolicy selects notes/api for ingress"
    )
    few = paths_of(Cluster((target, *others[:3])))
    (record,) = reached_workloads(few, [few.workloads.all[0]], {})
    assert [path.who for path in record.paths[2:]] == ["every workload of namespace team-0", "team-1/web"]


def test_the_internet_is_what_routers_take_there() -> None:
    outside = ("8.8.8.8", "192.0.2.1", "2001:db8::1", "172.32.0.1", "100.128.0.1", "2600::1")
    not_there = ("10.0.0.1", "172.16.0.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1", "fd00::1", "fe80::1", "::1")
    for text, expected in (*((each, True) for each in outside), *((each, False) for each in not_there)):
        assert (_number(Block(ip_network(text))) in INTERNET) is expected, text
    assert not any(_number(Block(network)) in INTERNET for network in METADATA)
