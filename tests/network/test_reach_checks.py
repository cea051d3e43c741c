"""The checks on what policies let through, from sources to deviations and the matrix."""

from __future__ import annotations

from typing import Any

import pytest

from soc2.catalog import all_checks
from soc2.judge import Verdict
from soc2.model.matrix import CellState, Matrix
from soc2.model.outcome import Outcome
from tests.case import Case, run_check

CHECKS = {check.id: check for check in all_checks()}
REACHED, INTERNET = "restricted-workloads-reached-as-declared", "no-undeclared-egress-to-internet"
METADATA, HOLD, DEAD = "no-undeclared-egress-to-metadata", "declared-connections-hold", "policies-select-something"
Json = dict[str, Any]
Sources = dict[str, list[Any]]
FOREIGN = "network policies of other kinds"


def judged(check: str, sources: Sources, *connections: Json, system: Json | None = None) -> Verdict:
    declared = [{"reason": "meant", **each} for each in connections]
    return run_check(CHECKS[check], Case(sources=sources, system={"network": {"connections": declared}, **(system or {})}))


def told(verdict: Verdict) -> list[str]:
    return [f"{each.resource}: {each.message}" for each in verdict.open]


def namespace(name: str, data: str = "") -> Json:
    return {"metadata": {"name": name, "labels": {"data-class": data} if data else {}}}


def pod(where: str, name: str, labels: Json | None = None, **spec: Any) -> Json:
    return {"metadata": {"name": name, "namespace": where, "labels": {"app": name, **(labels or {})}}, "spec": spec}


def policy(where: str, name: str, **spec: Any) -> Json:
    return {"metadata": {"name": name, "namespace": where}, "spec": {"podSelector": {}, **spec}}


NAMESPACES = [namespace("notes", "customer"), namespace("tools", "internal"), namespace("kube-system")]
PODS = [
    pod("notes", "api", containers=[{"name": "a", "ports": [{"name": "http", "containerPort": 8080}]}]),
    pod("tools", "web"),
    pod("kube-system", "dns"),
]
OPEN: Sources = {"namespaces": NAMESPACES, "pods": PODS}
CLOSED = policy("notes", "deny", policyTypes=["Ingress", "Egress"])
NO_INGRESS = "no NetworkPolicy selects notes/api for ingress"
EVERYWHERE = (
    {"from": "internet", "to": "notes/api"},
    *(
        {"from": cidr, "to": "notes/api"}
        for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
    ),
)


def test_without_policies_everything_gets_in() -> None:
    verdict = judged(REACHED, OPEN)
    both = f"no NetworkPolicy selects the source for egress and {NO_INGRESS}"
    what = "at every port, which no connection declares"
    assert told(verdict) == [
        f"Pod/notes/api: can be reached from kube-system/dns {what}: {both}",
        f"Pod/notes/api: can be reached from private networks {what}: {NO_INGRESS}",
        f"Pod/notes/api: can be reached from the internet {what}: {NO_INGRESS}",
        f"Pod/notes/api: can be reached from tools/web {what}: {both}",
    ]
    assert judged(REACHED, OPEN, {"from": "*/*", "to": "*/*"}, *EVERYWHERE).outcome is Outcome.PASS
    assert len(judged(REACHED, OPEN, {"from": "*/*", "to": "*/*"}).open) == 2
    assert len(judged(REACHED, OPEN, *EVERYWHERE).open) == 2


def test_only_what_is_not_declared_of_a_range_is_told() -> None:
    ingress = [
        {
            "from": [{"namespaceSelector": {}}],
            "ports": [{"port": 8000, "endPort": 8100}, {"port": "http"}, {"port": 53, "protocol": "UDP"}],
        }
    ]
    sources = {**OPEN, "networkpolicies": [CLOSED, policy("notes", "range", ingress=ingress)]}
    verdict = judged(REACHED, sources, {"from": "*/*", "to": "notes/*", "ports": ["tcp/8010-8090", "udp/1-1023"]})
    assert {each.fields["ports"] for each in verdict.open} == {"tcp/8000-8009, tcp/8091-8100"}
    assert [each.fields["source"] for each in verdict.open] == ["kube-system/dns", "tools/web"]
    verdict = judged(REACHED, sources, {"from": "*/*", "to": "notes/*", "ports": ["tcp/8000-8100"]})
    assert {each.fields["ports"] for each in verdict.open} == {"udp/53"}


@pytest.mark.parametrize("family", ["10.0.5.", "fd00:5::"])
def test_a_declared_network_is_about_the_pods_in_it(family: str) -> None:
    near = {**pod("tools", "web"), "status": {"podIPs": [{"ip": f"{family}7"}]}}
    network = "10.0.5.0/24" if "." in family else "fd00:5::/64"
    sources = {"namespaces": NAMESPACES, "pods": [PODS[0], near]}
    assert judged(REACHED, sources, *EVERYWHERE).outcome is Outcome.PASS, "private networks have pods in them"
    missing = judged(REACHED, sources, {"from": network, "to": "notes/api", "ports": ["tcp/1-1000"]})
    of_pod = [each for each in missing.open if each.fields["source"] == "tools/web"]
    assert [each.fields["ports"] for each in of_pod] == ["every sctp port, tcp/0, tcp/1001-65535, every udp port"]


def test_a_namespace_without_a_class_is_not_restricted_and_a_label_of_the_workload_is_enough() -> None:
    bare = {"namespaces": [namespace("plain")], "pods": [pod("plain", "a"), pod("plain", "b")]}
    none = judged(REACHED, bare)
    assert (none.outcome, none.reason) == (
        Outcome.NOT_APPLICABLE,
        "nothing to examine: no workload in scope holds restricted data, by its label or its namespace's",
    )
    own = judged(REACHED, {**bare, "pods": [pod("plain", "a", {"data-class": "customer"}), pod("plain", "b")]})
    assert {str(each.resource) for each in own.open} == {"Pod/plain/a"}
    deployment = {"metadata": {"name": "d", "namespace": "plain", "labels": {"data-class": "confidential"}}}
    assert judged(REACHED, {**bare, "deployments": [deployment]}).count == 1
    named = judged(REACHED, bare, system={"data": {"class_tag": "app", "restricted": ["b"]}})
    assert {str(each.resource) for each in named.open} == {"Pod/plain/b"}


@pytest.mark.parametrize("check", [REACHED, INTERNET, METADATA, "default-deny-ingress", "default-deny-egress"])
def test_policies_of_other_kinds_leave_evidence_missing_beside_what_is_found(check: str) -> None:
    verdict = run_check(CHECKS[check], Case(sources=OPEN), denied=FOREIGN)
    assert verdict.outcome is Outcome.EVIDENCE_MISSING
    assert verdict.open
    assert "; what was read shows" in verdict.reason


def test_workloads_of_one_namespace_reach_each_other() -> None:
    sources = {"namespaces": NAMESPACES, "pods": [PODS[0], pod("notes", "db")]}
    assert (
        judged(REACHED, sources, *EVERYWHERE, {"from": "internet", "to": "notes/db"}).open[0].fields["source"]
        == "private networks"
    )
    host = pod("notes", "capture", hostNetwork=True, nodeName="n")
    verdict = judged(REACHED, {**sources, "pods": [PODS[0], host], "networkpolicies": [CLOSED]})
    of_api = [each.message for each in verdict.open if each.resource.name == "api"]
    assert of_api == [
        "can be reached from notes/capture in the network of its node at every port, which no connection declares: "
        "a node and the pods on it always reach each other"
    ]
    declared = judged(
        REACHED,
        {**sources, "pods": [PODS[0], host], "networkpolicies": [CLOSED]},
        {"from": "notes/capture", "to": "notes/api"},
    )
    assert [each.resource.name for each in declared.open if each.resource.name == "api"] == []


def test_what_is_declared_of_nodes_is_not_about_pods_in_their_network() -> None:
    host = pod("tools", "capture", hostNetwork=True)
    verdict = judged(REACHED, {"namespaces": NAMESPACES, "pods": [PODS[0], host]}, *EVERYWHERE, {"from": "nodes", "to": "*/*"})
    assert [each.fields["source"] for each in verdict.open] == ["tools/capture in the network of its node"]


def test_declared_connections_are_needed_to_hold_them() -> None:
    verdict = judged(HOLD, OPEN)
    assert (verdict.outcome, verdict.reason) == (
        Outcome.NOT_APPLICABLE,
        "nothing to examine: system.toml declares no connections; [[network.connections]] is where to",
    )
    verdict = judged(HOLD, OPEN, {"from": "notes/apo", "to": "zzz/*"})
    assert told(verdict) == [
        "DeclaredConnection/notes/apo -> zzz/* (every port): no workload is named notes/apo; did you mean notes/api?",
        "DeclaredConnection/notes/apo -> zzz/* (every port): no workload is named zzz/*",
    ]


def test_what_stops_a_declared_connection_is_named() -> None:
    sources = {**OPEN, "networkpolicies": [CLOSED]}
    verdict = judged(
        HOLD, sources, {"from": "tools/web", "to": "notes/api", "ports": ["tcp/80"]}, {"from": "10.0.0.0/8", "to": "notes/*"}
    )
    assert told(verdict) == [
        "DeclaredConnection/10.0.0.0/8 -> notes/* (every port): every port is declared and nowhere possible: "
        "NetworkPolicy/notes/deny no ingress rule of it lets this through",
        "DeclaredConnection/tools/web -> notes/api (tcp/80): tcp/80 is declared and nowhere possible: "
        "NetworkPolicy/notes/deny no ingress rule of it lets this through",
    ]


def test_only_what_stops_a_declared_connection_is_named() -> None:
    let_in = policy("notes", "web", ingress=[{"from": [{"namespaceSelector": {}}]}])
    callers = {"metadata": {"name": "callers", "namespace": "notes"}, "spec": {"rules": []}}
    api = {**PODS[0], "spec": {"containers": [*PODS[0]["spec"]["containers"], {"name": "istio-proxy"}]}}
    sources = {
        **OPEN,
        "pods": [api, PODS[1]],
        "networkpolicies": [let_in],
        "authorizationpolicies.security.istio.io": [callers],
    }
    line = {"from": "tools/web", "to": "notes/api", "ports": ["tcp/80"]}
    assert told(judged(HOLD, sources, line)) == [
        "DeclaredConnection/tools/web -> notes/api (tcp/80): tcp/80 is declared and nowhere possible: "
        "AuthorizationPolicy/notes/callers no rule of ALLOW matches"
    ]
    admin = {
        "metadata": {"name": "first"},
        "spec": {"subject": {"namespaces": {}}, "egress": [{"action": "Deny", "to": [{"namespaces": {}}]}]},
    }
    assert told(judged(HOLD, {**OPEN, "networkpolicies": [let_in], "adminnetworkpolicies": [admin]}, line)) == [
        "DeclaredConnection/tools/web -> notes/api (tcp/80): tcp/80 is declared and nowhere possible: "
        "AdminNetworkPolicy/first egress[0] (Deny)"
    ]


def test_the_internet_and_the_metadata_service_are_told_apart() -> None:
    egress = [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}], "ports": [{"port": 80}, {"port": 443}]}]
    sources = {
        **OPEN,
        "networkpolicies": [
            policy("notes", "out", policyTypes=["Egress"], egress=egress),
            policy("tools", "no", policyTypes=["Egress"]),
        ],
    }
    assert told(judged(INTERNET, sources, {"from": "notes/api", "to": "internet", "ports": ["tcp/443"]})) == [
        "Pod/notes/api: reaches tcp/80 at the internet (IPv4), which no connection declares: NetworkPolicy/notes/out egress[0]"
    ]
    assert told(judged(METADATA, sources, {"from": "notes/api", "to": "internet"})) == [
        "Pod/notes/api: reaches tcp/80 at the metadata service (IPv4), which no connection declares: "
        "NetworkPolicy/notes/out egress[0]"
    ]
    assert judged(METADATA, sources, {"from": "notes/*", "to": "metadata"}).outcome is Outcome.PASS
    assert judged(INTERNET, sources, {"from": "notes/*", "to": "0.0.0.0/0"}).outcome is Outcome.PASS


def test_egress_is_not_checked_out_of_scope() -> None:
    assert {each.resource.namespace for each in judged(INTERNET, OPEN).open} == {"notes", "tools"}


def cells(matrix: Matrix | None) -> dict[tuple[str, str], CellState]:
    assert matrix is not None
    return {(matrix.rows[each.row], matrix.columns[each.column]): each.state for each in matrix.cells}


def test_the_matrix_shows_every_state() -> None:
    web = policy("tools", "web", policyTypes=["Egress"], egress=[{"to": [{"namespaceSelector": {}}]}])
    pods = [*PODS, pod("tools", "jobs")]
    sources = {"namespaces": NAMESPACES, "pods": pods, "networkpolicies": [CLOSED, web]}
    matrix = judged(
        REACHED, sources, {"from": "tools/web", "to": "notes/api"}, {"from": "tools/jobs", "to": "kube-system/dns"}
    ).matrix
    assert matrix is not None
    assert matrix.rows == ("notes/api", "tools/jobs", "tools/web", "kube-system/*", "private networks", "internet")
    assert matrix.columns == (*matrix.rows, "metadata")
    assert matrix.restricted == (0,)
    found = cells(matrix)
    assert found["tools/web", "notes/api"] is CellState.BLOCKED
    assert found["tools/jobs", "kube-system/*"] is CellState.DECLARED
    assert found["tools/web", "kube-system/*"] is CellState.UNDECLARED
    assert found["tools/jobs", "tools/web"] is CellState.WITHIN
    assert found["internet", "tools/web"] is CellState.UNDECLARED
    assert ("notes/api", "internet") not in found
    assert ("kube-system/*", "internet") not in found, "neither end is in scope"
    why = {(matrix.rows[each.row], matrix.columns[each.column]): each.why for each in matrix.cells}
    assert why["tools/web", "notes/api"] == "NetworkPolicy/notes/deny no ingress rule of it lets this through"
    assert why["tools/web", "kube-system/*"] == (
        "NetworkPolicy/tools/web egress[0] and no NetworkPolicy selects kube-system/dns for ingress"
    )


def test_the_matrix_shows_pods_in_their_nodes_network_as_the_check_does() -> None:
    """They are no part of their namespace, whether they are shown by themselves or with it."""
    host = pod("notes", "capture", hostNetwork=True, nodeName="n")
    pods = [pod("notes", "api", nodeName="n"), pod("notes", "db", nodeName="n"), host]
    sources = {"namespaces": NAMESPACES, "pods": pods}
    found = cells(judged(REACHED, sources).matrix)
    assert found["notes/capture", "notes/api"] is CellState.UNDECLARED
    assert found["notes/db", "notes/api"] is CellState.WITHIN
    many = [pod("tools", f"t{number}") for number in range(40)]
    found = cells(judged(REACHED, {**sources, "pods": [*pods, *many]}).matrix)
    assert found["notes/*", "notes/*"] is CellState.UNDECLARED
    found = cells(judged(REACHED, {**sources, "pods": [*pods[:2], *many]}).matrix)
    assert found["notes/*", "notes/*"] is CellState.WITHIN


def test_a_large_matrix_is_by_namespace() -> None:
    names = [f"team-{number:02}" for number in range(45)]
    pods = [pod(name, "web") for name in names]
    spaces = [namespace(name, "customer" if name == "team-44" else "internal") for name in names]
    matrix = judged(REACHED, {"namespaces": spaces, "pods": pods, "networkpolicies": [policy("team-00", "deny")]}).matrix
    assert matrix is not None
    assert matrix.rows == (
        *(f"team-{number:02}/*" for number in range(38)),
        "team-44/*",
        "6 other namespaces",
        "private networks",
        "internet",
    )
    assert [matrix.columns[each] for each in matrix.restricted] == ["team-44/*"]
    found = cells(matrix)
    assert ("team-01/*", "team-00/*") not in found
    assert found["team-00/*", "team-01/*"] is CellState.UNDECLARED
    assert found["6 other namespaces", "6 other namespaces"] is CellState.UNDECLARED


def test_policies_of_kinds_that_wait_for_pods_are_no_deviation() -> None:
    empty = judged(
        DEAD,
        {"namespaces": [namespace("shop")], "networkpolicies": [policy("shop", "p", podSelector={"matchLabels": {"a": "b"}})]},
    )
    assert empty.outcome is Outcome.PASS
    none = judged(DEAD, {"namespaces": [namespace("shop")]})
    assert (none.outcome, none.reason) == (
        Outcome.NOT_APPLICABLE,
        "nothing to examine: there are no network policies in scope",
    )
