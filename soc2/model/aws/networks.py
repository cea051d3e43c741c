"""Prefix lists, Elastic IP addresses and route tables: what security groups and interfaces lean on."""

from __future__ import annotations

import msgspec
from msgspec import field

from soc2.model.aws.base import PascalRecord, Tag


class PrefixList(PascalRecord, frozen=True):
    """A named list of networks. ``owner_id`` is an account, or ``AWS`` for the addresses of a service of AWS."""

    prefix_list_id: str = ""
    prefix_list_name: str = ""
    owner_id: str = ""

    @property
    def of_a_service(self) -> bool:
        return self.owner_id.upper() == "AWS"


class PrefixEntry(PascalRecord, frozen=True):
    """A network of the prefix list ``parent_key``."""

    cidr: str = ""


class ElasticIp(PascalRecord, frozen=True):
    """A public address that the account keeps. ``service_managed`` names the service that has it: ``alb``, ``nlb``, ``rnat``
    (a NAT gateway), ``rds``."""

    public_ip: str = ""
    allocation_id: str = ""
    association_id: str = ""
    network_interface_id: str = ""
    instance_id: str = ""
    service_managed: str = ""
    tags: tuple[Tag, ...] = ()


class RouteAssociation(msgspec.Struct, frozen=True, rename="pascal"):
    main: bool = False
    subnet_id: str = ""


class Route(msgspec.Struct, frozen=True, rename="pascal"):
    destination_ipv6: str = field(default="", name="DestinationIpv6CidrBlock")
    destination_list: str = field(default="", name="DestinationPrefixListId")
    gateway_id: str = ""
    state: str = "active"


class RouteTable(PascalRecord, frozen=True):
    """The routes of subnets; of those without a table of their own, the main one of the VPC holds."""

    route_table_id: str = ""
    vpc_id: str = ""
    associations: tuple[RouteAssociation, ...] = ()
    routes: tuple[Route, ...] = ()
