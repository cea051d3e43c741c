"""Linkerd as a layer: default policies, Servers, and whom authorizations let in."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.linkerd import (
    LinkerdAuthorizationPolicy,
    MeshTlsAuthentication,
    NetworkAuthentication,
    Server,
    ServerAuthorization,
)
from soc2.model.network.endpoints import Block, Endpoint
from soc2.model.network.mesh.callers import EVERY_TCP, NOT_CARRIED
from soc2.model.network.mesh.istio import IstioLayer
from soc2.model.network.mesh.layers import mesh_layers
from soc2.model.network.mesh.linkerd import LinkerdLayer
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortRange, PortSet
from tests.network.meshes import decoded, peer, pod, template

PROXY = "linkerd-proxy"
DEFAULT = "config.linkerd.io/default-inbound-policy"
SKIPPED = "config.linkerd.io/skip-inbound-ports"
INJECT = "linkerd.io/inject"

WEB = pod("shop/web", PROXY, service_account="web", addresses=("10.1.0.7",))
API = pod("shop/api", PROXY, labels={"app": "api"}, ports={"http": 8080, "admin": 9000}, addresses=("10.1.0.8",))
CRON = pod("tools/cron", PROXY, service_account="cron", addresses=("10.2.0.7",))
PLAIN = pod("shop/old", addresses=("10.1.0.9",))
WORLD = Block(ip_network("0.0.0.0/0"), "internet")
ABROAD = Block(ip_network("198.51.100.0/24"))
DENY_ALL = {"shop": {DEFAULT: "deny"}}


def tcp(*numbers: int) -> PortSet:
    return PortSet.of(PortRange("TCP", number, number) for number in numbers)


def server(port: int | str, labels: dict[str, str] | None = None, name: str = "api", **spec: Any) -> Server:
    given = {"podSelector": {"matchLabels": labels or {}}, "port": port, **spec}
    return decoded(Server, f"shop/{name}", given, labels={"name": name})


def policy(kind: str, target: str, *required: tuple[str, ...], namespace: str = "shop") -> LinkerdAuthorizationPolicy:
    refs = [dict(zip(("kind", "name", "namespace"), each, strict=False)) for each in required]
    spec = {"targetRef": {"group": "policy.linkerd.io", "kind": kind, "name": target}, "requiredAuthenticationRefs": refs}
    return decoded(LinkerdAuthorizationPolicy, f"{namespace}/p", spec)


def mesh_tls(**spec: Any) -> MeshTlsAuthentication:
    return decoded(MeshTlsAuthentication, "shop/who", spec)


def networks(*cidrs: str, leaving_out: tuple[str, ...] = ()) -> NetworkAuthentication:
    return decoded(
        NetworkAuthentication, "shop/where", {"networks": [{"cidr": each, "except": list(leaving_out)} for each in cidrs]}
    )


def layer(
    servers: Any = (),
    policies: Any = (),
    *authentications: Any,
    annotations: dict[str, dict[str, str]] | None = None,
    old: Any = (),
) -> LinkerdLayer:
    tls = [each for each in authentications if isinstance(each, MeshTlsAuthentication)]
    places = [each for each in authentications if isinstance(each, NetworkAuthentication)]
    return LinkerdLayer(annotations or {}, servers, policies, tls, places, old)


def carried(mesh: LinkerdLayer, source: Any, target: Any) -> PortSet:
    allowed = mesh.allowed(source, target)
    assert allowed - EVERY_TCP == NOT_CARRIED
    return allowed & EVERY_TCP


@pytest.mark.parametrize(
    ("annotations", "endpoint", "why"),
    [
        ({}, WEB, ""),
        ({INJECT: "enabled"}, PLAIN, "it has no container linkerd-proxy"),
        ({INJECT: "enabled"}, template("shop/t"), ""),
        ({INJECT: "ingress"}, template("shop/t"), ""),
        ({}, template("shop/t", annotations={INJECT: "enabled"}), ""),
        (
            {INJECT: "enabled"},
            template("shop/t", annotations={INJECT: "disabled"}),
            f"no annotation {INJECT} asks for a proxy",
        ),
        ({}, template("shop/t"), f"no annotation {INJECT} asks for a proxy"),
        (
            {INJECT: "enabled"},
            template("shop/t", host_network=True),
            "it uses the network of its node, which a mesh does not capture",
        ),
        (
            {INJECT: "enabled"},
            Endpoint(Resource("Pod", "p", "shop", "pod.yaml", 1), PLAIN.resource, "shop"),
            "",
        ),
    ],
)
def test_who_is_in_the_mesh(annotations: dict[str, str], endpoint: Endpoint, why: str) -> None:
    mesh = layer(annotations={"shop": annotations})
    assert mesh.outside(endpoint) == why
    if why:
        assert mesh.allowed(WEB, endpoint) == EVERY_PORT
        assert str(mesh.reason(WEB, endpoint, ("TCP", 1))) == f"the target is not in the mesh: {why}"


OPEN = (True, True, True, True)


@pytest.mark.parametrize(
    ("default", "let_in", "plain"),
    [
        (None, OPEN, True),
        ("all-unauthenticated", OPEN, True),
        ("audit", OPEN, True),
        ("something", OPEN, True),
        ("cluster-unauthenticated", (True, True, True, False), True),
        ("all-authenticated", (True, False, False, False), False),
        ("cluster-authenticated", (True, False, False, False), False),
        ("deny", (False, False, False, False), False),
    ],
)
def test_default_policies(default: str | None, let_in: tuple[bool, ...], plain: bool) -> None:
    """Whom each lets in: a pod of the mesh, a pod that is not, the internet (private networks among it), and an address."""
    mesh = layer(annotations={"shop": {DEFAULT: default} if default else {}})
    assert tuple(bool(carried(mesh, who, API)) for who in (WEB, PLAIN, WORLD, ABROAD)) == let_in
    name = f"no Server guards the port, default policy {default or 'all-unauthenticated'}"
    assert [(each.ports, str(each.reason)) for each in mesh.plain(API)] == ([(EVERY_TCP, name)] if plain else [])
    # A pod's own annotation goes before its namespace's.
    own = pod("shop/x", PROXY, annotations={DEFAULT: "deny"})
    assert (carried(mesh, WEB, own), mesh.plain(own)) == (NO_PORT, ())


def test_ports_kept_from_the_proxy_are_open() -> None:
    mesh = layer([server("http")], annotations={"shop": {DEFAULT: "deny", SKIPPED: "25,8000-8100"}})
    assert carried(mesh, PLAIN, API) == ports_between(8000, 8100) | tcp(25)
    assert str(mesh.reason(PLAIN, API, ("TCP", 8080))) == f"annotation {SKIPPED} keeps the port from the proxy"
    own = pod("shop/x", PROXY, annotations={SKIPPED: "1"})
    assert carried(mesh, PLAIN, own) == tcp(1)
    assert [each.ports for each in mesh.plain(own)] == [tcp(1)]


def test_sources_may_go_past_the_proxy() -> None:
    name = "config.linkerd.io/skip-subnets"
    why = f"annotation {name} lets sources in some subnets go past the proxy"
    mesh = layer([server("http")], annotations={"shop": {DEFAULT: "deny", name: "10.9.0.0/16"}})
    assert carried(mesh, PLAIN, API) == EVERY_TCP
    assert str(mesh.reason(PLAIN, API, ("TCP", 8080))) == why
    assert [(each.ports, str(each.reason)) for each in mesh.plain(API)] == [(EVERY_TCP, why)]
    assert mesh.key(API) != layer([server("http")], annotations={"shop": {DEFAULT: "deny"}}).key(API)


def ports_between(first: int, last: int) -> PortSet:
    return PortSet.of([PortRange("TCP", first, last)])


@pytest.mark.parametrize(
    ("guard", "ports"),
    [
        (server("http"), tcp(8080)),
        (server(9000), tcp(9000)),
        (server("9000"), tcp(9000)),
        (server(7000), tcp(7000)),
        (server("nothing"), NO_PORT),
        (server("http", {"app": "web"}), NO_PORT),
        (server("http", {"app": "api"}), tcp(8080)),
        (server("http", podSelector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}), tcp(8080)),
        (server("http", podSelector=None, externalWorkloadSelector={}), NO_PORT),
        (decoded(Server, "tools/api", {"podSelector": {}, "port": "http"}), NO_PORT),
    ],
)
def test_a_server_closes_its_ports(guard: Server, ports: PortSet) -> None:
    mesh = layer([guard])
    assert carried(mesh, WEB, API) == EVERY_TCP - ports
    assert [each.ports for each in mesh.plain(API)] == [EVERY_TCP - ports]
    for each in ports:
        reason = str(mesh.reason(WEB, API, ("TCP", each.first)))
        assert reason == "Server/shop/api no authorization of it lets the source in, access policy deny"


def test_an_access_policy_opens_them_again() -> None:
    mesh = layer([server("http", accessPolicy="all-authenticated")], annotations=DENY_ALL)
    assert carried(mesh, WEB, API) == tcp(8080)
    assert carried(mesh, PLAIN, API) == NO_PORT
    assert mesh.plain(API) == ()
    loose = layer([server("http", accessPolicy="audit")], annotations=DENY_ALL)
    assert carried(loose, WORLD, API) == tcp(8080)
    assert [str(each.reason) for each in loose.plain(API)] == ["Server/shop/api access policy audit"]


TLS, PLACE = ("MeshTLSAuthentication", "who"), ("NetworkAuthentication", "where")
WEB_IDENTITY = "web.shop.serviceaccount.identity.linkerd.cluster.local"


@pytest.mark.parametrize(
    ("given_policy", "authentications", "let_in", "plain"),
    [
        # A web and a cron job of the mesh, a pod that is not in it, an address.
        (policy("Server", "api"), [], (True, True, True, True), True),
        (policy("Namespace", "shop"), [], (True, True, True, True), True),
        (policy("Server", "other"), [], (False, False, False, False), False),
        (policy("Namespace", "tools"), [], (False, False, False, False), False),
        (policy("Server", "api", namespace="tools"), [], (False, False, False, False), False),
        (policy("HTTPRoute", "r"), [], (True, True, True, True), True),  # it may be of any Server
        (policy("Server", "api", TLS), [mesh_tls(identities=["*"])], (True, True, False, False), False),
        (policy("Server", "api", TLS), [mesh_tls(identities=[WEB_IDENTITY])], (True, False, False, False), False),
        (policy("Server", "api", TLS), [mesh_tls(identities=[f"*.{WEB_IDENTITY[4:]}"])], (True, False, False, False), False),
        (policy("Server", "api", TLS), [mesh_tls(identities=["web.*"])], (False, False, False, False), False),
        # The mesh may have another trust domain than the usual one.
        (
            policy("Server", "api", TLS),
            [mesh_tls(identities=["web.shop.serviceaccount.identity.linkerd.example.test"])],
            (True, False, False, False),
            False,
        ),
        (
            policy("Server", "api", TLS),
            [mesh_tls(identities=["*.tools.serviceaccount.identity.linkerd.example.test"])],
            (False, True, False, False),
            False,
        ),
        (policy("Server", "api", TLS), [mesh_tls(identities=[])], (False, False, False, False), False),
        (
            policy("Server", "api", TLS),
            [mesh_tls(identityRefs=[{"kind": "ServiceAccount", "name": "web"}])],
            (True, False, False, False),
            False,
        ),
        (
            policy("Server", "api", TLS),
            [mesh_tls(identityRefs=[{"kind": "ServiceAccount", "name": "cron", "namespace": "tools"}])],
            (False, True, False, False),
            False,
        ),
        (
            policy("Server", "api", TLS),
            [mesh_tls(identityRefs=[{"kind": "Namespace", "name": "tools"}])],
            (False, True, False, False),
            False,
        ),
        (
            policy("Server", "api", TLS),
            [mesh_tls(identityRefs=[{"kind": "Pod", "name": "x"}])],
            (False, False, False, False),
            False,
        ),
        (policy("Server", "api", TLS), [], (False, False, False, False), False),  # it is not there
        (policy("Server", "api", (*TLS, "tools")), [mesh_tls(identities=["*"])], (False, False, False, False), False),
        (policy("Server", "api", (*TLS, "shop")), [mesh_tls(identities=["*"])], (True, True, False, False), False),
        (policy("Server", "api", ("Secret", "who")), [mesh_tls(identities=["*"])], (False, False, False, False), False),
        (policy("Server", "api", ("ServiceAccount", "web")), [], (True, False, False, False), False),
        (policy("Server", "api", ("ServiceAccount", "cron", "tools")), [], (False, True, False, False), False),
        (policy("Server", "api", PLACE), [networks("10.0.0.0/8")], (True, True, True, False), True),
        (
            policy("Server", "api", PLACE),
            [networks("10.0.0.0/8", leaving_out=("10.1.0.0/16",))],
            (False, True, False, False),
            True,
        ),
        (policy("Server", "api", PLACE), [networks("0.0.0.0/0", "::/0")], (True, True, True, True), True),
        (policy("Server", "api", PLACE), [networks()], (False, False, False, False), False),
        (policy("Server", "api", PLACE), [], (False, False, False, False), False),
        (
            policy("Server", "api", TLS, PLACE),
            [mesh_tls(identities=["*"]), networks("10.1.0.0/16")],
            (True, False, False, False),
            False,
        ),
        (policy("HTTPRoute", "r", ("ServiceAccount", "web")), [], (True, False, False, False), False),
    ],
)
def test_authorizations(given_policy: Any, authentications: Any, let_in: tuple[bool, ...], plain: bool) -> None:
    mesh = layer([server("http")], [given_policy], *authentications, annotations=DENY_ALL)
    assert tuple(carried(mesh, who, API) == tcp(8080) for who in (WEB, CRON, PLAIN, ABROAD)) == let_in
    assert all(carried(mesh, who, API) in (tcp(8080), NO_PORT) for who in (WEB, CRON, PLAIN, ABROAD))
    # Whoever has no identity is let in by what asks for none, though it may leave out those that are here.
    assert [each.ports for each in mesh.plain(API)] == ([tcp(8080)] if plain else [])


def test_reasons_name_the_policy() -> None:
    rules = [policy("Server", "api", ("ServiceAccount", "web")), policy("HTTPRoute", "r", ("ServiceAccount", "cron", "tools"))]
    mesh = layer([server("http")], rules)
    assert [
        str(mesh.reason(who, API, ("TCP", port))) for who, port in ((WEB, 8080), (CRON, 8080), (PLAIN, 8080), (PLAIN, 1))
    ] == [
        "AuthorizationPolicy/shop/p requires ServiceAccount web",
        "AuthorizationPolicy/shop/p requires ServiceAccount cron (for HTTPRoute r, depending on the request)",
        "Server/shop/api no authorization of it lets the source in, access policy deny",
        "no Server guards the port, default policy all-unauthenticated",
    ]
    assert str(mesh.reason(WEB, API, ("SCTP", 1))) == "the mesh does not carry sctp"
    assert str(layer(annotations=DENY_ALL).reason(WEB, API, ("TCP", 1))) == "default policy deny"
    assert "not in the mesh" in str(mesh.reason(WEB, WORLD, ("TCP", 1)))


def client(**spec: Any) -> ServerAuthorization:
    return decoded(ServerAuthorization, "shop/a", {"server": {"name": "api"}, "client": spec})


ACCOUNT = {"serviceAccounts": [{"name": "web"}]}


@pytest.mark.parametrize(
    ("old", "let_in", "plain"),
    [
        (client(unauthenticated=True), (True, True, True, True), True),
        (client(unauthenticated=True, networks=[{"cidr": "10.0.0.0/8"}]), (True, True, True, False), True),
        (
            client(unauthenticated=True, networks=[{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]),
            (False, True, False, False),
            True,
        ),
        (client(unauthenticated=True, networks=[]), (False, False, False, False), False),
        (client(), (False, False, False, False), False),
        (client(meshTLS=ACCOUNT), (True, False, False, False), False),
        (client(meshTLS=ACCOUNT, networks=[{"cidr": "10.2.0.0/16"}]), (False, False, False, False), False),
        (client(meshTLS={"serviceAccounts": [{"name": "cron", "namespace": "tools"}]}), (False, True, False, False), False),
        (client(meshTLS={"identities": ["*"]}), (True, True, False, False), False),
        (client(meshTLS={"identities": [WEB_IDENTITY]}), (True, False, False, False), False),
        (client(meshTLS={"unauthenticatedTLS": True}), (True, True, True, True), True),
        (decoded(ServerAuthorization, "shop/a", {"client": {"unauthenticated": True}}), (False, False, False, False), False),
        (
            decoded(ServerAuthorization, "tools/a", {"server": {"name": "api"}, "client": {"unauthenticated": True}}),
            (False, False, False, False),
            False,
        ),
        (
            decoded(
                ServerAuthorization,
                "shop/a",
                {"server": {"selector": {"matchLabels": {"name": "api"}}}, "client": {"meshTLS": ACCOUNT}},
            ),
            (True, False, False, False),
            False,
        ),
    ],
)
def test_server_authorizations(old: ServerAuthorization, let_in: tuple[bool, ...], plain: bool) -> None:
    mesh = layer([server("http")], old=[old], annotations=DENY_ALL)
    assert tuple(bool(carried(mesh, who, API)) for who in (WEB, CRON, PLAIN, ABROAD)) == let_in
    assert [str(each.reason) for each in mesh.plain(API)] == (["ServerAuthorization/shop/a client"] if plain else [])


def test_servers_of_the_same_port_are_each_asked() -> None:
    mesh = layer([server("http"), server(8080, name="b", accessPolicy="all-unauthenticated")], annotations=DENY_ALL)
    assert carried(mesh, PLAIN, API) == tcp(8080)
    assert [str(each.reason) for each in mesh.plain(API)] == ["Server/shop/b access policy all-unauthenticated"]


REQUIRED = st.lists(
    st.sampled_from([TLS, PLACE, ("ServiceAccount", "web"), ("ServiceAccount", "cron", "tools"), ("Secret", "x")]), max_size=2
)
POLICIES = st.builds(
    lambda target, required: policy(*target, *required),
    st.sampled_from([("Server", "api"), ("Server", "b"), ("Namespace", "shop"), ("HTTPRoute", "r")]),
    REQUIRED,
)
SERVERS = st.builds(
    lambda port, name, access: server(port, name=name, accessPolicy=access),
    st.sampled_from(["http", "admin", 8080, 1]),
    st.sampled_from(["api", "b"]),
    st.sampled_from(["deny", "all-authenticated", "all-unauthenticated", "cluster-unauthenticated"]),
)
AUTHENTICATIONS = st.tuples(
    st.sampled_from([mesh_tls(identities=["*"]), mesh_tls(identities=[WEB_IDENTITY])]),
    st.sampled_from([networks("10.1.0.0/16"), networks("0.0.0.0/0"), networks("10.0.0.0/8", leaving_out=("10.1.0.0/24",))]),
)
DEFAULTS = st.sampled_from(["deny", "all-authenticated", "cluster-unauthenticated", "all-unauthenticated"])
WHO = st.sampled_from([WEB, CRON, PLAIN, WORLD, ABROAD, template("shop/t", annotations={INJECT: "enabled"})])


@given(st.lists(SERVERS, max_size=2), st.lists(POLICIES, max_size=2), POLICIES, AUTHENTICATIONS, DEFAULTS, WHO)
def test_an_authorization_only_adds(
    servers: Any, policies: Any, more: LinkerdAuthorizationPolicy, known: Any, default: str, who: Any
) -> None:
    annotations = {"shop": {DEFAULT: default}}
    before = layer(servers, policies, *known, annotations=annotations)
    after = layer(servers, [more, *policies], *known, annotations=annotations)
    assert before.allowed(who, API) <= after.allowed(who, API)
    # What lets in a source without an identity is told by the mode of its ports.
    if who is PLAIN or isinstance(who, Block):
        plain = NOT_CARRIED
        for each in after.plain(API):
            plain |= each.ports
        assert after.allowed(who, API) <= plain
    for number in (8080, 9000, 1, 2):
        assert after.reason(who, API, ("TCP", number)).layer == "linkerd"


@given(st.lists(SERVERS, max_size=2), st.lists(POLICIES, max_size=2), AUTHENTICATIONS, DEFAULTS, WHO)
def test_endpoints_with_the_same_key_are_the_same(servers: Any, policies: Any, known: Any, default: str, who: Any) -> None:
    mesh = layer(servers, policies, *known, annotations={"shop": {DEFAULT: default}})
    others = [
        API,
        pod("shop/api-2", PROXY, labels={"app": "api", "pod-template-hash": "1"}, ports={"http": 8080, "admin": 9000}),
        pod("shop/api-3", PROXY, labels={"app": "x"}, ports={"http": 1}, addresses=("10.1.0.200",)),
        pod("shop/api-4", PROXY, annotations={SKIPPED: "8080"}, addresses=("10.1.0.8",)),
        PLAIN,
    ]
    for one in others:
        for two in others:
            if mesh.key(one) == mesh.key(two):
                assert mesh.allowed(who, one) == mesh.allowed(who, two)
                assert mesh.allowed(one, API) == mesh.allowed(two, API)
    hash(mesh.key(API))


def test_layers_are_there_where_the_objects_of_a_mesh_are() -> None:
    plain = decoded(Namespace, "shop", {})
    asking = decoded(
        Namespace, "shop", {}, annotations={DEFAULT: "deny", "other.io/x": "y"}, labels={"istio-injection": "enabled"}
    )
    assert mesh_layers("istio-system", [plain]) == ()
    (istio,) = mesh_layers("istio-system", [plain], [peer("shop/p", "STRICT")])
    assert isinstance(istio, IstioLayer)
    (linkerd,) = mesh_layers("istio-system", [asking])
    assert linkerd.allowed(WEB, API) == NOT_CARRIED
    both = mesh_layers("istio-system", [asking], [peer("shop/p", "STRICT")], [], [], [server("http")])
    assert [type(each) for each in both] == [IstioLayer, LinkerdLayer]
    assert both[0].allowed(PLAIN, template("shop/t")) == NOT_CARRIED
