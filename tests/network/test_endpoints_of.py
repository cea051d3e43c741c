"""What talks in a cluster: running pods, and templates of workloads that have none, by their outermost owner."""

from __future__ import annotations

from typing import Any

from soc2.gather.codec import Codec
from soc2.model.deviation import Resource
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.workloads import CronJob, Deployment, Job, ReplicaSet, StatefulSet
from soc2.model.network.endpoints import Endpoint, NamedPort
from soc2.model.network.endpoints_of import endpoints_of

_CODEC = Codec()
_CONTAINER = {"name": "app", "ports": [{"name": "web", "containerPort": 80}, {"containerPort": 81}]}


def _metadata(name: str, owner: tuple[str, str] | None = None, **more: Any) -> dict[str, Any]:
    owners = [{"kind": owner[0], "name": owner[1], "uid": f"{owner[0]}-{owner[1]}", "controller": True}] if owner else []
    return {"name": name, "namespace": "a", "ownerReferences": owners, **more}


def _pod(name: str, owner: tuple[str, str] | None = None, phase: str = "Running", **spec: Any) -> Pod:
    body = {"metadata": _metadata(name, owner), "spec": spec, "status": {"phase": phase}}
    return _CODEC.convert(body, Pod)


def _workload(kind: Any, name: str, owner: tuple[str, str] | None = None, labels: dict[str, str] | None = None) -> Any:
    template = {"metadata": {"labels": labels or {}}, "spec": {"containers": [_CONTAINER], "hostNetwork": False}}
    spec: dict[str, Any] = {"template": template}
    if kind is CronJob:
        spec = {"jobTemplate": {"spec": spec}}
    uid = f"{kind.KIND}-{name}"
    return _CODEC.convert({"metadata": _metadata(name, owner, uid=uid), "spec": spec}, kind)


def _owners(*found: Endpoint) -> list[tuple[str, str]]:
    return [(str(each.resource), str(each.workload)) for each in found]


def test_the_outermost_owner_is_the_workload() -> None:
    pods = [
        _pod("api-1", ("ReplicaSet", "api-x")),
        _pod("run-1", ("Job", "nightly-7")),
        _pod("static-node1", ("Node", "node1")),
        _pod("alone"),
        _pod("canary-1", ("ReplicaSet", "gone")),
        _pod("done", ("Job", "nightly-7"), phase="Succeeded"),
        _pod("failed", phase="Failed"),
    ]
    workloads = [
        _workload(Deployment, "api"),
        _workload(ReplicaSet, "api-x", ("Deployment", "api")),
        _workload(ReplicaSet, "old", ("Rollout", "shop")),
        _workload(CronJob, "nightly"),
        _workload(Job, "nightly-7", ("CronJob", "nightly")),
        _workload(StatefulSet, "idle", labels={"app": "idle"}),
    ]
    found = endpoints_of(pods, workloads)
    assert _owners(*found) == [
        ("Pod/a/api-1", "Deployment/a/api"),
        ("Pod/a/run-1", "CronJob/a/nightly"),
        ("Pod/a/static-node1", "Pod/a/static-node1"),
        ("Pod/a/alone", "Pod/a/alone"),
        ("Pod/a/canary-1", "ReplicaSet/a/gone"),
        ("ReplicaSet/a/old", "Rollout/a/shop"),
        ("StatefulSet/a/idle", "StatefulSet/a/idle"),
    ]
    assert found[-1] == Endpoint(
        resource=Resource("StatefulSet", "idle", "a"),
        workload=Resource("StatefulSet", "idle", "a"),
        namespace="a",
        labels={"app": "idle"},
        ports=(NamedPort("web", "TCP", 80),),
        containers=("app",),
    )


def test_a_job_that_is_over_makes_no_pods() -> None:
    def job(name: str, *conditions: tuple[str, str]) -> Job:
        status = {"conditions": [{"type": kind, "status": holds} for kind, holds in conditions]}
        return _CODEC.convert({"metadata": _metadata(name), "status": status}, Job)

    over = [job("done", ("SuccessCriteriaMet", "True"), ("Complete", "True")), job("failed", ("Failed", "True"))]
    going = [job("new"), job("suspended", ("Suspended", "True")), job("odd", ("Complete", "False"))]
    pods = [_pod("done-1", ("Job", "done"), phase="Succeeded"), _pod("failed-1", ("Job", "failed"))]
    assert _owners(*endpoints_of(pods, [*over, *going])) == [
        ("Pod/a/failed-1", "Job/a/failed"),
        ("Job/a/new", "Job/a/new"),
        ("Job/a/suspended", "Job/a/suspended"),
        ("Job/a/odd", "Job/a/odd"),
    ]


def test_what_is_known_of_a_pod() -> None:
    body = {
        "metadata": _metadata("p", labels={"app": "p"}, annotations={"example.com/token": "secret", "linkerd.io/inject": "x"}),
        "spec": {
            "containers": [_CONTAINER],
            "initContainers": [
                {
                    "name": "proxy",
                    "restartPolicy": "Always",
                    "ports": [{"name": "admin", "protocol": "UDP", "containerPort": 9}],
                },
                {"name": "setup", "ports": [{"name": "not-there", "containerPort": 1}]},
            ],
            "nodeName": "n1",
            "serviceAccountName": "robot",
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
            "hostIP": "10.1.0.1",
        },
    }
    (found,) = endpoints_of([_CODEC.convert(body, Pod)], ())
    assert found == Endpoint(
        resource=Resource("Pod", "p", "a"),
        workload=Resource("Pod", "p", "a"),
        namespace="a",
        labels={"app": "p"},
        service_account="robot",
        ports=(NamedPort("web", "TCP", 80), NamedPort("admin", "UDP", 9)),
        addresses=("10.0.0.1", "fd00::1"),
        node="n1",
        containers=("app", "proxy"),
        annotations=found.annotations,
    )
    assert "example.com/token" not in found.annotations


def test_a_pod_in_its_nodes_network_has_the_nodes_address() -> None:
    def addresses(host_network: bool, **status: Any) -> tuple[str, ...]:
        body = {"metadata": _metadata("p"), "spec": {"hostNetwork": host_network}, "status": status}
        return endpoints_of([_CODEC.convert(body, Pod)], ())[0].addresses

    assert addresses(True, hostIP="10.1.0.1") == ("10.1.0.1",)
    assert addresses(True, hostIP="10.1.0.1", podIP="10.1.0.2") == ("10.1.0.2",)
    assert addresses(False, hostIP="10.1.0.1") == ()
    assert addresses(False, podIPs=[]) == ()


def test_owners_in_a_circle_end() -> None:
    workloads = [_workload(ReplicaSet, "x", ("ReplicaSet", "y")), _workload(ReplicaSet, "y", ("ReplicaSet", "x"))]
    (found,) = endpoints_of([_pod("p", ("ReplicaSet", "x"))], workloads)
    assert found.workload == Resource("ReplicaSet", "x", "a")
