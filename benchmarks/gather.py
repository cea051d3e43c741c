"""Gathering and judging 10,000 pods, against one paged ``curl`` of the same lists and the client's typed models.

Usage: ``python -m benchmarks.gather [PODS]``. Starts a control plane of its own; every figure is of the same run.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from kubernetes import client, config

from soc2.demo.build import find_binaries
from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.evidence import EvidenceStore
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.sources import POD_SOURCES
from soc2.gather.source import Gatherer
from soc2.model.kubernetes.subjects import PodSubject, pod_subjects
from soc2.rules.pod_security import CONTROLS
from soc2.system import About, Kubernetes, System

_CURL = """
set -eu
for path in {paths}; do
  token=
  while :; do
    # The API server indents its answers for curl unless told not to.
    curl -s -A benchmark --cacert {ca} --cert {cert} --key {key} -o {out} "{server}$path?limit=500&continue=$token"
    token=$(head -c 4096 {out} | sed -n 's/.*"continue":"\\([^"]*\\)".*/\\1/p' | head -n 1)
    [ -n "$token" ] || break
  done
done
"""


def pod(number: int) -> dict[str, Any]:
    """A pod such as real ones are: two containers, environment, annotations, and what clusters add to them."""
    context = {"allowPrivilegeEscalation": number % 50 == 0, "capabilities": {"drop": ["ALL"]}}
    container = {
        "image": f"registry.example/team/app-{number % 40}@sha256:{number % 40:064x}",
        "securityContext": context,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "env": [{"name": f"SETTING_{i}", "value": f"value-{i}-of-{number % 40}"} for i in range(8)],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"pod-{number:05d}",
            "labels": {"app": f"app-{number % 40}"},
            "annotations": {"example.com/revision": str(number % 40), "example.com/note": "x" * 200},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "app", **container}, {"name": "proxy", **container}],
        },
    }


def fill(connection: KubeConnection, count: int) -> None:
    def ready() -> bool:
        try:
            connection.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        except GatherError:
            return False
        return True

    assert wait_until(ready, 20)
    with ThreadPoolExecutor(16) as pool:
        path = "/api/v1/namespaces/default/pods"
        list(pool.map(lambda number: connection.request("POST", path, body=pod(number)), range(count)))


def no_aws() -> NoReturn:
    raise AssertionError("no AWS here")


def measure(kubeconfig: Path, evidence: Path) -> None:
    """Gather and judge, and print what it took as JSON: run in a process of its own, so that its peak is its own."""
    system = System(system=About(name="b", owner="b"), kubernetes=Kubernetes(cluster="b"))
    gatherer = Gatherer(system, lambda: KubeConnection(kubeconfig), no_aws, EvidenceStore(evidence))
    began = time.perf_counter()
    for future in gatherer.prefetch(POD_SOURCES):
        future.result()
    gathered = time.perf_counter() - began
    sources: tuple[Any, ...] = POD_SOURCES
    found: list[Any] = [gatherer.get(source).items for source in sources]
    pods = found[0]
    subjects: tuple[PodSubject, ...] = pod_subjects(pods, tuple(item for kind in found[1:] for item in kind))
    containers = sum(len(subject.spec.all_containers) for subject in subjects)
    began = time.perf_counter()
    deviations = sum(1 for control in CONTROLS.values() for subject in subjects for _ in control.rule(subject))
    judged = time.perf_counter() - began
    gatherer.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"gather_s": gathered, "judge_s": judged, "pods": len(pods), "containers": containers}
    print(json.dumps({**figures, "deviations": deviations, "peak_mb": peak}))


def typed(kubeconfig: Path) -> float:
    """Time the client's own typed models over the same pods, paged in the same way."""
    api = client.CoreV1Api(config.new_client_from_config(config_file=str(kubeconfig)))
    gc.collect()
    began = time.perf_counter()
    token = None
    while True:
        page = api.list_pod_for_all_namespaces(limit=500, _continue=token)
        token = page.metadata._continue if page.metadata else None
        if not token:
            return time.perf_counter() - began


def curl(cluster: ControlPlane, folder: Path) -> float:
    pair = cluster.authority.client("curl", ("system:masters",))
    script = _CURL.format(
        paths=" ".join(source.path for source in POD_SOURCES),
        ca=cluster.authority.certificate,
        cert=pair.certificate,
        key=pair.key,
        out=folder / "page.json",
        server=cluster.url,
    )
    began = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", script], check=True)
    return time.perf_counter() - began


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ControlPlane(find_binaries(print), folder / "cp") as cluster:
            kubeconfig = cluster.kubeconfig("bench", ("system:masters",))
            connection = KubeConnection(kubeconfig)
            print(f"creating {count:,} pods", flush=True)
            fill(connection, count)
            rounds = []
            for number in range(3):
                baseline = curl(cluster, folder)
                command = [sys.executable, "-m", "benchmarks.gather", "--measure", str(kubeconfig), str(folder / f"e{number}")]
                own = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                rounds.append({**own, "curl_s": baseline, "ratio": own["gather_s"] / baseline})
            middle = sorted(rounds, key=lambda item: item["ratio"])[1]
            middle["typed_s"] = typed(kubeconfig)
            middle["typed_ratio"] = middle["typed_s"] / middle["gather_s"]
            print(json.dumps({name: round(value, 2) for name, value in middle.items()}, indent=1))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
