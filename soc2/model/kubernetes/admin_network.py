"""Network policies of the cluster's administrators, in the versions of ``policy.networking.k8s.io`` that are about."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record


class Namespaces(LabelSelector, frozen=True):
    """A selector of namespaces. Early releases of v1alpha1 had one of the other fields instead, and the selector a level
    deeper; ``related`` is Self or NotSelf, and labels are such as are compared with those of the subject's namespace."""

    namespace_selector: LabelSelector | None = None
    same_labels: tuple[str, ...] = ()
    not_same_labels: tuple[str, ...] = ()
    related: str = ""

    @property
    def selector(self) -> LabelSelector | None:
        """Return what selects namespaces, or None where that depends on the subject's namespace."""
        if self.same_labels or self.not_same_labels or self.related:
            return None
        return self.namespace_selector or self


class NamespacedPods(Record, frozen=True):
    """Pods by labels of theirs and of their namespace. Early releases of v1alpha1 had ``namespaces``."""

    namespace_selector: LabelSelector = LabelSelector()
    pod_selector: LabelSelector = LabelSelector()
    namespaces: Namespaces | None = None


class AdminSubject(Record, frozen=True):
    """The pods that a policy is about: one of the fields is set."""

    namespaces: LabelSelector | None = None
    pods: NamespacedPods | None = None


class AdminPeer(Record, frozen=True):
    """One of the fields is set; the last three only in egress rules. ``domain_names`` stand in rules that allow."""

    namespaces: Namespaces | None = None
    pods: NamespacedPods | None = None
    nodes: LabelSelector | None = None
    networks: tuple[str, ...] = ()
    domain_names: tuple[str, ...] = ()


class AdminPortNumber(Record, frozen=True):
    protocol: str = "TCP"
    port: int = 0


class AdminPortRange(Record, frozen=True):
    protocol: str = "TCP"
    start: int = 0
    end: int = 0


class AdminPort(Record, frozen=True):
    """One of the fields is set. A named port is of any protocol."""

    port_number: AdminPortNumber | None = None
    port_range: AdminPortRange | None = None
    named_port: str | None = None


class AdminIngressRule(Record, frozen=True):
    """``action`` is Allow, Deny or Pass."""

    action: str
    name: str = ""
    from_: tuple[AdminPeer, ...] = field(default=(), name="from")
    ports: tuple[AdminPort, ...] | None = None


class AdminEgressRule(Record, frozen=True):
    action: str
    name: str = ""
    to: tuple[AdminPeer, ...] = ()
    ports: tuple[AdminPort, ...] | None = None


class AdminNetworkPolicySpec(Record, frozen=True):
    """``priority``: 0 comes first, 1000 last."""

    priority: int = 0
    subject: AdminSubject = AdminSubject()
    ingress: tuple[AdminIngressRule, ...] = ()
    egress: tuple[AdminEgressRule, ...] = ()


class AdminNetworkPolicy(KubeObject, frozen=True):
    """Version v1alpha1: decides before NetworkPolicies."""

    KIND: ClassVar[str] = "AdminNetworkPolicy"

    spec: AdminNetworkPolicySpec = AdminNetworkPolicySpec()


class BaselineSpec(Record, frozen=True):
    subject: AdminSubject = AdminSubject()
    ingress: tuple[AdminIngressRule, ...] = ()
    egress: tuple[AdminEgressRule, ...] = ()


class BaselineAdminNetworkPolicy(KubeObject, frozen=True):
    """Version v1alpha1: decides where no NetworkPolicy does. There is one, named ``default``."""

    KIND: ClassVar[str] = "BaselineAdminNetworkPolicy"

    spec: BaselineSpec = BaselineSpec()


class Span(Record, frozen=True):
    start: int = 0
    end: int = 0


class DestinationPort(Record, frozen=True):
    number: int | None = None
    range: Span | None = None


class ProtocolMatch(Record, frozen=True):
    destination_port: DestinationPort | None = None


class ClusterProtocol(Record, frozen=True):
    """One of the fields is set."""

    tcp: ProtocolMatch | None = None
    udp: ProtocolMatch | None = None
    sctp: ProtocolMatch | None = None
    destination_named_port: str | None = None


class ClusterIngressRule(Record, frozen=True):
    """``action`` is Accept, Deny or Pass."""

    action: str
    name: str = ""
    from_: tuple[AdminPeer, ...] = field(default=(), name="from")
    protocols: tuple[ClusterProtocol, ...] | None = None


class ClusterEgressRule(Record, frozen=True):
    action: str
    name: str = ""
    to: tuple[AdminPeer, ...] = ()
    protocols: tuple[ClusterProtocol, ...] | None = None


class ClusterNetworkPolicySpec(Record, frozen=True):
    """``tier`` is Admin (before NetworkPolicies) or Baseline (where none decides)."""

    tier: str = "Admin"
    priority: int = 0
    subject: AdminSubject = AdminSubject()
    ingress: tuple[ClusterIngressRule, ...] = ()
    egress: tuple[ClusterEgressRule, ...] = ()


class ClusterNetworkPolicy(KubeObject, frozen=True):
    """Version v1alpha2, which has both in one kind."""

    KIND: ClassVar[str] = "ClusterNetworkPolicy"

    spec: ClusterNetworkPolicySpec = ClusterNetworkPolicySpec()
