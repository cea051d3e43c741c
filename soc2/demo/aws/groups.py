"""Creates the company's security groups and prefix lists, and its Elastic IP addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def create_groups(ec2: Any, company: Mapping[str, Any], vpc: str) -> dict[str, str]:
    """Create prefix lists and security groups, and return the ids of the groups by name. A rule reads
    ``[protocol, from, to, source]``; its source is a network, ``list:NAME`` or ``group:NAME``."""
    lists = {name: _prefix_list(ec2, name, networks) for name, networks in company["prefix_lists"].items()}
    groups: dict[str, str] = {}
    for name in company["security_groups"]:
        groups[name] = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    for name, group in company["security_groups"].items():
        for protocol, first, last, source in group["ingress"]:
            rule = {"IpProtocol": protocol, "FromPort": first, "ToPort": last, **_source(source, lists, groups)}
            ec2.authorize_security_group_ingress(GroupId=groups[name], IpPermissions=[rule])
    return groups


def primary_interface(company: Mapping[str, Any], name: str, subnet: str, groups: Mapping[str, str]) -> dict[str, Any]:
    """Return the interface of an instance: with its group and those that it wears beside it, without a public address."""
    instance = company["instances"][name]
    added = [each for each, group in company["security_groups"].items() if group.get("worn_by") == name]
    return {
        "DeviceIndex": 0,
        "SubnetId": subnet,
        "PrivateIpAddress": instance["address"],
        "Groups": [groups[each] for each in (instance["group"], *added)],
        "AssociatePublicIpAddress": False,
    }


def create_addresses(ec2: Any, addresses: Mapping[str, Any], instances: Mapping[str, str]) -> None:
    """Create Elastic IPs by name: ``address``, and the instance that it is given to (``instance``), if any."""
    for name, wanted in addresses.items():
        tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": name}]}]
        made = ec2.allocate_address(Domain="vpc", Address=wanted["address"], TagSpecifications=tags)
        if "instance" in wanted:
            ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=instances[wanted["instance"]])


def _prefix_list(ec2: Any, name: str, networks: list[str]) -> str:
    made = ec2.create_managed_prefix_list(
        PrefixListName=name,
        AddressFamily="IPv4",
        MaxEntries=20,
        Entries=[{"Cidr": network, "Description": name} for network in networks],
    )
    return str(made["PrefixList"]["PrefixListId"])


def _source(text: str, lists: Mapping[str, str], groups: Mapping[str, str]) -> dict[str, Any]:
    kind, _, name = text.partition(":")
    match kind:
        case "list":
            return {"PrefixListIds": [{"PrefixListId": lists[name]}]}
        case "group":
            return {"UserIdGroupPairs": [{"GroupId": groups[name]}]}
    return {"IpRanges": [{"CidrIp": text}]}
