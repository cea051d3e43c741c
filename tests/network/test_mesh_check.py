"""The check on mutual TLS, from sources to deviations: what is declared, what is there, and what is not."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from soc2.catalog import Check, all_checks
from soc2.errors import UsageError
from soc2.evidence import EvidenceStore
from soc2.gather.codec import Codec, canonical
from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.lists import KubeList
from soc2.gather.manifests.documents import read_all
from soc2.gather.manifests.gatherer import ManifestGatherer
from soc2.judge import Verdict
from soc2.model.outcome import Outcome
from soc2.system import About, System, load_system
from tests.case import Case, run_check

(CHECK,) = [check for check in all_checks() if check.id == "mesh-mtls-strict"]
Sources = dict[str, list[Any]]

STRICT = {"metadata": {"name": "default", "namespace": "istio-system"}, "spec": {"mtls": {"mode": "STRICT"}}}
PEERS = "peerauthentications.security.istio.io"
SERVERS = "servers.policy.linkerd.io"
ALLOWED = "authorizationpolicies.policy.linkerd.io"


def judged(mesh: dict[str, Any] | None, sources: Sources, check: Check = CHECK) -> Verdict:
    return run_check(check, Case(sources=sources, system={"network": {"mesh": mesh} if mesh else {}}))


def deviations(verdict: Verdict) -> list[str]:
    return [f"{each.resource}: {each.message}" for each in verdict.open]


def namespace(name: str, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}}}


def pod(name: str, *containers: str, **metadata: Any) -> dict[str, Any]:
    own = {"name": name, "namespace": "shop", **metadata}
    return {"metadata": own, "spec": {"containers": [{"name": "app"}, *({"name": each} for each in containers)]}}


def test_a_mesh_that_is_not_declared_is_no_control() -> None:
    nothing = judged(None, {"namespaces": [namespace("shop")], "pods": [pod("a")]})
    assert (nothing.outcome, nothing.reason) == (
        Outcome.NOT_APPLICABLE,
        "nothing to examine: system.toml has no [network.mesh], so no mesh is a stated control",
    )
    there = judged(None, {"namespaces": [namespace("shop")], "pods": [pod("a", "istio-proxy")], PEERS: [STRICT]})
    assert there.outcome is Outcome.NOT_APPLICABLE
    assert there.reason.endswith(
        "; the cluster has 1 object of istio and 1 pod with its proxy: if its mutual TLS is a control, state it there"
    )


@pytest.mark.parametrize("kind", ["istio", "linkerd"])
def test_a_declared_mesh_that_is_not_installed_fails(kind: str) -> None:
    asking = namespace("shop", {"istio-injection": "enabled"}, {"linkerd.io/inject": "enabled"})
    asking["metadata"]["annotations"]["config.linkerd.io/default-inbound-policy"] = "deny"
    workload = {
        "metadata": {"name": "w", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}},
    }
    verdict = judged({"kind": kind}, {"namespaces": [asking], "deployments": [workload], "pods": [pod("a")]})
    why = f"not in the mesh: the cluster has no object of {kind}, and no pod its proxy"
    assert verdict.outcome is Outcome.FAIL
    assert deviations(verdict) == [f"Deployment/shop/w: {why}", f"Pod/shop/a: {why}"]


def test_pods_are_told_once_for_their_workload() -> None:
    owner = {"kind": "StatefulSet", "name": "db", "controller": True}
    pods = [
        pod("db-0", "istio-proxy", ownerReferences=[owner], labels={"app": "db"}),
        pod("db-1", "istio-proxy", ownerReferences=[owner], labels={"app": "db"}),
        pod("db-2", ownerReferences=[owner], labels={"app": "db"}),
    ]
    loose = {
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "db"}}, "portLevelMtls": {"5432": {"mode": "PERMISSIVE"}}},
    }
    sources = {"namespaces": [namespace("shop")], "pods": pods, PEERS: [STRICT, loose]}
    assert deviations(judged({"kind": "istio"}, sources)) == [
        "StatefulSet/shop/db: not in the mesh: it has no container istio-proxy, and it is not taken into ambient mode",
        "StatefulSet/shop/db: takes tcp/5432 without mutual TLS: PeerAuthentication/shop/db portLevelMtls[5432] PERMISSIVE",
    ]
    accepted = {"kind": "istio", "plaintext": [{"workload": "shop/db", "reason": "clients outside"}]}
    assert judged(accepted, sources).outcome is Outcome.PASS
    only = {"kind": "istio", "plaintext": [{"workload": "shop/db", "reason": "clients outside", "ports": [5432]}]}
    assert deviations(judged(only, sources)) == [
        "StatefulSet/shop/db: not in the mesh: it has no container istio-proxy, and it is not taken into ambient mode"
    ]


def test_what_was_read_is_kept_as_evidence(tmp_path: Path) -> None:
    """From files to the records and, as on replay of evidence, back from what is kept of them."""
    text = """
        {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: p}, spec: {selector: {matchLabels:
        {a: b}}, portLevelMtls: {8080: {mode: DISABLE}, 80: null}}}
        ---
        {apiVersion: security.istio.io/v1beta1, kind: AuthorizationPolicy, metadata: {name: p}, spec: {rules: [{from:
        [{source: {principals: [x], notNamespaces: null}}], to: [{operation: {ports: ["80"]}}], when: [{key: k}]}]}}
        ---
        {apiVersion: policy.linkerd.io/v1beta1, kind: Server, metadata: {name: s}, spec: {podSelector: {}, port: http}}
        ---
        {apiVersion: policy.linkerd.io/v1alpha1, kind: NetworkAuthentication, metadata: {name: n}, spec: {networks:
        [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}}
    """
    gatherer = ManifestGatherer(
        System(system=About(name="t", owner="t")), EvidenceStore(tmp_path), *read_all(None, dedent(text).encode())
    )
    assert (gatherer.broken, gatherer.passed_over, gatherer.objects) == ([], {}, 4)
    lists: tuple[KubeList[Any], ...] = sources.MESH_SOURCES
    for source in lists:
        items = gatherer.get(source).items
        kept = b'{"items":' + canonical(items) + b"}"
        assert source.decode(Codec(), kept) == items


def test_native_sidecars_count() -> None:
    containers = {"initContainers": [{"name": "istio-proxy", "restartPolicy": "Always"}], "containers": [{"name": "app"}]}
    once = {"initContainers": [{"name": "istio-proxy"}], "containers": [{"name": "app"}]}
    pods = [{**pod("a"), "spec": containers}, {**pod("b"), "spec": once}]
    verdict = judged({"kind": "istio"}, {"namespaces": [namespace("shop")], "pods": pods, PEERS: [STRICT]})
    assert [str(each.resource) for each in verdict.open] == ["Pod/shop/b"]


@pytest.mark.parametrize(
    ("kind", "annotation", "value"),
    [
        ("istio", "sidecar.istio.io/interceptionMode", "NONE"),
        ("istio", "traffic.sidecar.istio.io/includeInboundPorts", ""),
        ("linkerd", "config.linkerd.io/skip-subnets", "10.0.0.0/8"),
    ],
)
def test_annotations_that_switch_the_proxy_off_are_read(kind: str, annotation: str, value: str) -> None:
    strict = {"config.linkerd.io/default-inbound-policy": "all-authenticated"}
    pods = [pod("a", f"{kind}-proxy", annotations={annotation: value})]
    verdict = judged({"kind": kind}, {"namespaces": [namespace("shop", {}, strict)], "pods": pods, PEERS: [STRICT]})
    (told,) = deviations(verdict)
    assert told.startswith("Pod/shop/a: takes every tcp port without mutual TLS: ")
    assert annotation in told


def test_a_pod_that_istio_did_not_take_into_ambient_mode_is_outside() -> None:
    ambient = namespace("shop", {"istio.io/dataplane-mode": "ambient"})
    taken = pod("a", annotations={"ambient.istio.io/redirection": "enabled"})
    where = {"namespaces": [ambient], PEERS: [STRICT]}
    assert judged({"kind": "istio"}, {**where, "pods": [taken]}).outcome is Outcome.PASS
    assert judged({"kind": "istio"}, {**where, "pods": [pod("b")]}).outcome is Outcome.PASS  # no version that notes it
    assert deviations(judged({"kind": "istio"}, {**where, "pods": [taken, pod("b")]})) == [
        "Pod/shop/b: not in the mesh: it has no container istio-proxy, and it is not taken into ambient mode"
    ]


def test_exceptions_that_are_not_needed_are_told() -> None:
    sources = {"namespaces": [namespace("shop")], "pods": [pod("a", "istio-proxy")], PEERS: [STRICT]}
    mesh = {"kind": "istio", "plaintext": [{"workload": "shop/a", "reason": "it was once", "ports": [80]}]}
    assert deviations(judged(mesh, sources)) == [
        "PlaintextException/shop/a (tcp/80): declared under [network.mesh], but no workload in scope takes these ports "
        "without mutual TLS"
    ]


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (["[network.mesh]"], 4, 'the required key "kind" is missing in [network.mesh]'),
        (["[network.mesh]", 'kind = "Istio"'], 5, 'unknown kind "Istio"; did you mean "istio"?'),
        (["[[network.mesh]]", 'kind = "istio"'], 4, "[network.mesh]: expected `object | null`, got `array`"),
        (["[[network.plaintext]]", 'workload = "a/b"'], 4, 'unknown key "plaintext" in [network]'),
        (["[network.mesh]", 'kind = "istio"', "namespaces = []"], 6, "expected `array` of length >= 1"),
        (
            ["[[network.connections]]", 'from = "a/b"', 'to = "c/d"', 'reason = "old"', "ports = []"],
            8,
            "expected `array` of length >= 1",
        ),
        (
            ["[network.mesh]", 'kind = "istio"', "[[network.mesh.plaintext]]", 'workload = "web"', 'reason = "it is old"'],
            7,
            "'web' is not of the form namespace/workload",
        ),
        (
            [
                "[network.mesh]",
                'kind = "istio"',
                "[[network.mesh.plaintext]]",
                'workload = "*/web"',
                'reason = "old"',
                "ports = [0]",
            ],
            9,
            "expected `int` >= 1",
        ),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, lines: list[str], line: int, words: str) -> None:
    path = tmp_path / "system.toml"
    path.write_text("\n".join(["[system]", 'name = "t"', 'owner = "t"', *lines]), encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_system(path)
    assert error.value.line == line
    assert words in str(error.value)


def test_another_root_namespace() -> None:
    elsewhere = {"metadata": {"name": "default", "namespace": "mesh"}, "spec": {"mtls": {"mode": "STRICT"}}}
    sources = {"namespaces": [namespace("shop")], "pods": [pod("a", "istio-proxy")], PEERS: [elsewhere]}
    assert judged({"kind": "istio", "root_namespace": "mesh"}, sources).outcome is Outcome.PASS
    assert judged({"kind": "istio"}, sources).outcome is Outcome.FAIL


def test_linkerd() -> None:
    guard = {"metadata": {"name": "s", "namespace": "shop"}, "spec": {"podSelector": {}, "port": 80}}
    anybody = {
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"targetRef": {"kind": "Server", "name": "s"}, "requiredAuthenticationRefs": []},
    }
    strict = {"config.linkerd.io/default-inbound-policy": "all-authenticated"}
    pods = [pod("a", "linkerd-proxy"), pod("b", "linkerd-proxy", annotations={"config.linkerd.io/skip-inbound-ports": "22"})]
    sources = {"namespaces": [namespace("shop", {}, strict)], "pods": pods, SERVERS: [guard]}
    assert deviations(judged({"kind": "linkerd"}, sources)) == [
        "Pod/shop/b: takes tcp/22 without mutual TLS: "
        "annotation config.linkerd.io/skip-inbound-ports keeps the port from the proxy"
    ]
    assert deviations(judged({"kind": "linkerd"}, {**sources, "pods": pods[:1], ALLOWED: [anybody]})) == [
        "Pod/shop/a: takes tcp/80 without mutual TLS: AuthorizationPolicy/shop/p requires no authentication"
    ]
    loose = {**sources, "namespaces": [namespace("shop")], "pods": pods[:1]}
    assert deviations(judged({"kind": "linkerd"}, loose)) == [
        "Pod/shop/a: takes tcp/0-79, tcp/81-65535 without mutual TLS: no Server guards the port, default policy "
        "all-unauthenticated"
    ]
