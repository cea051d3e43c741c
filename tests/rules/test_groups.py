"""Security groups, held against slow and obvious readings of what they let in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.gather.codec import Codec
from soc2.model.aws.chains import GroupDoors, Wearers, group_doors
from soc2.model.aws.compute import EksCluster, Instance, NetworkInterface, SecurityGroup
from soc2.model.aws.eks_endpoints import eks_endpoints
from soc2.model.aws.group_records import OpenGroup, WornTogether, open_groups
from soc2.model.aws.networks import PrefixEntry, PrefixList
from soc2.model.aws.openings import Prefixes, opened_by_group, openings_of, ports_of, world_openings
from soc2.model.kubernetes.cluster import Node
from soc2.model.network.parties import DeclaredConnection, parse_party
from soc2.model.network.ports import EVERY_PORT, PortRange, PortSet
from soc2.model.population import EvidenceGap
from soc2.rules import groups as rules

_CODEC = Codec()
_NOT_OUTSIDE = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"),
            *("224.0.0.0/3", "fc00::/7", "fe80::/10", "ff00::/8"),
        ),
    )
)

# Networks that are made of 4,096 and 65,536 blocks, so that the reference can count them.
FOUR = st.builds(
    lambda block, bits: str(ip_network((block << 20, bits), strict=False)), st.integers(0, 4095), st.integers(1, 12)
)
SIX = st.builds(
    lambda block, bits: str(ip_network((block << 112, bits), strict=False)),
    st.one_of(st.integers(0x2000, 0x2020), st.integers(0, 65535)),
    st.integers(6, 16),
)
NINTHS = st.builds(lambda block: f"{block // 2}.{128 * (block % 2)}.0.0/9", st.integers(0, 40))
PORTS = st.sampled_from([None, -1, 0, 22, 23, 443, 3000, 3306, 5432, 11211, 65535])
RULES = st.fixed_dictionaries(
    {
        "IpProtocol": st.sampled_from(["tcp", "tcp", "6", "udp", "17", "-1", "icmp", "58", "icmpv6", "50", "132"]),
        "FromPort": PORTS,
        "ToPort": PORTS,
        "IpRanges": st.lists(st.one_of(FOUR, NINTHS).map(lambda cidr: {"CidrIp": cidr}), max_size=3),
        "Ipv6Ranges": st.lists(SIX.map(lambda cidr: {"CidrIpv6": cidr}), max_size=2),
        "PrefixListIds": st.lists(st.sampled_from(["pl-aws", "pl-own"]).map(lambda name: {"PrefixListId": name}), max_size=1),
    }
)


def made(kind: type[Any], **raw: Any) -> Any:
    return _CODEC.convert({"SourceAccount": "123456789012", **raw}, kind)


def group(name: str, *permissions: Any, **rest: Any) -> SecurityGroup:
    rule = [{key: value for key, value in each.items() if value is not None} for each in permissions]
    made_group: SecurityGroup = made(SecurityGroup, GroupId=f"sg-{name}", GroupName=name, IpPermissions=rule, **rest)
    return made_group


def interface(name: str, *worn: str, **rest: Any) -> NetworkInterface:
    groups = [{"GroupId": f"sg-{each}"} for each in worn]
    made_interface: NetworkInterface = made(NetworkInterface, NetworkInterfaceId=name, Groups=groups, **rest)
    return made_interface


def tcp(port: int, *cidrs: str, **rest: Any) -> dict[str, Any]:
    ranges = {"IpRanges": [{"CidrIp": each} for each in cidrs]}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **ranges, **rest}


def pairs(*names: str, **rest: Any) -> dict[str, Any]:
    return {"UserIdGroupPairs": [{"GroupId": f"sg-{name}", "UserId": "123456789012", **rest} for name in names]}


def prefixes(*own: str) -> Prefixes:
    lists = [
        made(PrefixList, PrefixListId="pl-aws", PrefixListName="cdn", OwnerId="AWS"),
        made(PrefixList, PrefixListId="pl-own", PrefixListName="own", OwnerId="123456789012"),
    ]
    return Prefixes(lists, [made(PrefixEntry, ParentKey="pl-own", Cidr=each) for each in own])


NO_LISTS = Prefixes([], [])


# One of those between any two ports at which rules begin or end.
ASKED = [("TCP", port) for port in (22, 23, 135, 445, 3306, 3389, 5432, 5439, 11211, 27017)]
ASKED += [("UDP", port) for port in (161, 623, 3389, 11211)]


def slowly(permissions: Iterable[dict[str, Any]], own: list[str]) -> set[tuple[str, int]]:
    """Return the ports of those asked about that are open to the world, by counting blocks."""
    let_in = [(each, _blocks(each, own)) for each in permissions]
    return {port for port in ASKED if _world(set().union(*(blocks for each, blocks in let_in if _covers(each, *port))))}


def _blocks(rule: dict[str, Any], own: list[str]) -> set[tuple[int, int]]:
    cidrs = [each["CidrIp"] for each in rule["IpRanges"]] + [each["CidrIpv6"] for each in rule["Ipv6Ranges"]]
    return set().union(*map(_blocks_of, cidrs + (own if {"PrefixListId": "pl-own"} in rule["PrefixListIds"] else [])))


@cache
def _blocks_of(cidr: str) -> frozenset[tuple[int, int]]:
    network = ip_network(cidr)
    if any(network.subnet_of(each) for each in _NOT_OUTSIDE if each.version == network.version):  # type: ignore[arg-type]
        return frozenset()
    width = 20 if network.version == 4 else 112
    first = int(network.network_address) >> width
    return frozenset((network.version, block) for block in range(first, first + max(network.num_addresses >> width, 1)))


def _covers(rule: dict[str, Any], protocol: str, port: int) -> bool:
    if rule["IpProtocol"] == "-1":
        return True
    if rule["IpProtocol"] not in {"TCP": ("tcp", "6"), "UDP": ("udp", "17")}[protocol]:
        return False
    first, last = rule["FromPort"], rule["ToPort"]
    return (first is None or first <= port) and (last is None or last < 0 or port <= last)


def _world(blocks: set[tuple[int, int]]) -> bool:
    # A /8 of IPv4 is 16 blocks of a /12; a /12 of IPv6 is 16 of a /16.
    return any(sum(version == each for version, _ in blocks) >= 16 for each in (4, 6))


def numbers(ports: PortSet) -> set[tuple[str, int]]:
    return {(each.protocol, number) for each in ports for number in range(each.first, each.last + 1)}


@given(st.lists(RULES, max_size=5), st.lists(FOUR, max_size=3))
def test_the_world_is_told_however_it_is_written(permissions: list[dict[str, Any]], own: list[str]) -> None:
    one = group("one", *permissions)
    found = world_openings(openings_of(one, prefixes(*own)), rules.SENSITIVE)
    told = {number for each in found for number in numbers(each.ports)}
    assert told & set(ASKED) == slowly(permissions, own)
    opened = opened_by_group([one], prefixes(*own))
    worn, unworn = (list(open_groups([one], worn, opened)) for worn in ([interface("eni", "one")], []))
    assert bool(list(rules.admin_ports_closed(worn[0]))) == bool(told)
    assert list(rules.admin_ports_closed(unworn[0])) == []


@settings(max_examples=150)
@given(st.lists(RULES, max_size=3), st.lists(RULES, max_size=3))
def test_groups_are_the_world_together(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    both = [group("a", *first), group("b", *second)]
    opened = opened_by_group(both, prefixes())
    records = list(open_groups(both, [interface("eni-2", "a", "b"), interface("eni-1", "b", "a")], opened))
    told = [each for record in records for each in rules.admin_ports_closed(record) if isinstance(record, WornTogether)]
    together = slowly([*first, *second], []) - slowly(first, []) - slowly(second, [])
    assert bool(told) == bool(together)
    assert {str(each.resource) for each in told} <= {"AWS::EC2::NetworkInterface/eni-1"}


@pytest.mark.parametrize(
    ("raw", "ports"),
    [
        ({"IpProtocol": "-1"}, EVERY_PORT),
        ({"IpProtocol": "tcp"}, PortSet.of([PortRange("TCP", 0, 65535)])),
        ({"IpProtocol": "TCP", "FromPort": -1, "ToPort": -1}, PortSet.of([PortRange("TCP", 0, 65535)])),
        ({"IpProtocol": "17", "FromPort": 53, "ToPort": 53}, PortSet.of([PortRange("UDP", 53, 53)])),
        ({"IpProtocol": "tcp", "FromPort": 9, "ToPort": 8}, PortSet()),
        ({"IpProtocol": "tcp", "FromPort": 70000, "ToPort": 80000}, PortSet()),
        ({"IpProtocol": "icmp", "FromPort": 8, "ToPort": 0}, PortSet()),
        ({"IpProtocol": "icmpv6"}, PortSet()),
        ({"IpProtocol": "50"}, PortSet()),
    ],
)
def test_ports_of_rules(raw: dict[str, Any], ports: PortSet) -> None:
    assert ports_of(group("g", raw).ip_permissions[0]) == ports


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        (tcp(22, "0.0.0.0/0"), ["port tcp/22 is open to 0.0.0.0/0 by ingress[0]"]),
        (tcp(22, "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8"), ["port tcp/22 is open to 0.0.0.0/1, 128.0.0.0/1 by ingress[0]"]),
        (tcp(22, "3.0.0.1/8"), ["port tcp/22 is open to 3.0.0.0/8 by ingress[0]"]),
        (tcp(22, "172.0.0.0/8"), ["port tcp/22 is open to 172.0.0.0/8 by ingress[0]"]),
        (tcp(22, "3.0.0.0/9"), []),
        (tcp(22, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"), []),
        (tcp(443, "0.0.0.0/0"), []),
        ({**tcp(0, "0.0.0.0/0"), "ToPort": 65535}, ["all ports of TCP are open to 0.0.0.0/0 by ingress[0]"]),
        ({"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, ["all ports are open to ::/0 by ingress[0]"]),
        ({**tcp(22), "Ipv6Ranges": [{"CidrIpv6": "2600::/12"}]}, ["port tcp/22 is open to 2600::/12 by ingress[0]"]),
        ({**tcp(22), "Ipv6Ranges": [{"CidrIpv6": "2600::/13"}, {"CidrIpv6": "fd00::/8"}]}, []),
        ({**tcp(5432, "0.0.0.0/0"), "FromPort": 5431}, ["port tcp/5432 is open to 0.0.0.0/0 by ingress[0]"]),
        ({**tcp(2379, "0.0.0.0/0"), "ToPort": 2400}, ["ports tcp/2379-2380 are open to 0.0.0.0/0 by ingress[0]"]),
        ({**tcp(22), "PrefixListIds": [{"PrefixListId": "pl-aws"}]}, []),
        (
            {**tcp(22), "PrefixListIds": [{"PrefixListId": "pl-own"}]},
            ["port tcp/22 is open to prefix list own (pl-own) by ingress[0]"],
        ),
        (
            tcp(22, "3.0.0.0/9", "3.128.0.0/9"),
            ["port tcp/22 is open to 3.0.0.0/9, 3.128.0.0/9 (the world, together) by ingress[0]"],
        ),
    ],
)
def test_what_is_told_of_a_rule(permission: dict[str, Any], words: list[str]) -> None:
    one = group("one", permission)
    record = OpenGroup(one, True, openings_of(one, prefixes("0.0.0.0/0")))
    assert [each.message for each in rules.admin_ports_closed(record)] == words


@pytest.mark.parametrize("cidr", ["", "everywhere", "0.0.0.0/33", "::/129", "300.1.1.1/8"])
def test_what_is_no_network_is_no_evidence(cidr: str) -> None:
    with pytest.raises(EvidenceGap, match=r"one ingress\[0\]"):
        openings_of(group("one", tcp(22, cidr)), NO_LISTS)
    with pytest.raises(EvidenceGap, match="own"):
        prefixes(cidr)
    endpoint = {"endpointPublicAccess": True, "publicAccessCidrs": [cidr]}
    with pytest.raises(EvidenceGap, match="main"):
        list(eks_endpoints([made(EksCluster, name="main", resourcesVpcConfig=endpoint)]))


def test_a_list_that_may_not_be_seen_is_no_evidence() -> None:
    with pytest.raises(EvidenceGap, match="pl-shared, which one names"):
        openings_of(group("one", {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-shared"}]}), prefixes())


@pytest.mark.parametrize(
    ("config", "world"),
    [
        ({"endpointPublicAccess": True}, ("0.0.0.0/0",)),
        ({"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, ("0.0.0.0/1", "128.0.0.0/1")),
        ({"endpointPublicAccess": True, "publicAccessCidrs": ["198.51.100.0/24", "::/0"]}, ("::/0",)),
        ({"endpointPublicAccess": True, "publicAccessCidrs": ["3.0.0.0/9", "3.128.0.0/9"]}, ("3.0.0.0/9", "3.128.0.0/9")),
        ({"endpointPublicAccess": True, "publicAccessCidrs": ["198.51.100.7/32"]}, ()),
        ({"endpointPublicAccess": False, "publicAccessCidrs": ["0.0.0.0/0"]}, ()),
    ],
)
def test_endpoints_of_eks(config: dict[str, Any], world: tuple[str, ...]) -> None:
    assert [each.world for each in eks_endpoints([made(EksCluster, name="main", resourcesVpcConfig=config)])] == [world]


NAMES = ("a", "b", "c", "d", "e")
LINKS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from([22, 443])), max_size=8)
WORN = st.lists(st.lists(st.sampled_from(NAMES), unique=True, max_size=3), max_size=5)


@settings(max_examples=200)
@given(LINKS, st.sets(st.sampled_from(NAMES), max_size=2), WORN)
def test_chains_are_those_of_a_search_without_care(
    links: list[tuple[str, str, int]], opened: set[str], worn: list[list[str]]
) -> None:
    every = {
        name: group(
            name,
            *(tcp(port, **pairs(peer)) for target, peer, port in links if target == name),
            *([tcp(443, "0.0.0.0/0")] if name in opened else []),
        )
        for name in NAMES
    }
    reached = {number for number, names in enumerate(worn) if opened & set(names)}
    for _ in worn:
        held = {name for number in reached for name in worn[number]}
        reached |= {
            number for number, names in enumerate(worn) if any(target in names and peer in held for target, peer, _ in links)
        }
    held = {name for number in reached for name in worn[number]}
    somewhere = {name for names in worn for name in names}
    expected = sorted(
        (target, peer) for target, peer, port in links if port == 22 and target in somewhere and peer in held - {target}
    )
    interfaces = [interface(f"eni-{number}", *names) for number, names in enumerate(worn)]
    records = list(group_doors(list(every.values()), Wearers(interfaces), opened_by_group(every.values(), NO_LISTS), []))
    assert {record.group.group_name for record in records} == somewhere
    found = [each for record in records for each in rules.not_reached_through_groups(record)]
    assert sorted((each.resource.name, each.fields["peer"].removeprefix("group ")) for each in found) == expected
    for each in found:
        steps = each.fields["chain"].split(" -> ")
        assert (steps[0], "from 0.0.0.0/0" in steps[1]) == ("the internet", True)
        assert len(steps) <= 1 + len(worn)


def doors(*declared: DeclaredConnection, **rest: Any) -> list[str]:
    """A node is reached from a machine that is open to the world, by SSH and the kubelet's port."""
    every = [
        group("jump", tcp(8443, "0.0.0.0/0")),
        group("nodes", {**tcp(22, **pairs("jump", **rest)), "ToPort": 10250}),
    ]
    interfaces = [
        interface("eni-j", "jump", PrivateIpAddress="10.0.0.9", Attachment={"InstanceId": "i-jump"}),
        interface("eni-n", "nodes", PrivateIpAddress="10.0.1.1", Attachment={"InstanceId": "i-node"}),
    ]
    node = _CODEC.convert({"metadata": {"name": "n1"}, "spec": {"providerID": "aws:///eu-west-1a/i-node"}}, Node)
    instance = made(Instance, InstanceId="i-jump", Tags=[{"Key": "Name", "Value": "jump-1"}])
    opened = opened_by_group(every, NO_LISTS)
    found = group_doors(every, Wearers(interfaces, [instance], [node]), opened, declared)
    return [each.fields["ports"] for record in found for each in rules.not_reached_through_groups(record)]


def connection(source: str, target: str, *ports: int) -> DeclaredConnection:
    listed = PortSet.of(PortRange("TCP", port, port) for port in ports) if ports else EVERY_PORT
    return DeclaredConnection(parse_party(source), parse_party(target), listed, "")


def test_what_is_declared_between_the_two_is_meant() -> None:
    most = [port for _, port in numbers(rules.SENSITIVE) if port != 22]
    assert doors(connection("aws:jump-*", "nodes", *most)) == ["port tcp/22 is"]
    for source, target in (("aws:jump-*", "nodes"), ("10.0.0.0/24", "10.0.1.1"), ("aws:i-jump", "aws:i-node")):
        assert doors(connection(source, target)) == []
    for source, target in (
        ("internet", "aws:jump-1"),
        ("nodes", "nodes"),
        ("aws:jump-1", "aws:other"),
        ("10.9.0.0/16", "nodes"),
    ):
        assert len(doors(connection(source, target))) == 1


@pytest.mark.parametrize(("status", "count"), [("active", 1), ("", 1), ("deleted", 0), ("expired", 0)])
def test_peerings_that_are_gone_let_nobody_in(status: str, count: int) -> None:
    assert len(doors(PeeringStatus=status, VpcPeeringConnectionId="pcx-1")) == count


def test_groups_that_are_not_of_the_account_are_told_apart() -> None:
    pair = {"GroupId": "sg-x", "UserId": "210987654321", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"}
    one = group("db", tcp(5432, UserIdGroupPairs=[pair]), tcp(443, UserIdGroupPairs=[pair]))
    (record,) = group_doors([one], Wearers([interface("eni", "db")]), opened_by_group([one], NO_LISTS), [])
    assert [each.message for each in rules.not_reached_through_groups(record)] == [
        "port tcp/5432 is open by ingress[0] to group sg-x of account 210987654321 over pcx-1; who wears it, and who reaches "
        "them, is not seen from here"
    ]


def test_a_chain_is_told_step_by_step() -> None:
    every = [
        group("web", tcp(443, "0.0.0.0/0")),
        group("app", tcp(8080, **pairs("web")), tcp(9000, **pairs("db"))),
        group("db", tcp(5432, **pairs("app"))),
        group("unworn", tcp(22, **pairs("db"))),
    ]
    interfaces = [interface(f"eni-{each}", each) for each in ("web", "app", "db")]
    records: list[GroupDoors] = list(group_doors(every, Wearers(interfaces), opened_by_group(every, NO_LISTS), []))
    assert [each.message for record in records for each in rules.not_reached_through_groups(record)] == [
        "port tcp/5432 is open by ingress[0] to group app, whose wearers the world reaches: the internet -> eni-web by web "
        "ingress[0] (tcp/443 from 0.0.0.0/0) -> eni-app by app ingress[0] (tcp/8080)"
    ]


@pytest.mark.parametrize(
    ("plane", "count"),
    [
        ({"RequesterId": "AROAEXAMPLE:AmazonEKS", "Description": "Amazon EKS main"}, 0),
        ({"RequesterId": "AROAEXAMPLE:AmazonEKS", "Attachment": {"InstanceId": "i-1"}}, 1),
        ({"RequesterId": "AROAEXAMPLE:somebody", "Description": "Amazon EKS main"}, 1),
    ],
)
def test_the_control_plane_of_eks_is_no_step(plane: dict[str, Any], count: int) -> None:
    every = [
        group("balancer", tcp(443, "0.0.0.0/0")),
        group("nodes", tcp(30443, **pairs("balancer")), tcp(10250, **pairs("plane"))),
        group("plane", tcp(443, **pairs("nodes"))),
    ]
    interfaces = [interface("eni-b", "balancer"), interface("eni-n", "nodes"), interface("eni-p", "plane", **plane)]
    records = group_doors(every, Wearers(interfaces), opened_by_group(every, NO_LISTS), [])
    assert len([each for record in records for each in rules.not_reached_through_groups(record)]) == count


def test_interfaces_that_wear_groups_nobody_listed() -> None:
    """An interface may be of a group that was made after the groups were listed."""
    one = group("a", tcp(22, "0.0.0.0/0"))
    opened = opened_by_group([one], NO_LISTS)
    interfaces = [interface("eni-1", "a", "new"), interface("eni-2", "new"), interface("eni-3")]
    assert [each.resource.name for each in open_groups([one], interfaces, opened)] == ["a"]
    assert [each.resource.name for each in group_doors([one], Wearers(interfaces), opened, [])] == ["a"]
