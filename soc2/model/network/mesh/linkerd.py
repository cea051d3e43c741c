"""Linkerd as a layer: what its Servers, authorizations and default policies let through.

What is authorized for a route (HTTPRoute, GRPCRoute) depends on the request: whom such a policy names may connect to every
Server of the namespace. Where sources in some subnets go past the proxy, any source counts as one of these. A policy that
refers to an authentication which is not there lets nobody in. Kubelet's probes, which Linkerd always lets through, are left
out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from soc2.model.kubernetes.linkerd import (
    LinkerdAuthorizationPolicy,
    MeshTlsAuthentication,
    NetworkAuthentication,
    Server,
    ServerAuthorization,
)
from soc2.model.network.endpoints import Endpoint, Peer
from soc2.model.network.layers import Reason
from soc2.model.network.mesh import linkerd_clients as clients
from soc2.model.network.mesh.callers import EVERY_TCP, NOT_CARRIED, Caller, Remembered, caller, lies_in, ports_of
from soc2.model.network.mesh.mutual import Plain
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortRange, PortSet

LAYER = "linkerd"
PROXY = "linkerd-proxy"
_INJECT = "linkerd.io/inject"
_DEFAULT = "config.linkerd.io/default-inbound-policy"
_SKIPPED = "config.linkerd.io/skip-inbound-ports"
_SUBNETS = "config.linkerd.io/skip-subnets"
_ANNOTATED = Reason(LAYER, None, f"annotation {_SKIPPED} keeps the port from the proxy")
_PAST = Reason(LAYER, None, f"annotation {_SUBNETS} lets sources in some subnets go past the proxy")
_ROUTES = ("HTTPRoute", "GRPCRoute")


@dataclass(frozen=True)
class _Guarded:
    """Ports of an endpoint that Servers guard, or (without a Server) those that a default policy does."""

    ports: PortSet
    policy: str
    server: Server | None = None


@dataclass(frozen=True)
class _Facts:
    """What the mesh knows of an endpoint; ``who`` is as whom it connects."""

    member: bool
    who: Caller
    guarded: tuple[_Guarded, ...] = ()
    skipped: PortSet = NO_PORT
    by: Reason = _ANNOTATED


class LinkerdLayer:
    """``annotations`` are those of the namespaces, by namespace; ``default_policy`` is that of the installation."""

    def __init__(
        self,
        annotations: Mapping[str, Mapping[str, str]],
        servers: Iterable[Server] = (),
        policies: Iterable[LinkerdAuthorizationPolicy] = (),
        mesh_tls: Iterable[MeshTlsAuthentication] = (),
        networks: Iterable[NetworkAuthentication] = (),
        server_authorizations: Iterable[ServerAuthorization] = (),
        default_policy: str = "all-unauthenticated",
    ) -> None:
        self._annotations = annotations
        self._default_policy = default_policy
        self._clients = clients.Clients(mesh_tls, networks)
        self._servers: dict[str, list[Server]] = {}
        for server in servers:
            self._servers.setdefault(server.namespace, []).append(server)
        self._policies = tuple(policies)
        self._authorizations = tuple(server_authorizations)
        asked = (*self._clients.networks_asked(), *clients.client_networks(self._authorizations))
        self._networks = tuple(dict.fromkeys(asked))
        self._of_server: dict[tuple[str, str], tuple[_Authorization, ...]] = {}
        for each in (server for found in self._servers.values() for server in found):
            self._of_server[each.namespace, each.name] = tuple(self._authorizations_of(each))
        self._facts = Remembered(self._work_out)

    def key(self, endpoint: Endpoint) -> Hashable:
        facts = self._facts(endpoint)
        guarded = tuple((each.ports, each.policy, each.server and each.server.name) for each in facts.guarded)
        inside = tuple(lies_in(facts.who, (network,)) for network in self._networks)
        identity = facts.who.identity if self._policies or self._authorizations else ""
        return (facts.member, identity, guarded, facts.skipped, facts.by, inside, self.outside(endpoint))

    def outside(self, endpoint: Endpoint) -> str:
        if self._facts(endpoint).member:
            return ""
        if endpoint.host_network:
            return "it uses the network of its node, which a mesh does not capture"
        if endpoint.resource.kind == "Pod":
            return f"it has no container {PROXY}"
        return f"no annotation {_INJECT} asks for a proxy"

    def plain(self, endpoint: Endpoint) -> tuple[Plain, ...]:
        facts = self._facts(endpoint)
        found = [Plain(facts.skipped, facts.by)]
        seen = NO_PORT
        for guarded in facts.guarded:
            reason = self._for_anybody(guarded)
            if reason:
                found.append(Plain(guarded.ports - seen, reason))
                seen |= guarded.ports
        return tuple(each for each in found if each.ports)

    def allowed(self, source: Peer, target: Peer) -> PortSet:
        if not isinstance(target, Endpoint):
            return EVERY_PORT
        facts = self._facts(target)
        if not facts.member:
            return EVERY_PORT
        who = self._caller(source)
        ports = NOT_CARRIED | facts.skipped
        for guarded in facts.guarded:
            if any(answer is not False for _, answer in self._answers(guarded, who)):
                ports |= guarded.ports
        return ports

    def reason(self, source: Peer, target: Peer, port: tuple[str, int]) -> Reason:
        if not isinstance(target, Endpoint):
            return Reason(LAYER, None, "the target is not in the mesh")
        facts = self._facts(target)
        if not facts.member:
            return Reason(LAYER, None, f"the target is not in the mesh: {self.outside(target)}")
        if port in NOT_CARRIED:
            return Reason(LAYER, None, f"the mesh does not carry {port[0].lower()}")
        if port in facts.skipped:
            return facts.by
        who = self._caller(source)
        guards = [each for each in facts.guarded if port in each.ports]
        answers = [(reason, answer) for each in guards for reason, answer in self._answers(each, who)]
        for wanted in (True, None):
            for reason, answer in answers:
                if answer is wanted:
                    return reason
        server = guards[0].server
        if server is None:
            return Reason(LAYER, None, f"default policy {guards[0].policy}")
        return Reason(LAYER, server.resource, f"no authorization of it lets the source in, access policy {guards[0].policy}")

    def _caller(self, source: Peer) -> Caller:
        return self._facts(source).who if isinstance(source, Endpoint) else Caller(network=source.network)

    def _answers(self, guarded: _Guarded, who: Caller) -> Iterator[tuple[Reason, bool | None]]:
        """Yield what lets the source in, or may, and what does not."""
        yield _by_policy(guarded), clients.by_default(guarded.policy, who)
        for each in self._of(guarded):
            yield each.reason, each.let_in(self._clients, who)

    def _of(self, guarded: _Guarded) -> tuple[_Authorization, ...]:
        return self._of_server[guarded.server.namespace, guarded.server.name] if guarded.server else ()

    def _for_anybody(self, guarded: _Guarded) -> Reason | None:
        """Return what lets in a source without an identity, if something does."""
        if clients.takes_anybody(guarded.policy):
            return _by_policy(guarded)
        return next((each.reason for each in self._of(guarded) if each.takes_anybody(self._clients)), None)

    def _authorizations_of(self, server: Server) -> Iterator[_Authorization]:
        for policy in self._policies:
            target = policy.spec.target_ref
            if policy.namespace != server.namespace or target.namespace not in ("", server.namespace):
                continue
            if (target.kind, target.name) in (("Server", server.name), ("Namespace", server.namespace)):
                yield _Authorization(policy)
            elif target.kind in _ROUTES:
                yield _Authorization(policy, f" (for {target.kind} {target.name}, depending on the request)")
        for authorization in self._authorizations:
            if clients.names_server(authorization, server):
                yield _Authorization(authorization)

    def _work_out(self, endpoint: Endpoint) -> _Facts:
        of_namespace = self._annotations.get(endpoint.namespace, {})
        if not _is_member(endpoint, of_namespace):
            return _Facts(member=False, who=caller(endpoint, None))
        subnets = clients.annotation(_SUBNETS, endpoint.annotations, of_namespace)
        skipped = EVERY_TCP if subnets else ports_of(clients.annotation(_SKIPPED, endpoint.annotations, of_namespace))
        guarded = tuple(self._guarded(endpoint, skipped))
        rest = EVERY_TCP - skipped
        for each in guarded:
            rest -= each.ports
        default = clients.annotation(_DEFAULT, endpoint.annotations, of_namespace, self._default_policy)
        return _Facts(
            member=True,
            who=caller(endpoint, clients.identity_of(endpoint.service_account, endpoint.namespace)),
            guarded=(*guarded, *([_Guarded(rest, default)] if rest else ())),
            skipped=skipped,
            by=_PAST if subnets else _ANNOTATED,
        )

    def _guarded(self, endpoint: Endpoint, skipped: PortSet) -> Iterator[_Guarded]:
        labels = dict(endpoint.labels)
        for server in self._servers.get(endpoint.namespace, ()):
            if server.spec.pod_selector is not None and server.spec.pod_selector.matches(labels):
                ports = _ports(endpoint, server.spec.port) - skipped
                if ports:
                    yield _Guarded(ports, server.spec.access_policy, server)


@dataclass(frozen=True)
class _Authorization:
    """What lets sources connect to a Server. ``note`` says on what that depends; it is then only possible."""

    given: LinkerdAuthorizationPolicy | ServerAuthorization
    note: str = ""

    @property
    def reason(self) -> Reason:
        if isinstance(self.given, ServerAuthorization):
            return Reason(LAYER, self.given.resource, "client")
        required = ", ".join(f"{each.kind} {each.name}" for each in self.given.spec.required_authentication_refs)
        return Reason(LAYER, self.given.resource, f"requires {required or 'no authentication'}{self.note}")

    def let_in(self, known: clients.Clients, who: Caller) -> bool | None:
        if isinstance(self.given, ServerAuthorization):
            return clients.client_let_in(self.given, who)
        answer = known.let_in(self.given, who)
        return None if answer and self.note else answer

    def takes_anybody(self, known: clients.Clients) -> bool:
        if isinstance(self.given, ServerAuthorization):
            return clients.client_takes_anybody(self.given)
        return known.takes_anybody(self.given)


def _by_policy(guarded: _Guarded) -> Reason:
    if guarded.server:
        return Reason(LAYER, guarded.server.resource, f"access policy {guarded.policy}")
    return Reason(LAYER, None, f"no Server guards the port, default policy {guarded.policy}")


def _is_member(endpoint: Endpoint, of_namespace: Mapping[str, str]) -> bool:
    """A pod of a cluster has its proxy or has none; of a template, annotations tell."""
    if endpoint.host_network:
        return False
    if PROXY in endpoint.containers:
        return True
    admitted = endpoint.resource.kind == "Pod" and endpoint.resource.file is None
    return not admitted and clients.annotation(_INJECT, endpoint.annotations, of_namespace) in ("enabled", "ingress")


def _ports(endpoint: Endpoint, port: int | str) -> PortSet:
    if isinstance(port, int) or port.isdecimal():
        return PortSet.of([PortRange("TCP", int(port), int(port))])
    named = (each for each in endpoint.ports if each.name == port and each.protocol == "TCP")
    return PortSet.of(PortRange("TCP", each.number, each.number) for each in named)
