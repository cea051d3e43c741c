"""Classes of endpoints that no policy and no layer tells from one another, and what selects them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import NamedTuple

from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.meta import LabelSelector
from soc2.model.network.addresses import EVERY_ADDRESS, NO_ADDRESS, SIX, AddressSet, number_of
from soc2.model.network.endpoints import Endpoint, NamedPort
from soc2.model.network.known_nodes import KnownNodes
from soc2.model.network.layers import Layer
from soc2.model.network.policies import (
    AddressPeers,
    DomainPeers,
    NodePeers,
    PeerPattern,
    PodPeers,
    Policy,
    RelatedPeers,
    Rule,
    UnknownPeers,
)
from soc2.model.network.selection import Selection, keys_of, places_in, set_of
from soc2.model.network.selectors import NAME_LABEL

_UNKNOWN = (-4, -6)
"""What stands for the addresses, one of each family, of an endpoint of which none is known."""
_FAMILIES = (AddressSet.of(ip_network("0.0.0.0/0")), AddressSet.of(ip_network("::/0")))


@dataclass(frozen=True)
class EndpointClass:
    """Endpoints that no policy and no layer tells from one another. ``number`` is its bit in sets of classes."""

    number: int
    endpoints: tuple[Endpoint, ...]


class Meeting(NamedTuple):
    """How ``sources`` and ``targets`` (sets of classes) may connect: ``egress`` and ``ingress`` are the families, as places
    in ``Classes.families``, of the target's address, which egress rules see, and of the source's, which ingress rules see.
    """

    egress: int
    ingress: int
    sources: int
    targets: int


@dataclass(frozen=True, eq=False)
class Peers:
    """Whom a rule is about: classes (as faces, see ``Classes``) and addresses that belong to none; surely, and possibly."""

    sure: int
    possible: int
    sure_addresses: AddressSet
    possible_addresses: AddressSet

    def __or__(self, other: Peers) -> Peers:
        return Peers(
            self.sure | other.sure,
            self.possible | other.possible,
            self.sure_addresses | other.sure_addresses,
            self.possible_addresses | other.possible_addresses,
        )


_NOBODY = Peers(0, 0, NO_ADDRESS, NO_ADDRESS)


class Classes:
    """The classes of endpoints, for a number of policies and layers.

    A class has a *face* for each of its addresses that some policy tells from others (one, as a rule; two with both
    families, or where none is known): rules on addresses see one of them at a time. The set of faces has the first of every
    class at the class's own bit, the second above all of these at the same place, and so on.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        namespaces: Mapping[str, Mapping[str, str]],
        policies: Sequence[Policy],
        layers: Sequence[Layer],
        nodes: Sequence[Node],
    ) -> None:
        rules = [rule for policy in policies for each in policy.rules.values() for rule in each]
        patterns = [*(p for rule in rules for p in rule.peers or ()), *(p.subject for p in policies if p.subject)]
        self._nodes = KnownNodes(nodes, endpoints)
        self._keys = {key for each in patterns if isinstance(each, PodPeers) for key in keys_of(each.pods)}
        self._named = {name for rule in rules for name, _ in rule.ports.names}
        self._edges = sorted({SIX, *self._all_edges(patterns)})
        self._layers = layers
        found: dict[Hashable, list[Endpoint]] = {}
        keys: list[tuple[int, ...]] = []
        for endpoint in endpoints:
            seen = self._seen_addresses(endpoint)
            members = found.setdefault(self._key(endpoint, seen), [])
            if not members:
                keys.append(seen)
            members.append(endpoint)
        self.classes = tuple(EndpointClass(number, tuple(each)) for number, each in enumerate(found.values()))
        self.numbers: dict[Resource, int] = {one.resource: each.number for each in self.classes for one in each.endpoints}
        self.everybody = (1 << len(self.classes)) - 1
        first = [each.endpoints[0] for each in self.classes]
        self.hosts = set_of([place for place, each in enumerate(first) if each.host_network])
        self._by_labels = Selection([self._labels(each) for each in first])
        self._by_namespace = _by(each.namespace for each in first)
        names = tuple(self._by_namespace)
        self._namespaces = Selection([{**namespaces.get(name, {}), NAME_LABEL: name} for name in names])
        self._namespace_names = names
        self._make_faces(keys)
        self._peers: dict[Rule, Peers] = {}
        self._like: dict[int, AddressSet] = {}

    def select(self, wanted: PodPeers) -> int:
        """Return the classes of pods that are selected. Those in their nodes' network never are."""
        if isinstance(wanted.namespace, LabelSelector):
            inside = 0
            for place in places_in(self._namespaces.select(wanted.namespace)):
                inside |= self._by_namespace[self._namespace_names[place]]
        else:
            inside = self._by_namespace.get(wanted.namespace, 0)
        return inside & self._by_labels.select(wanted.pods) & ~self.hosts if inside else 0

    def peers(self, rule: Rule) -> Peers:
        found = self._peers.get(rule)
        if found is None:
            if rule.peers is None:
                found = Peers(self.faces, self.faces, EVERY_ADDRESS, EVERY_ADDRESS)
            else:
                found = _NOBODY
                for each in rule.peers:
                    found = found | self._peers_of(each, rule)
                for family, faces in zip(_FAMILIES, self._unknown, strict=True):
                    # Whatever an address is that is not known, it is among all.
                    if faces and not family & ~found.sure_addresses:
                        found = found | Peers(faces, faces, NO_ADDRESS, NO_ADDRESS)
            self._peers[rule] = found
        return found

    def spread(self, classes: int) -> int:
        """Return all faces of some classes."""
        found, level = classes, len(self.classes)
        for number in range(1, self._levels):
            found |= classes << (number * level)
        return found & self.faces

    def faces_of(self, number: int, family: int) -> int:
        """Return the faces of a class that are of a family."""
        return self.spread(1 << number) & self.families[family]

    def fold(self, faces: int) -> int:
        """Return the classes that some faces are of."""
        found, level = 0, len(self.classes)
        for number in range(self._levels):
            found |= faces >> (number * level) & self.everybody
        return found

    def named(self, endpoint: Endpoint) -> tuple[NamedPort, ...]:
        """Return the ports of an endpoint that some rule names. In its node's network, policies know it by address only."""
        return () if endpoint.host_network else tuple(sorted({each for each in endpoint.ports if each.name in self._named}))

    def like(self, number: int) -> AddressSet:
        """Return an address that all policies take as they do this one: the same for all of its kind."""
        interval = bisect_right(self._edges, number)
        found = self._like.get(interval)
        if found is None:
            first = self._edges[interval - 1] if interval else 0
            found = self._like[interval] = AddressSet.of_numbers([first])
        return found

    def nodes_at(self, number: int) -> frozenset[str]:
        """Return the names of the nodes with an address."""
        return self._nodes.at(number)

    def _peers_of(self, wanted: PeerPattern, rule: Rule) -> Peers:
        match wanted:
            case PodPeers():
                faces = self.spread(self.select(wanted))
                return Peers(faces, faces, NO_ADDRESS, NO_ADDRESS)
            case AddressPeers(addresses, may_be_pods):
                faces = self._faces_in(addresses)
                unknown = self._unknown_in(addresses)
                maybe = unknown if may_be_pods else unknown & self._host_faces
                return Peers(faces, faces | maybe, addresses, addresses)
            case NodePeers(nodes):
                sure, possible = self._nodes.select(nodes)
                known, maybe = self._faces_in(sure) & self._host_faces, self._faces_in(possible) & self._host_faces
                return Peers(known, maybe | self._unknown_in(EVERY_ADDRESS) & self._host_faces, sure, possible)
            case DomainPeers():
                return Peers(0, 0, NO_ADDRESS, EVERY_ADDRESS)
            case RelatedPeers():
                return Peers(0, self.spread(self.everybody & ~self.hosts), NO_ADDRESS, NO_ADDRESS)
            case UnknownPeers():
                return _NOBODY if rule.action == "Allow" else Peers(0, self.faces, NO_ADDRESS, EVERY_ADDRESS)

    def _key(self, endpoint: Endpoint, seen: Hashable) -> Hashable:
        return (
            endpoint.namespace,
            frozenset(self._labels(endpoint).items()),
            self.named(endpoint),
            (endpoint.node,) if endpoint.host_network else None,
            seen,
            tuple(layer.key(endpoint) for layer in self._layers),
        )

    def _labels(self, endpoint: Endpoint) -> dict[str, str]:
        return {key: value for key, value in endpoint.labels.items() if key in self._keys}

    def _all_edges(self, patterns: Iterable[PeerPattern]) -> Iterator[int]:
        for each in patterns:
            if isinstance(each, AddressPeers):
                yield from (edge for span in each.addresses.spans for edge in span)
            if isinstance(each, NodePeers):
                yield from (edge for number in self._nodes.known for edge in (number, number + 1))

    def _seen_addresses(self, endpoint: Endpoint) -> tuple[int, ...]:
        """Return an endpoint's addresses as policies can tell them: by the edges between which they are."""
        known = [number for each in endpoint.addresses if (number := number_of(each)) is not None]
        if not known and endpoint.host_network:
            known = list(self._nodes.numbers(endpoint.node))
        return tuple(sorted({bisect_right(self._edges, each) for each in known})) or _UNKNOWN

    def _make_faces(self, keys: Sequence[tuple[int, ...]]) -> None:
        count = len(keys)
        self._levels = max(map(len, keys), default=1)
        by_interval: dict[int, list[int]] = {}
        for number, seen in enumerate(keys):
            for level, interval in enumerate(seen):
                by_interval.setdefault(interval, []).append(number + level * count)
        unknown = [set_of(by_interval.pop(each, [])) for each in _UNKNOWN]
        self._unknown = (unknown[0], unknown[1])
        self._intervals = {interval: set_of(places) for interval, places in by_interval.items()}
        border = bisect_left(self._edges, SIX)
        four = unknown[0] | set_of([place for each, places in by_interval.items() if each <= border for place in places])
        six = unknown[1] | set_of([place for each, places in by_interval.items() if each > border for place in places])
        self.faces = four | six
        self.families = (four, six) if four and six else (self.faces,)
        self.meetings = tuple(self._make_meetings())
        self._host_faces = self.spread(self.hosts)

    def _make_meetings(self) -> Iterator[Meeting]:
        """Yield how classes meet: over a family that both have. Where they have none in common, over what they have."""
        has = [self.fold(faces) for faces in self.families]
        yield from (Meeting(number, number, classes, classes) for number, classes in enumerate(has))
        if len(has) > 1:
            only_four, only_six = has[0] & ~has[1], has[1] & ~has[0]
            yield Meeting(1, 0, only_four, only_six)
            yield Meeting(0, 1, only_six, only_four)

    def _unknown_in(self, addresses: AddressSet) -> int:
        """Return the faces that may be in a set, as it has addresses of their family."""
        four, six = self._unknown
        spans = addresses.spans
        return (four if spans and spans[0][0] < SIX else 0) | (six if spans and spans[-1][1] > SIX else 0)

    def _faces_in(self, addresses: AddressSet) -> int:
        found = 0
        for interval, faces in self._intervals.items():
            # All addresses between two edges are in the set, or none is.
            if interval and self._edges[interval - 1] in addresses:
                found |= faces
        return found


def _by(names: Iterable[str]) -> dict[str, int]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return {name: set_of(found) for name, found in places.items()}
