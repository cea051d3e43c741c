"""Pods run what made them declares; what nobody can compare is not told as drift, and what was put in is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.catalog import all_checks
from soc2.model.aws.node_images import NodeImage
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.delivery import Application, Condition, FluxStatus, Kustomization
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


@given(st.integers(0, 90), st.one_of(st.none(), st.integers(20, 40)), st.one_of(st.none(), st.integers(20, 40)))
def test_nodes_are_fresh_within_both_limits(days: int, kubelet: int | None, server: int | None) -> None:
    record = NodeImage(Node(), NOW - timedelta(days=days), "image ami-1", kubelet, server)
    known = kubelet is not None and server is not None
    skewed = not known or not 0 <= (server or 0) - (kubelet or 0) <= 2
    assert len(list(fresh(30, 2, NOW)(record))) == (days > 30) + skewed
