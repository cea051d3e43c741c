"""Pods run what made them declares; what nobody can compare is not told as drift, and what was put in is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.catalog import all_checks
from soc2.model.aws.node_images import NodeGroup, NodeImage, node_images
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.delivery import (
    Application,
    ApplicationStatus,
    Condition,
    FluxStatus,
    Health,
    Kustomization,
    Operation,
    Status,
)
from soc2.model.outcome import Outcome
from soc2.rules.drift import as_declared
from soc2.rules.node_images import fresh
from tests.case import Case, run_check

CHECK = next(check for check in all_checks() if check.id == "running-digests-declared")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DIGESTS = [f"sha256:{each * 64}" for each in "ab"]
IMAGE = "registry.example/team/app:v1"


def told(*pods: dict[str, Any], template: str = IMAGE, **system: Any) -> list[str]:
    maker = {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u1"},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": template}]}}},
    }
    verdict = run_check(CHECK, Case({"pods": list(pods), "replicasets": [maker]}, system))
    return [item.deviation.message for item in verdict.deviations]


def pod(name: str, image: str = IMAGE, digest: str = DIGESTS[0], owner: dict[str, Any] | None = None) -> dict[str, Any]:
    made_by = {"kind": "ReplicaSet", "name": "web-1", "uid": "u1", "controller": True} if owner is None else owner
    identity = f"registry.example/team/app@{digest}"
    return {
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": [made_by] if made_by else []},
        "spec": {"containers": [{"name": "app", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "app", "image": image, "imageID": identity}]},
    }


def test_pods_that_run_what_is_declared_are_not_told() -> None:
    assert told(pod("a"), pod("b")) == []


def test_references_that_differ_in_writing_only_are_the_same() -> None:
    assert told(pod("a", "docker.io/library/nginx:1"), template="nginx:1") == []


def test_an_image_that_was_exchanged_in_the_pod_is_told() -> None:
    (message,) = told(pod("a", "registry.example/team/evil:v1"))
    assert message.endswith(f"ReplicaSet/shop/web-1 declares {IMAGE}")


def test_a_tag_that_was_moved_is_told_once() -> None:
    (message,) = told(pod("a"), pod("b", digest=DIGESTS[1]), pod("c", digest=DIGESTS[1]))
    assert message == f"container app: {IMAGE} is not the same image in all pods: {', '.join(DIGESTS)}"


MAKER: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u2", "generation": 2},
    "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "registry.example/team/app:v2"}]}}},
    "status": {
        "observedGeneration": 2,
        "desiredNumberScheduled": 2,
        "updatedNumberScheduled": 1,
        "updateRevision": "web-v2",
    },
}


def rolled(kind: str, *pods: dict[str, Any], revisions: bool = True, since: str = "2026-05-31T20:00:00Z") -> list[str]:
    """Return what is told of a workload whose template was changed from v1 to v2."""
    kept = versions(kind, since) if revisions else []
    sources = {"pods": list(pods), f"{kind.lower()}s": [MAKER], "controllerrevisions": kept}
    return [item.deviation.message for item in run_check(CHECK, Case(sources)).deviations]


def versions(kind: str, since: str) -> list[dict[str, Any]]:
    owned = {"namespace": "shop", "ownerReferences": [{"kind": kind, "name": "web", "uid": "u2", "controller": True}]}
    return [
        {
            "metadata": {**owned, "name": f"web-{version}", "creationTimestamp": made},
            "revision": number,
            "data": {"spec": {"template": template(version)}},
        }
        for number, (version, made) in enumerate([("v1", "2026-01-01T00:00:00Z"), ("v2", since)])
    ]


def template(version: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "app", "image": f"registry.example/team/app:{version}"}]}}


def member(kind: str, version: str, image: str = "", made: str = "") -> dict[str, Any]:
    owner = {"kind": kind, "name": "web", "uid": "u2", "controller": True}
    found = pod(version, image or f"registry.example/team/app:{version}", owner=owner)
    name = version if kind == "DaemonSet" else f"web-{version}"
    found["metadata"] |= {"labels": {"controller-revision-hash": name}} | ({"creationTimestamp": made} if made else {})
    return found


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
@pytest.mark.parametrize("revisions", [True, False])
def test_pods_that_wait_to_be_replaced_run_what_their_own_version_declares(kind: str, revisions: bool) -> None:
    assert rolled(kind, member(kind, "v1"), member(kind, "v2"), revisions=revisions) == []


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_an_exchanged_image_is_told_while_pods_are_replaced(kind: str) -> None:
    evil = "registry.example/team/evil:v1"
    for version in ("v1", "v2"):
        (message,) = rolled(kind, member(kind, version, evil))
        assert message.endswith(f"{kind}/shop/web declares registry.example/team/app:v2")


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_pods_that_are_not_replaced_for_a_day_have_drifted(kind: str) -> None:
    assert len(rolled(kind, member(kind, "v1"), since="2026-05-30T20:00:00Z")) == 1
    # A version that was returned to is older than the return.
    back = member(kind, "v2", made="2026-05-31T23:00:00Z")
    assert rolled(kind, member(kind, "v1"), back, since="2026-05-01T00:00:00Z") == []


def test_a_tag_may_be_moved_from_one_version_to_the_next() -> None:
    pods = [member("DaemonSet", "v1", "registry.example/team/app:v2"), member("DaemonSet", "v2")]
    pods[0]["status"]["containerStatuses"][0]["imageID"] = f"registry.example/team/app@{DIGESTS[1]}"
    same = [{**each, "data": {"spec": {"template": template("v2")}}} for each in versions("DaemonSet", "2026-05-31T20:00:00Z")]
    sources = {"pods": pods, "daemonsets": [MAKER], "controllerrevisions": same}
    assert run_check(CHECK, Case(sources)).deviations == ()


def test_what_runs_of_a_tag_without_a_digest_is_not_known() -> None:
    unknown = pod("a")
    # A runtime that was given the image by hand tells the digest of its configuration.
    unknown["status"]["containerStatuses"][0]["imageID"] = DIGESTS[0]
    maker = {"metadata": {"name": "web-1", "namespace": "shop", "uid": "u1"}, "spec": {"template": template("v1")}}
    verdict = run_check(CHECK, Case({"pods": [unknown], "replicasets": [maker]}))
    assert verdict.outcome is Outcome.EVIDENCE_MISSING
    assert "shop/a, container app" in verdict.reason


def test_a_tag_of_several_platforms_has_a_digest_for_each() -> None:
    architectures = ("amd64", "arm64")
    nodes = [{"metadata": {"name": name}, "status": {"nodeInfo": {"architecture": name}}} for name in architectures]
    pods = [pod(name, digest=digest) for name, digest in zip(architectures, DIGESTS, strict=True)]
    for each in pods:
        each["spec"]["nodeName"] = each["metadata"]["name"]
    maker = {"metadata": {"name": "web-1", "namespace": "shop", "uid": "u1"}, "spec": {"template": template("v1")}}
    verdict = run_check(CHECK, Case({"pods": pods, "nodes": nodes, "replicasets": [maker]}))
    assert verdict.deviations == ()


def test_by_digest_a_runtime_may_tell_an_index_or_the_image_of_a_platform() -> None:
    image = f"registry.example/team/app@{DIGESTS[0]}"
    assert told(pod("a", image), pod("b", image, DIGESTS[1]), template=image) == []


@pytest.mark.parametrize(
    ("owner", "problems"),
    [
        ({}, 1),
        ({"kind": "Node", "name": "n1", "uid": "n"}, 0),
        ({"kind": "Rollout", "name": "r", "uid": "other", "controller": True}, 0),
    ],
)
def test_only_pods_of_nobody_are_undeclared(owner: dict[str, Any], problems: int) -> None:
    assert len(told(pod("b"), pod("a", owner=owner))) == problems


def test_pods_that_ended_run_nothing() -> None:
    ended = pod("a", "registry.example/team/evil:v1")
    ended["status"]["phase"] = "Succeeded"
    assert told(pod("b"), ended) == []


HOURS = st.one_of(st.none(), st.integers(0, 72))


@given(HOURS, st.sampled_from(["True", "False", "Unknown"]))
def test_what_flux_deploys_has_a_day_to_become_ready(hours: int | None, status: str) -> None:
    since = None if hours is None else NOW - timedelta(hours=hours)
    item = Kustomization(status=FluxStatus((Condition("Ready", status, "Failed", since),)))
    late = status != "True" and (hours is None or hours > 24)
    assert bool(list(as_declared((), NOW)(item))) == late


def test_an_application_that_was_never_compared_is_not_synced() -> None:
    problems = [deviation.fields["problem"] for deviation in as_declared((), NOW)(Application())]
    assert problems == ["it is not compared yet", "its health is not known"]


@pytest.mark.parametrize(("hours", "told"), [(1, 0), (25, 2)])
def test_what_argo_is_about_to_deploy_has_a_day(hours: int, told: int) -> None:
    since = NOW - timedelta(hours=hours)
    status = ApplicationStatus(Status("OutOfSync"), Health("Progressing", since), Operation("Running", since))
    assert len(list(as_declared((), NOW)(Application(status=status)))) == told


@given(st.integers(-90, 90), st.one_of(st.none(), st.integers(20, 40)), st.one_of(st.none(), st.integers(20, 40)))
def test_nodes_are_fresh_within_both_limits(days: int, kubelet: int | None, server: int | None) -> None:
    record = NodeImage(Node(), NOW - timedelta(days=days), "image ami-1", kubelet, server)
    known = kubelet is not None and server is not None
    # Kubernetes' version skew policy.
    skewed = not known or not 0 <= (server or 0) - (kubelet or 0) <= (3 if (kubelet or 0) >= 25 else 2)
    assert len(list(fresh(30, 3, NOW)(record))) == (not -1 <= days <= 30) + skewed


@pytest.mark.parametrize(
    ("release", "kubelet", "day"),
    [
        ("1.36.0-20260520", "v1.36.0-eks-5e0fdde", "2026-05-20"),
        ("1.36-2026.05.20", "v1.36.3-eks-5e0fdde", "2026-05-20"),
        ("1.36-2026-05-20", "v1.36.3-eks-5e0fdde", "2026-05-20"),
        # The group was updated, and the node was not.
        ("1.36.0-20260520", "v1.35.1-eks-5e0fdde", ""),
        ("1.36.1-20260520", "v1.36.10-eks-5e0fdde", ""),
        # Bottlerocket, and what is no day.
        ("1.20.3-5d9ac849", "v1.36.0-eks-5e0fdde", ""),
        ("1.36.0-20269999", "v1.36.0-eks-5e0fdde", ""),
        ("", "v1.36.0", ""),
    ],
)
def test_the_release_of_a_group_is_that_of_its_nodes_with_its_kubelet(release: str, kubelet: str, day: str) -> None:
    node = msgspec.convert(
        {
            "metadata": {"name": "n", "labels": {"eks.amazonaws.com/nodegroup": "g"}},
            "status": {"nodeInfo": {"kubeletVersion": kubelet}},
        },
        Node,
    )
    (found,) = node_images(
        [node], None, [], [], [NodeGroup(nodegroup_name="g", cluster_name="c", release_version=release)], "c"
    )
    assert (f"{found.made:%Y-%m-%d}" if found.made else "") == day
