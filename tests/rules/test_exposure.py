"""What is reachable from outside, with odd and hostile input."""

from __future__ import annotations

from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.codec import Codec
from soc2.model.kubernetes import gateways
from soc2.model.kubernetes.approvals import Live, approvals
from soc2.model.kubernetes.attachment import AttachedRoute, OpenGateway, attached_routes, meet, open_gateways
from soc2.model.kubernetes.exposure import ways_in
from soc2.model.kubernetes.host_ports import workload_ports
from soc2.model.kubernetes.network import Ingress, Service
from soc2.model.kubernetes.pods import Pod
from soc2.rules import exposure

_CODEC = Codec()
_AWS = "service.beta.kubernetes.io/aws-load-balancer"
NAMES = st.text("abcdefgh*.[]?!/:- é", min_size=1, max_size=6)
TEXTS = st.one_of(
    NAMES, st.sampled_from(["", "*", "*.", "*.com", "*.example.com", "a.example.com", "A.Example.com", "./*", "b/*"])
)


def made(kind: type[Any], name: str = "x", namespace: str = "shop", **rest: Any) -> Any:
    annotations = rest.pop("annotations", {})
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return _CODEC.decode(msgspec.json.encode({"metadata": metadata, **rest}), kind)


def balancer(annotations: dict[str, str] | None = None, ranges: list[str] | None = None) -> Service:
    spec = {"type": "LoadBalancer", "loadBalancerSourceRanges": ranges or []}
    service: Service = made(Service, annotations=annotations or {}, spec=spec)
    return service


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({}, ""),
        ({f"{_AWS}-scheme": "internal"}, " (internal)"),
        ({f"{_AWS}-scheme": "internet-facing", f"{_AWS}-internal": "true"}, ""),
        ({f"{_AWS}-internal": "true"}, " (internal)"),
        ({f"{_AWS}-internal": "0.0.0.0/0"}, " (internal)"),
        ({f"{_AWS}-internal": "false"}, ""),
        ({f"{_AWS}-internal": ""}, ""),
        ({"networking.gke.io/load-balancer-type": "Internal"}, " (internal)"),
        ({"cloud.google.com/load-balancer-type": "internal"}, " (internal)"),
        ({"networking.gke.io/load-balancer-type": "External"}, ""),
        ({"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}, " (internal)"),
        ({"service.beta.kubernetes.io/azure-load-balancer-internal": "false"}, ""),
        ({"example.com/azure-load-balancer-internal": "true"}, ""),
        ({"service.beta.kubernetes.io/load-balancer-source-ranges": " 10.0.0.0/8, "}, " (limited to 10.0.0.0/8)"),
    ],
)
def test_an_internal_load_balancer_is_told(annotations: dict[str, str], told: str) -> None:
    assert ways_in(balancer(annotations)) == (f"it is of type LoadBalancer{told}",)


@pytest.mark.parametrize(
    ("ranges", "limited"),
    [
        (["10.0.0.0/8"], True),
        (["10.0.0.7/8"], True),
        (["0.0.0.0/0"], False),
        (["::/0", "10.0.0.0/8"], False),
        (["0.0.0.0/1", "128.0.0.0/1"], False),
        (["0.0.0.0/1"], True),
        ([" 0.0.0.0/0 "], False),
        (["nonsense", "10.0.0.0/99"], True),
        (["nonsense", "0.0.0.0/0"], False),
        ([""], False),
    ],
)
def test_ranges_limit_unless_they_cover_everything(ranges: list[str], limited: bool) -> None:
    (way,) = ways_in(balancer(ranges=ranges))
    assert way == "it is of type LoadBalancer" + f" (limited to {', '.join(each.strip() for each in ranges)})" * limited


@pytest.mark.parametrize("length", range(1, 7))
def test_pieces_of_everything_are_no_limit_unless_a_public_one_is_missing(length: int) -> None:
    pieces = list(map(str, ip_network("0.0.0.0/0").subnets(new_prefix=length)))
    assert ways_in(balancer(ranges=pieces[::-1])) == ("it is of type LoadBalancer",)
    for missing in range(len(pieces) // 2):
        assert "limited to" in ways_in(balancer(ranges=pieces[:missing] + pieces[missing + 1 :]))[0]


@given(st.builds(dict, type=st.sampled_from(["ClusterIP", "ExternalName", "", "nodeport"]), ports=st.just([{"port": 1}])))
def test_a_service_of_the_inside_has_no_way_in(spec: dict[str, Any]) -> None:
    assert ways_in(made(Service, spec=spec)) == ()


@given(st.lists(NAMES, max_size=3), NAMES, NAMES)
def test_what_is_exposed_is_on_the_list_or_a_deviation(patterns: list[str], namespace: str, name: str) -> None:
    service = made(Service, name, namespace, spec={"type": "NodePort"})
    approved = any(fnmatchcase(f"{namespace}/{name}", pattern) for pattern in patterns)
    assert bool(list(exposure.service_approved(patterns)(service))) is not approved


@pytest.mark.parametrize(
    ("spec", "hosts", "plain"),
    [
        ({}, ("*",), ("*",)),
        ({"defaultBackend": {"service": {"name": "a"}}}, ("*",), ("*",)),
        ({"defaultBackend": {}, "tls": [{"secretName": "s"}]}, ("*",), ()),
        ({"defaultBackend": {}, "tls": [{}]}, ("*",), ("*",)),
        ({"rules": [{"host": "a.test"}], "defaultBackend": {}}, ("a.test", "*"), ("a.test", "*")),
        ({"rules": [{"host": "A.Test"}, {"host": "a.test"}], "tls": [{"hosts": ["a.TEST"]}]}, ("a.test",), ()),
        ({"rules": [{"host": "*.a.test"}], "tls": [{"hosts": ["*.a.test"]}]}, ("*.a.test",), ()),
        ({"rules": [{"host": "*.a.test"}], "tls": [{"hosts": ["x.a.test"]}]}, ("*.a.test",), ("*.a.test",)),
        ({"rules": [{"host": "x.a.test"}], "tls": [{"hosts": ["*.a.test"]}]}, ("x.a.test",), ()),
        ({"rules": [{"host": "y.x.a.test"}], "tls": [{"hosts": ["*.a.test"]}]}, ("y.x.a.test",), ("y.x.a.test",)),
        ({"rules": [{"host": "a.test"}], "tls": [{"hosts": ["*.a.test", "*.test", "*", ""]}]}, ("a.test",), ("a.test",)),
        ({"rules": [{}], "tls": [{"hosts": ["a.test"]}]}, ("*",), ("*",)),
    ],
)
def test_hosts_of_ingresses(spec: dict[str, Any], hosts: tuple[str, ...], plain: tuple[str, ...]) -> None:
    ingress: Ingress = made(Ingress, spec=spec)
    assert ingress.hosts == hosts
    assert tuple(found.fields["host"] for found in exposure.ingress_tls(ingress)) == plain
    (unapproved,) = exposure.ingress_approved(["shop/y", "*/X"])(ingress)
    assert unapproved.fields == {"how": f"it serves {', '.join('every host' if host == '*' else host for host in hosts)}"}


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("*", "a.test", True),
        ("*.test", "a.test", True),
        ("*.test", "b.a.test", True),
        ("*.test", "test", False),
        ("*.test", "atest", False),
        ("*.test", "*.a.test", True),
        ("*.a.test", "*.b.test", False),
        ("a.test", "a.test", True),
        ("a.test", "b.test", False),
    ],
)
def test_hosts_meet(one: str, two: str, expected: bool) -> None:
    assert (meet(one, two), meet(two, one)) == (expected, expected)


def served(
    allowed: dict[str, Any] | None = None,
    parent: dict[str, Any] | None = None,
    kind: type[gateways.Route] = gateways.HttpRoute,
    hosts: tuple[str, ...] = (),
    **listener: Any,
) -> bool:
    """Tell whether a route in ``shop`` is served by a Gateway in ``infra``, by one of its two listeners."""
    first = {"name": "web", "port": 443, "protocol": "HTTPS", "allowedRoutes": allowed or {}, **listener}
    second = {"name": "other", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "None"}}}
    gateway = made(gateways.Gateway, "door", "infra", spec={"listeners": [first, second]})
    reference = {"name": "door", "namespace": "infra", **(parent or {})}
    route = made(kind, spec={"parentRefs": [reference], "hostnames": list(hosts)})
    labels = {"shop": {"team": "a"}, "infra": {}}
    found = list(attached_routes([gateway], [route], labels))
    assert [(each.name, each.gateways, each.foreign) for each in found] in ([], [("shop/x", ("infra/door",), ("infra/door",))])
    return bool(found)


_ALL = {"namespaces": {"from": "All"}}


def chosen(selector: dict[str, Any]) -> dict[str, Any]:
    return {"namespaces": {"from": "Selector", "selector": selector}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"allowed": _ALL}, True),
        ({"allowed": {"namespaces": {"from": "Same"}}}, False),
        ({"allowed": {"namespaces": {"from": "None"}}}, False),
        ({"allowed": {"namespaces": {"from": "Anything new"}}}, True),
        ({"allowed": {"namespaces": {"from": "Selector"}}}, False),
        ({"allowed": chosen({})}, True),
        ({"allowed": chosen({"matchLabels": {"team": "a"}})}, True),
        ({"allowed": chosen({"matchLabels": {"team": "b"}})}, False),
        ({"allowed": chosen({"matchLabels": {"kubernetes.io/metadata.name": "shop"}})}, True),
        ({"allowed": chosen({"matchExpressions": [{"key": "team", "operator": "Odd"}]})}, False),
        ({"allowed": _ALL, "parent": {"sectionName": "other"}}, False),
        ({"allowed": _ALL, "parent": {"sectionName": "web"}}, True),
        ({"allowed": _ALL, "parent": {"port": 80}}, False),
        ({"allowed": _ALL, "parent": {"port": 443}}, True),
        ({"allowed": _ALL, "parent": {"kind": "Service", "group": ""}}, False),
        ({"allowed": _ALL, "parent": {"namespace": "nowhere"}}, False),
        ({"allowed": _ALL, "parent": {"name": "window"}}, False),
        ({"allowed": {**_ALL, "kinds": [{"kind": "GRPCRoute"}]}}, False),
        ({"allowed": {**_ALL, "kinds": [{"kind": "GRPCRoute"}]}, "kind": gateways.GrpcRoute}, True),
        ({"allowed": _ALL, "kind": gateways.TcpRoute}, False),
        ({"allowed": _ALL, "kind": gateways.TcpRoute, "protocol": "TCP"}, True),
        ({"allowed": _ALL, "kind": gateways.TlsRoute, "protocol": "TLS"}, True),
        ({"allowed": _ALL, "kind": gateways.UdpRoute, "protocol": "example.com/own"}, True),
        ({"allowed": _ALL, "hosts": ("A.test",), "hostname": "a.TEST"}, True),
        ({"allowed": _ALL, "hosts": ("a.test",), "hostname": "*.test"}, True),
        ({"allowed": _ALL, "hosts": ("a.test",), "hostname": "b.test"}, False),
    ],
)
def test_what_a_gateway_serves(given: dict[str, Any], expected: bool) -> None:
    assert served(**given) is expected


@pytest.mark.parametrize("kind", [gateways.ListenerSet, gateways.XListenerSet])
def test_a_set_of_listeners_is_a_gateway_of_its_own(kind: type[gateways.ListenerSet]) -> None:
    listener = {"name": "web", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
    more = made(kind, "more", "infra", spec={"parentRef": {"name": "door"}, "listeners": [listener]})
    door = made(gateways.Gateway, "more", "infra", spec={"listeners": []})
    group = "gateway.networking.x-k8s.io" if kind is gateways.XListenerSet else "gateway.networking.k8s.io"
    parents = [
        {"name": "more", "namespace": "infra", "kind": kind.KIND, "group": group},
        {"name": "more", "namespace": "infra"},
        {"name": "more", "namespace": "infra", "kind": kind.KIND, "group": "example.com"},
    ]
    routes = [made(gateways.HttpRoute, f"r{number}", spec={"parentRefs": [each]}) for number, each in enumerate(parents)]
    found = attached_routes([more, door], routes, {})
    assert [(each.name, each.foreign) for each in found] == [("shop/r0", ("infra/more",))]
    (unapproved,) = exposure.gateway_approved([], [])(open_gateways([more])[0])
    assert unapproved.fields == {"how": "it listens on 80/HTTP for every host (routes from all namespaces)"}


@pytest.mark.parametrize(
    ("host", "namespaces"),
    [
        ("a.test", "ab"),
        ("*/a.test", "ab"),
        ("./a.test", "a"),
        ("b/a.test", "b"),
        ("c/a.test", ""),
        ("b.test", ""),
        ("*", "ab"),
    ],
)
def test_what_a_gateway_of_istio_serves(host: str, namespaces: str) -> None:
    gateway = made(gateways.IstioGateway, "door", "a", spec={"servers": [{"port": {"number": 443}, "hosts": [host]}]})
    virtual = [
        made(gateways.VirtualService, "v", each, spec={"hosts": ["a.test"], "gateways": ["mesh", "a/door"]}) for each in "ab"
    ]
    found = list(attached_routes([gateway], virtual, {}))
    assert "".join(each.resource.namespace for each in found) == namespaces
    assert [each.foreign for each in found] == [("a/door",) if name == "b" else () for name in namespaces]


PORTS = st.integers(0, 65_535)
SERVERS = st.lists(
    st.fixed_dictionaries({"port": st.fixed_dictionaries({"number": PORTS}), "hosts": st.lists(TEXTS, max_size=3)}), max_size=3
)
LISTENERS = st.lists(
    st.fixed_dictionaries(
        {"port": PORTS, "protocol": TEXTS, "hostname": TEXTS},
        optional={"allowedRoutes": st.fixed_dictionaries({"namespaces": st.fixed_dictionaries({"from": TEXTS})})},
    ),
    max_size=3,
)


@given(LISTENERS, SERVERS, st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=2))
def test_no_gateway_is_left_out_whatever_stands_in_it(
    listeners: list[Any], servers: list[Any], hosts: list[str], approved: list[str]
) -> None:
    ours = made(gateways.Gateway, "ours", spec={"listeners": listeners})
    theirs = made(gateways.IstioGateway, "theirs", spec={"servers": servers})
    route = made(gateways.HttpRoute, spec={"hostnames": hosts, "parentRefs": [{"name": "ours"}]})
    virtual = made(gateways.VirtualService, spec={"hosts": hosts, "gateways": ["theirs", "shop/theirs", "", "/"]})
    rule = exposure.gateway_approved(approved, ())
    everything: list[OpenGateway | AttachedRoute] = [
        *open_gateways([ours, theirs]),
        *attached_routes([ours, theirs], [route, virtual], {}),
    ]
    found = [deviation.resource for each in everything for deviation in rule(each)]
    wanted = [
        each.resource for each in (ours, theirs) if not any(fnmatchcase(f"shop/{each.name}", pattern) for pattern in approved)
    ]
    assert found == wanted


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        ({"ports": [{"containerPort": 80}]}, []),
        ({"ports": [{"containerPort": 80, "hostPort": 81}]}, ["81/TCP"]),
        ({"ports": [{"containerPort": 80, "hostPort": 81, "hostIP": "::"}]}, ["81/TCP"]),
        ({"ports": [{"containerPort": 80, "hostPort": 81, "hostIP": "::1"}]}, []),
        ({"ports": [{"containerPort": 80, "hostPort": 81, "hostIP": "127.8.0.1"}]}, []),
        ({"ports": [{"containerPort": 80, "hostPort": 81, "hostIP": "no address"}]}, ["81/TCP at no address"]),
        ({"ports": [{"containerPort": 80, "hostPort": 81}, {"containerPort": 9, "hostPort": 81}]}, ["81/TCP"]),
        ({"ports": [{"hostPort": 53, "protocol": "UDP"}, {"hostPort": 53}]}, ["53/TCP", "53/UDP"]),
    ],
)
def test_host_ports(spec: dict[str, Any], ports: list[str]) -> None:
    for place in ("containers", "initContainers", "ephemeralContainers"):
        pod: Pod = made(Pod, spec={place: [{"name": "a", **spec}]})
        (workload,) = workload_ports([pod], [])
        assert [str(each) for each in workload.ports] == ports


def test_in_the_network_of_a_node_every_declared_port_is_one_of_the_node() -> None:
    containers = [
        {"name": "a", "ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostIP": "127.0.0.1"}]}
    ]
    (workload,) = workload_ports([made(Pod, spec={"hostNetwork": True, "containers": containers})], [])
    assert [(name, str(port)) for name, port in workload.names] == [("shop/x:80", "80/TCP"), ("shop/x:81", "81/TCP")]
    assert list(exposure.host_ports_approved(["shop/x:8*"])(workload)) == []
    assert [found.fields["port"] for found in exposure.host_ports_approved(["shop/x:80", "x:81"])(workload)] == ["81/TCP"]


@given(st.lists(NAMES, max_size=4), st.lists(NAMES, max_size=4), st.lists(NAMES, max_size=2))
def test_an_approval_is_stale_unless_something_exposed_is_meant(
    patterns: list[str], exposed: list[str], hidden: list[str]
) -> None:
    found = list(approvals({"services": patterns}, {"services": Live(exposed, hidden)}))
    assert [each.resource.name for each in found] == [f"services/{pattern}" for pattern in dict.fromkeys(patterns)]
    for pattern, each in zip(dict.fromkeys(patterns), found, strict=True):
        stale = list(exposure.still_there(each))
        assert bool(stale) is not any(fnmatchcase(name, pattern) for name in exposed)
        assert all(each.nearest in ("", *exposed) for each in found)
