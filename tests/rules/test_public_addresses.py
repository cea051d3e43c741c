"""Public addresses of nodes and of the account, with odd input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from soc2.errors import UsageError
from soc2.gather.codec import Codec
from soc2.model.aws.compute import Instance, NetworkInterface, SecurityGroup
from soc2.model.aws.networks import ElasticIp, RouteTable
from soc2.model.aws.node_addresses import node_addresses
from soc2.model.aws.openings import Prefixes, opened_by_group
from soc2.model.aws.public_addresses import PublicAddress, Routes, Use, mistaken_network, public_addresses
from soc2.model.kubernetes.cluster import Node
from soc2.model.population import EvidenceGap
from soc2.rules.public_addresses import address_approved, node_not_public
from soc2.system import load_system

_CODEC = Codec()
NO_ROUTES = Routes([])
SIX = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}]}


def made(kind: type[Any], **raw: Any) -> Any:
    return _CODEC.convert(raw, kind)


def public(name: str, address: str, **rest: Any) -> NetworkInterface:
    interface: NetworkInterface = made(
        NetworkInterface, NetworkInterfaceId=name, Association={"PublicIp": address} if address else {}, **rest
    )
    return interface


def table(*routes: dict[str, str], main: bool = False) -> RouteTable:
    association = {"Main": True} if main else {"SubnetId": "subnet-1"}
    found: RouteTable = made(RouteTable, VpcId="vpc-1", Associations=[association], Routes=list(routes))
    return found


def found(
    *interfaces: NetworkInterface, elastic: tuple[ElasticIp, ...] = (), routes: Routes = NO_ROUTES
) -> list[PublicAddress]:
    return list(public_addresses(elastic, interfaces, [], routes, {}))


TO_INTERNET = {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"}
OUT_ONLY = {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"}


@pytest.mark.parametrize(
    ("tables", "leads"),
    [
        ([], None),
        ([table(TO_INTERNET)], True),
        ([table(OUT_ONLY)], False),
        ([table({**TO_INTERNET, "State": "blackhole"})], False),
        ([table({"DestinationPrefixListId": "pl-1", "GatewayId": "igw-1"})], True),
        ([table({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"})], False),
        ([table({"DestinationIpv6CidrBlock": "::/0", "GatewayId": "vgw-1"})], False),
        ([table(TO_INTERNET, main=True)], True),
        ([table(OUT_ONLY), table(TO_INTERNET, main=True)], False),
        ([table(TO_INTERNET, main=True), table(OUT_ONLY)], False),
        ([made(RouteTable, VpcId="vpc-2", Associations=[{"Main": True}], Routes=[TO_INTERNET])], None),
    ],
)
def test_ipv6_is_public_by_its_routes(tables: list[RouteTable], leads: bool | None) -> None:
    interface = made(NetworkInterface, NetworkInterfaceId="eni-1", **SIX)
    routes = Routes(tables)
    assert routes.leads_outside(interface) is leads
    # What nobody knows is told, not passed over.
    assert [address for address, _ in routes.addresses_of(interface)] == ([] if leads is False else ["2001:db8::1"])


@pytest.mark.parametrize("address", ["fd00::1", "fe80::1", "::1", "", "no address"])
def test_addresses_of_ipv6_that_are_not_of_the_internet(address: str) -> None:
    interface = made(NetworkInterface, NetworkInterfaceId="eni-1", Ipv6Addresses=[{"Ipv6Address": address}])
    assert list(Routes([table(TO_INTERNET)]).addresses_of(interface)) == []


@pytest.mark.parametrize(
    ("rest", "use"),
    [
        ({}, Use.INTERFACE),
        ({"InterfaceType": "nat_gateway"}, Use.EGRESS),
        ({"InterfaceType": "natGateway"}, Use.EGRESS),
        ({"InterfaceType": "network_load_balancer"}, Use.BALANCER),
        ({"Description": "ELB app/web/0123", "RequesterManaged": True}, Use.BALANCER),
        ({"Description": "ELB app/web/0123"}, Use.INTERFACE),
        ({"Description": "Interface for NAT Gateway nat-1"}, Use.INTERFACE),
        ({"Description": "RDSNetworkInterface", "RequesterManaged": True}, Use.INTERFACE),
    ],
)
def test_what_an_address_is_for(rest: dict[str, Any], use: Use) -> None:
    (record,) = found(public("eni-1", "203.0.113.1", **rest))
    assert (record.use, record.exposed) == (use, use is Use.INTERFACE)


def test_every_address_is_told_once() -> None:
    elastic = (
        made(ElasticIp, PublicIp="203.0.113.1", AllocationId="eipalloc-1", AssociationId="a", NetworkInterfaceId="eni-1"),
        made(ElasticIp, PublicIp="203.0.113.2", InstanceId="i-classic"),
        made(ElasticIp, PublicIp="203.0.113.3", AssociationId="a", ServiceManaged="alb"),
        made(ElasticIp, PublicIp="203.0.113.4"),
        made(ElasticIp),
    )
    secondary = {"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1", "Association": {"PublicIp": "203.0.113.1"}}]}
    records = found(public("eni-1", "203.0.113.1", **secondary), public("eni-2", ""), elastic=elastic)
    assert [(record.address, record.use, record.names) for record in records] == [
        ("203.0.113.1", Use.INTERFACE, ("203.0.113.1", "eipalloc-1", "eni-1")),
        ("203.0.113.2", Use.INTERFACE, ("203.0.113.2", "i-classic")),
        ("203.0.113.3", Use.BALANCER, ("203.0.113.3",)),
        ("203.0.113.4", Use.IDLE, ("203.0.113.4",)),
    ]


def test_what_comes_in_is_told() -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}
    inner = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    group = made(SecurityGroup, GroupId="sg-1", GroupName="one", IpPermissions=[rule, inner])
    opened = opened_by_group([group], Prefixes([], []))
    interfaces = [
        public("eni-1", "198.51.100.1", Groups=[{"GroupId": "sg-1"}], Attachment={"InstanceId": "i-1"}),
        public("eni-2", "198.51.100.2"),
    ]
    instances = [made(Instance, InstanceId="i-1", Tags=[{"Key": "Name", "Value": "web"}])]
    records = public_addresses([], interfaces, instances, NO_ROUTES, opened)
    assert [each.message for record in records for each in address_approved([])(record)] == [
        "the address is on no list of approved exposure; it belongs to eni-1 (i-1, web, public IPv4 address): its groups let "
        "in tcp/443 from outside",
        "the address is on no list of approved exposure; it belongs to eni-2 (public IPv4 address): its groups let in nothing "
        "from outside",
    ]


@pytest.mark.parametrize(
    ("entry", "approved"),
    [
        ("203.0.113.1", True),
        ("203.0.113.0/24", True),
        ("0.0.0.0/0", True),
        ("203.0.113.*", True),
        ("eni-1", True),
        ("eipalloc-?", True),
        ("vpn*", True),
        ("203.0.113.10", False),
        ("203.0.112.0/24", False),
        ("2001:db8::/32", False),
        ("vpn", False),
        ("VPN-1", False),
        ("", False),
    ],
)
def test_what_an_entry_approves(entry: str, approved: bool) -> None:
    tags = [{"Key": "Name", "Value": "vpn-1"}]
    own = made(ElasticIp, PublicIp="203.0.113.1", AllocationId="eipalloc-1", Tags=tags)
    (record,) = found(public("eni-1", "203.0.113.1"), elastic=(own,))
    assert record.approved_by(entry) is approved
    assert bool(list(address_approved([entry])(record))) is not approved


@pytest.mark.parametrize(
    "entry", ["203.0.113.1", "203.0.113.0/24", "2001:db8::/32", "203.0.113.*", "vpn.example", "1st", "a-b:c", ""]
)
def test_entries_that_can_be_meant(entry: str) -> None:
    assert mistaken_network(entry) == ""


@pytest.mark.parametrize(
    "entry", ["203.0.113.256", "203.0.113.1/24", "203.0.113.0/33", "203.0.113", "2001:db8::1/32", "2001:db8:::1"]
)
def test_slips_in_entries_are_told_with_their_line(entry: str, tmp_path: Path) -> None:
    file = tmp_path / "system.toml"
    file.write_text(f'[system]\nname = "n"\nowner = "o"\n[exposure]\npublic_addresses = ["vpn", "{entry}"]\n')
    with pytest.raises(UsageError, match="no address, no network") as told:
        load_system(file)
    assert told.value.line == 5


def node(name: str, provider: str = "", *addresses: str, ready: bool = True) -> Node:
    listed = [dict(zip(("type", "address"), each.split("=", 1), strict=True)) for each in addresses]
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    raw = {
        "metadata": {"name": name},
        "spec": {"providerID": provider},
        "status": {"addresses": listed, "conditions": conditions},
    }
    found_node: Node = _CODEC.convert(raw, Node)
    return found_node


def told(nodes: list[Node], instances: list[Instance], *interfaces: NetworkInterface, cloud: bool = True) -> list[str]:
    records = node_addresses(nodes, instances, interfaces, Routes([table(OUT_ONLY)]), cloud=cloud)
    return [f"{each.resource}: {each.fields['address']}" for record in records for each in node_not_public(record)]


def test_nodes_without_a_cloud() -> None:
    nodes = [
        node("a", "", "ExternalIP=203.0.113.1", "InternalIP=10.0.0.1", "Hostname=a"),
        node("b", "aws:///eu-west-1a/i-1", "ExternalIP=10.0.0.2", "InternalDNS=b.internal"),
        node("c", "kind://docker/c", "InternalIP=203.0.113.3", "ExternalIP=", "ExternalIP=x"),
    ]
    assert told(nodes, [], cloud=False) == ["Node/a: 203.0.113.1", "Node/c: 203.0.113.3"]


def test_a_node_without_its_instance_is_no_evidence() -> None:
    with pytest.raises(EvidenceGap, match="node a is i-1"):
        told([node("a", "aws:///eu-west-1a/i-1")], [])
    for other in (
        node("a", "aws:///eu-west-1a/i-1", ready=False),
        node("a", "aws:///eu-west-1a/1234/fargate-ip-10-0-0-1.internal"),
        node("a", "gce://project/zone/i-1"),
    ):
        assert told([other], []) == []


def test_addresses_of_instances_that_are_nodes() -> None:
    running = {"State": {"Name": "running"}}
    tagged = {"Tags": [{"Key": "kubernetes.io/cluster/main", "Value": "owned"}]}
    instances = [
        made(Instance, InstanceId="i-1", **running, **tagged),
        made(Instance, InstanceId="i-2", PublicIpAddress="203.0.113.2", **running, **tagged),
        made(Instance, InstanceId="i-3", PublicIpAddress="203.0.113.3", **running),
        made(Instance, InstanceId="i-4", PublicIpAddress="203.0.113.4", State={"Name": "terminated"}, **tagged),
        made(Instance, InstanceId="i-5", PublicIpAddress="203.0.113.5", State={"Name": "stopped"}, **tagged),
    ]
    interfaces = [
        public("eni-1", "203.0.113.1", Attachment={"InstanceId": "i-1"}, **SIX),
        public("eni-1b", "203.0.113.11", Attachment={"InstanceId": "i-1"}),
        public("eni-9", "203.0.113.9"),
    ]
    # The IPv6 address is the interface's, whose routes only lead out.
    nodes = [node("a", "aws:///eu-west-1a/i-1", "ExternalIP=203.0.113.1", "InternalIP=2001:db8::1")]
    assert told(nodes, instances, *interfaces) == [
        "Node/a: 203.0.113.1",
        "Node/a: 203.0.113.11",
        "AWS::EC2::Instance/i-2: 203.0.113.2",
        "AWS::EC2::Instance/i-5: 203.0.113.5",
    ]
