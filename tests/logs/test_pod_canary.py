"""The log canary with the shipped rights on the real API server. Its nodes are simulated and write no logs: a stand-in for
the kubelet writes the line of the pod as the container runtime would."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from soc2.declared_images import Images
from soc2.demo.company.cluster import _PATHS
from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.evidence import EvidenceStore
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.logs.pod_canary import LogCanary
from soc2.gather.source import Gatherer, Listing
from soc2.log_sources import Logs, LogSource
from soc2.model.canaries import CanaryPath
from soc2.model.logs import LogKind
from soc2.model.population import Cause, Problem
from soc2.rules.canaries import found_in_time
from soc2.system import About, Probes, System
from tests.conftest import ROOT

RIGHTS = ROOT / "deploy" / "kubernetes" / "writing-probes.yaml"
# A namespace of its own: another test uses the one that is shipped.
NAMESPACE = "soc2-canary-logs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


_LITTLE = {"cpu": "1m", "memory": "1Mi"}
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER = {"name": "c", "image": "x", "securityContext": _RESTRICTED, "resources": {"requests": _LITTLE, "limits": _LITTLE}}
TRIAL = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"}, "spec": {"containers": [_CONTAINER]}}


@pytest.fixture(scope="module")
def admin(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    connection = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def writer(control_plane: ControlPlane, admin: KubeConnection) -> Iterator[KubeConnection]:
    """A connection with the shipped rights for writing probes and no others."""
    for item in yaml.safe_load_all(RIGHTS.read_text().replace("soc2-canary", NAMESPACE)):
        if item["kind"] == "RoleBinding":
            item["subjects"] = [{"kind": "User", "name": "writer", "apiGroup": "rbac.authorization.k8s.io"}]
        admin.request("POST", _PATHS[item["kind"]].format(item["metadata"].get("namespace", "")), body=item)
    connection = KubeConnection(control_plane.kubeconfig("writer", ()))
    # Until the quota's use is counted and the ServiceAccount is made, a namespace takes no pod at all.
    assert wait_until(lambda: connection.try_create(PODS, TRIAL).status == 201, 20.0)
    yield connection
    connection.close()


@contextmanager
def kubelet(admin: KubeConnection, folder: Path, phase: str, line: Callable[[str], str | None]) -> Iterator[None]:
    """Write what each pod of the namespace prints, once, as CRI does; and say that the pod came to its end."""
    ended = threading.Event()

    def run() -> None:
        seen: set[str] = set()
        while not ended.wait(0.05):
            for pod in json.loads(admin.request("GET", PODS).body)["items"]:
                metadata = pod["metadata"]
                if metadata["uid"] in seen:
                    continue
                seen.add(metadata["uid"])
                # First, for once the line is found the pod is deleted.
                path = f"{PODS}/{metadata['name']}/status"
                body = {"status": {"phase": phase}}
                admin.request("PATCH", path, body=body, content_type="application/merge-patch+json")
                printed = line(pod["spec"]["containers"][0]["command"][1])
                place = folder / f"{NAMESPACE}_{metadata['name']}_{metadata['uid']}" / "canary"
                place.mkdir(parents=True)
                if printed is not None:
                    (place / "0.log").write_text(f"2026-06-01T00:00:00.000000000Z stdout F {printed}\n")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(10)


def gathered(connection: Any, folder: Path, logs: Path, **declared: Any) -> Listing[CanaryPath]:
    source = LogSource(name="pods", kind=LogKind.CONTAINER, path=str(logs))
    image = "registry.example/tools@sha256:00"
    given: dict[str, Any] = {"sources": (source,), "canary_image": image, "log_canary_seconds": 1, **declared}
    system = System(
        system=About(name="t", owner="t"),
        logs=Logs(**given),
        images=Images(allowed_registries=("registry.example",)),
        probes=Probes(writing=True, namespace=NAMESPACE),
    )
    gatherer = SimpleNamespace(system=system, evidence=EvidenceStore(folder / "evidence"), kubernetes=connection)
    return LogCanary().gather(cast(Gatherer, gatherer))


def left(admin: KubeConnection) -> list[str]:
    return [pod["metadata"]["name"] for pod in json.loads(admin.request("GET", PODS).body)["items"]]


@pytest.mark.controlplane
def test_the_line_of_a_pod_is_found_and_the_pod_deleted(admin: KubeConnection, writer: KubeConnection, tmp_path: Path) -> None:
    logs = tmp_path / "pods"
    logs.mkdir()
    with kubelet(admin, logs, "Succeeded", lambda line: line):
        listing = gathered(writer, tmp_path, logs, log_canary_seconds=60)
    assert listing.statuses[0].complete, listing.statuses
    (path,) = listing.items
    assert (path.log, path.lost, len(path.runs), list(found_in_time(path))) == ("pods", 0, 1, [])
    assert left(admin) == []


@pytest.mark.controlplane
@pytest.mark.parametrize(("phase", "lost"), [("Succeeded", True), ("Failed", False)])
def test_a_line_that_is_lost_is_a_deviation_only_when_it_was_printed(
    admin: KubeConnection, writer: KubeConnection, tmp_path: Path, phase: str, lost: bool
) -> None:
    logs = tmp_path / "pods"
    logs.mkdir()
    with kubelet(admin, logs, phase, lambda _: None):
        listing = gathered(writer, tmp_path, logs)
    deviations = [deviation.message for path in listing.items for deviation in found_in_time(path)]
    problem = listing.statuses[0].problem
    assert (len(deviations), problem and problem.cause) == ((1, None) if lost else (0, Cause.INCONCLUSIVE))
    assert left(admin) == []


@pytest.mark.controlplane
def test_the_examiner_may_create_pods_in_that_namespace_only(
    admin: KubeConnection, writer: KubeConnection, tmp_path: Path
) -> None:
    """The admission policy that holds it to dry-runs elsewhere lets the canary pass."""
    elsewhere = f"{NAMESPACE}-not"
    everything = {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "User", "name": "writer", "apiGroup": group}
    binding = {"roleRef": {"kind": "Role", "name": "pods", "apiGroup": group}, "subjects": [subject]}
    admin.request("POST", _PATHS["Namespace"], body={"metadata": {"name": elsewhere}})
    admin.request("POST", _PATHS["Role"].format(elsewhere), body={"metadata": {"name": "pods"}, "rules": [everything]})
    admin.request("POST", _PATHS["RoleBinding"].format(elsewhere), body={"metadata": {"name": "pods"}, **binding})
    shipped = (ROOT / "deploy" / "kubernetes" / "clusterrole.yaml").read_text().replace("soc2-canary", NAMESPACE)
    for item in yaml.safe_load_all(shipped.replace("soc2-auditor", "writer")):
        if item["kind"].startswith("ValidatingAdmissionPolicy"):
            admin.request("POST", _PATHS[item["kind"]], body=item)

    def refused() -> bool:
        try:
            writer.request("POST", f"/api/v1/namespaces/{elsewhere}/pods", body={**TRIAL, "metadata": {"generateName": "t-"}})
        except GatherError as error:
            return "dry-run only" in str(error)
        return False

    assert wait_until(refused, 30.0)
    with kubelet(admin, tmp_path, "Succeeded", lambda line: line):
        listing = gathered(writer, tmp_path, tmp_path, log_canary_seconds=60)
    assert [path.lost for path in listing.items] == [0]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"canary_image": None}, "canary_image names no image"),
        ({"canary_image": "elsewhere.example/tools"}, "none of the allowed registries"),
        ({"sources": ()}, "no such log is declared"),
    ],
)
def test_what_is_not_declared_is_missing_evidence_and_makes_no_pod(
    tmp_path: Path, declared: dict[str, Any], words: str
) -> None:
    class Untouched:
        identity = "t"

        def request(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("nothing is to be asked")

    listing = gathered(Untouched(), tmp_path, tmp_path, **declared)
    assert words in str(listing.statuses[0].problem)
    assert listing.items == ()


def test_a_pod_whose_making_is_refused_is_deleted_all_the_same(tmp_path: Path) -> None:
    class Refusing:
        identity = "t"
        calls: list[str] = []

        def request(self, method: str, *_: Any, **__: Any) -> Any:
            self.calls.append(method)
            raise GatherError(Problem(Cause.DENIED, "no"), 403)

    connection = Refusing()
    listing = gathered(connection, tmp_path, tmp_path)
    problem = listing.statuses[0].problem
    assert (problem and problem.cause, connection.calls) == (Cause.DENIED, ["POST", "DELETE"])
