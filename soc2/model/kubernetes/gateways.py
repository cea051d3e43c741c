"""Gateways, by the Gateway API and by Istio, and the routes that attach to them."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record

GATEWAY_API = "gateway.networking.k8s.io"
EXPERIMENTAL = "gateway.networking.x-k8s.io"


class RouteNamespaces(Record, frozen=True):
    """``from`` is Same, All, Selector or None."""

    from_: str = field(default="Same", name="from")
    selector: LabelSelector | None = None


class RouteKind(Record, frozen=True):
    group: str = GATEWAY_API
    kind: str = ""


class AllowedRoutes(Record, frozen=True):
    namespaces: RouteNamespaces | None = None
    kinds: tuple[RouteKind, ...] | None = None


class GatewayListener(Record, frozen=True):
    name: str = ""
    hostname: str = ""
    port: int = 0
    protocol: str = ""
    allowed_routes: AllowedRoutes | None = None


class GatewaySpec(Record, frozen=True):
    gateway_class_name: str = ""
    listeners: tuple[GatewayListener, ...] | None = None


class Gateway(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Gateway"

    spec: GatewaySpec = GatewaySpec()


class ListenerSet(KubeObject, frozen=True):
    """Listeners that a Gateway has beside its own, from whatever namespace; routes attach to them as to a Gateway."""

    KIND: ClassVar[str] = "ListenerSet"

    spec: GatewaySpec = GatewaySpec()


class XListenerSet(ListenerSet, frozen=True):
    """What a ListenerSet was before it was taken into the standard."""

    KIND: ClassVar[str] = "XListenerSet"


class ParentRef(Record, frozen=True):
    """What a route attaches to; its own namespace where none is said, and every listener where no name or port is."""

    group: str = GATEWAY_API
    kind: str = "Gateway"
    namespace: str = ""
    name: str = ""
    section_name: str = ""
    port: int = 0


class RouteSpec(Record, frozen=True):
    parent_refs: tuple[ParentRef, ...] | None = None
    hostnames: tuple[str, ...] | None = None


class Route(KubeObject, frozen=True):
    """A route of the Gateway API, of any kind; those of TCP and UDP have no hostnames."""

    spec: RouteSpec = RouteSpec()


class HttpRoute(Route, frozen=True):
    KIND: ClassVar[str] = "HTTPRoute"


class GrpcRoute(Route, frozen=True):
    KIND: ClassVar[str] = "GRPCRoute"


class TlsRoute(Route, frozen=True):
    KIND: ClassVar[str] = "TLSRoute"


class TcpRoute(Route, frozen=True):
    KIND: ClassVar[str] = "TCPRoute"


class UdpRoute(Route, frozen=True):
    KIND: ClassVar[str] = "UDPRoute"


class ServerPort(Record, frozen=True):
    number: int = 0
    protocol: str = ""
    name: str = ""


class IstioServer(Record, frozen=True):
    """Hosts read ``host`` or ``namespace/host``; the namespace may be ``*`` (any) or ``.`` (the gateway's)."""

    name: str = ""
    port: ServerPort = ServerPort()
    hosts: tuple[str, ...] | None = None
    tls: dict[str, Any] | None = None


class IstioGatewaySpec(Record, frozen=True):
    servers: tuple[IstioServer, ...] | None = None


class IstioGateway(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Gateway"

    spec: IstioGatewaySpec = IstioGatewaySpec()


class VirtualServiceSpec(Record, frozen=True):
    """Gateways read ``name`` or ``namespace/name``; ``mesh`` are the proxies of pods."""

    hosts: tuple[str, ...] | None = None
    gateways: tuple[str, ...] | None = None


class VirtualService(KubeObject, frozen=True):
    KIND: ClassVar[str] = "VirtualService"

    spec: VirtualServiceSpec = VirtualServiceSpec()
