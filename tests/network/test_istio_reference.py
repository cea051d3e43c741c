"""The layer against a slow and obvious reading of Istio: one port at a time, in every world that may be.

What a connection does not tell is a coin that falls either way, each time it is asked. A connection is possible when there
is a way for all coins to fall that lets it through.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from soc2.model.kubernetes.istio import AuthorizationPolicy, PeerAuthentication
from soc2.model.network.endpoints import Block, Endpoint
from soc2.model.network.mesh.istio import IstioLayer
from tests.network.meshes import authorization, peer, pod

ROOT = "mesh"
PORTS = (80, 8080)
PODS = [
    pod("shop/web", "istio-proxy", labels={"app": "web"}, service_account="web", addresses=("10.1.0.7",)),
    pod("shop/api", "istio-proxy", labels={"app": "api"}, service_account="api", addresses=("10.1.0.8",)),
    pod("tools/job", "istio-proxy", labels={"app": "job"}, service_account="job", addresses=("10.2.0.7",)),
    pod("mesh/own", "istio-proxy", labels={"app": "web"}, service_account="own", addresses=("10.3.0.7",)),
    pod("tools/old", labels={"app": "old"}, addresses=("10.2.0.9",)),
    pod("tools/node", "istio-proxy", host_network=True, addresses=("192.0.2.1",)),
]
OUTSIDE = [Block(ip_network("198.51.100.7/32")), Block(ip_network("10.2.0.128/32"))]
WHO: list[Any] = [*PODS, *OUTSIDE]


class Coins:
    """Falls of the coins of a world; a question that has none is remembered, so that worlds with one are made."""

    def __init__(self, falls: tuple[bool, ...]) -> None:
        self.falls = falls
        self.thrown = 0

    def throw(self) -> bool:
        self.thrown += 1
        return self.falls[self.thrown - 1] if self.thrown <= len(self.falls) else False


def possible(
    peers: list[PeerAuthentication], policies: list[AuthorizationPolicy], source: Any, target: Endpoint, port: int
) -> bool:
    if not in_mesh(target):
        return True
    mode = mode_of(peers, target, port)
    member = isinstance(source, Endpoint) and in_mesh(source)
    if mode == "STRICT" and not member:
        return False
    address = ip_address(source.addresses[0]) if isinstance(source, Endpoint) else source.network.network_address
    who = (source.namespace, source.service_account, address) if member and mode != "DISABLE" else ("", "", address)
    mine = [
        each
        for each in policies
        if each.namespace in (ROOT, target.namespace)
        and (each.spec.selector is None or (each.spec.selector.match_labels or {}).items() <= dict(target.labels).items())
    ]
    counting = Coins(())
    decided(mine, who, port, counting)
    return any(decided(mine, who, port, Coins(falls)) for falls in product((False, True), repeat=counting.thrown))


def in_mesh(endpoint: Endpoint) -> bool:
    return "istio-proxy" in endpoint.containers and not endpoint.host_network


def mode_of(peers: list[PeerAuthentication], target: Endpoint, port: int) -> str:
    mode = "PERMISSIVE"
    levels = [
        [each for each in peers if each.namespace == ROOT and not labels_of(each)],
        [each for each in peers if each.namespace == target.namespace != ROOT and not labels_of(each)],
        [
            each
            for each in peers
            if each.namespace == target.namespace != ROOT
            and labels_of(each)
            and all(target.labels.get(key) == value for key, value in labels_of(each).items())
        ],
    ]
    for level in levels:
        if level:
            # Times are as their texts are, and none is given twice at a level.
            first = min(level, key=lambda each: str(each.metadata.creation_timestamp))
            asked = [first.spec.mtls]
            if level is levels[2]:
                asked.append((first.spec.port_level_mtls or {}).get(str(port)))
            for each in asked:
                if each and each.mode != "UNSET":
                    mode = each.mode
    return mode


def labels_of(each: PeerAuthentication) -> dict[str, str]:
    return (each.spec.selector.match_labels or {}) if each.spec.selector else {}


def decided(policies: list[AuthorizationPolicy], who: Any, port: int, coins: Coins) -> bool:
    # Everything is asked, whatever comes of it, so that each question has the same coin in every world.
    denied = [
        matches(rule, who, port, coins) for each in policies if each.spec.action == "DENY" for rule in each.spec.rules or ()
    ]
    allowing = [each for each in policies if each.spec.action == "ALLOW"]
    allowed = [matches(rule, who, port, coins) for each in allowing for rule in each.spec.rules or ()]
    return not any(denied) and (any(allowed) or not allowing)


def matches(rule: Any, who: Any, port: int, coins: Coins) -> bool:
    sources = [
        every(asked(key, values, who, coins) for key, values in each.source.items() if values) for each in rule.from_ or ()
    ]
    operations = [
        every(operated(key, values, port, coins) for key, values in each.operation.items() if values) for each in rule.to or ()
    ]
    conditions = [conditioned(each, who, port, coins) for each in rule.when or ()]
    return (any(sources) or not sources) and (any(operations) or not operations) and all(conditions)


def every(answers: Iterator[bool]) -> bool:
    return all(list(answers))


def asked(key: str, values: Any, who: Any, coins: Coins) -> bool:
    namespace, account, address = who
    wanted = key.removeprefix("not")
    match wanted[0].lower() + wanted[1:]:
        case "principals":
            found = any(fits(value, f"cluster.local/ns/{namespace}/sa/{account}" if namespace else "") for value in values)
            if not found and any(
                fits(value, f"other.test/ns/{namespace}/sa/{account}" if namespace else "") for value in values
            ):
                # The mesh may have that trust domain.
                found = coins.throw()
        case "namespaces":
            found = any(fits(value, namespace) for value in values)
        case "ipBlocks":
            found = any(address in ip_network(value) for value in values)
        case _:
            return coins.throw()
    return not found if key.startswith("not") else found


def fits(pattern: str, value: str) -> bool:
    if not value:
        return False
    if pattern == "*":
        return True
    if pattern[0] == "*":
        return value[-len(pattern[1:]) :] == pattern[1:]
    return value[: len(pattern[:-1])] == pattern[:-1] if pattern[-1] == "*" else value == pattern


def operated(key: str, values: Any, port: int, coins: Coins) -> bool:
    if key in ("ports", "notPorts"):
        return (str(port) in values) is (key == "ports")
    return coins.throw()


def conditioned(each: Any, who: Any, port: int, coins: Coins) -> bool:
    if each.key == "destination.port":
        return (not each.values or str(port) in each.values) and str(port) not in (each.not_values or ())
    if each.key == "source.namespace":
        return all(answers_of(each, who))
    return coins.throw()


def answers_of(each: Any, who: Any) -> Iterator[bool]:
    if each.values:
        yield any(fits(value, who[0]) for value in each.values)
    if each.not_values:
        yield not any(fits(value, who[0]) for value in each.not_values)


IDENTITIES = ["*", "cluster.local/ns/shop/sa/web", "cluster.local/ns/shop/*", "*/sa/job", "cluster.local/*/sa/web"]
IDENTITIES += ["other.test/ns/shop/sa/web", "other.test/ns/tools/*"]
SOURCES = st.fixed_dictionaries(
    {},
    optional={
        "principals": st.lists(st.sampled_from(IDENTITIES), max_size=2),
        "notPrincipals": st.lists(st.sampled_from(IDENTITIES), max_size=2),
        "namespaces": st.lists(st.sampled_from(["shop", "tools", "t*", "*"]), max_size=2),
        "notNamespaces": st.lists(st.sampled_from(["shop", "tools"]), max_size=2),
        "ipBlocks": st.lists(st.sampled_from(["10.2.0.0/24", "10.1.0.7/32", "0.0.0.0/0"]), max_size=2),
        "notIpBlocks": st.lists(st.sampled_from(["10.2.0.0/24", "198.51.100.0/24"]), max_size=2),
        "requestPrincipals": st.just(["*"]),
        "notNew": st.just(["x"]),
    },
).filter(lambda fields: any(fields.values()))
NUMBERS = st.lists(st.sampled_from([*map(str, PORTS)]), max_size=2)
OPERATIONS = st.fixed_dictionaries({}, optional={"ports": NUMBERS, "notPorts": NUMBERS, "methods": st.just(["GET"])}).filter(
    lambda fields: any(fields.values())
)
CONDITIONS = st.one_of(
    st.builds(lambda one, two: {"key": "destination.port", "values": one, "notValues": two}, NUMBERS, NUMBERS),
    st.builds(lambda one: {"key": "source.namespace", "values": one}, st.lists(st.sampled_from(["shop", "t*"]), max_size=2)),
    st.builds(
        lambda one: {"key": "source.namespace", "notValues": one}, st.lists(st.sampled_from(["shop", "t*"]), max_size=2)
    ),
    st.just({"key": "request.headers[x]", "values": ["y"]}),
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "from": st.lists(st.builds(lambda fields: {"source": fields}, SOURCES), max_size=2),
        "to": st.lists(st.builds(lambda fields: {"operation": fields}, OPERATIONS), max_size=2),
        "when": st.lists(CONDITIONS, max_size=1),
    },
)
# Few places, so that policies meet.
PLACES = st.sampled_from(["shop", "shop", ROOT, ROOT, "tools"])
LABELS = st.sampled_from([None, None, {}, {"app": "web"}, {"app": "web"}, {"app": "api"}])
TARGETS = st.sampled_from([PODS[0], PODS[0], PODS[3], *PODS])
POLICIES = st.builds(
    lambda place, action, rules, labels: authorization(
        f"{place}/p", action, *rules, **({} if labels is None else {"selector": {"matchLabels": labels}})
    ),
    PLACES,
    st.sampled_from(["ALLOW", "ALLOW", "DENY", "AUDIT"]),
    st.lists(RULES, max_size=2),
    LABELS,
)
MODES = st.sampled_from(["STRICT", "PERMISSIVE", "DISABLE", "DISABLE", "UNSET", None])
PEERS = st.lists(
    st.tuples(PLACES, MODES, LABELS, st.dictionaries(st.sampled_from(PORTS), MODES.filter(bool), max_size=2)), max_size=4
)


@given(PEERS, st.lists(POLICIES, max_size=3), TARGETS)
def test_the_layer_says_what_the_slow_reading_says(peers: Any, policies: Any, target: Endpoint) -> None:
    made = [
        peer(f"{place}/p{number}", mode, labels, ports=ports, created=f"2026-01-{28 - number:02}T00:00:00Z")
        for number, (place, mode, labels, ports) in enumerate(peers)
    ]
    mesh = IstioLayer(ROOT, {}, made, policies)
    plain = {port for port in PORTS for each in mesh.plain(target) if ("TCP", port) in each.ports}
    assert plain == {port for port in PORTS if in_mesh(target) and mode_of(made, target, port) != "STRICT"}
    for source, port in product(WHO, PORTS):
        found = ("TCP", port) in mesh.allowed(source, target)
        assert found is possible(made, policies, source, target, port)
        # What is told as the reason is what decides.
        told = str(mesh.reason(source, target, ("TCP", port)))
        assert found is not any(words in told for words in ("(DENY)", "no rule of ALLOW", "has no identity"))
