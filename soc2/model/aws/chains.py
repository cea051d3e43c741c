"""References between security groups, followed from what the world reaches to what is behind it."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from soc2.model.aws.base import tag
from soc2.model.aws.compute import GroupPair, Instance, NetworkInterface, SecurityGroup
from soc2.model.aws.group_records import worn_sets
from soc2.model.aws.openings import Opening, ports_of, world_openings
from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Node
from soc2.model.network.addresses import AddressSet, number_of
from soc2.model.network.endpoints import Network
from soc2.model.network.parties import DeclaredConnection, Kind, Party
from soc2.model.network.ports import NO_PORT, PortSet

Worn = frozenset[str]
"""The groups that an interface wears, by their ids."""
_LIVE = ("", "active")


@dataclass(frozen=True)
class Door:
    """A rule of a group that lets in whoever wears another one.

    ``chain`` says step by step how the world reaches a wearer of that, none when it does not. ``declared`` are the ports
    that are declared between wearers of the two, once for each set of declarations that speak of some. ``foreign`` says that
    the other group is not of the account: nobody sees its wearers from here.
    """

    place: str
    ports: PortSet
    peer: str
    chain: tuple[str, ...] = ()
    declared: tuple[PortSet, ...] = ()
    foreign: bool = False


@dataclass(frozen=True)
class GroupDoors:
    """A security group that an interface wears, with the rules by which it lets in wearers of other groups."""

    group: SecurityGroup
    doors: tuple[Door, ...]

    @property
    def resource(self) -> Resource:
        return self.group.resource


@dataclass(frozen=True)
class _Reference:
    group: SecurityGroup
    place: str
    ports: PortSet
    pair: GroupPair


@dataclass(frozen=True)
class _Step:
    """How interfaces that wear some groups are reached: by a rule, from those that wear ``before`` (none: from outside)."""

    before: Worn | None
    rule: str


class Wearers:
    """Interfaces by the groups that they wear, with the names and addresses by which connections are declared.

    ``steps`` are those from which others are reached. The control plane of an EKS cluster is none: AWS runs it, and who may
    reach it is a matter of its endpoint. Every node that lets in its kubelet's callers would be behind itself else.
    """

    def __init__(
        self, interfaces: Iterable[NetworkInterface], instances: Iterable[Instance] = (), nodes: Iterable[Node] = ()
    ) -> None:
        every = tuple(interfaces)
        self.sets = worn_sets(every)
        self.steps = worn_sets(each for each in every if not each.of_eks)
        self.wearing: dict[str, list[Worn]] = {}
        for names in self.sets:
            for name in names:
                self.wearing.setdefault(name, []).append(names)
        self._tags = {each.instance_id: tag(each.tags, "Name") or "" for each in instances}
        self._nodes = {name for node in nodes if (name := node.spec.provider_id.rpartition("/")[2])}

    def shown(self, interface: NetworkInterface) -> str:
        names = [name for name in self._names(interface) if name != interface.network_interface_id]
        return f"{interface.network_interface_id} ({names[-1]})" if names else interface.network_interface_id

    def parties(self, interface: NetworkInterface, parties: Sequence[Party]) -> frozenset[int]:
        """Return which declarations speak of an interface, by number.

        They name it, its instance, an address of it, nodes, or the pods that have the groups of their node.
        """
        names = self._names(interface)
        numbers = list(filter(None, map(number_of, interface.addresses)))
        is_node = interface.instance_id in self._nodes

        def is_one(party: Party) -> bool:
            match party.kind:
                case Kind.MACHINE:
                    return any(fnmatchcase(name, party.pattern) for name in names)
                case Kind.NODES | Kind.WORKLOAD:
                    return is_node
                case Kind.ADDRESSES:
                    return party.network is not None and any(each in _addresses(party.network) for each in numbers)
            return False

        return frozenset(number for number, party in enumerate(parties) if is_one(party))

    def _names(self, interface: NetworkInterface) -> list[str]:
        own = (interface.network_interface_id, interface.description, tag(interface.tags, "Name"))
        return [name for name in (*own, interface.instance_id, self._tags.get(interface.instance_id)) if name]


@cache
def _addresses(network: Network) -> AddressSet:
    return AddressSet.of(network)


def group_doors(
    groups: Sequence[SecurityGroup],
    wearers: Wearers,
    opened: Mapping[str, tuple[Opening, ...]],
    connections: Sequence[DeclaredConnection],
) -> Iterator[GroupDoors]:
    """Return every group that an interface wears, with its doors. A reference of a group to itself makes its wearers peers: it
    is followed, and is no door. Groups of deleted peerings let nobody in."""
    known = {group.group_id: group for group in groups}
    references = [reference for group in groups for reference in _references(group) if reference.pair.peering_status in _LIVE]
    steps = _reached(wearers, opened, references)
    matching = _Declared(wearers, steps, connections)
    by_group: dict[str, list[Door]] = {}
    for each in references:
        peer = each.pair.group_id
        if each.group.group_id == peer or each.group.group_id not in wearers.wearing:
            continue
        if peer not in known:
            door = Door(each.place, each.ports, _foreign(each.pair), foreign=True)
        else:
            through = next((names for names in wearers.wearing.get(peer, ()) if names in steps), None)
            name = f"group {known[peer].group_name}"
            door = Door(each.place, each.ports, name)
            if through is not None:
                chain = _chain(through, steps, wearers)
                door = Door(each.place, each.ports, name, chain, matching.between(peer, each.group.group_id))
        by_group.setdefault(each.group.group_id, []).append(door)
    for group in groups:
        if group.group_id in wearers.wearing:
            yield GroupDoors(group, tuple(by_group.get(group.group_id, ())))


def _references(group: SecurityGroup) -> Iterator[_Reference]:
    for number, permission in enumerate(group.ip_permissions):
        ports = ports_of(permission)
        if ports:
            for pair in permission.user_id_group_pairs:
                yield _Reference(group, f"ingress[{number}]", ports, pair)


def _foreign(pair: GroupPair) -> str:
    account = f" of account {pair.user_id}" if pair.user_id else ""
    peering = f" over {pair.vpc_peering_connection_id}" if pair.vpc_peering_connection_id else ""
    return f"group {pair.group_id}{account}{peering}"


def _reached(
    wearers: Wearers, opened: Mapping[str, tuple[Opening, ...]], references: Iterable[_Reference]
) -> dict[Worn, _Step]:
    """Return what the world reaches, directly or from what it reaches, each by a shortest way."""
    steps: dict[Worn, _Step] = {}
    world = {name: found[0] for name, openings in opened.items() if (found := world_openings(openings))}
    for names in wearers.steps:
        known = [name for name in sorted(names) if name in opened]
        first = next((world[name] for name in known if name in world), None)
        if first is None and sum(bool(opened[name]) for name in known) > 1:
            together = world_openings([opening for name in known for opening in opened[name]])
            first = together[0] if together else None
        if first is not None:
            by = first.openings[0]
            more = f" and {len(first.openings) - 1:,} more" * (len(first.openings) > 1)
            steps[names] = _Step(None, f"by {by.words} ({first.ports.words} from {by.source}{more})")
    by_peer: dict[str, list[_Reference]] = {}
    for reference in references:
        by_peer.setdefault(reference.pair.group_id, []).append(reference)
    left, entered, held = deque(steps), set[str](), set[str]()
    while left:
        names = left.popleft()
        for peer in sorted(names - held):
            held.add(peer)
            for reference in by_peer.get(peer, ()):
                if reference.group.group_id in entered:
                    continue
                entered.add(reference.group.group_id)
                rule = f"by {reference.group.group_name} {reference.place} ({reference.ports.words})"
                for behind in wearers.wearing.get(reference.group.group_id, ()):
                    if behind not in steps and behind in wearers.steps:
                        steps[behind] = _Step(names, rule)
                        left.append(behind)
    return steps


def _chain(names: Worn, steps: Mapping[Worn, _Step], wearers: Wearers) -> tuple[str, ...]:
    said = []
    at: Worn | None = names
    while at is not None:
        step = steps[at]
        first = min(wearers.steps[at], key=lambda each: each.network_interface_id)
        said.append(f"{wearers.shown(first)} {step.rule}")
        at = step.before
    return tuple(reversed(said))


class _Declared:
    """The ports that are declared between wearers of groups. Those of whom the same are declared are asked about once."""

    def __init__(self, wearers: Wearers, reached: Container[Worn], connections: Sequence[DeclaredConnection]) -> None:
        self._wearers, self._reached, self._connections = wearers, reached, connections
        self._from = [each.source for each in connections]
        self._to = [each.target for each in connections]
        self._sources: dict[str, set[frozenset[int]]] = {}
        self._targets: dict[str, set[frozenset[int]]] = {}
        self._marks = cache(self._marked)

    def between(self, peer: str, group: str) -> tuple[PortSet, ...]:
        """Return the ports that are declared from wearers of ``peer`` that are reached to wearers of ``group``."""
        if peer not in self._sources:
            sets = (names for names in self._wearers.wearing[peer] if names in self._reached)
            self._sources[peer] = set().union(*(self._marks(names, target=False) for names in sets))
        if group not in self._targets:
            self._targets[group] = set().union(*(self._marks(names, target=True) for names in self._wearers.wearing[group]))
        pairs = {one & two for one in self._sources[peer] for two in self._targets[group]}
        return tuple(self._ports(pair) for pair in sorted(pairs, key=sorted))

    def _marked(self, names: Worn, *, target: bool) -> set[frozenset[int]]:
        """Return the declarations that speak of wearers, once for each set of them."""
        parties, wearing = (self._to, self._wearers.sets) if target else (self._from, self._wearers.steps)
        return {self._wearers.parties(each, parties) for each in wearing[names]}

    def _ports(self, numbers: Iterable[int]) -> PortSet:
        found = NO_PORT
        for number in numbers:
            found |= self._connections[number].ports
        return found
