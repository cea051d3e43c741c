"""The search for pods that get past Pod Security, against the real admission."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from fixtures.populations.kubernetes import _broken_controls
from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.pod_search import ALTERATIONS, _search, altered
from soc2.gather.kubernetes.probes import UNKNOWN_IMAGE, pod_of
from soc2.model.kubernetes.subjects import standards_enforced
from soc2.model.population import Cause
from soc2.model.probes import SearchProbe
from soc2.rules.pod_security import CONTROLS
from soc2.rules.probes import GotPast, nothing_gets_past

LEVEL = "pod-security.kubernetes.io/enforce"


def test_the_alterations_break_every_control() -> None:
    broken = {
        control
        for choice in range(len(ALTERATIONS))
        for control in _broken_controls(altered(pod_of(UNKNOWN_IMAGE), [choice]), "restricted", "latest")
    }
    assert broken == set(CONTROLS)


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    connection = KubeConnection(control_plane.kubeconfig("tester", ("system:masters",)))
    for name, labels in (
        ("search-tight", {LEVEL: "restricted"}),
        ("search-base", {LEVEL: "baseline"}),
        ("search-old", {LEVEL: "restricted", f"{LEVEL}-version": "v1.24"}),
        ("search-none", {}),
    ):
        connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name, "labels": labels}})
        pods = f"/api/v1/namespaces/{name}/pods"
        assert wait_until(lambda p=pods: connection.try_create(p, pod_of(UNKNOWN_IMAGE)).status == 201, 20.0)  # type: ignore[misc]
    yield connection
    connection.close()


def search(api: KubeConnection, namespace: str, level: str, version: str = "latest", **limits: Any) -> SearchProbe:
    given = {"seed": 1, "examples": 200, "seconds": 60.0, **limits}
    return _search(
        api, _broken_controls, UNKNOWN_IMAGE, given["seed"], given["examples"], given["seconds"], namespace, level, version
    )


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("namespace", "level"), [("search-tight", "restricted"), ("search-tight", "baseline"), ("search-base", "baseline")]
)
def test_nothing_gets_past_what_is_enforced(api: KubeConnection, namespace: str, level: str) -> None:
    probe = search(api, namespace, level)
    assert (probe.manifest, probe.controls) == ("", ())
    assert probe.tried > 50


@pytest.mark.controlplane
def test_what_gets_past_is_shrunk_to_one_control_and_can_be_sent_again(api: KubeConnection) -> None:
    for namespace, level in (("search-old", "restricted"), ("search-none", "restricted"), ("search-base", "restricted")):
        probe = search(api, namespace, level)
        assert len(probe.controls) == 1, probe
        again = api.try_create(f"/api/v1/namespaces/{namespace}/pods", yaml.safe_load(probe.manifest))
        assert again.status == 201


@pytest.mark.controlplane
def test_an_old_version_that_lets_the_pod_in_is_named(api: KubeConnection) -> None:
    why = {}
    for namespace, version in (("search-old", "v1.24"), ("search-none", "v1.24"), ("search-none", "latest")):
        (deviation,) = nothing_gets_past(search(api, namespace, "baseline", version))
        assert isinstance(deviation, GotPast)
        why[namespace, version] = deviation.why
    assert "v1.24" in why.pop(("search-old", "v1.24"))
    assert set(why.values()) == {""}


@pytest.mark.controlplane
def test_the_same_seed_finds_the_same_pod(api: KubeConnection) -> None:
    assert search(api, "search-none", "baseline", seed=7) == search(api, "search-none", "baseline", seed=7)


@pytest.mark.controlplane
def test_a_search_that_tried_nothing_tells_nothing(api: KubeConnection) -> None:
    with pytest.raises(GatherError) as caught:
        search(api, "search-tight", "restricted", seconds=0.0)
    assert caught.value.problem.cause is Cause.INCONCLUSIVE


@pytest.mark.controlplane
def test_who_may_not_create_pods_learns_nothing(control_plane: ControlPlane, api: KubeConnection) -> None:
    assert api
    nobody = KubeConnection(control_plane.kubeconfig("nobody", ()))
    with pytest.raises(GatherError) as caught:
        search(nobody, "search-tight", "restricted")
    assert caught.value.problem.cause is Cause.DENIED
    nobody.close()


@pytest.mark.parametrize(
    ("pinned", "server", "enforced"),
    [
        ("", 36, "latest"),
        ("latest", None, "latest"),
        ("v1.24", 36, "v1.24"),
        ("v1.99", 36, "latest"),
        ("latest", 30, "v1.30"),
        ("v1.33", 30, "v1.30"),
        ("nonsense", 36, "latest"),
    ],
)
def test_no_server_enforces_what_it_does_not_know(pinned: str, server: int | None, enforced: str) -> None:
    assert standards_enforced(pinned, server) == enforced
