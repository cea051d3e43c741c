"""How Services are reachable from outside the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from soc2.model.kubernetes.network import Service
from soc2.model.network.addresses import AddressSet
from soc2.model.network.zones import INTERNET, shown

_AWS = "service.beta.kubernetes.io/aws-load-balancer"
_INTERNAL = {
    "networking.gke.io/load-balancer-type": "internal",
    "cloud.google.com/load-balancer-type": "internal",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
}
"""Annotations that make a load balancer internal, with the value that does, in lower case; beside those of AWS."""
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
"""The older form of ``loadBalancerSourceRanges``, read where the field is empty."""
_SHOWN = 6
_FAMILIES = tuple(AddressSet.of(ip_network(text)) for text in ("0.0.0.0/0", "::/0"))


def ways_in(service: Service) -> tuple[str, ...]:
    """Return how a Service is reachable from outside the cluster, in words; nothing when it is not.

    An internal load balancer is a way in from the networks around the cluster, and is told to be internal. One that is
    left from the time when the Service was of another type is a way in as long as the status shows it.
    """
    return tuple(_ways_in(service))


def _ways_in(service: Service) -> Iterator[str]:
    kind = service.spec.type
    if kind in ("NodePort", "LoadBalancer"):
        more = [_ports(service)] if service.spec.ports else []
        if kind == "LoadBalancer":
            more += ["internal"] if internal(service) else []
            more += _limit(service)
        yield f"it is of type {kind}" + f" ({'; '.join(more)})" * bool(more)
    if service.spec.external_ips:
        yield f"it has external addresses {shown(list(service.spec.external_ips), _SHOWN)}"
    left = [each.hostname or each.ip for each in service.status.load_balancer.ingress if each.hostname or each.ip]
    if kind != "LoadBalancer" and left:
        yield f"it is still served by the load balancer at {shown(left, _SHOWN)}"


def internal(service: Service) -> bool:
    """Tell whether the annotations make its load balancer internal. Of AWS' two, the scheme is the newer and decides."""
    texts = {name: (service.metadata.annotations.text(name) or "").strip().lower() for name in service.metadata.annotations}
    if scheme := texts.get(f"{_AWS}-scheme", ""):
        return scheme == "internal"
    if texts.get(f"{_AWS}-internal", "false") not in ("false", ""):
        return True
    return any(texts.get(name) == value for name, value in _INTERNAL.items())


def _ports(service: Service) -> str:
    nodes = [f" on node port {each.node_port}" if each.node_port else "" for each in service.spec.ports]
    told = [f"{each.port}/{each.protocol}{node}" for each, node in zip(service.spec.ports, nodes, strict=True)]
    return f"{'port' if len(told) == 1 else 'ports'} {shown(told, _SHOWN)}"


def _limit(service: Service) -> list[str]:
    """Return the networks that the load balancer takes connections from; of all the internet is no limit."""
    older = service.metadata.annotations.text(_RANGES) or ""
    ranges = [each.strip() for each in service.spec.load_balancer_source_ranges or older.split(",") if each.strip()]
    open_to = AddressSet()
    for text in ranges:
        try:
            open_to |= AddressSet.of(ip_network(text, strict=False))
        except ValueError:
            continue  # no network: nothing comes from there, and it is shown as it stands
    if not ranges or any(not INTERNET & family & ~open_to for family in _FAMILIES):
        return []
    return [f"limited to {shown(ranges, _SHOWN)}"]
