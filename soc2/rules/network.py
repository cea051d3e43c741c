"""Rules on NetworkPolicies and on what is reachable from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.joins import NamespacePolicies
from soc2.model.kubernetes.network import Ingress, NetworkPolicy, Service

Direction = Literal["Ingress", "Egress"]


@dataclass(frozen=True, kw_only=True)
class NoDefaultDeny(Deviation):
    template: ClassVar[str] = "no NetworkPolicy denies {direction} by default for all pods"
    direction: str


@dataclass(frozen=True, kw_only=True)
class AllowsAll(Deviation):
    template: ClassVar[str] = "NetworkPolicy {policy} allows all {direction} of all pods, which undoes the default deny"
    direction: str
    policy: str


@dataclass(frozen=True, kw_only=True)
class UnapprovedExposure(Deviation):
    template: ClassVar[str] = "{how} and is not on the list of approved exposure"
    how: str


@dataclass(frozen=True, kw_only=True)
class IngressWithoutTls(Deviation):
    template: ClassVar[str] = "host {host} is served without TLS"
    host: str


def default_deny(direction: Direction) -> Callable[[NamespacePolicies], Iterator[Deviation]]:
    """Return the rule that some policy selects all pods in a direction, and none of those allows everything.

    Policies add up: one that allows everything undoes every other.
    """

    def rule(record: NamespacePolicies) -> Iterator[Deviation]:
        covering = [policy for policy in record.policies if _selects_all(policy) and direction in _directions(policy)]
        if not covering:
            yield NoDefaultDeny(resource=record.resource, direction=direction.lower())
        for policy in covering:
            if _allows_everything(policy, direction):
                yield AllowsAll(resource=record.resource, direction=direction.lower(), policy=policy.name)

    return rule


def _selects_all(policy: NetworkPolicy) -> bool:
    return policy.spec.pod_selector.selects_everything


def _directions(policy: NetworkPolicy) -> tuple[str, ...]:
    """Return the directions a policy covers; without policyTypes: ingress, and egress if it has egress rules."""
    return policy.spec.policy_types or (("Ingress", "Egress") if policy.spec.egress else ("Ingress",))


def _allows_everything(policy: NetworkPolicy, direction: Direction) -> bool:
    rules = (
        [(rule.from_, rule.ports) for rule in policy.spec.ingress]
        if direction == "Ingress"
        else [(rule.to, rule.ports) for rule in policy.spec.egress]
    )
    return any(
        not ports and (not peers or any(p.ip_block and p.ip_block.cidr in ("0.0.0.0/0", "::/0") for p in peers))
        for peers, ports in rules
    )


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
