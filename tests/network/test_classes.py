"""Answers for many at once equal those for two alone, and reasons say what the answers do."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from soc2.model.network.endpoints import Block, Peer
from soc2.model.network.ports import NO_PORT, PortSet
from soc2.model.network.reachability import Group
from tests.network.strategies import CIDRS, Cluster, clusters

BLOCKS = tuple(Block(ip_network(each)) for each in (*CIDRS, "10.1.0.2/32", "10.0.0.0/31", "fd00::2/128", "8.8.8.8/32"))
PORTS = tuple(product(("TCP", "UDP", "SCTP"), (53, 80, 443, 500, 8080)))


@given(clusters())
def test_classes_do_not_change_an_answer(cluster: Cluster) -> None:
    everything = cluster.reachability()
    for source, target in product(cluster.endpoints, repeat=2):
        alone = cluster.reachability(*{each.resource: each for each in (source, target)}.values())
        assert everything.allowed(source, target) == alone.allowed(source, target)
        for port in PORTS:
            assert everything.reasons(source, target, port) == alone.reasons(source, target, port)


@given(clusters(), st.sampled_from(BLOCKS))
def test_rows_and_pairs_are_what_each_two_have_open(cluster: Cluster, block: Block) -> None:
    reachability = cluster.reachability()
    pairs = {target.number: groups for target, groups in reachability.pairs()}
    for target in reachability.classes:
        for source in reachability.classes:
            expected = [
                reachability.allowed(one, other)
                for one, other in product(source.endpoints, target.endpoints)
                if one.resource != other.resource
            ]
            if expected:
                assert _ports(pairs[target.number], source.number) == _union(expected)
    for source_endpoint in (*cluster.endpoints, block):
        row = reachability.row(source_endpoint)
        for target in reachability.classes:
            others = [each for each in target.endpoints if each != source_endpoint]
            if others:
                expected = [reachability.allowed(source_endpoint, each) for each in others]
                assert _ports(row, target.number) == _union(expected)
    listed = {(source.number, target.number): ports for source, target, ports in reachability.all_pairs()}
    assert listed == {
        (source.number, number): group.ports
        for number, groups in pairs.items()
        for group in groups
        for source in reachability.members(group.classes)
    }


@given(clusters(), st.sampled_from(BLOCKS))
def test_parts_of_a_block_are_exact(cluster: Cluster, block: Block) -> None:
    reachability = cluster.reachability()
    if block.network.num_addresses == 1 and any(
        str(block.network.network_address) in each.addresses for each in cluster.endpoints
    ):
        return
    for endpoint in cluster.endpoints:
        for ends in ((block, endpoint), (endpoint, block)):
            parts = reachability.parts(*ends)
            assert _union([part.ports for part in parts]) == reachability.allowed(*ends)
            for network in {
                ip_network(each) for each in ("10.0.0.1", "10.0.0.9", "10.77.0.1", "203.0.113.9", "8.8.8.8", "fd00::9")
            }:
                within = network.version == block.network.version and network.subnet_of(block.network)
                if within:
                    one: tuple[Peer, Peer] = tuple(Block(network) if each is block else each for each in ends)  # type: ignore[assignment]
                    inside = [
                        p.ports
                        for p in parts
                        if any(network.version == n.version and network.subnet_of(n) for n in p.networks)
                    ]
                    assert _union(inside) == reachability.allowed(*one)
                    assert len(inside) <= 1


@given(clusters(), st.sampled_from(BLOCKS))
def test_reasons_agree_with_the_answer(cluster: Cluster, block: Block) -> None:
    reachability = cluster.reachability()
    ends: list[tuple[Peer, Peer]] = [*product(cluster.endpoints, repeat=2)]
    ends += [pair for each in cluster.endpoints for pair in ((each, block), (block, each))]
    for source, target in ends:
        allowed = reachability.allowed(source, target)
        for port in PORTS:
            reasons = reachability.reasons(source, target, port)
            stopped = any(
                "(Deny" in each.rule or "lets this through" in each.rule or each.rule == "stopped" for each in reasons
            )
            assert (port in allowed) is not stopped, (source, target, port, reasons)


def _union(found: list[PortSet]) -> PortSet:
    ports = NO_PORT
    for each in found:
        ports |= each
    return ports


def _ports(groups: tuple[Group, ...], number: int) -> PortSet:
    found = [group.ports for group in groups if group.classes >> number & 1]
    assert len(found) <= 1
    return found[0] if found else NO_PORT
