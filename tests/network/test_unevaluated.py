"""Policies of kinds that are not evaluated are never passed over in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.population import Declared, build_population
from fixtures.rights import kubernetes_rights
from soc2.evidence import EvidenceStore
from soc2.gather.kubernetes.lists import KubeList
from soc2.gather.kubernetes.unevaluated import LISTS, UNEVALUATED
from soc2.gather.manifests.documents import read_all
from soc2.gather.manifests.gatherer import ManifestGatherer
from soc2.gather.source import Listing
from soc2.model.kubernetes.meta import Metadata
from soc2.model.population import Cause, Problem, SourceStatus
from soc2.system import About, System
from tests.gather.scripted import Answer, scripted

SYSTEM = System(system=About(name="test", owner="test"))
DENIED = Problem(Cause.DENIED, "no")


def answers(items: dict[str, list[Any]], denied: str = "") -> Any:
    def get(source: KubeList[Any]) -> Listing[Any]:
        found = tuple(items.get(source.name, ()))
        problem = DENIED if source.name == denied else None
        return Listing(found, (SourceStatus(source.name, source.path, 1, len(found), None, problem),))

    return get


def problems(listing: Listing[Any]) -> dict[str, str]:
    return {status.source: str(status.problem) for status in listing.statuses if status.problem}


def objects(source: KubeList[Any], *names: str) -> list[Any]:
    placed = [name.rpartition("/") for name in names]
    return [source.kind(metadata=Metadata(name=name, namespace=namespace)) for namespace, _, name in placed]


def test_a_cluster_without_such_kinds_is_complete(tmp_path: Path) -> None:
    body = json.dumps({"kind": "Status", "message": "not found"}).encode()
    with scripted(tmp_path, Answer(404, body)) as (gatherer, script):
        listing = gatherer.get(UNEVALUATED)
    assert (listing.items, problems(listing)) == ((), {})
    assert script.paths == [f"{path}?limit=500" for source in LISTS for path in (source.path, *source.older)]
    assert [path for source in LISTS for path in source.older] == [
        "/apis/crd.antrea.io/v1alpha1/networkpolicies",
        "/apis/crd.antrea.io/v1alpha1/clusternetworkpolicies",
    ]


def test_refused_lists_are_missing_evidence(tmp_path: Path) -> None:
    body = json.dumps({"kind": "Status", "message": "forbidden"}).encode()
    with scripted(tmp_path, Answer(403, body)) as (gatherer, _):
        listing = gatherer.get(UNEVALUATED)
    assert {status.problem.cause for status in listing.statuses if status.problem} == {Cause.DENIED}
    assert len(problems(listing)) == len(LISTS)


@pytest.mark.parametrize("source", LISTS, ids=lambda source: source.name)
def test_whatever_is_there_is_named(source: KubeList[Any]) -> None:
    (only,) = problems(UNEVALUATED.listed(answers({source.name: objects(source, "a/b")}))).items()
    group = source.path.split("/")[2]
    assert only == (source.name, f"inconclusive: not evaluated: 1 {source.kind.KIND} of {group} (a/b)")


def test_many_are_counted_and_the_first_named() -> None:
    many = {
        "ciliumnetworkpolicies.cilium.io": objects(LISTS[0], "z/p", "a/q", *(f"m/p{number}" for number in range(5))),
        "egressfirewalls.k8s.ovn.org": objects(LISTS[10], "default", "x/default"),
    }
    assert problems(UNEVALUATED.listed(answers(many))) == {
        "ciliumnetworkpolicies.cilium.io": "inconclusive: not evaluated: 7 CiliumNetworkPolicies of cilium.io "
        "(a/q, m/p0, m/p1, m/p2, m/p3 and 2 more)",
        "egressfirewalls.k8s.ovn.org": "inconclusive: not evaluated: 2 EgressFirewalls of k8s.ovn.org (default, x/default)",
    }


def test_what_was_not_read_completely_keeps_its_problem() -> None:
    name = LISTS[0].name
    assert problems(UNEVALUATED.listed(answers({name: objects(LISTS[0], "a/b")}, denied=name))) == {name: str(DENIED)}


def test_a_population_shows_what_was_found_and_misses_evidence() -> None:
    declared = Declared((UNEVALUATED,), lambda _, found: found, join=True, partial=(UNEVALUATED,))
    listing = UNEVALUATED.listed(answers({LISTS[0].name: objects(LISTS[0], "a/b")}))
    population = build_population(declared, SYSTEM, lambda _: listing)
    assert [item.name for item in population.items] == ["b"]
    assert not population.complete


def test_manifests_are_searched_for_them(tmp_path: Path) -> None:
    documents = [
        {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "c"}, "spec": {"secret": "s3"}},
        {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": {"name": "k", "namespace": "shop"}},
        {"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterNetworkPolicy", "metadata": {"name": "a"}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "own", "namespace": "shop"}},
    ]
    text = yaml.safe_dump_all(documents).encode()
    gatherer = ManifestGatherer(SYSTEM, EvidenceStore(tmp_path / "evidence"), *read_all(None, text))
    assert problems(gatherer.get(UNEVALUATED)) == {
        "ciliumnetworkpolicies.cilium.io": "inconclusive: not evaluated: 1 CiliumNetworkPolicy of cilium.io (default/c)",
        "networkpolicies.projectcalico.org": "inconclusive: not evaluated: 1 NetworkPolicy of projectcalico.org (shop/k)",
        "clusternetworkpolicies.crd.antrea.io": "inconclusive: not evaluated: 1 ClusterNetworkPolicy of crd.antrea.io (a)",
    }
    assert not gatherer.passed_over


def test_each_list_has_a_right_of_its_own() -> None:
    assert ("cilium.io", "ciliumnetworkpolicies", "list") in kubernetes_rights(LISTS)
    assert len(kubernetes_rights(LISTS)) == len({source.name for source in LISTS}) == len(LISTS)
