"""Which endpoints are in an Istio mesh, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from soc2.model.network.endpoints import Endpoint
from soc2.model.network.mesh.callers import EVERY_TCP, ports_of
from soc2.model.network.ports import NO_PORT, PortSet

PROXY = "istio-proxy"
_INJECT = "sidecar.istio.io/inject"
_YES = ("true", "yes", "y", "on")
_REVISION = "istio.io/rev"
_DATAPLANE = "istio.io/dataplane-mode"
_REDIRECTED, _TAKEN = "ambient.istio.io/redirection", "enabled"
_INCLUDED = "traffic.sidecar.istio.io/includeInboundPorts"
_EXCLUDED = "traffic.sidecar.istio.io/excludeInboundPorts"
_INTERCEPTION = "sidecar.istio.io/interceptionMode"
_BYPASS = "ambient.istio.io/bypass-inbound-capture"


class How(StrEnum):
    """``GATEWAY`` is a proxy by itself, whose listeners are what its Gateway says and not a PeerAuthentication."""

    SIDECAR = "sidecar"
    AMBIENT = "ambient"
    GATEWAY = "gateway"
    OUTSIDE = "outside"


def notes_ambient(endpoints: Iterable[Endpoint]) -> bool:
    """Tell whether Istio notes at the pods which of them it took into ambient mode, as versions of today do."""
    return any(endpoint.annotations.get(_REDIRECTED) == _TAKEN for endpoint in endpoints)


def how(endpoint: Endpoint, namespace: Mapping[str, str], noted: bool = False) -> How:
    """Tell how an endpoint is in the mesh, from the labels of its namespace, its own, and its containers.

    A pod of a cluster has its sidecar or has none, whatever its labels ask for; for a template, or a pod in a manifest, it
    is what the injector would do (without ``enableNamespacesByDefault``). In ambient mode Istio notes at a pod that it was
    taken in; where it does so in the cluster (``noted``) a pod without the note was not, and elsewhere labels tell.
    """
    if endpoint.host_network:
        return How.OUTSIDE
    if endpoint.containers == (PROXY,):
        return How.GATEWAY
    if PROXY in endpoint.containers:
        return How.SIDECAR
    admitted = endpoint.resource.kind == "Pod" and endpoint.resource.file is None
    if not admitted and _injected(endpoint, namespace):
        return How.SIDECAR
    redirected = endpoint.annotations.get(_REDIRECTED, "")
    if admitted and (redirected or noted):
        return How.AMBIENT if redirected == _TAKEN else How.OUTSIDE
    return How.AMBIENT if endpoint.labels.get(_DATAPLANE, namespace.get(_DATAPLANE, "")) == "ambient" else How.OUTSIDE


def _injected(endpoint: Endpoint, namespace: Mapping[str, str]) -> bool:
    if _asked(endpoint).lower() not in ("", *_YES):
        return False
    if "istio-injection" in namespace:
        return namespace["istio-injection"] == "enabled"
    return _REVISION in namespace or endpoint.labels.get(_INJECT) == "true" or _REVISION in endpoint.labels


def why_outside(endpoint: Endpoint) -> str:
    """Return why an endpoint that is not in the mesh is not."""
    if endpoint.host_network:
        return "it uses the network of its node, which a mesh does not capture"
    asked = _asked(endpoint)
    refusal = f"{_INJECT} is {asked!r}" if asked.lower() not in ("", *_YES) else ""
    if endpoint.resource.kind == "Pod":
        redirected = endpoint.annotations.get(_REDIRECTED, "")
        noted = f" ({_REDIRECTED} is {redirected!r})" if redirected else ""
        return f"it has no container {PROXY}{refusal and f' ({refusal})'}, and it is not taken into ambient mode{noted}"
    return f"{refusal or 'no label asks for a sidecar'}, and no label takes it into ambient mode"


def _asked(endpoint: Endpoint) -> str:
    return endpoint.labels.get(_INJECT, endpoint.annotations.get(_INJECT, ""))


def excluded_ports(endpoint: Endpoint, mode: How) -> tuple[PortSet, str]:
    """Return the ports that an annotation keeps from the proxy, and which annotation does."""
    annotations = endpoint.annotations
    if mode is How.AMBIENT:
        return (EVERY_TCP, _BYPASS) if annotations.get(_BYPASS) == "true" else (NO_PORT, "")
    if annotations.get(_INTERCEPTION) == "NONE":
        return EVERY_TCP, _INTERCEPTION
    # What is left out counts only where all is taken in otherwise.
    included = annotations.get(_INCLUDED, "*").strip()
    if included != "*":
        return EVERY_TCP - ports_of(included), _INCLUDED
    return ports_of(annotations.get(_EXCLUDED, "")), _EXCLUDED
