"""Small clusters made by hypothesis: a few names and numbers, so that policies meet the pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from soc2.gather.codec import Codec
from soc2.model.deviation import Resource
from soc2.model.kubernetes.admin_network import AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.network import NetworkPolicy
from soc2.model.network.endpoints import Endpoint, NamedPort, Peer
from soc2.model.network.layers import Layer, Reason
from soc2.model.network.ports import EVERY_PORT, PortRange, PortSet
from soc2.model.network.reachability import Reachability

Json = dict[str, Any]
CODEC = Codec()

NODES = ("n1", "n2")
NODE_ADDRESSES = {"n1": ["10.1.0.1", "fd01::1"], "n2": ["10.1.0.2"]}
NODE_OBJECTS = tuple(
    CODEC.convert(
        {
            "metadata": {"name": name, "labels": {"zone": name[-1]}},
            "status": {"addresses": [{"type": "InternalIP", "address": each} for each in NODE_ADDRESSES[name]]},
        },
        Node,
    )
    for name in NODES
)


@dataclass(frozen=True)
class Cluster:
    """What a Reachability is made of."""

    endpoints: tuple[Endpoint, ...]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    policies: tuple[NetworkPolicy, ...] = ()
    admin: tuple[AdminNetworkPolicy, ...] = ()
    baseline: tuple[BaselineAdminNetworkPolicy, ...] = ()
    cluster: tuple[ClusterNetworkPolicy, ...] = ()
    layers: tuple[Layer, ...] = ()

    def reachability(self, *endpoints: Endpoint) -> Reachability:
        """Answer for the endpoints, or for all."""
        return Reachability(
            endpoints or self.endpoints,
            self.namespaces,
            self.policies,
            (*self.admin, *self.cluster),
            self.baseline,
            self.layers,
            NODE_OBJECTS,
        )


_HTTP = PortSet.of([PortRange("TCP", 80, 80)])


class Mesh:
    """A layer that lets everybody connect to one port, and those of the same tier and account to all."""

    def key(self, endpoint: Endpoint) -> tuple[str | None, str]:
        return endpoint.labels.get("tier"), endpoint.service_account

    def allowed(self, source: Peer, target: Peer) -> PortSet:
        if isinstance(source, Endpoint) and isinstance(target, Endpoint) and self.key(source) == self.key(target):
            return EVERY_PORT
        return _HTTP

    def reason(self, source: Peer, target: Peer, port: tuple[str, int]) -> Reason:
        return Reason("mesh", None, "let through" if port in self.allowed(source, target) else "stopped")


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["a", "b"]), max_size=2)
REQUIREMENT = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["app", "tier", "team"]),
        "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
        "values": st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2),
    }
)
SELECTOR = st.fixed_dictionaries({}, optional={"matchLabels": LABELS, "matchExpressions": st.lists(REQUIREMENT, max_size=1)})
NAMESPACES = ("red", "blue")
NAMESPACE_SELECTOR = SELECTOR | st.sampled_from(NAMESPACES).map(
    lambda name: {"matchLabels": {"kubernetes.io/metadata.name": name}}
)
CIDRS = ("0.0.0.0/0", "10.0.0.0/24", "10.0.0.0/8", "10.0.0.1/32", "10.1.0.1/32", "::/0", "fd00::/64", "203.0.113.0/24")
BLOCK = st.fixed_dictionaries(
    {"cidr": st.sampled_from(CIDRS)}, optional={"except": st.lists(st.sampled_from(CIDRS[1:]), max_size=2)}
)
PEER = st.one_of(
    st.fixed_dictionaries({"podSelector": SELECTOR}),
    st.fixed_dictionaries({"namespaceSelector": NAMESPACE_SELECTOR}),
    st.fixed_dictionaries({"podSelector": SELECTOR, "namespaceSelector": NAMESPACE_SELECTOR}),
    st.fixed_dictionaries({"ipBlock": BLOCK}),
)
PROTOCOL = st.sampled_from(["TCP", "UDP", "SCTP"])
PORT = st.one_of(
    st.fixed_dictionaries({}, optional={"protocol": PROTOCOL}),
    st.fixed_dictionaries({"port": st.sampled_from([80, 443, "web", "dns"])}, optional={"protocol": PROTOCOL}),
    st.fixed_dictionaries({"port": st.sampled_from([80, 443]), "endPort": st.sampled_from([80, 500])}),
)


def _rules(name: str) -> st.SearchStrategy[list[Json]]:
    rule = st.fixed_dictionaries({}, optional={name: st.lists(PEER, max_size=2), "ports": st.lists(PORT, max_size=2)})
    return st.lists(rule, max_size=2)


POLICY = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"name": st.sampled_from(["p", "q"]), "namespace": st.sampled_from(NAMESPACES)}),
        "spec": st.fixed_dictionaries(
            {"podSelector": SELECTOR},
            optional={
                "policyTypes": st.lists(st.sampled_from(["Ingress", "Egress"]), unique=True),
                "ingress": _rules("from"),
                "egress": _rules("to"),
            },
        ),
    }
).map(lambda body: CODEC.convert(body, NetworkPolicy))

PODS = st.fixed_dictionaries({"namespaceSelector": NAMESPACE_SELECTOR, "podSelector": SELECTOR})
SUBJECT: st.SearchStrategy[Json] = st.fixed_dictionaries({"namespaces": NAMESPACE_SELECTOR}) | st.fixed_dictionaries(
    {"pods": PODS}
)
ADMIN_PEER: st.SearchStrategy[Json] = SUBJECT | st.just({})
ADMIN_TARGET = st.one_of(
    ADMIN_PEER,
    st.fixed_dictionaries({"nodes": SELECTOR}),
    st.fixed_dictionaries({"nodes": st.sampled_from(["1", "2"]).map(lambda zone: {"matchLabels": {"zone": zone}})}),
    st.fixed_dictionaries({"networks": st.lists(st.sampled_from(CIDRS), min_size=1, max_size=2)}),
    st.just({"domainNames": ["example.com"]}),
)
ADMIN_PORT = st.one_of(
    st.fixed_dictionaries({"portNumber": st.fixed_dictionaries({"protocol": PROTOCOL, "port": st.sampled_from([80, 443])})}),
    st.just({"portRange": {"protocol": "TCP", "start": 80, "end": 500}}),
    st.fixed_dictionaries({"namedPort": st.sampled_from(["web", "dns"])}),
)
CLUSTER_PORT = st.one_of(
    st.fixed_dictionaries({"tcp": st.just({"destinationPort": {"number": 80}}) | st.just({})}),
    st.just({"udp": {"destinationPort": {"range": {"start": 50, "end": 60}}}}),
    st.fixed_dictionaries({"destinationNamedPort": st.sampled_from(["web", "dns"])}),
)


def _admin_spec(actions: list[str], ports: str, port: st.SearchStrategy[Json], **more: Any) -> st.SearchStrategy[Json]:
    def rules(name: str, peer: st.SearchStrategy[Json]) -> st.SearchStrategy[list[Json]]:
        rule = st.fixed_dictionaries(
            {"action": st.sampled_from(actions), name: st.lists(peer, min_size=1, max_size=2)},
            optional={ports: st.lists(port, min_size=1, max_size=2)},
        )
        return st.lists(rule, max_size=2)

    return st.fixed_dictionaries(
        {"subject": SUBJECT, **more}, optional={"ingress": rules("from", ADMIN_PEER), "egress": rules("to", ADMIN_TARGET)}
    )


def _named(name: str, spec: st.SearchStrategy[Json], kind: type[Any]) -> st.SearchStrategy[Any]:
    return spec.map(lambda each: CODEC.convert({"metadata": {"name": name}, "spec": each}, kind))


PRIORITY = st.integers(0, 2)
ADMIN = _named("a", _admin_spec(["Allow", "Deny", "Pass"], "ports", ADMIN_PORT, priority=PRIORITY), AdminNetworkPolicy)
BASELINE = _named("default", _admin_spec(["Allow", "Deny"], "ports", ADMIN_PORT), BaselineAdminNetworkPolicy)
CLUSTER_POLICY = _named(
    "c",
    _admin_spec(
        ["Accept", "Deny", "Pass"], "protocols", CLUSTER_PORT, priority=PRIORITY, tier=st.sampled_from(["Admin", "Baseline"])
    ),
    ClusterNetworkPolicy,
)

NAMED = st.sampled_from(
    [NamedPort("web", "TCP", 80), NamedPort("web", "TCP", 8080), NamedPort("web", "UDP", 80), NamedPort("dns", "UDP", 53)]
)


@st.composite
def endpoints(draw: st.DrawFn, number: int) -> Endpoint:
    host_network = draw(st.integers(0, 3)) == 0
    node = draw(st.sampled_from(["", *NODES]))
    addresses = draw(
        st.sampled_from([(), (f"10.0.0.{number}",), (f"10.0.1.{number}", f"fd00::{number}"), (f"10.9.0.{number}",)])
    )
    resource = Resource("Pod", f"p{number}", draw(st.sampled_from(NAMESPACES)))
    return Endpoint(
        resource=resource,
        workload=resource,
        namespace=resource.namespace,
        labels={**draw(LABELS), "unread": str(number)},
        service_account=draw(st.sampled_from(["default", "other"])),
        host_network=host_network,
        ports=tuple(draw(st.lists(NAMED, max_size=2, unique=True))),
        addresses=(tuple(NODE_ADDRESSES[node]) if node else ()) if host_network else addresses,
        node=node,
    )


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    count = draw(st.integers(1, 5))
    return Cluster(
        endpoints=tuple(draw(endpoints(number)) for number in range(count)),
        namespaces={name: draw(LABELS) for name in draw(st.sampled_from([NAMESPACES, NAMESPACES[:1]]))},
        policies=tuple(draw(st.lists(POLICY, max_size=4))),
        admin=tuple(draw(st.lists(ADMIN, max_size=2))),
        baseline=tuple(draw(st.lists(BASELINE, max_size=1))),
        cluster=tuple(draw(st.lists(CLUSTER_POLICY, max_size=2))),
        layers=draw(st.sampled_from([(), (), (Mesh(),)])),
    )
