"""Rules on what is reachable from outside the cluster: all of it is approved, and all that is approved is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.approvals import Approval
from soc2.model.kubernetes.attachment import AttachedRoute, Listener, OpenGateway
from soc2.model.kubernetes.exposure import ways_in
from soc2.model.kubernetes.host_ports import WorkloadPorts
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.kubernetes.network import Ingress, Service
from soc2.model.network.zones import shown
from soc2.model.tls import name_matches

_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class UnapprovedExposure(Deviation):
    template: ClassVar[str] = "{how} and is not on the list of approved exposure"
    how: str


@dataclass(frozen=True, kw_only=True)
class UnapprovedHostPort(Deviation):
    template: ClassVar[str] = "it takes port {port} of its node ({how}), which is not on the list of approved exposure"
    port: str
    how: str


@dataclass(frozen=True, kw_only=True)
class StaleApproval(Deviation):
    """An approval that outlived what it was for; whatever takes the name next is approved unseen."""

    template: ClassVar[str] = "what is approved is not there{instead}"
    instead: str = ""


@dataclass(frozen=True, kw_only=True)
class IngressWithoutTls(Deviation):
    template: ClassVar[str] = "host {host} is served without TLS"
    host: str


def service_approved(approved: Iterable[str]) -> Callable[[Service], Iterator[Deviation]]:
    """Return the rule that only approved Services (``namespace/name``) are reachable from outside the cluster."""
    patterns = tuple(approved)

    def rule(service: Service) -> Iterator[Deviation]:
        ways = ways_in(service)
        if ways and not _listed(service, patterns):
            yield UnapprovedExposure(resource=service.resource, how=" and ".join(ways))

    return rule


def ingress_approved(approved: Iterable[str]) -> Callable[[Ingress], Iterator[Deviation]]:
    """Return the rule that only approved Ingresses (``namespace/name``) exist."""
    patterns = tuple(approved)

    def rule(ingress: Ingress) -> Iterator[Deviation]:
        if not _listed(ingress, patterns):
            yield UnapprovedExposure(resource=ingress.resource, how=f"it serves {_hosts(ingress.hosts)}")

    return rule


def gateway_approved(
    gateways: Iterable[str], routes: Iterable[str]
) -> Callable[[OpenGateway | AttachedRoute], Iterator[Deviation]]:
    """Return the rule that only approved Gateways (``namespace/name``) exist, and that routes from other namespaces than the
    Gateway's are approved by themselves. Those of its own namespace are approved with it."""
    of_gateways, of_routes = tuple(gateways), tuple(routes)

    def rule(item: OpenGateway | AttachedRoute) -> Iterator[Deviation]:
        if isinstance(item, OpenGateway):
            how = "it listens on " + "; ".join(map(_listener, item.listeners)) if item.listeners else "it has no listener yet"
            approved = _named(item.name, of_gateways)
        else:
            through = f"{'Gateway' if len(item.foreign) == 1 else 'Gateways'} {shown(list(item.foreign), _SHOWN)}"
            how = f"it serves {_hosts(item.hosts)} through {through} of another namespace"
            approved = not item.foreign or _named(item.name, of_routes)
        if not approved:
            yield UnapprovedExposure(resource=item.resource, how=how)

    return rule


def host_ports_approved(approved: Iterable[str]) -> Callable[[WorkloadPorts], Iterator[Deviation]]:
    """Return the rule that only approved ports of nodes (``namespace/workload:port``) are taken by workloads."""
    patterns = tuple(approved)

    def rule(workload: WorkloadPorts) -> Iterator[Deviation]:
        for name, port in workload.names:
            if not _named(name, patterns):
                how = "it is in the node's network" if port.shared else "hostPort"
                yield UnapprovedHostPort(resource=workload.resource, port=str(port), how=how)

    return rule


def still_there(approval: Approval) -> Iterator[Deviation]:
    """Every approval is for something that is reachable from outside."""
    if not approval.live:
        if approval.hidden:
            instead = f": {approval.hidden} is not reachable from outside"
        else:
            instead = f"; the nearest is {approval.nearest}" if approval.nearest else ""
        yield StaleApproval(resource=approval.resource, instead=instead)


def ingress_tls(ingress: Ingress) -> Iterator[Deviation]:
    """Every host of an Ingress is covered by one of its TLS entries; a wildcard covers one label.

    An entry with a Secret and without hosts is for whatever host there is.
    """
    entries = ingress.spec.tls
    if any(entry.secret_name and not entry.hosts for entry in entries):
        return
    covered = [host.lower() for entry in entries for host in entry.hosts]
    for host in ingress.hosts:
        if host not in covered and not any(name_matches(host, name) for name in covered):
            yield IngressWithoutTls(resource=ingress.resource, host=host)


def _listed(item: KubeObject, patterns: Iterable[str]) -> bool:
    return _named(f"{item.namespace}/{item.name}", patterns)


def _named(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _listener(listener: Listener) -> str:
    everybody = " (routes from all namespaces)" if listener.for_everybody else ""
    return f"{listener.port}/{listener.protocol} for {_hosts(listener.hosts)}{everybody}"


def _hosts(hosts: Iterable[str]) -> str:
    return shown(["every host" if host == "*" else host for host in hosts], _SHOWN)
