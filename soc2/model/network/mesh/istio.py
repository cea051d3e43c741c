"""Istio as a layer: what its PeerAuthentications and AuthorizationPolicies let through.

What cannot be known of a connection counts as possible: an ALLOW that depends on a request (method, path, host, header,
token) may let it through, a DENY that does may not stop it, and what an external authorizer (CUSTOM) says is open. A source
in the mesh is taken to connect as itself. Only policies at the target decide: what a Sidecar leaves out of the source's
configuration (``REGISTRY_ONLY``) can be gone around from within the pod, so that it removes no path, and the reason tells of
it. An AuthorizationPolicy in dry run decides nothing. Policies with ``targetRefs`` belong to gateways and waypoints; they
are not evaluated, which leaves more open. EnvoyFilters, which may change anything, are not read.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar

from soc2.model.deviation import Resource
from soc2.model.kubernetes.istio import AuthorizationPolicy, MutualTls, PeerAuthentication, Sidecar
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.network.endpoints import Endpoint, Peer
from soc2.model.network.layers import Reason
from soc2.model.network.mesh import istio_members, istio_rules
from soc2.model.network.mesh.callers import EVERY_TCP, NOT_CARRIED, Caller, Remembered, caller, lies_in, ports_of
from soc2.model.network.mesh.istio_authorization import LAYER, IstioAuthorization, holds_for, idle, is_bound, is_dry_run
from soc2.model.network.mesh.istio_members import How
from soc2.model.network.mesh.mutual import Plain
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortSet

T = TypeVar("T", bound=KubeObject)

_SHOWN = 2
_NO_POLICY = IstioAuthorization(())
_LATEST = datetime.max.replace(tzinfo=UTC)
_NOT_SET = Reason(LAYER, None, "no PeerAuthentication sets a mode, so it is PERMISSIVE")
_GATEWAY = Reason(LAYER, None, "a gateway: PeerAuthentications do not hold for its listeners")


@dataclass(frozen=True)
class _Mode:
    """What a PeerAuthentication asks of some ports. Any mode but STRICT lets plain text in."""

    name: str
    ports: PortSet
    reason: Reason


@dataclass(frozen=True)
class _Facts:
    """What the mesh knows of an endpoint: of a target its modes and policies; of a source ``itself``, as which it connects
    where mutual TLS is taken, and ``nobody``, as which it does elsewhere."""

    how: How
    nobody: Caller
    itself: Caller | None = None
    modes: tuple[_Mode, ...] = ()
    authorization: IstioAuthorization = _NO_POLICY
    sidecar: Sidecar | None = None
    excluded: PortSet = NO_PORT
    annotation: str = ""

    @property
    def annotated(self) -> Reason:
        return Reason(LAYER, None, f"the annotation {self.annotation} keeps the port from the proxy")

    @cached_property
    def past(self) -> PortSet:
        """The ports that are open whatever policies say."""
        return NOT_CARRIED | self.excluded

    @cached_property
    def to_members(self) -> PortSet:
        """The ports at which a source in the mesh has its identity: a sidecar that is told DISABLE takes no mutual TLS,
        while ambient always does."""
        ambient = self.how is How.AMBIENT
        return PortSet.of(each for mode in self.modes if ambient or mode.name != "DISABLE" for each in mode.ports)

    @cached_property
    def to_nobody(self) -> PortSet:
        """The ports that take plain text."""
        return PortSet.of(each for mode in self.modes if mode.name != "STRICT" for each in mode.ports)

    @cached_property
    def unproven(self) -> PortSet:
        """The ports at which a source in the mesh has no identity."""
        return self.to_nobody - self.to_members


class IstioLayer:
    """``namespaces`` are labels by namespace; ``notes_ambient`` is what ``istio_members`` tells of all pods. Objects of other
    control planes (revisions) are not told apart."""

    def __init__(
        self,
        root_namespace: str,
        namespaces: Mapping[str, Mapping[str, str]],
        peer_authentications: Iterable[PeerAuthentication] = (),
        authorization_policies: Iterable[AuthorizationPolicy] = (),
        sidecars: Iterable[Sidecar] = (),
        trust_domain: str = "cluster.local",
        *,
        notes_ambient: bool = False,
    ) -> None:
        self._root = root_namespace
        self._namespaces = namespaces
        self._trust_domain = trust_domain
        self._notes_ambient = notes_ambient
        self._peers = _by_namespace(peer_authentications)
        listed = tuple(authorization_policies)
        policies = tuple(each for each in listed if not (is_dry_run(each) or is_bound(each)))
        self._idling = _by_namespace(each for each in listed if is_dry_run(each) or is_bound(each))
        self._policies = _by_namespace(policies)
        self._sidecars = _by_namespace(sidecars)
        self._blocks = tuple(dict.fromkeys(block for each in policies for block in istio_rules.ip_blocks(each)))
        self._by_identity = any(map(istio_rules.asks_identity, policies))
        self._authorizations: dict[tuple[int, ...], IstioAuthorization] = {}
        self._facts = Remembered(self._work_out)

    def key(self, endpoint: Endpoint) -> Hashable:
        facts = self._facts(endpoint)
        return (
            facts.how,
            facts.itself.identity if facts.itself and self._by_identity else facts.itself is None,
            facts.modes,
            id(facts.authorization),
            facts.sidecar.resource if facts.sidecar else None,
            facts.excluded,
            facts.annotation,
            tuple(lies_in(facts.nobody, (block,)) for block in self._blocks),
            istio_members.why_outside(endpoint),
        )

    def outside(self, endpoint: Endpoint) -> str:
        return "" if self._facts(endpoint).how is not How.OUTSIDE else istio_members.why_outside(endpoint)

    def plain(self, endpoint: Endpoint) -> tuple[Plain, ...]:
        facts = self._facts(endpoint)
        found = [Plain(mode.ports, mode.reason) for mode in facts.modes if mode.name != "STRICT"]
        return tuple(each for each in (*found, Plain(facts.excluded, facts.annotated)) if each.ports)

    def allowed(self, source: Peer, target: Peer) -> PortSet:
        if not isinstance(target, Endpoint):
            return EVERY_PORT
        facts = self._facts(target)
        if facts.how is How.OUTSIDE:
            return EVERY_PORT
        ports = NO_PORT
        for who, open_ports in self._callers(source, facts):
            authorized = facts.authorization.ports(who) if open_ports.ranges else NO_PORT
            if authorized.ranges:
                ports |= open_ports if authorized is EVERY_TCP else open_ports & authorized
        return facts.past | ports

    def reason(self, source: Peer, target: Peer, port: tuple[str, int]) -> Reason:
        if not isinstance(target, Endpoint):
            return Reason(LAYER, None, "the target is not in the mesh")
        facts = self._facts(target)
        if facts.how is How.OUTSIDE:
            return Reason(LAYER, None, f"the target is not in the mesh: {istio_members.why_outside(target)}")
        if port in NOT_CARRIED:
            return Reason(LAYER, None, f"the mesh does not carry {port[0].lower()}")
        if port in facts.excluded:
            return facts.annotated
        for who, open_ports in self._callers(source, facts):
            if port in open_ports:
                found = self._first_idle(facts.authorization.reason(who, port), target)
                return replace(found, rule=found.rule + self._beside(source, target, found.policy))
        strict = next(mode for mode in facts.modes if port in mode.ports)
        return replace(strict.reason, rule=f"{strict.reason.rule}: the source has no identity of the mesh")

    def _callers(self, source: Peer, target: _Facts) -> tuple[tuple[Caller, PortSet], ...]:
        """Return as whom the source connects, and to which ports mutual TLS lets it so."""
        if not isinstance(source, Endpoint):
            return ((Caller(network=source.network), target.to_nobody),)
        facts = self._facts(source)
        if facts.itself is None:
            return ((facts.nobody, target.to_nobody),)
        return ((facts.itself, target.to_members), (facts.nobody, target.unproven))

    def _idle(self, target: Endpoint) -> list[tuple[Resource, str]]:
        listed = (each for name in dict.fromkeys((self._root, target.namespace)) for each in self._idling.get(name, ()))
        return list(idle(listed, dict(target.labels)))

    def _first_idle(self, reason: Reason, target: Endpoint) -> Reason:
        """Return the reason of a policy that does not decide where none does, so that it is told who thinks it would."""
        found = self._idle(target) if reason.policy is None else []
        return Reason(LAYER, found[0][0], f"{found[0][1]}; {reason.rule}") if found else reason

    def _beside(self, source: Peer, target: Endpoint, told: Resource | None) -> str:
        """Return what is to be told beside a decision: what does not decide, and what a Sidecar leaves out."""
        others = [f"; {resource} {why}" for resource, why in self._idle(target) if resource != told]
        notes = "".join(others[:_SHOWN]) + f"; {len(others) - _SHOWN} more do not decide" * (len(others) > _SHOWN)
        sidecar = self._facts(source).sidecar if isinstance(source, Endpoint) else None
        if isinstance(source, Endpoint) and sidecar and _leaves_out(sidecar, source.namespace, target.namespace):
            notes += f"; {sidecar.resource} does not list the target, which a pod can go around"
        return notes

    def _work_out(self, endpoint: Endpoint) -> _Facts:
        how = istio_members.how(endpoint, self._namespaces.get(endpoint.namespace, {}), self._notes_ambient)
        if how is How.OUTSIDE:
            return _Facts(how, caller(endpoint, None))
        labels = dict(endpoint.labels)
        excluded, annotation = istio_members.excluded_ports(endpoint, how)
        policies = tuple(
            each
            for name in dict.fromkeys((self._root, endpoint.namespace))
            for each in self._policies.get(name, ())
            if holds_for(each, labels)
        )
        modes = (_Mode("PERMISSIVE", EVERY_TCP, _GATEWAY),) if how is How.GATEWAY else self._modes(endpoint.namespace, labels)
        return _Facts(
            how=how,
            nobody=caller(endpoint, None),
            itself=caller(endpoint, f"{self._trust_domain}/ns/{endpoint.namespace}/sa/{endpoint.service_account}"),
            modes=tuple(mode for each in modes if (mode := replace(each, ports=each.ports - excluded)).ports),
            authorization=self._authorization(policies),
            sidecar=self._sidecar(endpoint.namespace, labels),
            excluded=excluded,
            annotation=annotation,
        )

    def _authorization(self, policies: tuple[AuthorizationPolicy, ...]) -> IstioAuthorization:
        """Return the same for all workloads that the same policies select; a key may then tell it by its identity."""
        these = tuple(map(id, policies))
        found = self._authorizations.get(these)
        if found is None:
            found = self._authorizations[these] = IstioAuthorization(policies)
        return found

    def _modes(self, namespace: str, labels: dict[str, str]) -> tuple[_Mode, ...]:
        """Return the mode of every TCP port. The mesh's comes first, then the namespace's, then the workload's own; of
        two at the same level the older wins, and what is UNSET is left as it was."""
        mode, reason = "PERMISSIVE", _NOT_SET
        own = None
        for name in dict.fromkeys((self._root, namespace)):
            for_all = _oldest(each for each in self._peers.get(name, ()) if _selects_all(each))
            if for_all and (asked := _asked(for_all.spec.mtls)):
                mode, reason = asked, Reason(LAYER, for_all.resource, f"mtls {asked}")
        if namespace != self._root:
            own = _oldest(each for each in self._peers.get(namespace, ()) if not _selects_all(each) and _selects(each, labels))
        if own is None:
            return (_Mode(mode, EVERY_TCP, reason),)
        if asked := _asked(own.spec.mtls):
            mode, reason = asked, Reason(LAYER, own.resource, f"mtls {asked}")
        of_ports: dict[tuple[str, Reason], PortSet] = {}
        for text, tls in sorted((own.spec.port_level_mtls or {}).items(), key=lambda each: int(each[0])):
            if asked := _asked(tls):
                key = (asked, Reason(LAYER, own.resource, f"portLevelMtls[{text}] {asked}"))
                of_ports[key] = ports_of(text)
        rest = EVERY_TCP
        for ports in of_ports.values():
            rest -= ports
        return (_Mode(mode, rest, reason), *(_Mode(name, ports, why) for (name, why), ports in of_ports.items()))

    def _sidecar(self, namespace: str, labels: dict[str, str]) -> Sidecar | None:
        mine = self._sidecars.get(namespace, ())
        chosen = (each.spec.workload_selector.labels or {} if each.spec.workload_selector else {} for each in mine)
        by_labels = [each for each, wanted in zip(mine, chosen, strict=True) if wanted and wanted.items() <= labels.items()]
        for_all = [
            each
            for each in (*mine, *self._sidecars.get(self._root, ()))
            if not (each.spec.workload_selector and each.spec.workload_selector.labels)
        ]
        return next(iter((*by_labels, *for_all)), None)


def _by_namespace(items: Iterable[T]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for each in sorted(items, key=_age):
        found.setdefault(each.namespace, []).append(each)
    return found


def _age(item: KubeObject) -> tuple[datetime, str, str]:
    created = item.metadata.creation_timestamp or _LATEST
    return (created.replace(tzinfo=created.tzinfo or UTC), item.name, item.namespace)


def _oldest(items: Iterable[PeerAuthentication]) -> PeerAuthentication | None:
    return next(iter(items), None)


def _selects_all(peer: PeerAuthentication) -> bool:
    return peer.spec.selector is None or not peer.spec.selector.match_labels


def _selects(peer: PeerAuthentication, labels: dict[str, str]) -> bool:
    return peer.spec.selector is not None and peer.spec.selector.matches(labels)


def _asked(tls: MutualTls | None) -> str:
    return tls.mode if tls and tls.mode != "UNSET" else ""


def _leaves_out(sidecar: Sidecar, home: str, target: str) -> bool:
    traffic = sidecar.spec.outbound_traffic_policy
    if traffic is None or traffic.mode != "REGISTRY_ONLY" or sidecar.spec.egress is None:
        return False
    places = {host.partition("/")[0] for each in sidecar.spec.egress for host in each.hosts}
    return not places & {"*", target, *("." for _ in range(home == target))}
