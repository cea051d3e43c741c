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


class Service(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Service"

    spec: ServiceSpec = ServiceSpec()


class IngressTls(Record, frozen=True):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressHostRule(Record, frozen=True):
    host: str = ""


class IngressSpec(Record, frozen=True):
    ingress_class_name: str = ""
    tls: tuple[IngressTls, ...] = ()
    rules: tuple[IngressHostRule, ...] = ()


class Ingress(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Ingress"

    spec: IngressSpec = IngressSpec()
