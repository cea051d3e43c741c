"""Answers for many at once equal those for two alone, and reasons say what the answers do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.gather.codec import Codec
from soc2.model.deviation import Resource
from soc2.model.kubernetes.admin_network import AdminNetworkPolicy
from soc2.model.kubernetes.network import NetworkPolicy
from soc2.model.network.classes import Classes
from soc2.model.network.endpoints import Block, Endpoint, Network, Peer
from soc2.model.network.policies import of_admin_policy, of_network_policy
from soc2.model.network.ports import NO_PORT, PortSet
from soc2.model.network.reachability import Group, Reachability
from soc2.model.network.sides import Sides
from tests.network.strategies import CIDRS, Cluster, clusters

BLOCKS = tuple(Block(ip_network(each)) for each in (*CIDRS, "10.1.0.2/32", "10.0.0.0/31", "fd00::2/128", "8.8.8.8/32"))
SINGLE = tuple(map(ip_network, ("10.0.0.1", "10.0.0.9", "10.77.0.1", "203.0.113.9", "8.8.8.8", "fd00::9", "fe80::9")))
"""Addresses of which none is a node's."""
PORTS = tuple(product(("TCP", "UDP", "SCTP"), (53, 80, 443, 8080)))
CODEC = Codec()
SOME = settings(max_examples=settings().max_examples // 3)


@SOME
@given(clusters(), st.sampled_from(BLOCKS))
def test_many_at_once_have_open_what_each_two_have_alone(cluster: Cluster, block: Block) -> None:
    everything = cluster.reachability()
    for source, target in product(cluster.endpoints, repeat=2):
        alone = cluster.reachability(*{each.resource: each for each in (source, target)}.values())
        assert everything.allowed(source, target) == alone.allowed(source, target)
        for port in PORTS:
            assert everything.reasons(source, target, port) == alone.reasons(source, target, port)
    _check_pairs(everything)
    peers: tuple[Peer, ...] = (*cluster.endpoints, block)
    for peer in peers:
        row = everything.row(peer)
        for each in everything.classes:
            others = [endpoint for endpoint in each.endpoints if endpoint is not peer]
            if others:
                assert _ports(row, each.number) == _union(everything.allowed(peer, other) for other in others)


def _check_pairs(reachability: Reachability) -> None:
    pairs = {target.number: groups for target, groups in reachability.pairs()}
    for source, target in product(reachability.classes, repeat=2):
        between = [(one, other) for one, other in product(source.endpoints, target.endpoints) if one is not other]
        if between:
            assert _ports(pairs[target.number], source.number) == _union(reachability.allowed(*two) for two in between)


@SOME
@given(clusters(), st.sampled_from(BLOCKS[:-4]))
def test_reasons_and_parts_agree_with_the_answer(cluster: Cluster, block: Block) -> None:
    """Of a Block, each address has just the ports open of the one part that it is in, or none when it is in no part."""
    reachability = cluster.reachability()
    for source, target in _ends(cluster, block):
        allowed = reachability.allowed(source, target)
        for port in PORTS:
            reasons = reachability.reasons(source, target, port)
            stopped = any(
                "(Deny" in each.rule or "lets this through" in each.rule or each.rule == "stopped" for each in reasons
            )
            assert (port in allowed) is not stopped
        if isinstance(source, Block) or isinstance(target, Block):
            parts = reachability.parts(source, target)
            assert _union(part.ports for part in parts) == allowed
            for single in SINGLE:
                if _within(single, block.network):
                    inside = [part.ports for part in parts if any(_within(single, each) for each in part.networks)]
                    one, other = (Block(single) if end is block else end for end in (source, target))
                    assert len(inside) <= 1
                    assert _union(inside) == reachability.allowed(one, other)


def test_only_a_block_has_parts() -> None:
    reachability = Reachability((), {})
    with pytest.raises(ValueError, match="a Block"):
        reachability.parts(BLOCKS[0], BLOCKS[1])
    assert reachability.allowed(BLOCKS[0], BLOCKS[1]).words == "every port"


def _ends(cluster: Cluster, block: Block) -> Iterator[tuple[Peer, Peer]]:
    yield from product(cluster.endpoints, repeat=2)
    for each in cluster.endpoints:
        yield each, block
        yield block, each


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _union(found: Iterable[PortSet]) -> PortSet:
    ports = NO_PORT
    for each in found:
        ports |= each
    return ports


def _ports(groups: tuple[Group, ...], number: int) -> PortSet:
    """Return what is open for a class, which is in one group at most."""
    found = [group.ports for group in groups if group.classes >> number & 1]
    assert len(found) <= 1
    return _union(found)


def test_administrators_policies_are_worked_out_once_for_all_that_the_same_of_them_select() -> None:
    """Or many of them take minutes for pods that NetworkPolicies tell apart."""
    pods = [Endpoint(each, each, "a", {"app": each.name}) for each in (Resource("Pod", name, "a") for name in "xyz")]
    own = [policy(f"own-{name}", podSelector={"matchLabels": {"app": name}}) for name in "xy"]
    rules = [{"action": "Deny", "from": [{"namespaces": {}}]}]
    spec = {"priority": 1, "subject": {"namespaces": {}}, "ingress": rules}
    admin = CODEC.convert({"metadata": {"name": "first"}, "spec": spec}, AdminNetworkPolicy)
    ours, theirs = [of_network_policy(each) for each in own], [of_admin_policy(admin)]
    sides = Sides(Classes(pods, {}, [*ours, *theirs], (), ()), ours, theirs)
    assert len(set(sides.ingress)) == 3
    assert len({id(each.of_classes.admin) for each in sides.ingress}) == 1
    assert len({id(each.of_addresses.admin) for each in sides.ingress}) == 1


def policy(name: str, **spec: Any) -> NetworkPolicy:
    return CODEC.convert({"metadata": {"name": name, "namespace": "a"}, "spec": spec}, NetworkPolicy)
