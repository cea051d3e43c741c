"""Rules on security groups: which ports nobody outside may reach, however that is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.aws.chains import GroupDoors
from soc2.model.aws.group_records import OpenGroup, WornTogether
from soc2.model.aws.openings import Opening, WorldOpening, world_openings
from soc2.model.deviation import Deviation
from soc2.model.network.ports import HIGHEST, PortRange, PortSet
from soc2.model.network.zones import shown

# Remote administration (SSH, Telnet, RPC, SMB, Docker, RDP, VNC, WinRM, etcd, the API server, the kubelet) and the databases
# that the big clouds run (IANA service names; for what is not registered, the defaults of the products).
_ADMINISTRATION = (22, 23, 135, 445, 2375, 2376, 2379, 2380, 3389, 5900, 5985, 5986, 6443, 10250, 10255)
_DATABASES = (1433, 1434, 1521, 3306, 5432, 5439, 5984, 6379, 8182, 9042, 9200, 9300, 11211, 27017, 27018, 27019)
# SNMP, IPMI, the browser of SQL Server, Remote Desktop and memcached answer by UDP too.
_BY_UDP = (161, 623, 1434, 3389, 11211)
SENSITIVE = PortSet.of(
    [
        *(PortRange("TCP", port, port) for port in (*_ADMINISTRATION, *_DATABASES)),
        *(PortRange("UDP", port, port) for port in _BY_UDP),
    ]
)
"""Ports for administration and of databases."""
_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class PortOpen(Deviation):
    template: ClassVar[str] = "{ports} open to {source} by {rule}"
    ports: str
    source: str
    rule: str


@dataclass(frozen=True, kw_only=True)
class PortWouldBeOpen(Deviation):
    template: ClassVar[str] = "no interface wears it; on the first that does {ports} open to {source} by {rule}"
    ports: str
    source: str
    rule: str


@dataclass(frozen=True, kw_only=True)
class PortOpenTogether(Deviation):
    """Groups of which none is open to the world are so together, on the interfaces that wear them."""

    template: ClassVar[str] = "{ports} open to {source} by {rule}, which it wears together{others}"
    ports: str
    source: str
    rule: str
    others: str


@dataclass(frozen=True, kw_only=True)
class ReachedThroughGroups(Deviation):
    template: ClassVar[str] = "{ports} open by {rule} to {peer}, whose wearers the world reaches: {chain}"
    ports: str
    peer: str
    rule: str
    chain: str


@dataclass(frozen=True, kw_only=True)
class OpenToForeignGroup(Deviation):
    template: ClassVar[str] = "{ports} open by {rule} to {peer}; who wears it, and who reaches them, is not seen from here"
    ports: str
    peer: str
    rule: str


def admin_ports_closed(record: OpenGroup | WornTogether) -> Iterator[Deviation]:
    """No attached security group opens administration or database ports to the world, and no groups do so together."""
    if isinstance(record, OpenGroup):
        for ports, source, openings in _told(world_openings(record.openings, SENSITIVE)) if record.attached else ():
            rule = shown([opening.place for opening in openings], _SHOWN)
            yield PortOpen(resource=record.resource, ports=ports, source=source, rule=rule)
        return
    alone = PortSet.of(port for group in record.openings for found in world_openings(group, SENSITIVE) for port in found.ports)
    others = f" (as {record.others:,} more do)" if record.others else ""
    everything = [opening for group in record.openings for opening in group]
    for ports, source, openings in _told(world_openings(everything, SENSITIVE - alone)):
        rule = shown([opening.words for opening in openings], _SHOWN)
        yield PortOpenTogether(resource=record.resource, ports=ports, source=source, rule=rule, others=others)


def opens_nothing_unused(record: OpenGroup) -> Iterator[Deviation]:
    """No security group that waits for an interface opens administration or database ports to the world."""
    for ports, source, openings in _told(world_openings(record.openings, SENSITIVE)):
        rule = shown([opening.place for opening in openings], _SHOWN)
        yield PortWouldBeOpen(resource=record.resource, ports=ports, source=source, rule=rule)


def _told(found: Iterable[WorldOpening]) -> Iterator[tuple[str, str, list[Opening]]]:
    """Yield ports, their sources and an opening of each rule; once for the same ports, however many sources are the world."""
    alike: dict[tuple[str, bool], list[Opening]] = {}
    for each in found:
        alike.setdefault((_ports(each), len(each.openings) > 1), []).extend(each.openings)
    for (ports, together), openings in alike.items():
        sources = shown(list(dict.fromkeys(opening.source for opening in openings)), _SHOWN)
        rules = {(opening.group.group_id, opening.place): opening for opening in openings}
        yield ports, f"{sources} (the world, together)" if together else sources, list(rules.values())


def port_words(ports: PortSet) -> str:
    """Return ports as the subject of a sentence that has no verb: ``port tcp/22``, ``ports tcp/22, tcp/3389``."""
    words = shown(list(map(str, ports)), _SHOWN)
    few = len(ports.ranges) == 1 and ports.ranges[0].first == ports.ranges[0].last
    return f"port {words} is" if few else f"ports {words} are"


def _ports(found: WorldOpening) -> str:
    """Where rules open all of a protocol, say so, and not which of its ports are those that count."""
    whole = [protocol for protocol in ("TCP", "UDP") if all(_whole(opening.ports, protocol) for opening in found.openings)]
    if len(whole) > 1:
        return "all ports are"
    if whole and all(each.protocol == whole[0] for each in found.ports):
        return f"all ports of {whole[0]} are"
    return port_words(found.ports)


def _whole(ports: PortSet, protocol: str) -> bool:
    return PortRange(protocol, 0, HIGHEST) in ports.ranges


def not_reached_through_groups(record: GroupDoors) -> Iterator[Deviation]:
    """No group lets wearers of another one, whom the world reaches, to administration or database ports undeclared, nor those
    of a group that is not of the account."""
    for door in record.doors:
        ports = door.ports & SENSITIVE
        if door.foreign and ports:
            yield OpenToForeignGroup(resource=record.resource, ports=port_words(ports), peer=door.peer, rule=door.place)
        elif door.chain and (left := _undeclared(ports, door.declared)):
            chain = " -> ".join(("the internet", *door.chain))
            yield ReachedThroughGroups(
                resource=record.resource, ports=port_words(left), peer=door.peer, rule=door.place, chain=chain
            )


def _undeclared(ports: PortSet, declared: Iterable[PortSet]) -> PortSet:
    return PortSet.of(port for covered in declared for port in ports - covered)
