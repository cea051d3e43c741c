"""Connections that were seen, judged: which are declared, against a slow reference, and what lets the others through."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.aws.compute import Instance, NetworkInterface, SecurityGroup
from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.network import NetworkPolicy
from soc2.model.kubernetes.pods import Pod
from soc2.model.network.declared_flows import Declared, Machines
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.endpoints_of import endpoints_of
from soc2.model.network.flows import End, EndKind, Flow, Place
from soc2.model.network.let_through import NO_GROUP, NOT_OUT, Groups, LetThrough
from soc2.model.network.parties import DeclaredConnection, parse_party
from soc2.model.network.ports import EVERY_PORT, PortRange, PortSet
from soc2.model.network.reachability import Reachability
from soc2.model.network.seen import SeenPair, seen_pairs
from soc2.rules import flows

API, WEB, AGENT = (End(EndKind.WORKLOAD, f"StatefulSet/{name}") for name in ("team/api", "shop/web", "kube/agent"))
NODE, OTHER_NODE = End(EndKind.NODE, "node-1"), End(EndKind.NODE, "node-2")
DATABASE = End(EndKind.MACHINE, "eni-db")
INTERNET, METADATA, LOST = (End(EndKind.ADDRESS, name) for name in ("internet", "metadata", "10.9.9.9"))
SPANS = {
    API: ("10.0.0.1", "10.0.0.9"),
    WEB: ("10.0.0.2", "10.0.1.2"),
    AGENT: ("10.0.2.2", "10.0.2.2"),
    NODE: ("10.0.3.1", "10.0.3.1"),
    OTHER_NODE: ("10.0.3.2", "203.0.113.77"),
    DATABASE: ("10.0.8.8", "10.0.8.8"),
    INTERNET: ("198.51.100.1", "203.0.113.9"),
    METADATA: ("169.254.169.254", "169.254.169.254"),
    LOST: ("10.9.9.9", "10.9.9.9"),
}
NAMES = {
    API: {"team/api"},
    WEB: {"shop/web"},
    AGENT: {"kube/agent"},
    NODE: {"kube/hosted"},
    OTHER_NODE: set(),
}
MACHINE_NAMES = {NODE: {"node-1", "i-1", "worker"}, OTHER_NODE: {"node-2"}, DATABASE: {"eni-db", "proxy", "i-9", "database"}}
PARTIES = [
    *("team/api", "team/*", "*/web", "*/*", "kube/hosted", "kube/*"),
    *("nodes", "aws:database", "aws:eni-*", "aws:i-?", "aws:worker"),
    *("internet", "metadata", "10.0.0.0/24", "10.0.0.0/16", "10.9.9.9", "198.51.100.0/24"),
    *("128.0.0.0/1", "0.0.0.0/0", "::/0", "169.254.169.254"),
]


def pod(namespace: str, name: str, address: str, *, hosted: bool = False, number: int = 0) -> Any:
    owner = [{"kind": "StatefulSet", "name": name, "controller": True}]
    return {
        "metadata": {"name": f"{name}-{number}", "namespace": namespace, "ownerReferences": owner},
        "spec": {"nodeName": "node-1", "hostNetwork": hosted, "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Running", "podIP": address},
    }


PODS = [
    pod("team", "api", "10.0.0.1"),
    pod("team", "api", "10.0.0.9", number=1),
    pod("shop", "web", "10.0.0.2"),
    pod("kube", "hosted", "10.0.3.1", hosted=True),
]
ENDPOINTS = endpoints_of(msgspec.convert(PODS, list[Pod]), ())
NODES = msgspec.convert(
    [
        {"metadata": {"name": name}, "spec": {"providerID": f"aws:///a/{of}"}}
        for name, of in (("node-1", "i-1"), ("node-2", ""))
    ],
    list[Node],
)
INTERFACES = msgspec.convert(
    [
        {
            "NetworkInterfaceId": "eni-db",
            "Description": "proxy",
            "PrivateIpAddress": "10.0.8.8",
            "Groups": [{"GroupId": "sg-db"}],
            "Attachment": {"InstanceId": "i-9"},
        },
        {
            "NetworkInterfaceId": "eni-n",
            "PrivateIpAddress": "10.0.3.1",
            "Groups": [{"GroupId": "sg-node"}],
            "Attachment": {"InstanceId": "i-1"},
        },
    ],
    list[NetworkInterface],
)
TAGGED = (("i-1", "worker"), ("i-9", "database"))
INSTANCES = [msgspec.convert({"InstanceId": of, "Tags": [{"Key": "Name", "Value": name}]}, Instance) for of, name in TAGGED]
MACHINES = Machines(NODES, INTERFACES, INSTANCES)


def flow(source: End, target: End, port: int = 443, protocol: int = 6) -> Flow:
    return Flow(
        source=source,
        target=target,
        protocol=protocol,
        port=port if protocol in (6, 17, 132) else 0,
        connections=1,
        records=2,
        bytes=3,
        first=None,
        last=None,
        place=Place("flows.log", 7),
        seen_at="eni-1",
        source_address=SPANS[source][0],
        source_last=SPANS[source][1],
        target_address=SPANS[target][0],
        target_last=SPANS[target][1],
    )


def connection(source: str, target: str, ports: PortSet = EVERY_PORT) -> DeclaredConnection:
    return DeclaredConnection(parse_party(source), parse_party(target), ports, "")


# The slow and obvious way


def speaks_of(party: str, end: End) -> bool:
    if party == "nodes":
        return end in (NODE, OTHER_NODE)
    if party == "internet":
        return end == INTERNET
    if party == "metadata":
        return end == METADATA
    if party.startswith("aws:"):
        return any(fnmatchcase(name, party[4:]) for name in MACHINE_NAMES.get(end, ()))
    if "." in party or ":" in party:
        network = ip_network(party)
        return all(ip_address(each).version == network.version and ip_address(each) in network for each in SPANS[end])
    return any(fnmatchcase(name, party) for name in NAMES.get(end, ()))


def is_declared(seen: Flow, lines: Sequence[tuple[str, str, PortSet]]) -> bool:
    for source, target, ports in lines:
        there = speaks_of(source, seen.source) and speaks_of(target, seen.target)
        back = speaks_of(source, seen.target) and speaks_of(target, seen.source)
        if seen.protocol in (1, 58) and (there or back):
            return True
        if there and seen.protocol in (6, 17) and ({6: "TCP", 17: "UDP"}[seen.protocol], seen.port) in ports:
            return True
        if there and seen.protocol == 47 and ports == EVERY_PORT:
            return True
    return False


PORTS = st.sampled_from([EVERY_PORT, PortSet.of([PortRange("TCP", 443, 443)]), PortSet.of([PortRange("UDP", 50, 500)])])
LINES = st.lists(st.tuples(st.sampled_from(PARTIES), st.sampled_from(PARTIES), PORTS), max_size=6)
ENDS = st.sampled_from(list(SPANS))
SEEN = st.builds(flow, ENDS, ENDS, st.sampled_from([443, 53, 8080]), st.sampled_from([6, 17, 1, 58, 47]))


@given(LINES, st.lists(SEEN, min_size=1, max_size=8))
def test_what_is_declared_is_what_a_slow_loop_finds(lines: list[tuple[str, str, PortSet]], seen: list[Flow]) -> None:
    declared = Declared([connection(*line) for line in lines], MACHINES, ENDPOINTS)
    assert [declared.allows(each) for each in seen] == [is_declared(each, lines) for each in seen]


def test_the_reference_finds_both() -> None:
    everything = [flow(source, target) for source in SPANS for target in SPANS]
    for line in (("*/*", "internet"), ("nodes", "aws:database"), ("0.0.0.0/0", "10.0.0.0/16"), ("internet", "nodes")):
        found = [is_declared(each, [(*line, EVERY_PORT)]) for each in everything]
        assert 0 < sum(found) < len(found)


# Pairs


def policies(*specs: dict[str, Any]) -> list[NetworkPolicy]:
    made = [
        {"metadata": {"name": f"p{number}", "namespace": "team", "uid": str(number)}, "spec": {"podSelector": {}, **spec}}
        for number, spec in enumerate(specs)
    ]
    return msgspec.convert(made, list[NetworkPolicy])


DENY = {"policyTypes": ["Ingress", "Egress"]}
RULES = [
    {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": "sg-node"}]},
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 23, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]},
    {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
    {"IpProtocol": "47", "PrefixListIds": [{"PrefixListId": "pl-1"}]},
]
OUT = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
GROUPS = [
    msgspec.convert({"GroupId": "sg-db", "GroupName": "databases", "IpPermissions": RULES}, SecurityGroup),
    msgspec.convert({"GroupId": "sg-node", "GroupName": "nodes", "IpPermissionsEgress": OUT}, SecurityGroup),
]


def let_through(*specs: dict[str, Any], endpoints: Sequence[Endpoint] = ENDPOINTS) -> LetThrough:
    labels = {name: {"kubernetes.io/metadata.name": name} for name in ("team", "shop", "kube")}
    reachability = Reachability(endpoints, labels, policies(*specs))
    return LetThrough(endpoints, reachability, Groups(INTERFACES, GROUPS, NODES))


def pairs(*seen: Flow, declared: Sequence[DeclaredConnection] = (), specs: Sequence[dict[str, Any]] = ()) -> list[SeenPair]:
    asked = Declared(declared, MACHINES, ENDPOINTS)
    return list(seen_pairs(seen, asked, let_through(*specs), lambda name: name == "team", MACHINES.shown))


def undeclared(*seen: Flow, **given: Any) -> list[tuple[End, End, int]]:
    return [(pair.source, pair.target, each.flow.port) for pair in pairs(*seen, **given) for each in pair.undeclared]


def test_each_pair_has_its_flows_and_those_that_are_not_declared() -> None:
    seen = (flow(API, DATABASE, 5432), flow(INTERNET, API), flow(API, DATABASE, 22))
    first, second = pairs(*seen, declared=[connection("team/api", "aws:database", PortSet.of([PortRange("TCP", 5432, 5432)]))])
    assert (first.source_shown, first.target_shown) == ("StatefulSet/team/api", "database (eni-db)")
    assert (first.flows, [each.flow for each in first.undeclared]) == ((seen[0], seen[2]), [seen[2]])
    assert (second.flows, [each.flow for each in second.undeclared]) == ((seen[1],), [seen[1]])


@pytest.mark.parametrize(
    ("source", "target", "resource"),
    [
        (API, INTERNET, Resource("StatefulSet", "api", "team")),
        (INTERNET, API, Resource("StatefulSet", "api", "team")),
        (INTERNET, DATABASE, Resource("AWS::EC2::NetworkInterface", "eni-db")),
        (LOST, NODE, Resource("Node", "node-1")),
        (LOST, INTERNET, Resource("Address", "10.9.9.9")),
        (API, DATABASE, Resource("StatefulSet", "api", "team")),
    ],
)
def test_what_a_pair_is_about_is_never_the_internet(source: End, target: End, resource: Resource) -> None:
    assert [pair.resource for pair in pairs(flow(source, target))] == [resource]


@pytest.mark.parametrize(
    ("source", "target", "judged"),
    [
        (API, INTERNET, True),
        (INTERNET, API, True),
        (WEB, API, True),
        (WEB, INTERNET, False),
        (WEB, AGENT, False),
        (WEB, DATABASE, True),
        (DATABASE, WEB, True),
        (NODE, INTERNET, True),
        (NODE, WEB, False),
        (LOST, INTERNET, True),
    ],
)
def test_which_pairs_are_in_scope(source: End, target: End, judged: bool) -> None:
    assert bool(pairs(flow(source, target))) is judged


@pytest.mark.parametrize(
    ("source", "target", "specs", "natural"),
    [
        (API, API, (), True),
        (API, API, (DENY,), False),
        (API, API, (DENY, {"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}), True),
        (NODE, API, (DENY,), True),
        (OTHER_NODE, API, (), False),
        (API, NODE, (), False),
        (WEB, API, (), False),
    ],
)
def test_what_needs_no_declaration(source: End, target: End, specs: Sequence[dict[str, Any]], natural: bool) -> None:
    assert undeclared(flow(source, target), specs=specs) == ([] if natural else [(source, target, 443)])


ALLOW = {"policyTypes": ["Egress"], "egress": [{"ports": [{"port": 5432}]}]}
UNREAD = "prefix list pl-1, whose addresses were not read"
BY_GROUP = "let through by security group databases (sg-db) "


@pytest.mark.parametrize(
    ("seen", "specs", "words"),
    [
        (
            flow(API, DATABASE, 5432),
            (DENY, ALLOW),
            f"policies let it through: NetworkPolicy/team/p1 egress[0]; {BY_GROUP}ingress[0] from sg-node",
        ),
        (
            flow(API, DATABASE, 5433),
            (DENY,),
            "the policies forbid it (NetworkPolicy/team/p0 no egress rule of it lets this through): they are not enforced, or "
            f"were changed since; {NO_GROUP}",
        ),
        (flow(WEB, DATABASE, 22), (), f"policies let it through: no NetworkPolicy selects shop/web for egress; {NO_GROUP}"),
        (flow(INTERNET, DATABASE, 23), (), f"{BY_GROUP}ingress[1] from 203.0.113.0/24"),
        (flow(INTERNET, DATABASE, 24), (), NO_GROUP),
        (flow(INTERNET, DATABASE, protocol=1), (), NO_GROUP),
        (
            flow(INTERNET, DATABASE, protocol=47),
            (),
            f"{BY_GROUP}ingress[3] from prefix list pl-1, whose addresses were not read",
        ),
        (flow(NODE, INTERNET), (), "let out by security group nodes (sg-node) egress[0] to 0.0.0.0/0"),
        (flow(NODE, INTERNET, 25), (), NOT_OUT),
        (
            flow(API, INTERNET),
            (),
            "policies let it through: no NetworkPolicy selects team/api for egress; let out by security group nodes (sg-node) "
            "egress[0] to 0.0.0.0/0",
        ),
        (flow(NODE, METADATA, 80), (), "no policy or security group that was read is about it"),
        (flow(LOST, INTERNET), (), "no policy or security group that was read is about it"),
    ],
)
def test_what_lets_a_connection_through_is_named(seen: Flow, specs: Sequence[dict[str, Any]], words: str) -> None:
    assert let_through(*specs).words(seen) == words


def test_a_workload_without_a_pod_is_known_by_its_address() -> None:
    assert let_through(DENY, endpoints=()).words(flow(API, WEB)) == "no policy or security group that was read is about it"


def test_connections_with_the_same_way_in_are_one_deviation() -> None:
    seen = (flow(INTERNET, DATABASE, 22), flow(INTERNET, DATABASE, 23), flow(INTERNET, DATABASE, 5432))
    (pair,) = pairs(*seen)
    found = list(flows.declared(pair))
    assert [(each.fields["ports"], each.fields["let_through"], each.fields["connections"]) for each in found] == [
        ("tcp/22-23", f"{BY_GROUP}ingress[1] from 203.0.113.0/24", 2),
        ("tcp/5432", NO_GROUP, 1),
    ]
    assert {str(each.resource) for each in found} == {"AWS::EC2::NetworkInterface/eni-db"}
