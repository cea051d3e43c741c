"""Public addresses of the account: whose they are, what they are for, and what reaches them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from ipaddress import ip_network

from soc2.model.aws.base import aws_resource, tag
from soc2.model.aws.compute import Instance, NetworkInterface
from soc2.model.aws.networks import ElasticIp, RouteTable
from soc2.model.aws.openings import Opening
from soc2.model.deviation import Resource
from soc2.model.kubernetes.approvals import Approval, nearest
from soc2.model.network.addresses import AddressSet, number_of
from soc2.model.network.ports import NO_PORT
from soc2.model.network.zones import INTERNET

# No wildcard is in it, so that it names one address or network.
_ADDRESS = re.compile(r"\d[\d.]*\.[\d./]*|[\da-fA-F]*:[\da-fA-F:.]*(/\d*)?")
_NAT = ("nat_gateway", "natGateway")
_BALANCERS = ("load_balancer", "network_load_balancer", "gateway_load_balancer")


class Use(StrEnum):
    """What a public address is for. Through a NAT gateway nothing comes in, and load balancers have a list of their own."""

    INTERFACE = "interface"
    IDLE = "idle"
    EGRESS = "NAT gateway"
    BALANCER = "load balancer"


@dataclass(frozen=True)
class PublicAddress:
    """An address of the internet that leads into the account, or that nothing has (``IDLE``).

    ``names`` are those by which it may be approved: its own, and those of what has it. ``reach`` says what comes in.
    """

    address: str
    use: Use
    holder: str
    names: tuple[str, ...]
    reach: str = ""

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::PublicAddress", self.address)

    @property
    def exposed(self) -> bool:
        return self.use in (Use.INTERFACE, Use.IDLE)

    def approved_by(self, entry: str) -> bool:
        """Tell whether an entry of the list means it: the address, a network that it is in, or a pattern of a name."""
        try:
            network = ip_network(entry)
        except ValueError:
            return any(fnmatchcase(name, entry) for name in self.names)
        number = number_of(self.address)
        return number is not None and number in AddressSet.of(network)


class Routes:
    """Whether subnets lead to an internet gateway by IPv6: what has such an address is reached by it only then."""

    def __init__(self, tables: Iterable[RouteTable]) -> None:
        self._of_subnet: dict[str, RouteTable] = {}
        self._main: dict[str, RouteTable] = {}
        for table in tables:
            for association in table.associations:
                if association.subnet_id:
                    self._of_subnet[association.subnet_id] = table
                elif association.main:
                    self._main[table.vpc_id] = table

    def leads_outside(self, interface: NetworkInterface) -> bool | None:
        """Return None when no table is known for the subnet."""
        table = self._of_subnet.get(interface.subnet_id) or self._main.get(interface.vpc_id)
        if table is None:
            return None
        return any(
            route.gateway_id.startswith("igw-")
            and route.state != "blackhole"
            and bool(route.destination_ipv6 or route.destination_list)
            for route in table.routes
        )

    def addresses_of(self, interface: NetworkInterface) -> Iterator[tuple[str, str]]:
        """Yield the public addresses of an interface, with how each is public."""
        for address in interface.public_addresses:
            yield address, "public IPv4 address"
        leads = self.leads_outside(interface)
        if leads is False:
            return
        why = "its subnet leads to an internet gateway" if leads else "the routes of its subnet are not known"
        for each in interface.ipv6_addresses:
            if is_public(each.address):
                yield each.address, f"IPv6 address, {why}"


def mistaken_network(entry: str) -> str:
    """Return what is wrong with an entry of the approved list that begins as an address or a network does and is none, or the
    empty string."""
    if not _ADDRESS.fullmatch(entry):
        return ""
    try:
        ip_network(entry)
    except ValueError as error:
        return f"{entry!r} is no address, no network and no name: {error}"
    return ""


def is_public(address: str) -> bool:
    """Tell whether an address is one of the internet."""
    number = number_of(address)
    return number is not None and number in INTERNET


def public_addresses(
    elastic: Sequence[ElasticIp],
    interfaces: Iterable[NetworkInterface],
    instances: Iterable[Instance],
    routes: Routes,
    opened: Mapping[str, tuple[Opening, ...]],
) -> Iterator[PublicAddress]:
    """Return every public address of the account once: those of interfaces, and Elastic IPs that no interface has."""
    names = {each.instance_id: tag(each.tags, "Name") or "" for each in instances}
    kept = {each.public_ip: each for each in elastic}
    seen = set()
    for interface in interfaces:
        holder = _given(
            interface.network_interface_id,
            tag(interface.tags, "Name"),
            interface.description if interface.requester_managed else None,
            interface.instance_id,
            names.get(interface.instance_id),
        )
        for address, how in routes.addresses_of(interface):
            if address in seen:
                continue
            seen.add(address)
            own = kept.get(address)
            found = PublicAddress(address, _use(interface, own), _holder(holder, how), _names(address, own, holder))
            yield replace(found, reach=_reach(interface, opened)) if found.exposed else found
    for address, own in kept.items():
        if address and address not in seen:
            yield _without_interface(address, own, names)


def address_approvals(approved: Iterable[str], records: Iterable[PublicAddress]) -> Iterator[Approval]:
    """Hold each entry of the approved list against the addresses that are there. One that means a load balancer's is not
    stale; one that means nothing but that of a NAT gateway is, for nothing is reached by it."""
    there = tuple(records)
    # Another address is no slip of the pen.
    names = [name for record in there if record.exposed for name in record.names if name != record.address]
    for entry in dict.fromkeys(approved):
        meant = [record for record in there if record.approved_by(entry)]
        live = any(record.use is not Use.EGRESS for record in meant)
        yield Approval(
            Resource("ApprovedExposure", f"public_addresses/{entry}"),
            live,
            "" if live or not meant else f"{meant[0].address} of a {meant[0].use}",
            "" if live else nearest(entry, names),
        )


def _without_interface(address: str, own: ElasticIp, names: Mapping[str, str]) -> PublicAddress:
    held = _given(own.network_interface_id, own.instance_id, names.get(own.instance_id))
    use = _managed(own) or (Use.INTERFACE if held or own.association_id else Use.IDLE)
    holder = ", ".join(held) or ("nobody" if use is Use.IDLE else own.association_id)
    reach = "whatever gets it is reached by it" if use is Use.IDLE else "what its groups let in is not known"
    return PublicAddress(address, use, holder, _names(address, own, held), reach)


def _names(address: str, own: ElasticIp | None, holder: tuple[str, ...]) -> tuple[str, ...]:
    return _given(address, *((own.allocation_id, tag(own.tags, "Name")) if own else ()), *holder)


def _given(*names: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _holder(names: tuple[str, ...], how: str) -> str:
    return f"{names[0]} ({', '.join((*names[1:], how))})"


def _managed(own: ElasticIp | None) -> Use | None:
    return {"alb": Use.BALANCER, "nlb": Use.BALANCER, "rnat": Use.EGRESS}.get(own.service_managed) if own else None


def _use(interface: NetworkInterface, own: ElasticIp | None) -> Use:
    """A description is its owner's to write: it tells what an interface is for only where a service manages that."""
    description = interface.description if interface.requester_managed else ""
    if interface.interface_type in _NAT or description.startswith("Interface for NAT Gateway"):
        return Use.EGRESS
    if interface.interface_type in _BALANCERS or description.startswith("ELB "):
        return Use.BALANCER
    return _managed(own) or Use.INTERFACE


def _reach(interface: NetworkInterface, opened: Mapping[str, tuple[Opening, ...]]) -> str:
    ports = NO_PORT
    for each in interface.groups:
        for opening in opened.get(each.group_id, ()):
            ports |= opening.ports
    return f"its groups let in {ports.words} from outside" if ports else "its groups let in nothing from outside"
