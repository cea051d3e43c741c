"""Rules on NetworkPolicies and on what is reachable from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.network import Ingress, Service
from soc2.model.network.defaults import NamespaceDefault
from soc2.model.network.policies import Direction
from soc2.model.network.zones import shown


@dataclass(frozen=True, kw_only=True)
class NoDefaultDeny(Deviation):
    """A namespace where a new pod may be denied nothing; ``instead`` names the policies that are about some pods only."""

    template: ClassVar[str] = "no policy denies {direction} by default for whatever pod comes{instead}"
    direction: str
    instead: str = ""


@dataclass(frozen=True, kw_only=True)
class AllowsAll(Deviation):
    """A rule, or some together, that undo the default denial for the pods that they are about."""

    template: ClassVar[str] = "{policy} allows {direction} {what} for {whom}, which undoes the default deny"
    direction: str
    policy: str
    what: str
    whom: str


@dataclass(frozen=True, kw_only=True)
class UnapprovedExposure(Deviation):
    template: ClassVar[str] = "{how} and is not on the list of approved exposure"
    how: str


@dataclass(frozen=True, kw_only=True)
class IngressWithoutTls(Deviation):
    template: ClassVar[str] = "host {host} is served without TLS"
    host: str


def default_deny(direction: Direction) -> Callable[[NamespaceDefault], Iterator[Deviation]]:
    """Return the rule that whatever pod comes into a namespace is denied a direction by default, and no rule undoes it.

    Policies add up: one that allows everything undoes every other, for the pods that it selects. Neither an
    administrators' policy that denies everything nor several NetworkPolicies that together select every pod are less than
    one with an empty selector; a selector that only happens to select all pods there are is.
    """

    def rule(record: NamespaceDefault) -> Iterator[Deviation]:
        if not record.denies(direction):
            some = record.nearly(direction)
            instead = f"; {shown(list(some), 3)} may select none of it" if some else ""
            yield NoDefaultDeny(resource=record.resource, direction=direction.lower(), instead=instead)
        for each in record.undone(direction):
            yield AllowsAll(
                resource=record.resource,
                direction=direction.lower(),
                policy=" with ".join(each.policies),
                what=f"{'from' if direction == 'Ingress' else 'to'} {each.what}",
                whom=each.whom,
            )

    return rule


def service_approved(approved: Iterable[str]) -> Callable[[Service], Iterator[Deviation]]:
    """Return the rule that only approved Services (``namespace/name``) are reachable from outside the cluster."""
    patterns = tuple(approved)

    def rule(service: Service) -> Iterator[Deviation]:
        ways = []
        if service.spec.type in ("NodePort", "LoadBalancer"):
            ways.append(f"it is of type {service.spec.type}")
        if service.spec.external_ips:
            ways.append(f"it has external addresses {', '.join(service.spec.external_ips)}")
        name = f"{service.namespace}/{service.name}"
        if ways and not any(fnmatchcase(name, pattern) for pattern in patterns):
            yield UnapprovedExposure(resource=service.resource, how=" and ".join(ways))

    return rule


def ingress_approved(approved: Iterable[str]) -> Callable[[Ingress], Iterator[Deviation]]:
    """Return the rule that only approved Ingresses (``namespace/name``) exist."""
    patterns = tuple(approved)

    def rule(ingress: Ingress) -> Iterator[Deviation]:
        if not any(fnmatchcase(f"{ingress.namespace}/{ingress.name}", pattern) for pattern in patterns):
            hosts = ", ".join(entry.host or "every host" for entry in ingress.spec.rules) or "every host"
            yield UnapprovedExposure(resource=ingress.resource, how=f"it serves {hosts}")

    return rule


def ingress_tls(ingress: Ingress) -> Iterator[Deviation]:
    """Every host of an Ingress is covered by one of its TLS entries; a wildcard covers one label."""
    covered = [host for entry in ingress.spec.tls for host in entry.hosts]
    for host in [rule.host for rule in ingress.spec.rules] or [""]:
        parent = "*." + host.partition(".")[2]
        if host not in covered and not (host and parent in covered):
            yield IngressWithoutTls(resource=ingress.resource, host=host or "*")
