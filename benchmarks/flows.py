"""Flow records joined with the owners of their addresses and judged, beside DuckDB's bare count over the same Parquet.

Usage: ``python -m benchmarks.flows [KIND RECORDS]``: flow logs of VPCs (``vpc-flow``) at three sizes up to 1,000,000
records, and as many flows of Hubble (``hubble``), unless one is asked for. Each runs in a process of its own, so that peak
memory is its own too. The records are of a day of a cluster of 200 nodes with 10,000 pods: 2,000 workloads of five pods each
talk to three others, a database and the internet; half of the records are the answers, every connection is seen at both
ends, and a part has no flags of TCP. One of ten thousand is an address outside that looks for open ports. All is declared
but what one of sixty namespaces does.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import msgspec

from soc2.detect.store import keep
from soc2.gather.logs.flow_owners import Known
from soc2.gather.logs.flow_records import FlowFiles
from soc2.gather.logs.flows import FlowScan, scan
from soc2.gather.logs.segments import Segment
from soc2.model.aws.compute import NetworkInterface
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.network import NetworkPolicy
from soc2.model.kubernetes.pods import Pod
from soc2.model.logs import LogKind
from soc2.model.network.declared_flows import Declared, Machines
from soc2.model.network.endpoints_of import endpoints_of
from soc2.model.network.let_through import Groups, LetThrough
from soc2.model.network.parties import DeclaredConnection, parse_party
from soc2.model.network.ports import EVERY_PORT
from soc2.model.network.reachability import Reachability
from soc2.model.network.seen import seen_pairs
from soc2.rules import flows

T = TypeVar("T")

_RECORDS = 1_000_000
_ROUNDS = 3
_WORKLOADS, _PODS_EACH, _NODES, _TEAMS = 2000, 5, 200, 60
_DAY = datetime(2026, 6, 1, tzinfo=UTC)
_WINDOW = (_DAY, _DAY + timedelta(days=1))


def main() -> None:
    if len(sys.argv) == 3:
        run(LogKind(sys.argv[1]), int(sys.argv[2]))
        return
    for kind, records in (*((LogKind.VPC_FLOW, _RECORDS // part) for part in (4, 2, 1)), (LogKind.HUBBLE, _RECORDS)):
        subprocess.run([sys.executable, "-m", "benchmarks.flows", kind, str(records)], check=True)


def run(kind: LogKind, records: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = folder / "flows.ndjson"
        write_records(written, kind, records)
        segment = Segment(kind, written, "flows", framed=kind is LogKind.VPC_FLOW)
        with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder)}) as connection:
            files = keep(connection, kind, [segment], folder / "days").files
        size = sum(file.stat().st_size for file in files)
        print(f"{records:,} records of {kind} in {size / 1e6:.0f} MB of Parquet", flush=True)
        known, declared = cluster(), declared_connections()
        for _ in range(_ROUNDS):
            _show("bare count in DuckDB", partial(_count, kind, files))
            with tempfile.TemporaryDirectory(dir=folder) as work:
                log, place = FlowFiles("flows", kind, files), Path(work)
                begun, cpu = time.perf_counter(), time.process_time()
                found = _show("joined", partial(scan, [log], _WINDOW, known, folder=place))
                deviations = _show("judged", partial(judge, found, known, declared))
            print(
                f"  together {time.perf_counter() - begun:.2f} s, {time.process_time() - cpu:.2f} s of CPU: "
                f"{len(found.flows):,} groups, {len(found.probes)} probes, {deviations} deviations"
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"peak memory {peak:.2f} GB", flush=True)


def _show(what: str, run: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    print(f"  {what}: {time.perf_counter() - wall:.2f} s, {time.process_time() - cpu:.2f} s of CPU")
    return found


_ASKED = {
    LogKind.VPC_FLOW: 'record."srcaddr", record."dstaddr", record."dstport", record."action", count(*), sum(record."bytes")',
    LogKind.HUBBLE: "record.flow.IP.source, record.flow.IP.destination, record.flow.l4.TCP.destination_port, "
    "record.flow.verdict, count(*)",
}


def _count(kind: LogKind, files: tuple[Path, ...]) -> None:
    paths = ", ".join(f"'{file}'" for file in files)
    duckdb.connect().execute(f"SELECT {_ASKED[kind]} FROM read_parquet([{paths}]) GROUP BY ALL").fetchall()


def judge(found: FlowScan, known: Known, declared: Sequence[DeclaredConnection]) -> int:
    """Return how many deviations there are; who can talk to whom by policies is worked out too."""
    endpoints = endpoints_of(known.pods, known.workloads)
    reachability = Reachability(endpoints, {f"team-{number}": {} for number in range(_TEAMS)}, policies())
    asked = Declared(declared, Machines(known.nodes, known.interfaces, ()), endpoints)
    groups = Groups(known.interfaces, known.groups, known.nodes)
    pairs = seen_pairs(found.flows, asked, LetThrough(endpoints, reachability, groups), lambda _: True)
    return sum(1 for pair in pairs for _ in flows.declared(pair))


def policies() -> list[NetworkPolicy]:
    """Return for each namespace one that denies all, and one that lets others in at one port."""
    made = []
    for number in range(_TEAMS):
        metadata = {"namespace": f"team-{number}", "uid": f"{number}"}
        opened = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 8080}]}]}
        made.append({"metadata": {**metadata, "name": "deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}})
        made.append({"metadata": {**metadata, "name": "open"}, "spec": opened})
    return msgspec.convert(made, list[NetworkPolicy])


def declared_connections() -> list[DeclaredConnection]:
    """Return what is declared: all that the records hold, but for what one of the namespaces does."""
    found = []
    for number in range(1, _TEAMS):
        others = [f"team-{(number + step) % _TEAMS}/*" for step in (1, 2, 3, 21, 22, 23)]
        for target in (*others, "aws:eni-db", "internet"):
            found.append(DeclaredConnection(parse_party(f"team-{number}/*"), parse_party(target), EVERY_PORT, ""))
    return found


def _address(pod: int) -> str:
    return str(ip_address(int(ip_address("10.64.0.0")) + pod))


def write_records(path: Path, kind: LogKind, count: int) -> None:
    made = random.Random(6)  # noqa: S311
    with path.open("w", encoding="utf-8") as file:
        number = 0
        while number < count:
            for record in _connection(made, number, count):
                shown = record if kind is LogKind.VPC_FLOW else _hubble(record, number)
                file.write(json.dumps({**shown, "@line": number + 1}, separators=(",", ":")) + "\n")
                number += 1


def _hubble(record: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a record as Hubble would have it, which knows pods by their names."""
    time = datetime.fromtimestamp(record["start"], UTC).isoformat()
    answer = record["srcport"] < record["dstport"]
    ports = {"source_port": record["srcport"], "destination_port": record["dstport"]}
    flow = {
        "time": time,
        "uuid": str(number),
        "verdict": "FORWARDED" if record["action"] == "ACCEPT" else "DROPPED",
        "IP": {"source": record["srcaddr"], "destination": record["dstaddr"]},
        "l4": {"TCP": {**ports, "flags": {"ACK": True} if answer else {"SYN": True}}},
        "source": _end(record["srcaddr"]),
        "destination": _end(record["dstaddr"]),
        "Type": "L3_L4",
        "is_reply": answer,
        "traffic_direction": "EGRESS" if number % 2 else "INGRESS",
    }
    return {"flow": flow, "node_name": f"node-{record['interface-id'][-3:]}", "time": time}


def _end(address: str) -> dict[str, Any]:
    pod = int(ip_address(address)) - int(ip_address(_address(0)))
    if not 0 <= pod < _WORKLOADS * _PODS_EACH:
        return {"identity": 2, "labels": ["reserved:world"]}
    workload = pod // _PODS_EACH
    return {
        "identity": 1000 + workload,
        "namespace": f"team-{workload % _TEAMS}",
        "pod_name": f"w{workload}-{pod % _PODS_EACH}",
        "labels": [f"k8s:app=w{workload}"],
        "workloads": [{"name": f"w{workload}", "kind": "StatefulSet"}],
    }


def _connection(made: random.Random, number: int, count: int) -> list[dict[str, Any]]:
    """Return the records of a connection: both directions, at the interfaces of both ends."""
    workload = made.randrange(_WORKLOADS)
    pod = workload * _PODS_EACH + made.randrange(_PODS_EACH)
    source, port = _address(pod), made.randrange(32768, 61000)
    kind = made.random()
    if kind < 0.6:
        other = (workload + made.randrange(1, 4)) % _WORKLOADS * _PODS_EACH + made.randrange(_PODS_EACH)
        target, served = _address(other), 8080
    elif kind < 0.9:
        target, served = "10.20.8.20", 5432
    else:
        target, served = f"198.51.{made.randrange(100)}.{made.randrange(256)}", 443
    start = int(_DAY.timestamp()) + number * 86_000 // count % 86_000
    flags = {"tcp-flags": "2"} if workload % 2 else {}
    answer = {"tcp-flags": "18"} if workload % 2 else {}
    common = {"version": 5, "account-id": "123456789012", "protocol": "6", "packets": 12, "start": start, "end": start + 59}
    outcome = {"action": "ACCEPT", "log-status": "OK"}
    if number % 10_000 < 4:
        source, target, served, outcome = (
            "203.0.113.9",
            _address(made.randrange(99)),
            made.randrange(1, 65535),
            {"action": "REJECT", "log-status": "OK"},
        )
    there = {"srcaddr": source, "dstaddr": target, "srcport": port, "dstport": served, "bytes": 4000, **flags}
    back = {"srcaddr": target, "dstaddr": source, "srcport": served, "dstport": port, "bytes": 90_000, **answer}
    near, far = f"eni-{pod % _NODES:017x}", f"eni-{served % _NODES:017x}"
    return [{**common, **direction, **outcome, "interface-id": seen} for direction in (there, back) for seen in (near, far)]


def cluster() -> Known:
    pods = [
        {
            "metadata": {
                "name": f"w{pod // _PODS_EACH}-{pod % _PODS_EACH}",
                "namespace": f"team-{pod // _PODS_EACH % _TEAMS}",
                "ownerReferences": [{"kind": "StatefulSet", "name": f"w{pod // _PODS_EACH}", "controller": True}],
            },
            "spec": {
                "nodeName": f"node-{pod % _NODES}",
                "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 8080}]}],
            },
            "status": {"phase": "Running", "podIP": _address(pod), "startTime": "2026-05-01T00:00:00Z"},
        }
        for pod in range(_WORKLOADS * _PODS_EACH)
    ]
    nodes = [
        {
            "metadata": {"name": f"node-{n}"},
            "status": {"addresses": [{"type": "InternalIP", "address": f"10.20.{n // 250}.{n % 250 + 1}"}]},
        }
        for n in range(_NODES)
    ]
    interface = NetworkInterface(network_interface_id="eni-db", private_ip_address="10.20.8.20", status="in-use")
    decoded = msgspec.convert(pods, list[Pod])
    return Known((), decoded, msgspec.convert(nodes, list[Node]), [interface])


if __name__ == "__main__":
    main()
