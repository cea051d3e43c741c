"""Kept flow logs as one table of DuckDB: whatever wrote them, a row for each record, with what joins need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from soc2.detect.fields import identifier, literal
from soc2.detect.relations import RECORD
from soc2.detect.schema import LINE
from soc2.model.logs import LogKind

FLOW_KINDS = frozenset({LogKind.VPC_FLOW, LogKind.HUBBLE})

_COLUMNS = (
    "log INTEGER, flowing BOOLEAN, status VARCHAR, starts BIGINT, ends BIGINT, source VARCHAR, target VARCHAR, "
    "source_port INTEGER, target_port INTEGER, protocol INTEGER, opener TINYINT, accepted BOOLEAN, via VARCHAR, bytes BIGINT, "
    "source_hint VARCHAR, target_hint VARCHAR, origin VARCHAR, line BIGINT"
)


@dataclass(frozen=True)
class FlowFiles:
    """The kept files of a declared log."""

    log: str
    kind: LogKind
    files: Sequence[Path]


def load_records(connection: duckdb.DuckDBPyConnection, logs: Sequence[FlowFiles], window: tuple[datetime, datetime]) -> None:
    """Make the table ``records``; ``log`` is the place of its log among ``logs``.

    ``opener`` is 1 when the record says that its sender opened the connection, -1 when it says that the other did, and 0
    when it says neither. ``starts`` and ``ends`` are seconds since 1970. Records without a time are in every window.
    """
    connection.execute(f"CREATE OR REPLACE TABLE records ({_COLUMNS})")
    since, until = (int(moment.timestamp()) for moment in window)
    for number, log in enumerate(logs):
        if log.files:
            select = _of_hubble if log.kind is LogKind.HUBBLE else _of_vpc
            connection.execute(
                f"INSERT INTO records SELECT {number}, * FROM ({select(log.files)}) "
                f"WHERE starts IS NULL OR (starts >= {since} AND starts < {until})"
            )


def _of_vpc(files: Sequence[Path]) -> str:
    """SQL of the records of VPC flow logs.

    The addresses of the packet are taken where they are told: through a NAT gateway, and at an interface of several
    addresses, the others are the interface's. Of the flags of TCP, 2 is SYN and 18 SYN with ACK; over the time that a
    record is of they are added up (AWS, "Flow log records").
    """
    flags = f"TRY_CAST({_field('tcp-flags')} AS INTEGER) & 18"
    source, target = (f"coalesce({_field(f'pkt-{end}addr')}, {_field(f'{end}addr')})" for end in ("src", "dst"))
    return (
        f"SELECT {source} IS NOT NULL OR {target} IS NOT NULL AS flowing, {_field('log-status')} AS status, "
        f"{_field('start')} AS starts, coalesce({_field('end')}, {_field('start')}) AS ends, {source} AS source, "
        f"{target} AS target, {_field('srcport')} AS source_port, {_field('dstport')} AS target_port, "
        f"TRY_CAST({_field('protocol')} AS INTEGER) AS protocol, "
        f"CASE {flags} WHEN 2 THEN 1 WHEN 18 THEN -1 ELSE 0 END AS opener, "
        f"CASE {_field('action')} WHEN 'ACCEPT' THEN true WHEN 'REJECT' THEN false END AS accepted, "
        f"{_field('interface-id')} AS via, {_field('bytes')} AS bytes, NULL AS source_hint, NULL AS target_hint, "
        f"origin, {identifier(LINE)} AS line FROM {_parquet(files)}"
    )


def _of_hubble(files: Sequence[Path]) -> str:
    """SQL of Hubble's flows. What it only traced on its way says nothing of what became of it.

    Policies of both ends may be asked on one node: what the one let out there, the other refused. So each direction of
    traffic is a place of its own, as interfaces are.
    """
    flow = f"{RECORD}.flow"
    syn, ack = f"coalesce({flow}.l4.TCP.flags.SYN, false)", f"coalesce({flow}.l4.TCP.flags.ACK, false)"
    seconds = "CAST(floor(epoch(event_time)) AS BIGINT)"
    ports = (
        f"coalesce({flow}.l4.TCP.{side}_port, {flow}.l4.UDP.{side}_port, {flow}.l4.SCTP.{side}_port, 0)"
        for side in ("source", "destination")
    )
    source_port, target_port = ports
    direction = f"CASE {flow}.traffic_direction WHEN 'EGRESS' THEN '(egress)' WHEN 'INGRESS' THEN '(ingress)' END"
    return (
        f"SELECT {flow}.IP.source IS NOT NULL AS flowing, "
        f"CASE WHEN {RECORD}.lost_events IS NOT NULL THEN 'LOST' END AS status, "
        f"{seconds} AS starts, {seconds} AS ends, {flow}.IP.source AS source, {flow}.IP.destination AS target, "
        f"{source_port} AS source_port, {target_port} AS target_port, CASE WHEN {flow}.l4.TCP IS NOT NULL THEN 6 "
        f"WHEN {flow}.l4.UDP IS NOT NULL THEN 17 WHEN {flow}.l4.SCTP IS NOT NULL THEN 132 "
        f"WHEN {flow}.l4.ICMPv4 IS NOT NULL THEN 1 WHEN {flow}.l4.ICMPv6 IS NOT NULL THEN 58 ELSE 255 END AS protocol, "
        f"CASE WHEN {syn} THEN CASE WHEN {ack} THEN -1 ELSE 1 END WHEN {flow}.is_reply THEN -1 "
        f"WHEN NOT {flow}.is_reply THEN 1 ELSE 0 END AS opener, "
        f"CASE WHEN {flow}.verdict IN ('FORWARDED', 'REDIRECTED', 'AUDIT') THEN true "
        f"WHEN {flow}.verdict IN ('DROPPED', 'ERROR') THEN false END AS accepted, "
        f"concat_ws(' ', split_part({RECORD}.node_name, '/', -1), {direction}) AS via, 0 AS bytes, "
        f"{_hint(f'{flow}.source')} AS source_hint, {_hint(f'{flow}.destination')} AS target_hint, "
        f"origin, {identifier(LINE)} AS line FROM {_parquet(files)} "
        f"WHERE ({flow}.IP IS NOT NULL OR {RECORD}.lost_events IS NOT NULL) "
        f"AND coalesce({flow}.verdict, '') NOT IN ('TRACED', 'TRANSLATED', 'VERDICT_UNKNOWN') "
        f"AND NOT starts_with(coalesce({flow}.trace_observation_point, ''), 'FROM_')"
    )


def _hint(end: str) -> str:
    """SQL of ``namespace/pod/Kind/workload`` of a pod that a flow names; NULL where it names none."""
    return (
        f"CASE WHEN {end}.namespace <> '' AND {end}.pod_name <> '' THEN concat_ws('/', {end}.namespace, {end}.pod_name, "
        f"{end}.workloads[1].kind, {end}.workloads[1].name) END"
    )


def _field(name: str) -> str:
    return f"{RECORD}.{identifier(name)}"


def _parquet(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(literal(str(path)) for path in files)}])"
