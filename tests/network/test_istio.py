"""Istio as a layer: who is in the mesh, what mutual TLS asks, and what authorization lets through."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.deviation import Resource
from soc2.model.kubernetes.istio import AuthorizationPolicy
from soc2.model.network.endpoints import Block, Endpoint
from soc2.model.network.mesh.callers import EVERY_TCP, NOT_CARRIED
from soc2.model.network.mesh.istio import IstioLayer
from soc2.model.network.mesh.istio_members import How, how
from soc2.model.network.mesh.mutual import PlaintextException, Unmatched, mesh_members
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortRange, PortSet
from tests.network.meshes import authorization, decoded, peer, pod, sidecar, template

ROOT = "istio-system"
WEB = pod("shop/web", "istio-proxy", labels={"app": "web"}, service_account="web", addresses=("10.1.0.7",))
API = pod("shop/api", "istio-proxy", labels={"app": "api"}, service_account="api", addresses=("10.1.0.8",))
PLAIN = pod("shop/old", addresses=("10.1.0.9",))
WORLD = Block(ip_network("0.0.0.0/0"), "internet")


def layer(peers: Any = (), policies: Any = (), sidecars: Any = (), **namespaces: dict[str, str]) -> IstioLayer:
    return IstioLayer(ROOT, namespaces, peers, policies, sidecars)


def tcp(*numbers: int) -> PortSet:
    return PortSet.of(PortRange("TCP", number, number) for number in numbers)


def carried(mesh: IstioLayer, source: Any, target: Any) -> PortSet:
    """Return the TCP ports; everything else is always let through."""
    allowed = mesh.allowed(source, target)
    assert allowed - EVERY_TCP == NOT_CARRIED
    return allowed & EVERY_TCP


# Membership.

POD_LABELS = {"sidecar.istio.io/inject": "true"}


@pytest.mark.parametrize(
    ("namespace", "endpoint", "expected"),
    [
        ({}, WEB, How.SIDECAR),
        ({"istio-injection": "enabled"}, PLAIN, How.OUTSIDE),  # begun before the namespace was labelled
        ({"istio-injection": "enabled"}, template("shop/t"), How.SIDECAR),
        ({"istio-injection": "disabled"}, template("shop/t", labels=POD_LABELS), How.OUTSIDE),
        ({"istio-injection": "Enabled"}, template("shop/t"), How.OUTSIDE),
        ({"istio.io/rev": "canary"}, template("shop/t"), How.SIDECAR),
        ({}, template("shop/t", labels={"istio.io/rev": "canary"}), How.SIDECAR),
        ({}, template("shop/t", labels=POD_LABELS), How.SIDECAR),
        ({}, template("shop/t", annotations=POD_LABELS), How.OUTSIDE),  # asks for it where no injector looks
        ({}, template("shop/t"), How.OUTSIDE),
        ({"istio-injection": "enabled"}, template("shop/t", labels={"sidecar.istio.io/inject": "false"}), How.OUTSIDE),
        ({"istio-injection": "enabled"}, template("shop/t", annotations={"sidecar.istio.io/inject": "false"}), How.OUTSIDE),
        ({"istio-injection": "enabled"}, template("shop/t", labels={"sidecar.istio.io/inject": "No"}), How.OUTSIDE),
        ({"istio-injection": "enabled"}, template("shop/t", labels={"sidecar.istio.io/inject": "True"}), How.SIDECAR),
        (
            {"istio-injection": "enabled"},
            template("shop/t", annotations={"sidecar.istio.io/inject": "false"}, labels=POD_LABELS),
            How.SIDECAR,
        ),
        ({"istio-injection": "enabled"}, template("shop/t", host_network=True), How.OUTSIDE),
        ({}, pod("shop/p", "istio-proxy", host_network=True), How.OUTSIDE),
        ({"istio.io/dataplane-mode": "ambient"}, PLAIN, How.AMBIENT),
        ({"istio.io/dataplane-mode": "ambient"}, pod("shop/p", labels={"istio.io/dataplane-mode": "none"}), How.OUTSIDE),
        ({}, pod("shop/p", labels={"istio.io/dataplane-mode": "ambient"}), How.AMBIENT),
        ({}, pod("shop/p", annotations={"ambient.istio.io/redirection": "enabled"}), How.AMBIENT),
        # The label asks, and the annotation says what became of it.
        (
            {"istio.io/dataplane-mode": "ambient"},
            pod("shop/p", annotations={"ambient.istio.io/redirection": "pending"}),
            How.OUTSIDE,
        ),
        (
            {"istio.io/dataplane-mode": "ambient"},
            template("shop/t", annotations={"ambient.istio.io/redirection": "x"}),
            How.AMBIENT,
        ),
        ({"istio.io/dataplane-mode": "ambient"}, pod("shop/p", host_network=True), How.OUTSIDE),
        ({}, Endpoint(PLAIN.resource, PLAIN.resource, "shop", containers=("istio-proxy",)), How.GATEWAY),
        (
            {"istio-injection": "enabled"},
            Endpoint(Resource("Pod", "p", "shop", "pod.yaml", 1), PLAIN.resource, "shop", containers=("app",)),
            How.SIDECAR,  # of a manifest, so not injected yet
        ),
    ],
)
def test_who_is_in_the_mesh(namespace: dict[str, str], endpoint: Endpoint, expected: How) -> None:
    assert how(endpoint, namespace) is expected


# Mutual TLS.

STRICT_MESH = peer(f"{ROOT}/default", "STRICT")
OF_WEB = {"app": "web"}


@pytest.mark.parametrize(
    ("peers", "open_ports", "by"),
    [
        ([], EVERY_TCP, "no PeerAuthentication sets a mode, so it is PERMISSIVE"),
        ([STRICT_MESH], NO_PORT, ""),
        ([peer(f"{ROOT}/default", "PERMISSIVE")], EVERY_TCP, "PeerAuthentication/istio-system/default mtls PERMISSIVE"),
        ([peer("shop/default", "STRICT")], NO_PORT, ""),
        ([peer("other/default", "STRICT")], EVERY_TCP, "no PeerAuthentication sets a mode, so it is PERMISSIVE"),
        ([STRICT_MESH, peer("shop/x", "PERMISSIVE")], EVERY_TCP, "PeerAuthentication/shop/x mtls PERMISSIVE"),
        ([STRICT_MESH, peer("shop/x", "DISABLE")], EVERY_TCP, "PeerAuthentication/shop/x mtls DISABLE"),
        ([STRICT_MESH, peer("shop/x", "UNSET")], NO_PORT, ""),
        ([STRICT_MESH, peer("shop/x", None)], NO_PORT, ""),
        ([STRICT_MESH, peer("shop/x", "SOMETHING")], EVERY_TCP, "PeerAuthentication/shop/x mtls SOMETHING"),
        ([peer("shop/x", "PERMISSIVE"), peer("shop/w", "STRICT", OF_WEB)], NO_PORT, ""),
        ([STRICT_MESH, peer("shop/w", "PERMISSIVE", {"app": "api"})], NO_PORT, ""),
        ([STRICT_MESH, peer("shop/w", "PERMISSIVE", {})], EVERY_TCP, "PeerAuthentication/shop/w mtls PERMISSIVE"),
        # With a selector in the root namespace it is ignored.
        ([STRICT_MESH, peer(f"{ROOT}/w", "PERMISSIVE", OF_WEB)], NO_PORT, ""),
        ([peer(f"{ROOT}/w", "STRICT", OF_WEB)], EVERY_TCP, "no PeerAuthentication sets a mode, so it is PERMISSIVE"),
        # The older of two, whatever their order; then the one whose name comes first.
        (
            [
                peer("shop/a", "STRICT", created="2026-02-01T00:00:00Z"),
                peer("shop/b", "PERMISSIVE", created="2026-01-01T00:00:00"),  # without a zone, as somebody may write it
            ],
            EVERY_TCP,
            "PeerAuthentication/shop/b mtls PERMISSIVE",
        ),
        ([peer("shop/b", "PERMISSIVE"), peer("shop/a", "STRICT")], NO_PORT, ""),
        (
            [peer("shop/v", "STRICT", OF_WEB), peer("shop/w", "DISABLE", OF_WEB, created="2026-01-01T00:00:00Z")],
            EVERY_TCP,
            "PeerAuthentication/shop/w mtls DISABLE",
        ),
        # An older one that says nothing is still the one that counts.
        (
            [
                peer("shop/a", "UNSET", created="2026-01-01T00:00:00Z"),
                peer("shop/b", "STRICT", created="2026-02-01T00:00:00Z"),
            ],
            EVERY_TCP,
            "no PeerAuthentication sets a mode, so it is PERMISSIVE",
        ),
        # Ports: only with a selector, and inheriting where unset.
        (
            [STRICT_MESH, peer("shop/w", None, OF_WEB, ports={8080: "PERMISSIVE", 9000: "UNSET"})],
            tcp(8080),
            "PeerAuthentication/shop/w portLevelMtls[8080] PERMISSIVE",
        ),
        (
            [peer("shop/w", None, OF_WEB, ports={8080: "STRICT"})],
            EVERY_TCP - tcp(8080),
            "no PeerAuthentication sets a mode, so it is PERMISSIVE",
        ),
        ([STRICT_MESH, peer("shop/x", None, ports={8080: "DISABLE"})], NO_PORT, ""),
    ],
)
def test_modes_are_inherited_and_the_oldest_wins(peers: Any, open_ports: PortSet, by: str) -> None:
    mesh = layer(peers)
    assert [(each.ports, str(each.reason)) for each in mesh.plain(WEB)] == ([(open_ports, by)] if open_ports else [])
    for source in (PLAIN, WORLD):
        assert carried(mesh, source, WEB) == open_ports
    assert carried(mesh, API, WEB) == EVERY_TCP


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        (PLAIN, "it has no container istio-proxy, and it is not taken into ambient mode"),
        (
            pod("shop/p", annotations={"sidecar.istio.io/inject": "false"}),
            "it has no container istio-proxy (sidecar.istio.io/inject is 'false'), and it is not taken into ambient mode",
        ),
        (
            pod("shop/p", annotations={"ambient.istio.io/redirection": "pending"}),
            "it has no container istio-proxy, and it is not taken into ambient mode "
            "(ambient.istio.io/redirection is 'pending')",
        ),
        (
            template("shop/t", labels={"sidecar.istio.io/inject": "false"}),
            "sidecar.istio.io/inject is 'false', and no label takes it into ambient mode",
        ),
        (template("shop/t", host_network=True), "it uses the network of its node, which a mesh does not capture"),
    ],
)
def test_why_a_pod_is_not_in_the_mesh(endpoint: Endpoint, why: str) -> None:
    assert layer(shop={"istio-injection": "none"}).outside(endpoint) == why


def test_what_is_kept_from_the_sidecar_is_open() -> None:
    name = "traffic.sidecar.istio.io"
    mesh = layer([STRICT_MESH], [authorization("shop/none", None)])
    excluded = pod("shop/x", "istio-proxy", annotations={f"{name}/excludeInboundPorts": "9102, 8000-8001,x,70000"})
    assert carried(mesh, PLAIN, excluded) == tcp(9102, 8000, 8001)
    assert [each.ports for each in mesh.plain(excluded)] == [tcp(9102, 8000, 8001)]
    assert "annotation" in str(mesh.reason(PLAIN, excluded, ("TCP", 9102)))
    included = pod("shop/x", "istio-proxy", annotations={f"{name}/includeInboundPorts": "8080"})
    assert carried(mesh, PLAIN, included) == EVERY_TCP - tcp(8080)
    everything = pod("shop/x", "istio-proxy", annotations={f"{name}/includeInboundPorts": "*"})
    assert carried(mesh, PLAIN, everything) == NO_PORT
    nothing = pod("shop/x", "istio-proxy", annotations={f"{name}/includeInboundPorts": ""})
    assert carried(mesh, PLAIN, nothing) == EVERY_TCP
    # What is excluded counts only where everything else is included.
    both = pod("shop/x", "istio-proxy", annotations={f"{name}/includeInboundPorts": "80", f"{name}/excludeInboundPorts": "80"})
    assert carried(mesh, PLAIN, both) == EVERY_TCP - tcp(80)


def test_a_proxy_that_intercepts_nothing_is_gone_past() -> None:
    mesh = layer([STRICT_MESH], [authorization("shop/none", None)], shop={"istio.io/dataplane-mode": "ambient"})
    for annotation, past, kept in (
        ("sidecar.istio.io/interceptionMode", ("istio-proxy", "NONE"), ("istio-proxy", "TPROXY")),
        ("ambient.istio.io/bypass-inbound-capture", ("other", "true"), ("other", "false")),
    ):
        why = f"the annotation {annotation} keeps the port from the proxy"
        loose, held = (pod("shop/x", container, annotations={annotation: value}) for container, value in (past, kept))
        assert (carried(mesh, PLAIN, loose), carried(mesh, PLAIN, held)) == (EVERY_TCP, NO_PORT)
        assert str(mesh.reason(PLAIN, loose, ("TCP", 80))) == why
        assert [(each.ports, str(each.reason)) for each in mesh.plain(loose)] == [(EVERY_TCP, why)]
        assert mesh.plain(held) == ()
        assert mesh.key(loose) != mesh.key(held)


@pytest.mark.parametrize(("value", "enforced"), [("true", False), ("True", False), ("1", False), ("false", True), ("", True)])
def test_a_dry_run_decides_nothing(value: str, enforced: bool) -> None:
    dry = {"istio.io/dry-run": value}
    spec = {"action": "ALLOW", "rules": [], "selector": {"matchLabels": {"app": "api"}}}
    closing = decoded(AuthorizationPolicy, "shop/closing", spec, annotations=dry)
    denying = decoded(AuthorizationPolicy, f"{ROOT}/denying", {"action": "DENY", "rules": [{}]}, annotations=dry)
    for policy in (closing, denying):
        assert carried(layer([], [policy]), WEB, API) == (NO_PORT if enforced else EVERY_TCP)
    if not enforced:
        mesh = layer([], [closing, denying])
        told = (
            "AuthorizationPolicy/istio-system/denying is a dry run and decides nothing; "
            "no AuthorizationPolicy with action ALLOW selects it"
        )
        assert str(mesh.reason(OTHER, WEB, ("TCP", 80))) == told
        closed = "AuthorizationPolicy/shop/closing is a dry run and decides nothing"
        assert str(mesh.reason(OTHER, API, ("TCP", 80))) == f"{told}; {closed}"
        # The policy is the reason's, so that a deviation names it.
        assert mesh.reason(OTHER, WEB, ("TCP", 80)).policy == denying.resource


def test_not_all_that_does_not_decide_is_told() -> None:
    bound = [
        authorization(f"shop/p{number}", "DENY", {}, targetRefs=[{"kind": "Gateway", "name": "g"}]) for number in range(4)
    ]
    assert str(layer([], bound).reason(WEB, API, ("TCP", 1))) == (
        "AuthorizationPolicy/shop/p0 has targetRefs and is not evaluated; "
        "no AuthorizationPolicy with action ALLOW selects it; "
        "AuthorizationPolicy/shop/p1 has targetRefs and is not evaluated; "
        "AuthorizationPolicy/shop/p2 has targetRefs and is not evaluated; 1 more do not decide"
    )


def test_what_is_not_in_the_mesh_or_not_carried_by_it_is_let_through() -> None:
    mesh = layer([STRICT_MESH], [authorization("shop/none", None)])
    for target in (PLAIN, pod("shop/n", host_network=True), WORLD):
        assert mesh.allowed(WEB, target) == EVERY_PORT
    assert str(mesh.reason(WEB, PLAIN, ("TCP", 80))).startswith("the target is not in the mesh: it has no container")
    assert str(mesh.reason(WEB, API, ("UDP", 53))) == "the mesh does not carry udp"
    assert "not in the mesh" in str(mesh.reason(WEB, WORLD, ("TCP", 80)))


def test_a_gateway_takes_what_comes() -> None:
    gateway = Endpoint(Resource("Pod", "g", ROOT), Resource("Pod", "g", ROOT), ROOT, containers=("istio-proxy",))
    mesh = layer([STRICT_MESH])
    assert carried(mesh, WORLD, gateway) == EVERY_TCP
    assert [str(each.reason) for each in mesh.plain(gateway)] == [
        "a gateway: PeerAuthentications do not hold for its listeners"
    ]
    assert carried(layer([], [authorization(f"{ROOT}/none", None)]), WORLD, gateway) == NO_PORT


# Authorization.

BY_WEB = {"from": [{"source": {"principals": ["cluster.local/ns/shop/sa/web"]}}]}
HTTP = {"to": [{"operation": {"methods": ["GET"], "paths": ["/public/*"]}}]}
OTHER = pod("tools/cron", "istio-proxy", service_account="cron", addresses=("10.2.0.1", "fd01::1"))


def source(**fields: list[str]) -> dict[str, Any]:
    return {"from": [{"source": fields}]}


def ports(*numbers: str, unwanted: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"to": [{"operation": {"ports": list(numbers), "notPorts": list(unwanted)}}]}


def when(key: str, **values: list[str]) -> dict[str, Any]:
    return {"when": [{"key": key, **values}]}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([], EVERY_TCP),
        ([authorization("shop/p", None)], NO_PORT),
        ([authorization("shop/p", "ALLOW", {})], EVERY_TCP),
        ([authorization("other/p", "ALLOW")], EVERY_TCP),
        ([authorization(f"{ROOT}/p", "ALLOW")], NO_PORT),
        ([authorization(f"{ROOT}/p", "ALLOW", selector={"matchLabels": {"app": "api"}})], NO_PORT),
        ([authorization("shop/p", "ALLOW", selector={"matchLabels": {"app": "web"}})], EVERY_TCP),
        ([authorization("shop/p", "ALLOW", selector={})], NO_PORT),
        ([authorization("shop/p", "ALLOW", ports("8080", "x", "9000"))], tcp(8080, 9000)),
        ([authorization("shop/p", "ALLOW", ports(unwanted=("8080",)))], EVERY_TCP - tcp(8080)),
        ([authorization("shop/p", "ALLOW", ports("8080", "81", unwanted=("81",)))], tcp(8080)),
        (
            [authorization("shop/p", "ALLOW", {"to": [{"operation": {"ports": ["1"]}}, {"operation": {"ports": ["2"]}}]})],
            tcp(1, 2),
        ),
        ([authorization("shop/p", "ALLOW", ports("1")), authorization("shop/q", "ALLOW", ports("2"))], tcp(1, 2)),
        ([authorization("shop/p", "ALLOW", HTTP)], EVERY_TCP),
        ([authorization("shop/p", "DENY", HTTP)], EVERY_TCP),
        ([authorization("shop/p", "DENY", {"to": [{"operation": {"ports": ["80"], "methods": ["GET"]}}]})], EVERY_TCP),
        ([authorization("shop/p", "DENY")], EVERY_TCP),
        ([authorization("shop/p", "DENY", {})], NO_PORT),
        ([authorization("shop/p", "DENY", ports("8080"))], EVERY_TCP - tcp(8080)),
        ([authorization("shop/p", "DENY", ports("1")), authorization("shop/q", "ALLOW", ports("1", "2"))], tcp(2)),
        ([authorization("shop/p", "CUSTOM", {}, provider={"name": "x"})], EVERY_TCP),
        ([authorization("shop/p", "AUDIT", {})], EVERY_TCP),
        ([authorization("shop/p", "SOMETHING", {})], EVERY_TCP),
        ([authorization("shop/p", "ALLOW", targetRefs=[{"kind": "Gateway", "name": "g"}])], EVERY_TCP),
        ([authorization("shop/p", "ALLOW", targetRef={"kind": "Gateway", "name": "g"})], EVERY_TCP),
        ([authorization("shop/p", "DENY", {"when": [{"key": "destination.port", "values": ["80"]}]})], EVERY_TCP - tcp(80)),
        (
            [authorization("shop/p", "ALLOW", {"when": [{"key": "destination.port", "notValues": ["80"]}]})],
            EVERY_TCP - tcp(80),
        ),
        # What we do not know may let through, and stops nothing.
        ([authorization("shop/p", "ALLOW", source(somethingNew=["x"]))], EVERY_TCP),
        ([authorization("shop/p", "DENY", source(somethingNew=["x"]))], EVERY_TCP),
        ([authorization("shop/p", "DENY", source(notSomethingNew=["x"], namespaces=["tools"]))], EVERY_TCP),
        ([authorization("shop/p", "ALLOW", source(notSomethingNew=["x"], namespaces=["shop"]))], NO_PORT),
        ([authorization("shop/p", "DENY", source())], EVERY_TCP),
        ([authorization("shop/p", "DENY", {"to": [{"operation": {}}]})], EVERY_TCP),
        ([authorization("shop/p", "DENY", when("request.headers[x]", values=["y"]))], EVERY_TCP),
    ],
)
def test_deny_goes_before_allow_and_nothing_is_allowed_where_something_is(policies: Any, expected: PortSet) -> None:
    assert carried(layer([], policies), OTHER, API) == expected


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"principals": ["cluster.local/ns/tools/sa/cron"]}, True),
        ({"principals": ["cluster.local/ns/tools/sa/other"]}, False),
        ({"principals": ["elsewhere/ns/tools/sa/cron"]}, None),  # the mesh may have that trust domain
        ({"principals": ["elsewhere/ns/tools/*"]}, None),
        ({"principals": ["elsewhere/ns/tools/sa/other"]}, False),
        ({"notPrincipals": ["elsewhere/ns/tools/sa/cron"]}, None),
        ({"principals": ["spiffe://cluster.local/ns/tools/sa/cron"]}, False),
        ({"principals": ["*"]}, True),
        ({"principals": ["cluster.local/ns/tools/*"]}, True),
        ({"principals": ["*/sa/cron"]}, True),
        ({"principals": ["*/sa/cro"]}, False),
        ({"principals": ["cluster.local/*/sa/cron"]}, False),  # a star in the middle is only a star
        ({"principals": ["x", "*/sa/cron"]}, True),
        ({"principals": []}, None),
        ({"notPrincipals": ["cluster.local/ns/tools/sa/cron"]}, False),
        ({"notPrincipals": ["cluster.local/ns/shop/*"]}, True),
        ({"namespaces": ["tools"]}, True),
        ({"namespaces": ["to*"]}, True),
        ({"namespaces": ["shop"]}, False),
        ({"notNamespaces": ["tools"]}, False),
        ({"namespaces": ["tools"], "principals": ["*/sa/web"]}, False),
        ({"serviceAccounts": ["tools/cron"]}, True),
        ({"serviceAccounts": ["cron"]}, False),  # of the policy's own namespace
        ({"notServiceAccounts": ["tools/cron"]}, False),
        ({"ipBlocks": ["10.2.0.0/16", "fd01::/64"]}, True),
        ({"ipBlocks": ["10.2.0.1", "fd01::1"]}, True),
        ({"ipBlocks": ["10.2.0.0/16"]}, None),  # one of its two addresses
        ({"ipBlocks": ["10.3.0.0/16"]}, False),
        ({"ipBlocks": ["nonsense"]}, None),
        ({"notIpBlocks": ["10.3.0.0/16"]}, True),
        ({"notIpBlocks": ["0.0.0.0/0", "::/0"]}, False),
        ({"remoteIpBlocks": ["10.2.0.0/16"]}, None),
        ({"requestPrincipals": ["*"]}, None),
        ({"notRequestPrincipals": ["*"]}, None),
    ],
)
def test_sources(fields: dict[str, list[str]], answer: bool | None) -> None:
    """What is not known is allowed by ALLOW and not denied by DENY."""
    allowed = carried(layer([STRICT_MESH], [authorization("shop/p", "ALLOW", source(**fields))]), OTHER, API)
    denied = carried(layer([STRICT_MESH], [authorization("shop/p", "DENY", source(**fields))]), OTHER, API)
    assert allowed == (NO_PORT if answer is False else EVERY_TCP)
    assert denied == (NO_PORT if answer is True else EVERY_TCP)


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ({"key": "source.namespace", "values": ["tools"]}, True),
        ({"key": "source.namespace", "notValues": ["tools"]}, False),
        ({"key": "source.namespace", "values": ["to*"], "notValues": ["tools"]}, False),
        ({"key": "source.principal", "values": ["*/sa/web"]}, False),
        ({"key": "source.ip", "values": ["10.2.0.0/16", "fd01::/16"]}, True),
        ({"key": "source.serviceAccount", "values": ["tools/cron"]}, True),
        ({"key": "request.auth.claims[iss]", "values": ["x"]}, None),
        ({"key": "connection.sni", "values": ["x"]}, None),
        ({"key": "nobody.knows", "notValues": ["x"]}, None),
    ],
)
def test_conditions(condition: dict[str, Any], answer: bool | None) -> None:
    rule = {"when": [condition]}
    assert carried(layer([], [authorization("shop/p", "ALLOW", rule)]), OTHER, API) == (
        NO_PORT if answer is False else EVERY_TCP
    )
    assert carried(layer([], [authorization("shop/p", "DENY", rule)]), OTHER, API) == (
        NO_PORT if answer is True else EVERY_TCP
    )


def test_who_connects_in_plain_text_is_nobody() -> None:
    by_anybody = authorization("shop/p", "ALLOW", source(principals=["*"]))
    by_nobody = authorization("shop/p", "DENY", source(notPrincipals=["*"]))
    for unknown in (PLAIN, WORLD):
        assert carried(layer([], [by_anybody]), unknown, API) == NO_PORT
        assert carried(layer([], [by_nobody]), unknown, API) == NO_PORT
    assert carried(layer([], [by_anybody]), WEB, API) == EVERY_TCP
    # Where mutual TLS is off, a source in the mesh has no identity either.
    off = [peer("shop/p", None, {"app": "api"}, ports={8080: "DISABLE"})]
    assert carried(layer(off, [by_anybody]), WEB, API) == EVERY_TCP - tcp(8080)
    # In ambient mode it is always there.
    ambient = pod("moon/api", labels={"app": "api"})
    policies = [authorization("moon/p", "ALLOW", source(principals=["*"]))]
    mesh = layer([peer("moon/p", "DISABLE")], policies, moon={"istio.io/dataplane-mode": "ambient"})
    assert (carried(mesh, WEB, ambient), carried(mesh, PLAIN, ambient)) == (EVERY_TCP, NO_PORT)


def test_addresses_outside_of_the_cluster() -> None:
    inside = authorization("shop/p", "ALLOW", source(ipBlocks=["192.0.2.0/24"]))
    mesh = layer([], [inside])
    assert carried(mesh, Block(ip_network("192.0.2.7/32")), API) == EVERY_TCP
    assert carried(mesh, Block(ip_network("198.51.100.0/24")), API) == NO_PORT
    assert carried(mesh, Block(ip_network("fd00::/8")), API) == NO_PORT
    assert carried(mesh, WORLD, API) == EVERY_TCP  # a part of it may
    denying = layer([], [authorization("shop/p", "DENY", source(ipBlocks=["192.0.2.0/24"]))])
    assert carried(denying, WORLD, API) == EVERY_TCP
    assert carried(denying, Block(ip_network("192.0.2.0/25")), API) == NO_PORT
    # Nothing is known of the addresses that pods of a template will have.
    coming = template("shop/t")
    assert carried(mesh, coming, API) == EVERY_TCP
    assert carried(denying, coming, API) == EVERY_TCP


def test_reasons_name_the_policy_and_its_rule() -> None:
    policies = [
        authorization("shop/allow", "ALLOW", {**BY_WEB, **ports("8080")}, HTTP, selector={"matchLabels": {"app": "api"}}),
        authorization("shop/deny", "DENY", ports("22"), ports("23")),
        authorization("shop/waypoint", "DENY", {}, targetRefs=[{"kind": "Service", "name": "api"}]),
        authorization(f"{ROOT}/ask", "CUSTOM", {}, provider={"name": "x"}),
    ]
    mesh = layer([peer("shop/default", "STRICT")], policies)
    beside = "; AuthorizationPolicy/shop/waypoint has targetRefs and is not evaluated"
    asked = "; what AuthorizationPolicy/istio-system/ask says is not known"
    assert {
        (str(mesh.reason(who, API, ("TCP", port)))) for who, port in ((WEB, 8080), (OTHER, 8080), (WEB, 23), (PLAIN, 8080))
    } == {
        f"AuthorizationPolicy/shop/allow rules[0] (ALLOW){asked}{beside}",
        f"AuthorizationPolicy/shop/allow rules[1] (ALLOW, depending on methods, paths){asked}{beside}",
        f"AuthorizationPolicy/shop/deny rules[1] (DENY){beside}",
        "PeerAuthentication/shop/default mtls STRICT: the source has no identity of the mesh",
    }
    alone = layer([], [authorization("shop/a", None), authorization("shop/b", None)])
    assert str(alone.reason(WEB, API, ("TCP", 1))) == "AuthorizationPolicy/shop/a no rule of ALLOW matches, and 1 more"
    assert str(layer().reason(WEB, API, ("TCP", 1))) == "no AuthorizationPolicy with action ALLOW selects it"


def test_a_sidecar_removes_no_path_and_is_told_of() -> None:
    only = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
    mesh = layer([], [], [sidecar("tools/default", egress=[{"hosts": ["./*", f"{ROOT}/*"]}], **only)])
    assert carried(mesh, OTHER, API) == EVERY_TCP
    assert str(mesh.reason(OTHER, API, ("TCP", 80))) == (
        "no AuthorizationPolicy with action ALLOW selects it; "
        "Sidecar/tools/default does not list the target, which a pod can go around"
    )
    for hosts in (["shop/*"], ["*/*"], ["./*", "shop/api.shop.svc.cluster.local"]):
        listed = layer([], [], [sidecar("tools/default", egress=[{"hosts": hosts}], **only)])
        assert "Sidecar" not in str(listed.reason(OTHER, API, ("TCP", 80)))
    for other in (
        sidecar("tools/default", egress=[{"hosts": ["./*"]}]),
        sidecar("shop/default", egress=[{"hosts": ["~/*"]}], **only),
        sidecar("tools/x", workloadSelector={"labels": {"app": "x"}}, egress=[{"hosts": ["~/*"]}], **only),
    ):
        assert "Sidecar" not in str(layer([], [], [other]).reason(OTHER, API, ("TCP", 80)))
    everywhere = layer([], [], [sidecar(f"{ROOT}/default", egress=[{"hosts": ["./*"]}], **only)])
    assert "Sidecar/istio-system/default" in str(everywhere.reason(OTHER, API, ("TCP", 80)))


# Properties.

FIELDS = st.dictionaries(
    st.sampled_from(
        ["principals", "notPrincipals", "namespaces", "notNamespaces", "ipBlocks", "notIpBlocks", "requestPrincipals"]
    ),
    st.lists(st.sampled_from(["shop", "tools", "*", "to*", "*/sa/web", "10.1.0.0/24", "10.0.0.0/8"]), max_size=2),
    max_size=2,
)
OPERATIONS = st.dictionaries(
    st.sampled_from(["ports", "notPorts", "methods"]), st.lists(st.sampled_from(["80", "443", "8080"]), max_size=2), max_size=2
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "from": st.lists(st.builds(lambda fields: {"source": fields}, FIELDS), max_size=2),
        "to": st.lists(st.builds(lambda fields: {"operation": fields}, OPERATIONS), max_size=2),
    },
)
PLACES = st.sampled_from(["shop", "tools", ROOT])
POLICIES = st.builds(
    lambda place, action, rules: authorization(f"{place}/p", action, *rules),
    PLACES,
    st.sampled_from(["ALLOW", "DENY", "CUSTOM", "AUDIT"]),
    st.lists(RULES, max_size=2),
)
PEERS = st.builds(
    lambda place, mode, labels, of_ports: peer(f"{place}/p", mode, labels, ports=of_ports if labels else None),
    PLACES,
    st.sampled_from(["STRICT", "PERMISSIVE", "DISABLE", "UNSET", None]),
    st.sampled_from([None, {}, {"app": "api"}]),
    st.dictionaries(st.sampled_from([80, 443]), st.sampled_from(["STRICT", "PERMISSIVE", "DISABLE", "UNSET"]), max_size=2),
)
WHO = st.sampled_from([WEB, API, PLAIN, OTHER, WORLD, Block(ip_network("10.1.0.0/24")), template("shop/t")])
TARGETS = st.sampled_from([WEB, API, OTHER])


@given(st.lists(PEERS, max_size=3), st.lists(POLICIES, max_size=3), POLICIES, WHO, TARGETS)
def test_one_more_policy(peers: Any, policies: Any, more: AuthorizationPolicy, who: Any, target: Endpoint) -> None:
    """A DENY adds no port, and an ALLOW beside another removes none. Order does not matter."""
    before = layer(peers, policies).allowed(who, target)
    after = layer(peers, [*policies, more]).allowed(who, target)
    assert after == layer(peers, [more, *reversed(policies)]).allowed(who, target)
    if more.spec.action == "DENY":
        assert after <= before
    elif more.spec.action == "ALLOW" and more.namespace in (ROOT, target.namespace):
        first = not any(each.spec.action == "ALLOW" and each.namespace in (ROOT, target.namespace) for each in policies)
        assert after <= before if first else before <= after
    else:
        assert after == before


@given(st.lists(PEERS, max_size=3), st.lists(POLICIES, max_size=3), WHO)
def test_endpoints_with_the_same_key_are_the_same(peers: Any, policies: Any, who: Any) -> None:
    mesh = layer(peers, policies)
    others = [
        API,
        pod("shop/api-2", "istio-proxy", labels={"app": "api", "pod-template-hash": "1"}, service_account="api"),
        pod("shop/api-3", "istio-proxy", labels={"app": "api"}, service_account="api", addresses=("10.1.0.200",)),
        pod("shop/web-2", "istio-proxy", labels={"app": "web"}, service_account="api", addresses=("172.16.0.1",)),
    ]
    for one in others:
        for two in others:
            if mesh.key(one) == mesh.key(two):
                assert mesh.allowed(who, one) == mesh.allowed(who, two)
                assert mesh.allowed(one, WEB) == mesh.allowed(two, WEB)
    hash(mesh.key(API))


# The workloads of a check.


def test_exceptions_are_taken_away_and_those_not_needed_are_told() -> None:
    mesh = layer([peer("shop/default", "PERMISSIVE")])
    needless = PlaintextException("shop/none")
    members = list(mesh_members(mesh, [WEB, API, PLAIN], [PlaintextException("shop/w*", tcp(80)), needless]))
    assert [(str(each.resource), getattr(each, "outside", None)) for each in members] == [
        ("Pod/shop/web", ()),
        ("Pod/shop/api", ()),
        ("Pod/shop/old", ("it has no container istio-proxy, and it is not taken into ambient mode",)),
        ("PlaintextException/shop/none", None),
    ]
    assert members[0].plain[0].ports == EVERY_TCP - tcp(80)  # type: ignore[union-attr]
    whole = list(mesh_members(mesh, [WEB, API, PLAIN], [PlaintextException("shop/*")]))
    assert [(each.outside, each.plain) for each in whole] == [((), ())] * 3  # type: ignore[union-attr]
    strict = layer([STRICT_MESH])
    (_, found) = mesh_members(strict, [WEB], [PlaintextException("shop/web", tcp(80))])
    assert found == Unmatched(
        Resource("PlaintextException", "shop/web (tcp/80)"), "no workload in scope takes these ports without mutual TLS"
    )


def test_where_the_mesh_is_not_there_nothing_is_in_it() -> None:
    mesh = layer(shop={"istio-injection": "enabled"})
    (member,) = mesh_members(mesh, [template("shop/t")], absent="it is not there")
    assert member.outside == ("it is not there",)  # type: ignore[union-attr]
