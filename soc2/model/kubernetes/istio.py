"""What Istio is told: who may connect to a workload, how, and what its proxy knows of the outside."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, field

from soc2.model.kubernetes.meta import KubeObject, Record

Matchers = dict[str, tuple[str, ...] | None]
"""Fields of a source or an operation with their values, as they stand there: a field that we do not know must be seen."""

PortText = Annotated[str, Meta(pattern=r"^\d{1,5}$")]
"""A port as the key of an object. It stays text, as JSON has it, so that evidence can be written with sorted keys."""


class WorkloadSelector(Record, frozen=True):
    """Istio's own: labels only, and one without labels selects everything."""

    match_labels: dict[str, str] | None = None

    def matches(self, labels: dict[str, str]) -> bool:
        """Tell whether it selects a pod with these labels."""
        return all(labels.get(key) == value for key, value in (self.match_labels or {}).items())


class MutualTls(Record, frozen=True):
    mode: str = "UNSET"


class PeerAuthenticationSpec(Record, frozen=True):
    """Ports are those of the workload, not of a Service."""

    selector: WorkloadSelector | None = None
    mtls: MutualTls | None = None
    port_level_mtls: dict[PortText, MutualTls | None] | None = None


class PeerAuthentication(KubeObject, frozen=True):
    KIND: ClassVar[str] = "PeerAuthentication"

    spec: PeerAuthenticationSpec = PeerAuthenticationSpec()


class AuthorizationFrom(Record, frozen=True):
    source: Matchers | None = None


class AuthorizationTo(Record, frozen=True):
    operation: Matchers | None = None


class Condition(Record, frozen=True):
    key: str = ""
    values: tuple[str, ...] | None = None
    not_values: tuple[str, ...] | None = None


class AuthorizationRule(Record, frozen=True):
    from_: tuple[AuthorizationFrom, ...] | None = field(default=None, name="from")
    to: tuple[AuthorizationTo, ...] | None = None
    when: tuple[Condition, ...] | None = None


class TargetReference(Record, frozen=True):
    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""


class AuthorizationPolicySpec(Record, frozen=True):
    selector: WorkloadSelector | None = None
    target_ref: TargetReference | None = None
    target_refs: tuple[TargetReference, ...] | None = None
    action: str = "ALLOW"
    rules: tuple[AuthorizationRule, ...] | None = None


class AuthorizationPolicy(KubeObject, frozen=True):
    KIND: ClassVar[str] = "AuthorizationPolicy"

    spec: AuthorizationPolicySpec = AuthorizationPolicySpec()


class SidecarSelector(Record, frozen=True):
    labels: dict[str, str] | None = None


class SidecarEgress(Record, frozen=True):
    """Hosts read ``namespace/name``; the namespace may be ``*``, ``.`` (its own) or ``~`` (none)."""

    hosts: tuple[str, ...] = ()


class OutboundTraffic(Record, frozen=True):
    mode: str = ""


class SidecarSpec(Record, frozen=True):
    workload_selector: SidecarSelector | None = None
    egress: tuple[SidecarEgress, ...] | None = None
    outbound_traffic_policy: OutboundTraffic | None = None


class Sidecar(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Sidecar"

    spec: SidecarSpec = SidecarSpec()
