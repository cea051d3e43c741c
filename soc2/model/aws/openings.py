"""What security groups let in from outside, and when that is the world, however it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import ip_network
from itertools import pairwise
from typing import NamedTuple

from soc2.model.aws.compute import IpPermission, SecurityGroup
from soc2.model.aws.networks import PrefixEntry, PrefixList
from soc2.model.network.addresses import NO_ADDRESS, SIX, AddressSet
from soc2.model.network.endpoints import Network
from soc2.model.network.ports import EVERY_PORT, HIGHEST, NO_PORT, PortRange, PortSet
from soc2.model.network.zones import EVERYWHERE, INTERNET
from soc2.model.population import Cause, EvidenceGap, Problem

WORLD_IPV4 = 1 << 24
"""From how many IPv4 addresses on a source is the world: a /8, the block that IANA gives to a regional registry (IANA IPv4
Address Space Registry). No network of one owner is larger, but for a few that have one of these themselves."""
WORLD_IPV6 = 1 << 116
"""The same of IPv6: a /12 (ICANN, "Global Policy for Allocation of IPv6 Address Space": the unit is a /12)."""
_NUMBERS = {"6": "TCP", "17": "UDP", "132": "SCTP"}
_FAMILIES = tuple(AddressSet.of(block.network) for block in EVERYWHERE)
_LEAST = (WORLD_IPV4, WORLD_IPV6)


@dataclass(frozen=True, eq=False)
class Opening:
    """Ports that one source may reach by one rule of a group: a range that leads outside, or a prefix list.

    ``networks`` are the networks of the source that have addresses of the internet, none for a list of AWS's own services.
    """

    group: SecurityGroup
    place: str
    ports: PortSet
    source: str
    networks: AddressSet

    @property
    def words(self) -> str:
        return f"{self.group.group_name} {self.place}"

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """Return how many addresses of IPv4 and of IPv6 the source has."""
        return sizes_of(self.networks)


class WorldOpening(NamedTuple):
    """Ports that the world may reach, by one source or by several that are the world only together."""

    ports: PortSet
    openings: tuple[Opening, ...]


class Prefixes:
    """The networks of prefix lists, by their ids."""

    def __init__(self, lists: Iterable[PrefixList], entries: Iterable[PrefixEntry]) -> None:
        self._lists = {each.prefix_list_id: each for each in lists}
        self._networks: dict[str, list[Network]] = {}
        for entry in entries:
            where = f"prefix list {entry.parent_key}"
            self._networks.setdefault(entry.parent_key, []).append(network_in(entry.cidr, where))
        self._sets: dict[str, AddressSet] = {}

    def source(self, name: str, group: SecurityGroup) -> tuple[str, AddressSet]:
        """Return a list as reports show it, and its networks outside. Raises EvidenceGap when it was not listed."""
        found = self._lists.get(name)
        if found is None:
            what = f"{name}, which {group.group_name} names, is not among the lists that may be seen"
            raise EvidenceGap("prefix lists", Problem(Cause.ABSENT, what))
        if found.of_a_service:
            return f"prefix list {found.prefix_list_name} of AWS", NO_ADDRESS
        if name not in self._sets:
            self._sets[name] = outside(self._networks.get(name, ()))
        return f"prefix list {found.prefix_list_name} ({name})", self._sets[name]


def ports_of(permission: IpPermission) -> PortSet:
    """Return the ports that a rule is about; none for ICMP and for other protocols without ports."""
    name = permission.ip_protocol.lower()
    if name in ("-1", "all", ""):
        return EVERY_PORT
    protocol = _NUMBERS.get(name, name.upper())
    return _ports(protocol, permission.from_port, permission.to_port) if protocol in _NUMBERS.values() else NO_PORT


@lru_cache(4096)
def _ports(protocol: str, first: int | None, last: int | None) -> PortSet:
    lowest = 0 if first is None else max(first, 0)
    highest = HIGHEST if last is None or last < 0 else min(last, HIGHEST)
    return PortSet.of([PortRange(protocol, lowest, highest)]) if lowest <= highest else NO_PORT


def network_in(cidr: str, where: str) -> Network:
    """Return the network of a CIDR. Raises EvidenceGap that says where it stands when it is none."""
    try:
        return _network(cidr)
    except ValueError:
        problem = Problem(Cause.MALFORMED, f"{where}: {cidr!r} is no network")
        raise EvidenceGap("networks that are let in", problem) from None


@lru_cache(16384)
def _network(cidr: str) -> Network:
    return ip_network(cidr, strict=False)


def outside(networks: Iterable[Network]) -> AddressSet:
    """Return the networks that have addresses of the internet, whole: those of private addresses are left out."""
    return _union(map(_outside, networks))


@lru_cache(16384)
def _outside(network: Network) -> AddressSet:
    whole = AddressSet.of(network)
    return whole if whole & INTERNET else NO_ADDRESS


def is_world(networks: AddressSet) -> bool:
    """Tell whether networks are too many addresses to be somebody's: of either family, by WORLD_IPV4 or WORLD_IPV6."""
    return any(size >= least for size, least in zip(sizes_of(networks), _LEAST, strict=True))


def sizes_of(networks: AddressSet) -> tuple[int, int]:
    """Return how many addresses of IPv4 and of IPv6 networks have."""
    four = sum(min(end, SIX) - first for first, end in networks.spans if first < SIX)
    return four, sum(end - max(first, SIX) for first, end in networks.spans if end > SIX)


def openings_of(group: SecurityGroup, prefixes: Prefixes) -> tuple[Opening, ...]:
    """Return what a group lets in by addresses, but for sources that are private. Raises EvidenceGap when a rule names what is
    no network, or a list that is not known."""
    return tuple(_openings(group, prefixes))


def _openings(group: SecurityGroup, prefixes: Prefixes) -> Iterator[Opening]:
    for number, permission in enumerate(group.ip_permissions):
        place, ports = f"ingress[{number}]", ports_of(permission)
        if not ports:
            continue
        for cidr in (*(each.cidr for each in permission.ip_ranges), *(each.cidr for each in permission.ipv6_ranges)):
            network = network_in(cidr, f"security group {group.group_name} {place}")
            if networks := _outside(network):
                yield Opening(group, place, ports, str(network), networks)
        for reference in permission.prefix_list_ids:
            source, networks = prefixes.source(reference.prefix_list_id, group)
            yield Opening(group, place, ports, source, networks)


def opened_by_group(groups: Iterable[SecurityGroup], prefixes: Prefixes) -> Mapping[str, tuple[Opening, ...]]:
    """Return what each group lets in, by its id."""
    return {group.group_id: openings_of(group, prefixes) for group in groups}


def world_openings(openings: Iterable[Opening], within: PortSet = EVERY_PORT) -> list[WorldOpening]:
    """Return which of some ports the world may reach: by each source that is the world by itself and, on the ports where none
    is, by all sources together where they are."""
    every = tuple(openings)
    found: dict[tuple[Opening, ...], PortSet] = {}
    for family, (addresses, least) in enumerate(zip(_FAMILIES, _LEAST, strict=True)):
        # Together they have no more than the sum, which is soon known to be too little.
        if sum(each.sizes[family] for each in every) < least:
            continue
        alone = NO_PORT
        rest = []
        for each in every:
            if not each.sizes[family] or not (ports := each.ports & within):
                continue
            if each.sizes[family] >= least:
                found[each,] = found.get((each,), NO_PORT) | ports
                alone |= ports
            else:
                rest.append((each, ports))
        rest = [(each, left) for each, ports in rest if (left := ports - alone)]
        if sum(each.sizes[family] for each, _ in rest) < least:
            continue
        for segment in _segments(ports for _, ports in rest):
            those = tuple(each for each, ports in rest if segment <= ports)
            if is_world(_union(each.networks & addresses for each in those)):
                found[those] = found.get(those, NO_PORT) | segment
    return [WorldOpening(ports, key) for key, ports in found.items()]


def _union(networks: Iterable[AddressSet]) -> AddressSet:
    return AddressSet.merged(span for each in networks for span in each.spans)


def _segments(sets: Iterable[PortSet]) -> Iterator[PortSet]:
    """Yield ranges of ports such that each of the sets has all of a range or nothing of it."""
    edges: dict[str, set[int]] = {}
    for ports in sets:
        for each in ports:
            edges.setdefault(each.protocol, set()).update((each.first, each.last + 1))
    for protocol, found in edges.items():
        ordered = sorted(found)
        for first, end in pairwise(ordered):
            yield PortSet.of([PortRange(protocol, first, end - 1)])
