"""What is asked of joined flows: accepted connections in groups, traffic with listed addresses, probes, and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from soc2.gather.logs.flow_join import load_networks, narrowest
from soc2.gather.logs.flow_records import FlowFiles
from soc2.model.feeds import AddressRow
from soc2.model.network.flows import End, EndKind, Flow, InterfaceRecords, ListedTraffic, Place, Probe, port_words

MOST_GROUPS = 200_000
"""More groups than that are no evidence, for they were not looked at."""
MOST_PROBES = 10_000
"""The same holds for probes."""
_EXAMPLES = 8


@dataclass(frozen=True)
class Lacking:
    """Records that something is missing of: ``unusable`` ones name no end, port or outcome, ``timeless`` ones no time, and
    ``lost`` is how often Hubble says that it lost flows."""

    unusable: int = 0
    timeless: int = 0
    lost: int = 0


class Ends:
    """The ends that numbers of owners stand for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, known: Sequence[End]) -> None:
        self._known = known
        self._alone: dict[int, str] = dict(
            connection.execute(
                "SELECT id, text FROM addresses WHERE -id IN (SELECT source_owner FROM connections WHERE source_owner < 0 "
                "UNION SELECT target_owner FROM connections WHERE target_owner < 0)"
            ).fetchall()
        )

    def of(self, owner: int) -> End:
        return self._known[owner] if owner >= 0 else End(EndKind.ADDRESS, self._alone[-owner])


def accepted_flows(connection: duckdb.DuckDBPyConnection, ends: Ends) -> list[Flow]:
    """Return the accepted connections, those of one end with a port of another together, at most ``MOST_GROUPS`` and one."""
    rows = connection.execute(
        "WITH grouped AS (SELECT source_owner, target_owner, protocol, port, count(*) AS connections, "
        "sum(records)::BIGINT AS records, sum(bytes)::BIGINT AS bytes, min(first) AS first, max(last) AS last, "
        "min(accepted_place) AS place, count(DISTINCT source) AS sources, count(DISTINCT target) AS targets, "
        "min(source) AS source, min(target) AS target, max(source) AS source_last, max(target) AS target_last "
        f"FROM connections WHERE accepted GROUP BY ALL LIMIT {MOST_GROUPS + 1}) "
        "SELECT source_owner, target_owner, grouped.protocol, port, connections, grouped.records, grouped.bytes, first, last, "
        "origin, line, via, s.text, t.text, sl.text, tl.text, sources, targets FROM grouped "
        "LEFT JOIN records ON records.rowid = place JOIN addresses AS s ON s.id = grouped.source "
        "JOIN addresses AS t ON t.id = grouped.target JOIN addresses AS sl ON sl.id = source_last "
        "JOIN addresses AS tl ON tl.id = target_last ORDER BY source_owner, target_owner, grouped.protocol, port"
    ).fetchall()
    return [
        Flow(
            source=ends.of(row[0]),
            target=ends.of(row[1]),
            protocol=row[2],
            port=row[3],
            connections=row[4],
            records=row[5],
            bytes=row[6] or 0,
            first=_moment(row[7]),
            last=_moment(row[8]),
            place=Place(row[9] or "", row[10] or 0),
            seen_at=row[11] or "",
            source_address=row[12],
            target_address=row[13],
            source_last=row[14],
            target_last=row[15],
            sources=row[16],
            targets=row[17],
        )
        for row in rows
    ]


def listed_traffic(connection: duckdb.DuckDBPyConnection, ends: Ends, listed: Sequence[AddressRow]) -> list[ListedTraffic]:
    """Return connections with addresses of a list, for each entry, end, direction and outcome. The narrowest entry that
    holds an address is the one that counts."""
    load_networks(connection, "listed", ((row.network, number) for number, row in enumerate(listed)))
    connection.execute(
        f"CREATE OR REPLACE TABLE listed_addresses AS SELECT id, value FROM {narrowest(connection, 'addresses', 'listed')}"
    )
    rows = connection.execute(
        "WITH met AS ("
        "SELECT value, source_owner AS owner, true AS outgoing, target AS listed, * FROM connections "
        "JOIN listed_addresses ON listed_addresses.id = target UNION ALL "
        "SELECT value, target_owner, false, source, * FROM connections "
        "JOIN listed_addresses ON listed_addresses.id = source), "
        "grouped AS (SELECT value, owner, outgoing, accepted, min(listed) AS listed, count(*) AS connections, "
        "sum(bytes)::BIGINT AS bytes, min(first) AS first, max(last) AS last, "
        "min(if(accepted, accepted_place, refused_place)) AS place, "
        f"list_sort(list(DISTINCT {{'protocol': protocol, 'port': port}}))[:{_EXAMPLES}] AS ports FROM met GROUP BY ALL) "
        "SELECT value, owner, outgoing, addresses.text, connections, grouped.bytes, first, last, origin, line, ports, "
        "grouped.accepted "
        "FROM grouped LEFT JOIN records ON records.rowid = place JOIN addresses ON addresses.id = grouped.listed "
        f"ORDER BY value, owner, outgoing, grouped.accepted LIMIT {MOST_GROUPS + 1}"
    ).fetchall()
    return [
        ListedTraffic(
            entry=listed[row[0]].address,
            reason=listed[row[0]].reason,
            list_source=listed[row[0]].source,
            end=ends.of(row[1]),
            outgoing=row[2],
            address=row[3],
            connections=row[4],
            bytes=row[5] or 0,
            first=_moment(row[6]),
            last=_moment(row[7]),
            place=Place(row[8] or "", row[9] or 0),
            ports=tuple((port["protocol"], port["port"]) for port in row[10]),
            accepted=row[11],
        )
        for row in rows
    ]


def probes(connection: duckdb.DuckDBPyConnection, ends: Ends, logs: Sequence[FlowFiles], least: int) -> list[Probe]:
    """Return the addresses outside that were refused at ``least`` distinct pairs of address and port or more, at most
    ``MOST_PROBES`` and one."""
    connection.execute(
        "CREATE OR REPLACE TABLE probing AS SELECT source, count(DISTINCT (target, protocol, port)) AS targets, "
        "sum(records)::BIGINT AS records, min(first) AS first, max(last) AS last, min(refused_place) AS place "
        "FROM connections JOIN addresses ON addresses.id = source WHERE outside AND NOT accepted GROUP BY source "
        f"HAVING targets >= {least} ORDER BY targets DESC, source LIMIT {MOST_PROBES + 1}"
    )
    target = "{'owner': target_owner, 'protocol': protocol, 'port': port}"
    rows = connection.execute(
        f"WITH tried AS (SELECT source, list(DISTINCT {target}) FILTER (NOT accepted) AS refused, "
        f"list(DISTINCT {target}) FILTER (accepted AND coalesce(met.first >= probing.first, true)) AS entered "
        "FROM connections AS met JOIN probing USING (source) GROUP BY source) "
        "SELECT addresses.text, targets, probing.records, first, last, origin, line, log, "
        f"list_sort(refused)[:{_EXAMPLES}], list_sort(entered)[:{_EXAMPLES}] FROM probing JOIN tried USING (source) "
        "JOIN addresses ON addresses.id = source LEFT JOIN records ON records.rowid = place ORDER BY first, addresses.text"
    ).fetchall()
    return [
        Probe(
            address=text,
            kind=str(logs[log].kind) if log is not None else "",
            targets=targets,
            records=records,
            first=_moment(first),
            last=_moment(last),
            place=Place(origin or "", line or 0),
            examples=_targets(ends, refused),
            entered=_targets(ends, entered),
        )
        for text, targets, records, first, last, origin, line, log, refused, entered in rows
    ]


def _targets(ends: Ends, found: list[dict[str, int]] | None) -> tuple[str, ...]:
    return tuple(f"{ends.of(each['owner'])} {port_words(each['protocol'], each['port'])}" for each in found or ())


def interface_records(connection: duckdb.DuckDBPyConnection, logs: Sequence[FlowFiles]) -> list[InterfaceRecords]:
    """Return what there is of each interface in each log of VPC flows."""
    vpc = [number for number, log in enumerate(logs) if log.kind == "vpc-flow"]
    rows = connection.execute(
        "SELECT via, log, count(*), count(*) FILTER (status = 'NODATA'), count(*) FILTER (status = 'SKIPDATA'), "
        "max(coalesce(ends, starts)) FROM records WHERE via IS NOT NULL AND list_contains(?, log) "
        "GROUP BY via, log ORDER BY via, log",
        [vpc],
    ).fetchall()
    return [
        InterfaceRecords(interface=via, log=logs[log].log, records=count, quiet=quiet, skipped=skipped, newest=_moment(newest))
        for via, log, count, quiet, skipped, newest in rows
    ]


def lacking(connection: duckdb.DuckDBPyConnection) -> Lacking:
    row: Any = connection.execute(
        "SELECT count(*) FILTER (status IS DISTINCT FROM 'LOST' AND coalesce(status, '') NOT IN ('NODATA', 'SKIPDATA') AND "
        "(NOT flowing OR source IS NULL OR target IS NULL OR accepted IS NULL OR protocol IS NULL OR "
        "(protocol IN (6, 17, 132) AND target_port IS NULL) OR source IN (SELECT text FROM texts WHERE number IS NULL) OR "
        "target IN (SELECT text FROM texts WHERE number IS NULL))), "
        "count(*) FILTER (starts IS NULL), count(*) FILTER (status = 'LOST') FROM records"
    ).fetchone()
    return Lacking(*row)


def hints(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return what flows themselves say of pods: ``namespace/pod/Kind/workload`` of each."""
    return [
        hint
        for (hint,) in connection.execute(
            "SELECT source_hint FROM records WHERE source_hint IS NOT NULL UNION "
            "SELECT target_hint FROM records WHERE target_hint IS NOT NULL ORDER BY 1"
        ).fetchall()
    ]


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 <= seconds < 253402300799 else None
