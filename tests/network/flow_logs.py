"""Flow logs for tests: records in each form that they are kept in, and what has the addresses in them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from soc2.detect.store import keep
from soc2.gather.logs.flow_owners import Known
from soc2.gather.logs.flow_records import FlowFiles
from soc2.gather.logs.flows import FlowScan, scan
from soc2.gather.logs.framing import frame
from soc2.model.aws.compute import NetworkInterface, SecurityGroup
from soc2.model.feeds import AddressRow
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.network import Service
from soc2.model.kubernetes.pods import Pod
from soc2.model.logs import LogKind
from soc2.model.network.parties import DeclaredConnection, parse_party
from soc2.model.network.ports import EVERY_PORT

BEGIN = 1_780_000_000
WINDOW = (datetime.fromtimestamp(BEGIN, UTC), datetime.fromtimestamp(BEGIN, UTC) + timedelta(days=1))
FIELDS = tuple(
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "  # noqa: SIM905
    "log-status tcp-flags pkt-srcaddr pkt-dstaddr".split()
)


@dataclass(frozen=True)
class Seen:
    """A record; ``at`` is in seconds since the window's begin."""

    source: str
    target: str
    ports: tuple[int, int] = (40_000, 443)
    protocol: int = 6
    accepted: bool = True
    flags: int | None = None
    at: int = 1000
    via: str = "eni-1"
    packet: tuple[str, str] | None = None
    status: str = "OK"

    @property
    def values(self) -> dict[str, str]:
        values = dict.fromkeys(FIELDS, "-") | {
            "version": "5",
            "account-id": "123456789012",
            "interface-id": self.via,
            "start": str(BEGIN + self.at),
            "end": str(BEGIN + self.at + 59),
            "log-status": self.status,
        }
        if self.status != "OK":
            return values
        return values | {
            "srcaddr": self.source,
            "dstaddr": self.target,
            "srcport": str(self.ports[0]),
            "dstport": str(self.ports[1]),
            "protocol": str(self.protocol),
            "packets": "2",
            "bytes": "100",
            "action": "ACCEPT" if self.accepted else "REJECT",
            "tcp-flags": "-" if self.flags is None else str(self.flags),
            "pkt-srcaddr": self.packet[0] if self.packet else "-",
            "pkt-dstaddr": self.packet[1] if self.packet else "-",
        }


def text(records: Iterable[Seen], fields: Sequence[str] = FIELDS) -> str:
    lines = [" ".join(fields), *(" ".join(each.values[name] for name in fields) for each in records)]
    return "\n".join(lines) + "\n"


def cloudwatch(records: Iterable[Seen]) -> str:
    """As the reader of log groups writes what the API gives it."""
    events = []
    for number, each in enumerate(records):
        message = " ".join(each.values[name] for name in FIELDS)
        events.append({"timestamp": BEGIN * 1000, "message": message, "eventId": f"e{number}", "logStreamName": each.via})
    return "".join(json.dumps(event) + "\n" for event in events)


def parquet(records: Iterable[Seen], path: Path) -> None:
    """As AWS writes it: names with underscores, numbers as such."""
    numbers = {"version", "srcport", "dstport", "protocol", "tcp-flags"}
    long = {"packets", "bytes", "start", "end"}
    types = {name: "INTEGER" if name in numbers else "BIGINT" if name in long else "VARCHAR" for name in FIELDS}
    columns = ", ".join(f'"{name.replace("-", "_")}" {kind}' for name, kind in types.items())
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE flows ({columns})")
        for each in records:
            values = [None if each.values[name] == "-" else each.values[name] for name in FIELDS]
            connection.execute(f"INSERT INTO flows VALUES ({', '.join('?' * len(values))})", values)
        connection.execute(f"COPY flows TO '{path}' (FORMAT parquet)")


def kept(path: Path, folder: Path, kind: LogKind = LogKind.VPC_FLOW, flow_fields: str | None = None) -> FlowFiles:
    framed = frame(path, "flows", folder / "spool", kind, flow_fields=flow_fields)
    with duckdb.connect() as connection:
        segments = [segment for segment in framed.segments if segment.kind is kind]
        files = keep(connection, kind, segments, folder / "days").files if segments else ()
    return FlowFiles("flows", kind, files)


def pod(
    name: str,
    address: str,
    since: int | None = None,
    *,
    until: int | None = None,
    ports: Sequence[int] = (),
    workload: str = "",
    phase: str = "Running",
) -> Any:
    """Times are in seconds since the window's begin; a finished pod is ``Succeeded`` or ``Failed``."""
    owner = [{"kind": "StatefulSet", "name": workload or name, "controller": True}]
    return {
        "metadata": {"name": name, "namespace": "team", "ownerReferences": owner},
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": n} for n in ports]}],
        },
        "status": {
            "phase": phase,
            "podIP": address,
            **({} if since is None else {"startTime": at(since)}),
            "containerStatuses": [] if until is None else [{"name": "c", "state": {"terminated": {"finishedAt": at(until)}}}],
        },
    }


def at(second: int) -> str:
    return datetime.fromtimestamp(BEGIN + second, UTC).isoformat()


@dataclass
class World:
    pods: list[Any] = field(default_factory=list)
    nodes: dict[str, str] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)
    groups: list[Any] = field(default_factory=list)
    services: list[Any] = field(default_factory=list)
    declared: list[tuple[str, str]] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    probe_targets: int = 3

    @property
    def known(self) -> Known:
        pods = msgspec.convert(self.pods, list[Pod], strict=False)
        nodes = [
            {"metadata": {"name": name}, "status": {"addresses": [{"type": "InternalIP", "address": address}]}}
            for name, address in self.nodes.items()
        ]
        interfaces = [
            NetworkInterface(network_interface_id=name, private_ip_address=address) for name, address in self.machines.items()
        ]
        groups = msgspec.convert(self.groups, list[SecurityGroup])
        services = msgspec.convert(self.services, list[Service])
        return Known((), pods, msgspec.convert(nodes, list[Node]), interfaces, groups, services)

    def scan(self, logs: Sequence[FlowFiles], folder: Path) -> FlowScan:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            return scan(
                logs,
                WINDOW,
                self.known,
                declared=[
                    DeclaredConnection(parse_party(one), parse_party(two), EVERY_PORT, "") for one, two in self.declared
                ],
                listed=[AddressRow(address=address) for address in self.listed],
                probe_targets=self.probe_targets,
                folder=Path(work),
            )

    def of(self, records: Sequence[Seen]) -> FlowScan:
        """Return what flow logs in text show."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = folder / "flows.log"
            path.write_text(text(records))
            return self.scan([kept(path, folder)], folder)


def shown(found: FlowScan) -> list[tuple[Any, ...]]:
    return sorted(
        (str(flow.source), str(flow.target), flow.protocol, flow.port, flow.connections, flow.records) for flow in found.flows
    )
