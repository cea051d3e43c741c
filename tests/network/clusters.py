"""Strategies for small clusters as the API lists them: few labels, addresses and ports, so that policies hit something.

A strategy is made once and drawn from often: making one takes longer than drawing from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.network.reference import Cluster, Object, Side

NAMESPACES = ("blue", "green", "red")
PORTS = (("TCP", 80), ("TCP", 81), ("TCP", 443), ("TCP", 8080), ("UDP", 80), ("UDP", 443), ("SCTP", 80), ("SCTP", 443))
"""What is asked: policies speak of the numbers 80, 443 and 8080, and of ranges between them."""
_NUMBERS = (80, 443, 8080)
_OUTSIDE = {4: ("192.0.2.7", "169.254.169.254"), 6: ("2001:db8::7", "fd00:ec2::254")}
_BLOCK = {4: "10.0.0.0/23", 6: "::/0"}
_NODES = {4: ("10.0.1.1", "10.0.1.2"), 6: ("fd00:1::1", "fd00:1::2")}
_PODS = {4: [f"10.0.0.{number}" for number in range(1, 6)], 6: [f"fd00::{number}" for number in range(1, 6)]}
_CIDRS = {
    4: {
        "0.0.0.0/0": ["10.0.0.0/8", "169.254.169.254/32", "172.16.0.0/12", "192.168.0.0/16"],
        "10.0.0.0/8": ["10.0.1.0/24", "10.0.0.0/30"],
        "10.0.0.0/29": ["10.0.0.2/31", "10.0.0.4/32"],
        "10.0.0.3/29": [],  # host bits are set: the API server takes it, as the network
        "10.0.0.2/32": [],
        "10.0.1.1/32": [],
        "192.0.2.0/24": ["192.0.2.7/32", "192.0.2.128/25"],
    },
    6: {
        "::/0": ["fd00::/8", "2001:db8::7/128"],
        "fd00::/16": ["fd00:1::/32", "fd00::2/127"],
        "fd00::4/128": [],
        "fd00:1::1/128": [],
        "2001:db8::/32": ["2001:db8::/64"],
    },
}
Alphabet = tuple[tuple[str, tuple[str, ...]], ...]
"""Labels with the values that they may have."""
_LABELS: Alphabet = (("app", ("api", "web")), ("tier", ("one", "two")))
_TEAM: Alphabet = (("team", ("a", "b")),)
_NAMESPACE_LABELS: Alphabet = (*_TEAM, ("kubernetes.io/metadata.name", NAMESPACES))


@dataclass(frozen=True)
class World:
    """A cluster, and the pods, addresses and blocks of addresses to ask about. Without ``dual`` nothing has two addresses."""

    cluster: Cluster
    sides: tuple[Side, ...]
    dual: bool


def worlds() -> SearchStrategy[World]:
    return st.sampled_from([(4,), (6,), (4, 6)]).flatmap(_world)


@cache
def policies(families: tuple[int, ...]) -> SearchStrategy[Object]:
    """Return NetworkPolicies whose names are not yet told from each other's."""
    types = st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
    spec = _some(
        podSelector=st.just({}) | _selectors(_LABELS),
        policyTypes=st.one_of(st.just([]), types, types),
        ingress=st.lists(_rules("from", families), min_size=1, max_size=2),
        egress=st.lists(_rules("to", families), min_size=1, max_size=2),
    )
    return st.builds(lambda namespace, spec: _object("NetworkPolicy", "", namespace, spec=spec), _NAMESPACE, spec)


# Mostly in one, so that policies have pods to select.
_NAMESPACE = st.sampled_from(("blue", "blue", *NAMESPACES))


@cache
def _policy_lists(families: tuple[int, ...]) -> SearchStrategy[list[Object]]:
    return st.lists(policies(families), min_size=1, max_size=4)


@st.composite
def _world(draw: st.DrawFn, families: tuple[int, ...]) -> World:
    nodes = [_node(draw, number, families) for number in (0, 1)]
    namespaces = [_object("Namespace", name, labels=draw(_labels(_TEAM))) for name in NAMESPACES]
    pods = [_pod(draw, number, families) for number in range(draw(st.integers(2, 5)))]
    found = draw(_policy_lists(families))
    cluster = Cluster(namespaces, pods, nodes, _named(found), draw(_admin(families)))
    addresses = [address for family in families for address in (*_OUTSIDE[family], _NODES[family][0], _BLOCK[family])]
    return World(cluster, (*pods, *addresses), len(families) > 1)


def _node(draw: st.DrawFn, number: int, families: tuple[int, ...]) -> Object:
    addresses = [{"type": "InternalIP", "address": _NODES[family][number]} for family in families]
    addresses.append({"type": "Hostname", "address": f"n{number}"})
    return _object("Node", f"n{number}", labels=draw(_labels(_LABELS)), status={"addresses": addresses})


def _pod(draw: st.DrawFn, number: int, families: tuple[int, ...]) -> Object:
    node = draw(st.sampled_from([0, 1, 0, 1, None]))
    host_network = draw(st.sampled_from([False, False, False, True]))
    chosen = families if len(families) == 1 else draw(st.sampled_from([families, families[:1], families[1:]]))
    if host_network:
        addresses = [_NODES[family][node] for family in families] if node is not None else []
    else:
        known = node is not None and draw(st.sampled_from([True, True, True, False]))
        addresses = [_PODS[family][number] for family in chosen] if known else []
    spec: dict[str, Any] = {"containers": [{"name": "main", "ports": draw(_CONTAINER_PORTS)}]}
    spec |= {"hostNetwork": True} if host_network else {}
    spec |= {"nodeName": f"n{node}"} if node is not None else {}
    status = {"phase": "Running", "podIPs": [{"ip": address} for address in addresses]}
    labels, namespace = draw(_labels(_LABELS)), draw(_NAMESPACE)
    return _object("Pod", f"p{number}", namespace, labels=labels, spec=spec, status=status)


_CONTAINER_PORTS = st.lists(
    st.sampled_from(
        [
            {"name": "http", "containerPort": 80},
            {"name": "http", "containerPort": 8080, "protocol": "TCP"},
            {"name": "dns", "containerPort": 80, "protocol": "UDP"},
            {"name": "http", "containerPort": 443, "protocol": "SCTP"},
            {"containerPort": 443},
        ]
    ),
    min_size=1,
    max_size=3,
)


def _object(kind: str, name: str, namespace: str = "", labels: Any = None, **fields: Any) -> Object:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | ({"labels": labels} if labels else {})
    return {"kind": kind, "metadata": metadata, **fields}


def _named(items: list[Object]) -> list[Object]:
    return [
        {**item, "metadata": {**item["metadata"], "name": f"{item['kind'].lower()}-{number}"}}
        for number, item in enumerate(items)
    ]


def _some(**fields: SearchStrategy[Any]) -> SearchStrategy[Object]:
    """Return objects that have any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def _few(items: SearchStrategy[Any]) -> SearchStrategy[list[Any]]:
    return st.lists(items, max_size=2)


@cache
def _labels(alphabet: Alphabet) -> SearchStrategy[dict[str, str]]:
    return _some(**{key: st.sampled_from(values) for key, values in alphabet})


@cache
def _selectors(alphabet: Alphabet) -> SearchStrategy[Object]:
    valued: SearchStrategy[Object] = st.one_of(
        [
            st.fixed_dictionaries(
                {
                    "key": st.just(key),
                    "operator": st.sampled_from(["In", "NotIn"]),
                    "values": st.lists(st.sampled_from(values), min_size=1, max_size=2),
                }
            )
            for key, values in alphabet
        ]
    )
    keys = [*(key for key, _ in alphabet), "absent"]
    plain = st.fixed_dictionaries({"key": st.sampled_from(keys), "operator": st.sampled_from(["Exists", "DoesNotExist"])})
    return st.one_of(
        st.just({}),
        _some(matchLabels=_labels(alphabet)),
        _some(matchExpressions=st.lists(valued | plain, min_size=1, max_size=2)),
        _some(matchLabels=_labels(alphabet), matchExpressions=st.lists(valued | plain, max_size=1)),
    )


def _rules(peers: str, families: tuple[int, ...]) -> SearchStrategy[Object]:
    return _some(**{peers: _few(_peers(families)), "ports": st.lists(_PORT, min_size=1, max_size=2)})


def _peers(families: tuple[int, ...]) -> SearchStrategy[Object]:
    blocks = st.one_of([_block(cidr, holes) for family in families for cidr, holes in _CIDRS[family].items()])
    pods, namespaces = _selectors(_LABELS), _selectors(_NAMESPACE_LABELS)
    return st.one_of(
        st.fixed_dictionaries({"podSelector": pods}),
        st.fixed_dictionaries({"namespaceSelector": namespaces}),
        st.fixed_dictionaries({"namespaceSelector": namespaces, "podSelector": pods}),
        st.fixed_dictionaries({"ipBlock": blocks}),
    )


def _block(cidr: str, holes: Sequence[str]) -> SearchStrategy[Object]:
    if not holes:
        return st.just({"cidr": cidr})
    some = st.lists(st.sampled_from(holes), max_size=4, unique=True)
    return some.map(lambda holes: {"cidr": cidr, **({"except": holes} if holes else {})})


_PROTOCOL = st.sampled_from(["TCP", "UDP", "SCTP"])
_RANGE = st.sampled_from([(80, 80), (80, 81), (80, 443), (81, 8080), (443, 8080), (1, 65535)])
_PORT = st.one_of(
    _some(protocol=_PROTOCOL),
    st.fixed_dictionaries({"port": st.sampled_from(_NUMBERS)}, optional={"protocol": _PROTOCOL}),
    st.fixed_dictionaries({"port": st.sampled_from(["http", "http", "dns"])}, optional={"protocol": _PROTOCOL}),
    st.builds(lambda ends, more: {"port": ends[0], "endPort": ends[1], **more}, _RANGE, _some(protocol=_PROTOCOL)),
)


# --- Policies of administrators ---


@st.composite
def _admin(draw: st.DrawFn, families: tuple[int, ...]) -> list[Object]:
    """Return policies of one version of the API."""
    kind = draw(st.sampled_from(["", "", "v1alpha1", "v1alpha2"]))
    if not kind:
        return []
    newer = kind == "v1alpha2"
    specs = draw(_admin_specs(families, newer, baseline=False))
    priorities = draw(st.lists(st.sampled_from([0, 10, 10]), min_size=len(specs), max_size=len(specs)))
    if newer:
        tiers = draw(st.lists(st.sampled_from(["Admin", "Baseline"]), min_size=len(specs), max_size=len(specs)))
        return _named(
            [
                _object("ClusterNetworkPolicy", "", spec={"tier": tier, "priority": priority, **spec})
                for tier, priority, spec in zip(tiers, priorities, specs, strict=True)
            ]
        )
    admin = [
        _object("AdminNetworkPolicy", "", spec={"priority": priority, **spec})
        for priority, spec in zip(priorities, specs, strict=True)
    ]
    baseline = draw(_admin_specs(families, newer, baseline=True))
    return [*_named(admin), *(_object("BaselineAdminNetworkPolicy", "default", spec=spec) for spec in baseline)]


@cache
def _admin_specs(families: tuple[int, ...], newer: bool, *, baseline: bool) -> SearchStrategy[list[Object]]:
    action = st.sampled_from([("Accept" if newer else "Allow"), "Deny", *([] if baseline else ["Pass"])])
    inner = _admin_pods()
    outer = st.one_of(
        st.fixed_dictionaries({"nodes": _selectors(_LABELS)}),
        st.fixed_dictionaries(
            {
                "networks": st.lists(
                    st.sampled_from([cidr for family in families for cidr in _CIDRS[family]]),
                    min_size=1,
                    max_size=2,
                    unique=True,
                )
            }
        ),
    )
    named, unnamed = _NEWER_PORTS if newer else _OLDER_PORTS
    field = "protocols" if newer else "ports"

    def rules(
        peers: str, kinds: SearchStrategy[Any], ports: SearchStrategy[Any], action: SearchStrategy[str] = action
    ) -> SearchStrategy[Object]:
        return st.fixed_dictionaries(
            {"action": action, peers: st.lists(kinds, min_size=1, max_size=2)},
            optional={field: st.lists(ports, min_size=1, max_size=2)},
        )

    # Rules about nodes and networks have no named ports: the API server refuses them.
    egress = rules("to", inner, named | unnamed) | rules("to", inner | outer, unnamed)
    if not baseline:
        egress |= rules("to", st.just({"domainNames": ["*.example"]}), unnamed, st.just("Accept" if newer else "Allow"))
    spec = st.fixed_dictionaries(
        {"subject": inner}, optional={"ingress": _few(rules("from", inner, named | unnamed)), "egress": _few(egress)}
    )
    return st.lists(spec, max_size=1) if baseline else st.lists(spec, min_size=1, max_size=2)


def _admin_pods() -> SearchStrategy[Object]:
    both = st.fixed_dictionaries({"namespaceSelector": _selectors(_NAMESPACE_LABELS), "podSelector": _selectors(_LABELS)})
    return st.fixed_dictionaries({"namespaces": _selectors(_NAMESPACE_LABELS)}) | st.fixed_dictionaries({"pods": both})


_NAME = st.sampled_from(["http", "dns"])
_SPAN = _RANGE.filter(lambda ends: ends[0] < ends[1]).map(lambda ends: {"start": ends[0], "end": ends[1]})
_OLDER_PORTS = (
    st.fixed_dictionaries({"namedPort": _NAME}),
    st.one_of(
        st.fixed_dictionaries(
            {"portNumber": st.fixed_dictionaries({"protocol": _PROTOCOL, "port": st.sampled_from(_NUMBERS)})}
        ),
        st.builds(lambda protocol, span: {"portRange": {"protocol": protocol, **span}}, _PROTOCOL, _SPAN),
    ),
)
_NEWER_PORTS = (
    st.fixed_dictionaries({"destinationNamedPort": _NAME}),
    st.builds(
        lambda protocol, port: {protocol.lower(): {"destinationPort": port} if port else {}},
        _PROTOCOL,
        st.one_of(
            st.none(),
            st.sampled_from(_NUMBERS).map(lambda number: {"number": number}),
            _SPAN.map(lambda span: {"range": span}),
        ),
    ),
)
