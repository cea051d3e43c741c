"""Whom the authorizations of Linkerd let connect to a Server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from soc2.model.kubernetes.linkerd import (
    GuardedNetwork,
    LinkerdAuthorizationPolicy,
    MeshTlsAuthentication,
    NetworkAuthentication,
    Reference,
    Server,
    ServerAuthorization,
)
from soc2.model.network.mesh.callers import Caller, all_of, any_of, lies_in, negated

CLUSTER_NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
"""What an installation of Linkerd takes for the cluster's own (``clusterNetworks``), unless it is told otherwise."""

_IDENTITY = "{account}.{namespace}.serviceaccount.identity.linkerd.{domain}"
_OF_MESH = ".serviceaccount.identity."


def identity_of(account: str, namespace: str, domain: str = "cluster.local") -> str:
    """Return the identity of a ServiceAccount as Linkerd writes it; the control plane is in the namespace linkerd."""
    return _IDENTITY.format(account=account, namespace=namespace, domain=domain)


def by_default(policy: str, who: Caller) -> bool | None:
    """Tell whether a policy by name (of a Server, of a pod, of a namespace) lets a source in. One that we do not know, as
    Linkerd has it: it is left at what is the default of an installation."""
    match policy:
        case "deny":
            return False
        case "all-authenticated":
            return who.identity is not None
        case "cluster-authenticated":
            return all_of((who.identity is not None, _in_cluster(who)))
        case "cluster-unauthenticated":
            return _in_cluster(who)
    return True


def takes_anybody(policy: str) -> bool:
    """Tell whether a policy by name lets in some source that has no identity."""
    return policy not in ("deny", "all-authenticated", "cluster-authenticated")


def _in_cluster(who: Caller) -> bool | None:
    # A pod has an address of the cluster, whatever it is.
    return lies_in(who, CLUSTER_NETWORKS) if who.network is not None else True


class Clients:
    """The authentications that authorizations refer to, by namespace and name."""

    def __init__(self, mesh_tls: Iterable[MeshTlsAuthentication], networks: Iterable[NetworkAuthentication]) -> None:
        self._mesh_tls = {(each.namespace, each.name): each for each in mesh_tls}
        self._networks = {(each.namespace, each.name): each for each in networks}

    def let_in(self, policy: LinkerdAuthorizationPolicy, who: Caller) -> bool | None:
        """Tell whether a source has everything that a policy requires; one that requires nothing lets in anybody."""
        required = policy.spec.required_authentication_refs
        return all_of(self._authenticated(each, policy.namespace, who) for each in required)

    def takes_anybody(self, policy: LinkerdAuthorizationPolicy) -> bool:
        """Tell whether a policy lets in some source without an identity: nothing but networks is required."""
        return all(self._is_network(each, policy.namespace) for each in policy.spec.required_authentication_refs)

    def _is_network(self, reference: Reference, home: str) -> bool:
        if reference.kind != "NetworkAuthentication":
            return False
        found = self._networks.get((reference.namespace or home, reference.name))
        return found is not None and bool(found.spec.networks)

    def _authenticated(self, reference: Reference, home: str, who: Caller) -> bool | None:
        place = (reference.namespace or home, reference.name)
        if reference.kind == "NetworkAuthentication":
            found = self._networks.get(place)
            return found is not None and in_networks(found.spec.networks, who)
        if reference.kind == "ServiceAccount":
            return who.identity is not None and (who.namespace, who.account) == place
        authentication = self._mesh_tls.get(place) if reference.kind == "MeshTLSAuthentication" else None
        if authentication is None or who.identity is None:
            return False
        spec = authentication.spec
        referred = (_referred(each, authentication.namespace, who) for each in spec.identity_refs or ())
        return any_of((has_identity(spec.identities or (), who), *referred))

    def networks_asked(self) -> Iterable[str]:
        """Return every network that an authentication speaks of."""
        for authentication in self._networks.values():
            for each in authentication.spec.networks:
                yield from (each.cidr, *(each.except_ or ()))


def _referred(reference: Reference, home: str, who: Caller) -> bool:
    if reference.kind == "Namespace":
        return who.namespace == reference.name
    return reference.kind == "ServiceAccount" and (who.namespace, who.account) == (
        reference.namespace or home,
        reference.name,
    )


def has_identity(patterns: Iterable[str], who: Caller) -> bool | None:
    """Tell whether the identity is one of these: ``*`` is any, and ``*.`` at the beginning stands for what may be there.
    Which trust domain the mesh has is not known: where all but the domain fits, neither is this."""
    identity = who.identity
    return False if identity is None else any_of(_fits(pattern, identity) for pattern in patterns)


def _fits(pattern: str, identity: str) -> bool | None:
    if _ends(pattern, identity):
        return True
    account, of_mesh, _ = pattern.partition(_OF_MESH)
    return None if of_mesh and _ends(account, identity.partition(_OF_MESH)[0]) else False


def _ends(pattern: str, text: str) -> bool:
    return text.endswith(pattern[1:]) if pattern.startswith("*.") else pattern in ("*", text)


def in_networks(networks: Iterable[GuardedNetwork], who: Caller) -> bool | None:
    """Tell whether the source lies in one of the networks and in none of its exceptions."""
    return any_of(all_of((lies_in(who, (each.cidr,)), _not_in(each.except_ or (), who))) for each in networks)


def _not_in(blocks: tuple[str, ...], who: Caller) -> bool | None:
    return negated(lies_in(who, blocks)) if blocks else True


def names_server(authorization: ServerAuthorization, server: Server) -> bool:
    """Tell whether an authorization is about a Server of its namespace."""
    chosen = authorization.spec.server
    if authorization.namespace != server.namespace:
        return False
    return (
        chosen.name == server.name if chosen.name else chosen.selector is not None and chosen.selector.matches(server.labels)
    )


def client_let_in(authorization: ServerAuthorization, who: Caller) -> bool | None:
    """Tell whether a ServerAuthorization lets a source in. TLS without a client's identity counts as possible for all."""
    client = authorization.spec.client
    inside = True if client.networks is None else in_networks(client.networks, who)
    if client.unauthenticated:
        return inside
    tls = client.mesh_tls
    if tls is None:
        return False
    if tls.unauthenticated_tls:
        return all_of((inside, True if who.identity is not None else None))
    accounts = {(each.namespace or authorization.namespace, each.name) for each in tls.service_accounts or ()}
    named = who.identity is not None and (who.namespace, who.account) in accounts
    return all_of((any_of((has_identity(tls.identities or (), who), named)), inside))


def client_takes_anybody(authorization: ServerAuthorization) -> bool:
    """Tell whether a ServerAuthorization lets in some source without an identity."""
    client = authorization.spec.client
    somewhere = client.networks is None or bool(client.networks)
    return somewhere and (client.unauthenticated or (client.mesh_tls is not None and client.mesh_tls.unauthenticated_tls))


def client_networks(authorizations: Iterable[ServerAuthorization]) -> Iterable[str]:
    """Return every network that ServerAuthorizations speak of."""
    for each in authorizations:
        for network in each.spec.client.networks or ():
            yield from (network.cidr, *(network.except_ or ()))


def annotation(name: str, annotations: Mapping[str, str], of_namespace: Mapping[str, str], otherwise: str = "") -> str:
    """Return what a pod's annotation says, or its namespace's."""
    return annotations.get(name) or of_namespace.get(name) or otherwise
