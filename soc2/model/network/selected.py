"""Parts of policies that select nothing: they look right and do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from soc2.model.deviation import Resource
from soc2.model.kubernetes.meta import LabelSelector
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.policies import AddressPeers, Direction, PeerPattern, PodPeers, Policy, PortPattern, Rule
from soc2.model.network.selection import Selection, places_in, set_of
from soc2.model.network.selectors import NAME_LABEL, selector_words

_PEERS: dict[Direction, str] = {"Ingress": "from", "Egress": "to"}


@dataclass(frozen=True)
class DeadPart:
    """A part of a policy (``podSelector``, ``ingress[0].from[1]``) and why it does nothing."""

    part: str
    why: str


@dataclass(frozen=True)
class PolicyEffect:
    """A policy with its parts that do nothing."""

    resource: Resource
    dead: tuple[DeadPart, ...]


def policy_effects(
    policies: Iterable[Policy], endpoints: Sequence[Endpoint], namespaces: Mapping[str, Mapping[str, str]]
) -> Iterator[PolicyEffect]:
    """Look for what policies select among the pods, templates of workloads and namespaces of a cluster.

    A policy about namespaces without any workload waits for them, so it is taken as it is; what its rules speak of is
    looked at even so.
    """
    cluster = _Cluster(endpoints, namespaces)
    for policy in policies:
        yield PolicyEffect(policy.resource, tuple(cluster.dead_parts(policy)))


class _Cluster:
    def __init__(self, endpoints: Sequence[Endpoint], namespaces: Mapping[str, Mapping[str, str]]) -> None:
        self._endpoints = endpoints
        self._names = tuple(sorted({*namespaces, *(each.namespace for each in endpoints)}))
        self._namespaces = Selection([{**namespaces.get(name, {}), NAME_LABEL: name} for name in self._names])
        self._labels = Selection([each.labels for each in endpoints])
        members: dict[str, list[int]] = {}
        for place, each in enumerate(endpoints):
            members.setdefault(each.namespace, []).append(place)
        self._in = {name: set_of(places) for name, places in members.items()}
        self._hosts = set_of([place for place, each in enumerate(endpoints) if each.host_network])
        self._everybody = (1 << len(endpoints)) - 1
        self._inside: dict[int, int] = {}

    def dead_parts(self, policy: Policy) -> Iterator[DeadPart]:
        admin = policy.resource.kind != "NetworkPolicy"
        if policy.subject is not None:
            why = self._unselected(policy.subject, waits=True)
            if why:
                yield DeadPart("subject" if admin else "podSelector", why)
        selected = self._selected(policy.subject) if policy.subject else 0
        for direction, rules in policy.rules.items():
            for rule in rules:
                for index, peer in enumerate(rule.peers or ()):
                    why = self._dead_peer(peer)
                    if why:
                        # Those of administrators may have several networks in one.
                        place = "" if admin else f"[{index}]"
                        yield DeadPart(f"{rule.name}.{_PEERS[direction]}{place}", why)
                yield from self._dead_ports(rule, direction, selected)

    def _dead_peer(self, peer: PeerPattern) -> str:
        if isinstance(peer, AddressPeers):
            return "" if peer.addresses else "no address is in it"
        return self._unselected(peer, waits=False) if isinstance(peer, PodPeers) else ""

    def _dead_ports(self, rule: Rule, direction: Direction, selected: int) -> Iterator[DeadPart]:
        """Names of ports are those of the pods that are connected to."""
        if direction == "Egress":
            pods = [each for each in rule.peers or () if isinstance(each, PodPeers)]
            # By address, any pod may be connected to.
            selected = self._everybody if not rule.peers or len(pods) < len(rule.peers) else self._any(pods)
        targets = [self._endpoints[place] for place in places_in(selected & ~self._hosts)]
        for name, protocol in rule.ports.names if targets else ():
            wanted = PortPattern(names=((name, protocol),))
            if not any(wanted.speaks_of(port) for each in targets for port in each.ports):
                kind = f"{protocol.lower()} " if protocol else ""
                yield DeadPart(f"{rule.name}.ports", f"no pod that it is about has a {kind}port named {name}")

    def _any(self, pods: Iterable[PodPeers]) -> int:
        found = 0
        for each in pods:
            found |= self._selected(each)
        return found

    def _unselected(self, wanted: PodPeers, *, waits: bool) -> str:
        """Return why nothing is selected; nothing when something is, or may come: all pods of a namespace that is there."""
        if self._selected(wanted) & ~self._hosts:
            return ""
        if isinstance(wanted.namespace, str):
            where = f"of namespace {wanted.namespace}"
        else:
            words = selector_words(wanted.namespace)
            where = f"of the namespaces with {words}" if words else "of the cluster"
            if not self._namespaces.select(wanted.namespace):
                return f"no namespace has the labels {words}"
        if waits and (wanted.pods.selects_everything or not self._inside_of(wanted.namespace)):
            return ""
        if self._selected(wanted):
            return f"it selects only pods {where} that are in their node's network, where no policy holds"
        if wanted.pods.selects_everything:
            return ""
        return f"no pod or workload {where} has the labels {selector_words(wanted.pods)}"

    def _selected(self, wanted: PodPeers) -> int:
        return self._labels.select(wanted.pods) & self._inside_of(wanted.namespace)

    def _inside_of(self, namespace: str | LabelSelector) -> int:
        if isinstance(namespace, str):
            return self._in.get(namespace, 0)
        chosen = self._namespaces.select(namespace)
        if chosen not in self._inside:
            found = 0
            for place in places_in(chosen):
                found |= self._in.get(self._names[place], 0)
            self._inside[chosen] = found
        return self._inside[chosen]
