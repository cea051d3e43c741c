"""Rules on what is reachable from outside the cluster: all of it is approved, and all that is approved is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.exposure import ways_in
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.kubernetes.network import Ingress, Service
from soc2.model.tls import name_matches


@dataclass(frozen=True, kw_only=True)
class UnapprovedExposure(Deviation):
    template: ClassVar[str] = "{how} and is not on the list of approved exposure"
    how: str


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
    return any(fnmatchcase(f"{item.namespace}/{item.name}", pattern) for pattern in patterns)


def _hosts(hosts: Iterable[str]) -> str:
    return ", ".join("every host" if host == "*" else host for host in hosts)
