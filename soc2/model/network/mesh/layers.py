"""The meshes of a cluster as layers, from its objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.istio import AuthorizationPolicy, PeerAuthentication, Sidecar
from soc2.model.kubernetes.linkerd import (
    LinkerdAuthorizationPolicy,
    MeshTlsAuthentication,
    NetworkAuthentication,
    Server,
    ServerAuthorization,
)
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.layers import Layer
from soc2.model.network.mesh.istio import IstioLayer
from soc2.model.network.mesh.istio_members import notes_ambient
from soc2.model.network.mesh.linkerd import LinkerdLayer

_LINKERD = "linkerd.io"


def mesh_layers(
    root_namespace: str,
    namespaces: Iterable[Namespace],
    peer_authentications: Sequence[PeerAuthentication] = (),
    authorization_policies: Sequence[AuthorizationPolicy] = (),
    sidecars: Sequence[Sidecar] = (),
    servers: Sequence[Server] = (),
    linkerd_policies: Sequence[LinkerdAuthorizationPolicy] = (),
    mesh_tls: Sequence[MeshTlsAuthentication] = (),
    networks: Sequence[NetworkAuthentication] = (),
    server_authorizations: Sequence[ServerAuthorization] = (),
    *,
    endpoints: Iterable[Endpoint] = (),
) -> tuple[Layer, ...]:
    """Return a layer of each mesh of which there are objects (in the order of ``sources.MESH_SOURCES``), or for Linkerd a
    namespace with its annotations. ``root_namespace`` is where Istio keeps what holds for the whole mesh;
    ``endpoints`` are all pods."""
    listed = tuple(namespaces)
    layers: list[Layer] = []
    if peer_authentications or authorization_policies or sidecars:
        istio = IstioLayer(
            root_namespace,
            labels_of(listed),
            peer_authentications,
            authorization_policies,
            sidecars,
            notes_ambient=notes_ambient(endpoints),
        )
        layers.append(istio)
    annotations = annotations_of(listed)
    if any((servers, linkerd_policies, mesh_tls, networks, server_authorizations, *annotations.values())):
        layers.append(LinkerdLayer(annotations, servers, linkerd_policies, mesh_tls, networks, server_authorizations))
    return tuple(layers)


def labels_of(namespaces: Iterable[Namespace]) -> Mapping[str, Mapping[str, str]]:
    """Return the labels of each namespace."""
    return {each.name: each.labels for each in namespaces}


def annotations_of(namespaces: Iterable[Namespace]) -> Mapping[str, Mapping[str, str]]:
    """Return those annotations of each namespace that Linkerd reads."""
    found = {}
    for each in namespaces:
        texts = {name: each.metadata.annotations.text(name) for name in each.metadata.annotations}
        found[each.name] = {
            name: text for name, text in texts.items() if text is not None and name.partition("/")[0].endswith(_LINKERD)
        }
    return found
