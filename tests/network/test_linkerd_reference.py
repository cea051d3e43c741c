"""The layer of Linkerd against a slow reading of its rules, which asks everything of each connection anew."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network
from itertools import product
from typing import Any, NamedTuple, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from soc2.model.kubernetes.linkerd import (
    LinkerdAuthorizationPolicy,
    MeshTlsAuthentication,
    NetworkAuthentication,
    Server,
    ServerAuthorization,
)
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.network.endpoints import Block, Endpoint, Peer
from soc2.model.network.mesh.linkerd import LinkerdLayer
from tests.network.meshes import decoded, pod

K = TypeVar("K", bound=KubeObject)

DEFAULT = "config.linkerd.io/default-inbound-policy"
SKIPPED = "config.linkerd.io/skip-inbound-ports"
PROXY = "linkerd-proxy"
PODS = [
    pod("shop/web", PROXY, service_account="web", labels={"app": "web"}, ports={"http": 80}, addresses=("10.1.0.7",)),
    pod("shop/api", PROXY, service_account="api", labels={"app": "api"}, ports={"http": 8080}, addresses=("10.1.0.8",)),
    pod("tools/cron", PROXY, service_account="cron", labels={"app": "web"}, addresses=("10.2.0.7",)),
    pod("tools/old", labels={"app": "old"}, addresses=("10.2.0.9",)),
    pod("tools/node", PROXY, host_network=True, addresses=("192.0.2.1",)),
]
OUTSIDE = [Block(ip_network("198.51.100.7/32")), Block(ip_network("10.2.0.128/32"))]
WHO: list[Peer] = [*PODS, *OUTSIDE]
PORTS = (80, 8080, 9000)
CLUSTER = [ip_network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")]


class Source(NamedTuple):
    identity: str
    namespace: str
    account: str
    address: IPv4Address
    in_cluster: bool


class Objects(NamedTuple):
    annotations: dict[str, dict[str, str]]
    servers: list[Server]
    policies: list[LinkerdAuthorizationPolicy]
    mesh_tls: list[MeshTlsAuthentication]
    networks: list[NetworkAuthentication]
    older: list[ServerAuthorization]


def in_mesh(endpoint: Endpoint) -> bool:
    return PROXY in endpoint.containers and not endpoint.host_network


def source_of(peer: Peer) -> Source:
    if isinstance(peer, Block):
        first = IPv4Address(int(peer.network.network_address))
        return Source("", "", "", first, any(first in network for network in CLUSTER))
    address = IPv4Address(peer.addresses[0])
    if not in_mesh(peer):
        return Source("", "", "", address, in_cluster=True)
    account = peer.service_account
    identity = f"{account}.{peer.namespace}.serviceaccount.identity.linkerd.cluster.local"
    return Source(identity, peer.namespace, account, address, in_cluster=True)


def possible(objects: Objects, who: Source, target: Endpoint, port: int) -> bool:
    if not in_mesh(target):
        return True
    annotations = objects.annotations.get(target.namespace, {})
    if str(port) in annotations.get(SKIPPED, "").split(","):
        return True
    guards = [each for each in objects.servers if each.namespace == target.namespace and guards_port(each, target, port)]
    if not guards:
        return by_name(annotations.get(DEFAULT, "all-unauthenticated"), who)
    return any(let_in(objects, each, who) for each in guards)


def guards_port(server: Server, target: Endpoint, port: int) -> bool:
    selector = server.spec.pod_selector
    assert selector is not None
    number = {each.name: each.number for each in target.ports}.get(str(server.spec.port), server.spec.port)
    return number == port and all(target.labels.get(key) == value for key, value in (selector.match_labels or {}).items())


def by_name(policy: str, who: Source) -> bool:
    return {
        "deny": False,
        "all-authenticated": bool(who.identity),
        "cluster-authenticated": bool(who.identity) and who.in_cluster,
        "cluster-unauthenticated": who.in_cluster,
        "all-unauthenticated": True,
        "audit": True,
    }[policy]


def let_in(objects: Objects, server: Server, who: Source) -> bool:
    if by_name(server.spec.access_policy, who):
        return True
    # What is for a route may be for any Server of the namespace.
    targets = [("Server", server.name), ("Namespace", server.namespace), ("HTTPRoute", "r")]
    for policy in objects.policies:
        target = policy.spec.target_ref
        if policy.namespace == server.namespace and (target.kind, target.name) in targets:
            required = policy.spec.required_authentication_refs
            if all(authenticated(objects, each, policy.namespace, who) for each in required):
                return True
    about = [each for each in objects.older if each.namespace == server.namespace and each.spec.server.name == server.name]
    return any(let_in_by(each, who) for each in about)


def authenticated(objects: Objects, reference: Any, home: str, who: Source) -> bool:
    place = (reference.namespace or home, reference.name)
    match reference.kind:
        case "ServiceAccount":
            return (who.namespace, who.account) == place
        case "NetworkAuthentication":
            return any((each.namespace, each.name) == place and lies_in(each.spec.networks, who) for each in objects.networks)
    for each in objects.mesh_tls:
        if (each.namespace, each.name) == place and who.identity:
            accounts = [r for r in each.spec.identity_refs or () if r.kind == "ServiceAccount"]
            namespaces = [r.name for r in each.spec.identity_refs or () if r.kind == "Namespace"]
            return (
                named(each.spec.identities, who)
                or who.namespace in namespaces
                or any((r.namespace or each.namespace, r.name) == (who.namespace, who.account) for r in accounts)
            )
    return False


def named(patterns: tuple[str, ...] | None, who: Source) -> bool:
    for pattern in patterns or ():
        wanted = pattern.split(".")
        given = who.identity.split(".")
        if pattern == "*" or wanted == given or (wanted[0] == "*" and given[1 - len(wanted) :] == wanted[1:]):
            return bool(who.identity)
    return False


def lies_in(networks: Any, who: Source) -> bool:
    for each in networks:
        left_out = any(who.address in ip_network(text) for text in each.except_ or ())
        if who.address in ip_network(each.cidr) and not left_out:
            return True
    return False


def let_in_by(authorization: ServerAuthorization, who: Source) -> bool:
    client = authorization.spec.client
    if client.networks is not None and not lies_in(client.networks, who):
        return False
    if client.unauthenticated:
        return True
    tls = client.mesh_tls
    if tls is None or (not tls.unauthenticated_tls and not who.identity):
        return False
    accounts = [(each.namespace or authorization.namespace, each.name) for each in tls.service_accounts or ()]
    return tls.unauthenticated_tls or named(tls.identities, who) or (who.namespace, who.account) in accounts


# Few places and names, so that what refers to something finds it.
PLACES = st.sampled_from(["shop", "shop", "tools"])
NAMES = st.sampled_from(["a", "b"])
POLICIES = st.sampled_from(
    ["deny", "deny", "all-authenticated", "cluster-authenticated", "cluster-unauthenticated", "all-unauthenticated", "audit"]
)
ACCOUNTS = st.sampled_from([{"name": "web"}, {"name": "cron", "namespace": "tools"}])
IDENTITIES = st.lists(
    st.sampled_from(
        [
            "*",
            "web.shop.serviceaccount.identity.linkerd.cluster.local",
            "*.tools.serviceaccount.identity.linkerd.cluster.local",
            "web.*",
        ]
    ),
    max_size=2,
)
CIDRS = st.sampled_from(["10.1.0.0/16", "10.2.0.0/24", "0.0.0.0/0", "198.51.100.0/24"])
NETWORKS = st.lists(st.builds(lambda cidr, but: {"cidr": cidr, "except": but}, CIDRS, st.lists(CIDRS, max_size=1)), max_size=2)
REFERENCES = st.one_of(
    st.builds(
        lambda kind, name, place: {"kind": kind, "name": name, "namespace": place},
        st.sampled_from(["MeshTLSAuthentication", "NetworkAuthentication"]),
        NAMES,
        st.sampled_from(["", "", "shop", "tools"]),
    ),
    ACCOUNTS.map(lambda account: {"kind": "ServiceAccount", **account}),
)
TARGETS = st.sampled_from(
    [
        {"kind": "Server", "name": "a"},
        {"kind": "Server", "name": "b"},
        {"kind": "Namespace", "name": "shop"},
        {"kind": "HTTPRoute", "name": "r"},
    ]
)
SERVERS = st.fixed_dictionaries(
    {
        "podSelector": st.sampled_from([{}, {"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "api"}}]),
        "port": st.sampled_from([80, 8080, "http"]),
    },
    optional={"accessPolicy": POLICIES},
)
CLIENTS = st.fixed_dictionaries(
    {},
    optional={
        "unauthenticated": st.booleans(),
        "networks": NETWORKS,
        "meshTLS": st.fixed_dictionaries(
            {},
            optional={
                "unauthenticatedTLS": st.booleans(),
                "identities": IDENTITIES,
                "serviceAccounts": st.lists(ACCOUNTS, max_size=1),
            },
        ),
    },
)


def some(kind: type[K], spec: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[list[K]]:
    """Return lists of objects, of which no two have the place and the name in common."""
    made = st.builds(lambda place, name, given: decoded(kind, f"{place}/{name}", given), PLACES, NAMES, spec)
    return st.lists(made, max_size=most, unique_by=lambda each: (each.namespace, each.name))


OBJECTS = st.builds(
    Objects,
    st.fixed_dictionaries(
        {"shop": st.fixed_dictionaries({}, optional={DEFAULT: POLICIES, SKIPPED: st.sampled_from(["9000", "80,9000"])})}
    ),
    some(Server, SERVERS, 3),
    some(
        LinkerdAuthorizationPolicy,
        st.builds(
            lambda target, refs: {"targetRef": target, "requiredAuthenticationRefs": refs},
            TARGETS,
            st.lists(REFERENCES, max_size=2),
        ),
        3,
    ),
    some(
        MeshTlsAuthentication,
        st.builds(
            lambda names, refs: {"identities": names, "identityRefs": refs},
            IDENTITIES,
            st.lists(
                st.sampled_from([{"kind": "ServiceAccount", "name": "web"}, {"kind": "Namespace", "name": "tools"}]),
                max_size=1,
            ),
        ),
        2,
    ),
    some(NetworkAuthentication, st.builds(lambda networks: {"networks": networks}, NETWORKS), 2),
    some(
        ServerAuthorization,
        st.builds(lambda name, client: {"server": {"name": name}, "client": client}, NAMES, CLIENTS),
        2,
    ),
)


@given(OBJECTS)
def test_the_layer_says_what_the_slow_reading_says(objects: Objects) -> None:
    mesh = LinkerdLayer(*objects)
    for peer, target, port in product(WHO, PODS[:4], PORTS):
        who = source_of(peer)
        expected = possible(objects, who, target, port)
        assert (("TCP", port) in mesh.allowed(peer, target)) is expected
        # Whoever is let in without an identity is let in without mutual TLS.
        if expected and in_mesh(target) and not who.identity:
            assert any(("TCP", port) in each.ports for each in mesh.plain(target))
