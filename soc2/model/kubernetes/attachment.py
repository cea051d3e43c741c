"""Gateways in one form, whoever's they are, and what is attached to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from soc2.model.deviation import Resource
from soc2.model.kubernetes.gateways import (
    EXPERIMENTAL,
    GATEWAY_API,
    AllowedRoutes,
    Gateway,
    IstioGateway,
    ListenerSet,
    ParentRef,
    Route,
    RouteNamespaces,
    VirtualService,
    XListenerSet,
)
from soc2.model.kubernetes.meta import LabelSelector
from soc2.model.network.selectors import NAME_LABEL, select_everything, selects

EVERY_HOST = "*"
_HTTP = ("HTTP", "HTTPS")
_SERVED_BY = {
    "HTTPRoute": _HTTP,
    "GRPCRoute": _HTTP,
    "TLSRoute": ("TLS",),
    "TCPRoute": ("TCP", "TLS"),
    "UDPRoute": ("UDP",),
}
"""Protocols of listeners that a kind of route may attach to. Protocols of implementations' own are not known."""
_PROTOCOLS = {protocol for protocols in _SERVED_BY.values() for protocol in protocols}
_ENCRYPTED = ("HTTPS", "TLS")

_ISTIO = "networking.istio.io"
_GROUPS: dict[type, str] = {IstioGateway: _ISTIO, XListenerSet: EXPERIMENTAL}
"""API groups of the kinds of gateways that are not of the Gateway API."""

Labels = Mapping[str, Mapping[str, str]]
"""Labels of every namespace."""


@dataclass(frozen=True)
class Listener:
    """Where a gateway listens. ``hosts`` are in lower case, and ``*`` is every host; ``allowed`` says which routes may
    attach: their namespaces (Same, All, Selector, None), and their kinds, where these are limited."""

    name: str
    port: int
    protocol: str
    hosts: tuple[str, ...]
    allowed: RouteNamespaces
    kinds: frozenset[str] | None = None
    encrypted: bool = False

    def admits(self, kind: str, home: str, namespace: str, labels: Mapping[str, str]) -> bool:
        """Tell whether a route of a kind may attach from a namespace with these labels; ``home`` is the gateway's own."""
        if self.kinds is not None and kind not in self.kinds:
            return False
        if self.protocol in _PROTOCOLS and self.protocol not in _SERVED_BY.get(kind, _PROTOCOLS):
            return False
        match self.allowed.from_:
            case "None":
                return False
            case "Same":
                return namespace == home
            case "Selector":
                return self.allowed.selector is not None and selects(self.allowed.selector, labels)
        return True

    @property
    def for_everybody(self) -> bool:
        """Tell whether routes of every namespace may attach."""
        selector = self.allowed.selector if self.allowed.from_ == "Selector" else None
        return self.allowed.from_ == "All" or (selector is not None and select_everything([selector]))


@dataclass(frozen=True)
class OpenGateway:
    resource: Resource
    listeners: tuple[Listener, ...]

    @property
    def name(self) -> str:
        return f"{self.resource.namespace}/{self.resource.name}"


@dataclass(frozen=True)
class AttachedRoute:
    """A route that a gateway serves. ``foreign`` are the gateways (``namespace/name``) that are in other namespaces."""

    resource: Resource
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    foreign: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.resource.namespace}/{self.resource.name}"


def open_gateways(gateways: Iterable[Gateway | ListenerSet | IstioGateway]) -> tuple[OpenGateway, ...]:
    """Return gateways in one form. A set of listeners is one too: it opens ports whose routes are its own."""
    return tuple(
        OpenGateway(each.resource, tuple(_servers(each) if isinstance(each, IstioGateway) else _listeners(each)))
        for each in gateways
    )


def attached_routes(
    gateways: Iterable[Gateway | ListenerSet | IstioGateway],
    routes: Iterable[Route | VirtualService],
    labels: Labels,
) -> Iterator[AttachedRoute]:
    """Yield the routes that some listener of a gateway admits: by their namespace, kind and hosts.

    Which controller serves a gateway, and whether it has taken the route up already, does not matter: it may at any time.
    """
    there: dict[tuple[str, str, str], OpenGateway] = {}
    for each in gateways:
        group = _GROUPS.get(type(each), GATEWAY_API)
        there.update({(group, each.KIND, one.name): one for one in open_gateways([each])})
    for route in routes:
        if isinstance(route, VirtualService):
            names = [name if "/" in name else f"{route.namespace}/{name}" for name in route.spec.gateways or ()]
            found = [(there.get((_ISTIO, IstioGateway.KIND, name)), ParentRef()) for name in names]
            yield from _attached(route, _hosts(route.spec.hosts), found, labels)
        else:
            wanted = [(_key(each, route.namespace), each) for each in route.spec.parent_refs or ()]
            found = [(there.get(key), each) for key, each in wanted]
            yield from _attached(route, _hosts(route.spec.hostnames), found, labels)


def _key(parent: ParentRef, namespace: str) -> tuple[str, str, str]:
    return (parent.group, parent.kind, f"{parent.namespace or namespace}/{parent.name}")


def meet(one: str, two: str) -> bool:
    """Tell whether some host is meant by both: ``*`` is every host, and ``*.`` stands for any labels, at least one."""
    if EVERY_HOST in (one, two):
        return True
    if one.startswith("*."):
        return two.endswith(one[1:]) or (two.startswith("*.") and one.endswith(two[1:]))
    return one.endswith(two[1:]) if two.startswith("*.") else one == two


def _attached(
    item: Route | VirtualService,
    hosts: tuple[str, ...],
    wanted: Iterable[tuple[OpenGateway | None, ParentRef]],
    labels: Labels,
) -> Iterator[AttachedRoute]:
    given = {**labels.get(item.namespace, {}), NAME_LABEL: item.namespace}
    serving = [
        gateway
        for gateway, parent in wanted
        if gateway
        and any(
            _meant(parent, listener)
            and listener.admits(item.KIND, gateway.resource.namespace, item.namespace, given)
            and any(meet(one, two) for one in hosts for two in listener.hosts)
            for listener in gateway.listeners
        )
    ]
    if serving:
        names = tuple(dict.fromkeys(each.name for each in serving))
        foreign = tuple(dict.fromkeys(each.name for each in serving if each.resource.namespace != item.namespace))
        yield AttachedRoute(item.resource, hosts, names, foreign)


def _meant(parent: ParentRef, listener: Listener) -> bool:
    return parent.section_name in ("", listener.name) and parent.port in (0, listener.port)


def _hosts(hosts: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host.lower() or EVERY_HOST for host in hosts or ())) or (EVERY_HOST,)


def _listeners(gateway: Gateway | ListenerSet) -> Iterator[Listener]:
    for each in gateway.spec.listeners or ():
        allowed = each.allowed_routes or AllowedRoutes()
        kinds = frozenset(one.kind for one in allowed.kinds) if allowed.kinds else None
        yield Listener(
            each.name,
            each.port,
            each.protocol,
            _hosts([each.hostname]),
            allowed.namespaces or RouteNamespaces(),
            kinds,
            each.protocol in _ENCRYPTED,
        )


def _servers(gateway: IstioGateway) -> Iterator[Listener]:
    """Yield a listener for each server, and for each namespace that its hosts are for."""
    for each in gateway.spec.servers or ():
        by_place: dict[str, list[str]] = {}
        for text in each.hosts or ():
            place, separator, host = text.rpartition("/")
            by_place.setdefault(place if separator else "*", []).append(host)
        for place, hosts in by_place.items():
            name, protocol = each.name or each.port.name, each.port.protocol.upper()
            encrypted = protocol in _ENCRYPTED or bool(each.tls and each.tls.get("mode"))
            yield Listener(name, each.port.number, protocol, _hosts(hosts), _of(place), None, encrypted)


def _of(place: str) -> RouteNamespaces:
    if place in ("*", "."):
        return RouteNamespaces("All" if place == "*" else "Same")
    return RouteNamespaces("Selector", LabelSelector({NAME_LABEL: place}))
