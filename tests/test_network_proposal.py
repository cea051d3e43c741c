"""What ``soc2 init`` proposes as connections is what the policies let through, and can be read back."""

from __future__ import annotations

import tomllib
from ipaddress import ip_network

import msgspec
from hypothesis import given, settings

from soc2.declared_network import Connection
from soc2.model.network.endpoints import Block, Endpoint, Peer
from soc2.model.network.parties import METADATA, DeclaredConnection, Kind, Party
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortRange, PortSet
from soc2.network_proposal import Line, as_comments, proposed_connections
from tests.network import clusters
from tests.network.clusters import World
from tests.network.test_against_reference import Asked

_OUTSIDE = ("192.0.2.7", "169.254.169.254", "2001:db8::7", "10.9.9.9", "fd00:9::9")


@settings(max_examples=60)  # a cluster takes long to make
@given(clusters.worlds())
def test_it_proposes_what_is_let_through(world: World) -> None:
    engine = Asked(world.cluster).engine
    declared = _read_back(proposed_connections(engine))
    endpoints = [each for one in engine.classes for each in one.endpoints if not each.host_network]
    for source in endpoints:
        for target in endpoints:
            if source is not target:
                assert engine.allowed(source, target) <= _ports(declared, source, target)
        for address in _OUTSIDE:
            block = Block(ip_network(address))
            assert engine.allowed(source, block) <= _ports(declared, source, block)
            if block.network not in METADATA:
                assert engine.allowed(block, source) <= _ports(declared, block, source)
    peers: list[Peer] = [*endpoints, *_EVERYWHERE]
    for line in declared:
        assert any(
            _fits(line.source, one) and _fits(line.target, two) and engine.allowed(one, two) & line.ports
            for one in peers
            for two in peers
            if isinstance(one, Endpoint) or isinstance(two, Endpoint)
        )


_EVERYWHERE = (Block(ip_network("0.0.0.0/0")), Block(ip_network("::/0")))


def test_what_everybody_may_is_one_line() -> None:
    lines = [Line("*/*", "*/*", EVERY_PORT), Line("a/b", "internet", PortSet.of([PortRange("TCP", 0, 80)]))]
    assert as_comments(lines).splitlines()[1:] == [
        "# [[network.connections]]",
        '# from = "*/*"',
        '# to = "*/*"',
        '# reason = ""',
        "",
        "# [[network.connections]]",
        '# from = "a/b"',
        '# to = "internet"',
        '# ports = ["tcp/0-80"]',
        '# reason = ""',
        "",
    ]


def _read_back(lines: list[Line]) -> list[DeclaredConnection]:
    """Take the comment signs away, give reasons, and read it as system.toml."""
    text = as_comments(lines).split("\n", 1)[1].replace("# ", "").replace('reason = ""', 'reason = "why"')
    entries = tomllib.loads(text).get("network", {}).get("connections", [])
    return [msgspec.convert(entry, Connection).declared for entry in entries]


def _ports(declared: list[DeclaredConnection], source: Peer, target: Peer) -> PortSet:
    ports = NO_PORT
    for each in declared:
        if _fits(each.source, source) and _fits(each.target, target):
            ports = ports | each.ports
    return ports


def _fits(party: Party, peer: Peer) -> bool:
    if isinstance(peer, Endpoint):
        return party.names_workload(peer.name)
    if party.kind is Kind.METADATA:
        return any(each.overlaps(peer.network) for each in METADATA)
    if party.kind is Kind.INTERNET:
        return True
    network = party.network
    return bool(network and network.version == peer.network.version and network.overlaps(peer.network))
