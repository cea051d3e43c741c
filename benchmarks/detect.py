"""The shipped rules over audit events, against DuckDB's bare typed ingest of the same file, and a second pass over Parquet.

Usage: ``python -m benchmarks.detect [EVENTS] [RSIGMA]``. EVENTS is 1,000,000 unless given; RSIGMA is the path of the rsigma
binary (a Sigma engine in Rust), when it is to be compared. Each measurement is a process of its own, so that its peak memory
is its own. The events are made from a seed: the requests of 400 controllers, nodes and people, a seventh of them writes with
the object in the request, and one attack in ten thousand events.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from soc2.detect.engine import Detector
from soc2.detect.relations import json_relation
from soc2.detect.rules import SHIPPED, load_rules
from soc2.detect.schema import SCHEMAS
from soc2.detect.store import keep
from soc2.gather.logs.segments import Segment
from soc2.model.logs import LogKind

_EVENTS = 1_000_000
_ROUNDS = 3
_AUDIT = SCHEMAS[LogKind.KUBERNETES_AUDIT]
_FILLER = "an annotation that a controller wrote, as long as those of real deployments are " * 26


def write_events(path: Path, count: int) -> None:
    """Write ``count`` audit events, about 1.7 kB each, in the order of time."""
    made = random.Random(5)  # noqa: S311
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            moment += timedelta(milliseconds=made.randrange(1, 160))
            file.write(json.dumps(_event(made, number, moment), separators=(",", ":")) + "\n")


def _event(made: random.Random, number: int, moment: datetime) -> dict[str, object]:
    actor, namespace = made.randrange(400), f"team-{made.randrange(60)}"
    write = made.random() < 0.15
    resources = ("pods", "configmaps", "endpoints", "deployments", "jobs", "services", "replicasets")
    resource_name = made.choice(resources if write else (*resources, "nodes"))
    verb = made.choice(("create", "update", "patch")) if write else made.choice(("get", "list", "watch"))
    attack = number % 10_000 == 4_321
    if attack:
        verb, resource_name = made.choice(
            (("list", "secrets"), ("create", "clusterrolebindings"), ("delete", "networkpolicies"))
        )
    time_text = moment.isoformat().replace("+00:00", "Z")
    event: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "auditID": f"{number:08x}-1f1e-4c1b-9b1b-0123456789ab",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/{namespace}/{resource_name}?limit=500&resourceVersion={number}",
        "verb": verb,
        "user": {
            "username": f"system:serviceaccount:{namespace}:controller-{actor}"
            if actor % 20
            else f"person-{actor}@example.com",
            "uid": f"{actor:08x}-aaaa-bbbb-cccc-0123456789ab",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
            "extra": {
                "authentication.kubernetes.io/credential-id": [f"JTI={actor:08x}-1111-2222-3333-0123456789ab"],
                "authentication.kubernetes.io/node-name": [f"node-{actor % 50}"],
                "authentication.kubernetes.io/pod-name": [f"controller-{actor}-0"],
            },
        },
        "sourceIPs": [f"10.20.{actor % 250}.{actor // 2 % 250}"],
        "userAgent": f"controller-{actor % 40}/v1.36.3 (linux/amd64) kubernetes/0123456",
        "objectRef": {
            "resource": resource_name,
            "namespace": namespace,
            "name": f"object-{made.randrange(9000)}",
            "apiVersion": "v1",
        },
        "responseStatus": {
            "metadata": {},
            "code": made.choice((200, 200, 200, 200, 201, 409)) if made.random() < 0.99 else 403,
        },
        "requestReceivedTimestamp": time_text,
        "stageTimestamp": time_text,
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": f'RBAC: allowed by RoleBinding "controller-{actor}/{namespace}" of Role "writer"',
        },
    }
    if write:
        container = {
            "name": "main",
            "image": f"registry.example/team/service-{actor}:1.{number % 90}",
            "env": [{"name": f"SETTING_{index}", "value": f"value {index} of {actor}"} for index in range(40)],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "privileged": False, "capabilities": {"drop": ["ALL"]}},
        }
        metadata = {
            "name": f"object-{number}",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": f"service-{actor}", "team": namespace},
            "annotations": {"example.com/note": _FILLER},
        }
        event["requestObject"] = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": [container]}}
    return event


def bare(path: Path, _: Path) -> int:
    """DuckDB's typed ingest alone: the columns that our scan reads, into a table."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE events AS {json_relation(_AUDIT, [path])}")
    return _count(connection)


def rules(path: Path, folder: Path) -> int:
    """Reading the same file and running all shipped rules over it, to the last alert."""
    with Detector(load_rules([SHIPPED]), folder) as detector:
        detector.add([Segment(LogKind.KUBERNETES_AUDIT, path, str(path), framed=False)])
        return sum(1 for _ in detector.alerts())


def keeping(path: Path, folder: Path) -> int:
    """Normalising the file into Parquet, with the memory that the suite allows."""
    segments = [Segment(LogKind.KUBERNETES_AUDIT, path, str(path), framed=False)]
    connection = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder)})
    return keep(connection, LogKind.KUBERNETES_AUDIT, segments, folder / "kept").records


def second(_: Path, folder: Path) -> int:
    """All shipped rules over the Parquet files that were kept."""
    with Detector(load_rules([SHIPPED]), folder) as detector:
        detector.add_kept(LogKind.KUBERNETES_AUDIT, sorted((folder / "kept").rglob("*.parquet")))
        return sum(1 for _ in detector.alerts())


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    counted = connection.execute("SELECT count(*) FROM events").fetchone()
    return int(counted[0]) if counted else 0


def _measured(work: Callable[[Path, Path], int], path: Path, folder: Path) -> dict[str, float]:
    """Run in a process of its own and return seconds of the wall and of the processor, peak MB, and what it counted."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (work, path, folder))


def _timed(work: Callable[[Path, Path], int], path: Path, folder: Path) -> dict[str, float]:
    began, used = time.perf_counter(), time.process_time()
    count = work(path, folder)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - used,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "count": count,
    }


def _rsigma(binary: str, path: Path) -> dict[str, float]:
    """rsigma with the same rules over the same file."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [binary, "engine", "eval", "--rules", str(SHIPPED / "kubernetes-audit"), "--event", f"@{path}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "peak": after.ru_maxrss / 1024, "count": done.stdout.count(b"\n")}


def main() -> None:
    events = int(sys.argv[1]) if sys.argv[1:] else _EVENTS
    with tempfile.TemporaryDirectory(prefix="soc2-benchmark-") as name:
        folder, path = Path(name), Path(name) / "audit.jsonl"
        write_events(path, events)
        print(f"{events:,} events, {path.stat().st_size / 1e9:.2f} GB, {os.cpu_count()} cores")
        for work in (bare, rules, keeping, second):
            (folder / "kept").mkdir(exist_ok=True)
            rounds = []
            for _ in range(_ROUNDS if work is not keeping else 1):
                rounds.append(_measured(work, path, folder))
            _show(work.__name__, events, sorted(rounds, key=lambda figures: figures["seconds"])[len(rounds) // 2])
        if sys.argv[2:]:
            _show("rsigma", events, _rsigma(sys.argv[2], path))


def _show(name: str, events: int, figures: dict[str, float]) -> None:
    rate, per_cpu = events / figures["seconds"], events / figures["cpu"]
    print(
        f"{name}: {figures['seconds']:.2f} s, {rate:,.0f} events/s, {per_cpu:,.0f} per CPU second, "
        f"peak {figures['peak']:.0f} MB, count {figures['count']:,.0f}"
    )


if __name__ == "__main__":
    main()
