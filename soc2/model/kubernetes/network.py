"""What decides who can talk to whom, and what is reachable from outside."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record


class IPBlock(Record, frozen=True):
    cidr: str = ""
    except_: tuple[str, ...] = field(default=(), name="except")


class NetworkPolicyPeer(Record, frozen=True):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class NetworkPolicyPort(Record, frozen=True):
    port: int | str | None = None
    end_port: int | None = None
    protocol: str = "TCP"


class IngressRule(Record, frozen=True):
    from_: tuple[NetworkPolicyPeer, ...] = field(default=(), name="from")
    ports: tuple[NetworkPolicyPort, ...] = ()


class EgressRule(Record, frozen=True):
    to: tuple[NetworkPolicyPeer, ...] = ()
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicySpec(Record, frozen=True):
    pod_selector: LabelSelector = LabelSelector()
    policy_types: tuple[str, ...] = ()
    ingress: tuple[IngressRule, ...] = ()
    egress: tuple[EgressRule, ...] = ()


class NetworkPolicy(KubeObject, frozen=True):
    KIND: ClassVar[str] = "NetworkPolicy"

    spec: NetworkPolicySpec = NetworkPolicySpec()


class ServicePort(Record, frozen=True):
    port: int = 0
    node_port: int = 0
    protocol: str = "TCP"
    name: str = ""


class ServiceSpec(Record, frozen=True):
    type: str = "ClusterIP"
    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] = ()
    external_ips: tuple[str, ...] = field(default=(), name="externalIPs")
    load_balancer_source_ranges: tuple[str, ...] = ()


class LoadBalancerIngress(Record, frozen=True):
    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(Record, frozen=True):
    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Record, frozen=True):
    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Service"

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class IngressTls(Record, frozen=True):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressHostRule(Record, frozen=True):
    host: str = ""


class IngressBackend(Record, frozen=True):
    """What requests are handed to that no rule is about; that there is one is all that matters here."""


class IngressSpec(Record, frozen=True):
    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    tls: tuple[IngressTls, ...] = ()
    rules: tuple[IngressHostRule, ...] = ()


class Ingress(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Ingress"

    spec: IngressSpec = IngressSpec()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the hosts that it serves, in lower case; ``*`` is every host, as by a rule without one or a default
        backend, to which everything goes that no rule is about."""
        named = (rule.host.lower() or "*" for rule in self.spec.rules)
        rest = ("*",) if self.spec.default_backend or not self.spec.rules else ()
        return tuple(dict.fromkeys((*named, *rest)))
