"""Records of flows joined to connections between owners of addresses, in DuckDB: only groups of them leave it.

A connection is a pair of addresses and ports, whichever of the two sent a record and at however many interfaces it was
seen, so that none counts twice. Who opened it is told by the flags of TCP (or by Hubble); where they are missing, it is

1. not whoever has the port that it is known to serve, or else the one below 1024, or else the one below 32768, from
   where on operating systems take ports for connections they open;
2. not whoever has the port that more others talk to, or else the lower one;
3. whoever was seen first; with protocols that have no ports, always.

What was only ever refused, in one direction, its sender opened; but a refused packet from a port below 1024 or a served
one to one from 32768 on is a late answer. A connection was accepted when it was answered, or when the records of an
interface that saw it open accept it and those of no other refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb

from soc2.detect import macros
from soc2.model.network.endpoints import Network

MAPPED = 281470681743360
"""Where IPv4 begins among the addresses of IPv6 (RFC 4291, 2.5.5.2)."""
_NUMBER = f"coalesce(soc2_ip6(text), soc2_ip4(text)::UHUGEINT + {MAPPED})"
_BEGIN, _END = -(2**63) + 1, 2**63 - 1
_WITH_PORTS = "protocol IN (6, 17, 132)"


@dataclass
class Owners:
    """Whose addresses are: ``held`` are (address, owner or None, from when in seconds since 1970 or None), ``networks`` those
    that addresses without an owner are together in, the narrowest that holds one, and ``hinted`` what a flow itself names.
    ``private`` networks are those whose addresses stand for themselves. An owner is a number from 0.

    ``serving`` are (address, protocol, first port, last port) that are known to take connections.
    """

    held: list[tuple[str, int | None, int | None]] = field(default_factory=list)
    networks: list[tuple[Network, int]] = field(default_factory=list)
    private: Sequence[Network] = ()
    internet: int = 0
    hinted: list[tuple[str, int]] = field(default_factory=list)
    serving: list[tuple[str, int, int, int]] = field(default_factory=list)


def join(connection: duckdb.DuckDBPyConnection, owners: Owners) -> None:
    """Make the table ``connections`` of the table ``records``. Numbers of owners below 0 are addresses that stand for
    themselves: their ids in ``addresses``, negative."""
    macros.install(connection)
    _make_addresses(connection, owners)
    _make_holders(connection, owners)
    _make_pairs(connection)
    _make_connections(connection, owners)


def load(connection: duckdb.DuckDBPyConnection, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
    """Make a table of rows, whose columns all have a name and a type."""
    names = [column.split()[0] for column in columns.split(", ")]
    connection.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
    values = [list(column) for column in zip(*rows, strict=True)]
    if values:
        selected = ", ".join(f"unnest(${position + 1}) AS {name}" for position, name in enumerate(names))
        connection.execute(f"INSERT INTO {table} SELECT {selected}", values)


def load_networks(connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[tuple[Network, int]]) -> None:
    """Make a table of networks: ``shift`` is by how many bits addresses are cut to be compared with ``head``."""
    found = ((str(number_of(network) >> (shift := _shift(network))), shift, value) for network, value in rows)
    load(connection, "loaded", "head VARCHAR, shift INTEGER, value INTEGER", found)
    connection.execute(
        f"CREATE OR REPLACE TABLE {table} AS SELECT CAST(head AS UHUGEINT) AS head, shift, min(value) AS value "
        "FROM loaded GROUP BY ALL"
    )


def narrowest(connection: duckdb.DuckDBPyConnection, addresses: str, networks: str) -> str:
    """Return SQL of (id, value) of the narrowest network that holds each address; a join for each length of prefix."""
    shifts = [shift for (shift,) in connection.execute(f"SELECT DISTINCT shift FROM {networks}").fetchall()]
    each = (
        f"SELECT id, value, shift FROM {addresses} JOIN (SELECT head, value, shift FROM {networks} WHERE shift = {shift}) "
        f"ON number >> {shift} = head"
        for shift in shifts
    )
    union = " UNION ALL ".join(each) or "SELECT NULL::BIGINT AS id, NULL::INTEGER AS value, 0 AS shift WHERE false"
    return f"(SELECT id, arg_min(value, shift) AS value FROM ({union}) GROUP BY id)"


def number_of(network: Network) -> int:
    """Return the number of its first address among all addresses of IPv6, where those of IPv4 have their place."""
    return int(network.network_address) + (MAPPED if network.version == 4 else 0)


def _shift(network: Network) -> int:
    return network.max_prefixlen - network.prefixlen


def _make_addresses(connection: duckdb.DuckDBPyConnection, owners: Owners) -> None:
    """Make ``texts`` (each text of an address, with its id) and ``addresses``: id, number, and the owner it has when no
    other is known; ``outside`` says that it is nobody's and in no private network."""
    load_networks(connection, "networks", owners.networks)
    load_networks(connection, "privates", ((network, 1) for network in owners.private))
    load(connection, "held", "text VARCHAR, owner INTEGER, since BIGINT", owners.held)
    connection.execute(
        f"CREATE OR REPLACE TABLE texts AS SELECT text, {_NUMBER} AS number FROM (SELECT source AS text FROM records "
        "WHERE flowing UNION SELECT target FROM records WHERE flowing) WHERE text IS NOT NULL"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE numbered AS SELECT row_number() OVER (ORDER BY number) AS id, number, text FROM "
        "(SELECT number, min(text) AS text FROM texts WHERE number IS NOT NULL GROUP BY number)"
    )
    connection.execute(f"CREATE OR REPLACE TABLE holders AS SELECT {_NUMBER} AS number, owner, since FROM held")
    connection.execute(
        "CREATE OR REPLACE TABLE addresses AS SELECT numbered.id, number, text, coalesce(declared.value, "
        f"CASE WHEN private.value IS NULL THEN {owners.internet} END, -numbered.id) AS otherwise, "
        "private.value IS NULL AND number NOT IN (SELECT number FROM holders WHERE number IS NOT NULL) AS outside "
        f"FROM numbered LEFT JOIN {narrowest(connection, 'numbered', 'networks')} AS declared USING (id) "
        f"LEFT JOIN {narrowest(connection, 'numbered', 'privates')} AS private USING (id)"
    )


def _make_holders(connection: duckdb.DuckDBPyConnection, owners: Owners) -> None:
    """Make ``owned``: text, id, owner, and the time [since, until) in seconds in which it has the address."""
    connection.execute(
        "CREATE OR REPLACE TABLE owned AS WITH given AS (SELECT id, coalesce(holders.owner, otherwise) AS owner, "
        f"coalesce(since, {_BEGIN}) AS since FROM addresses LEFT JOIN holders USING (number)), "
        f"every AS (SELECT * FROM given UNION ALL SELECT id, otherwise, {_BEGIN} FROM addresses "
        f"WHERE id IN (SELECT id FROM given GROUP BY id HAVING min(since) > {_BEGIN})), "
        "once AS (SELECT id, since, min(owner) AS owner FROM every GROUP BY ALL), "
        f"spans AS (SELECT *, lead(since, 1, {_END}) OVER (PARTITION BY id ORDER BY since) AS until FROM once) "
        "SELECT texts.text, id, owner, since, until FROM spans JOIN addresses USING (id) JOIN texts USING (number)"
    )
    load(connection, "hinted", "hint VARCHAR, owner INTEGER", owners.hinted)


def _make_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``pairs``: both directions of a connection at one interface together. ``one`` is the end with the lower id and
    port; of each count, the first is of records that it sent."""
    at = f"coalesce(starts, {_END - 1})"
    # Times are unknown in formats without them; then whoever has an address now is taken for its owner.
    connection.execute(
        "CREATE OR REPLACE TABLE pairs AS WITH resolved AS (SELECT records.rowid AS place, starts, ends, "
        "coalesce(source_port, 0) AS source_port, coalesce(target_port, 0) AS target_port, protocol, opener, accepted, via, "
        "bytes, s.id AS source, t.id AS target, coalesce(sh.owner, s.owner) AS source_owner, "
        "coalesce(th.owner, t.owner) AS target_owner FROM records "
        f"JOIN owned AS s ON s.text = source AND {at} >= s.since AND {at} < s.until "
        f"JOIN owned AS t ON t.text = target AND {at} >= t.since AND {at} < t.until "
        "LEFT JOIN hinted AS sh ON sh.hint = source_hint LEFT JOIN hinted AS th ON th.hint = target_hint "
        "WHERE flowing AND accepted IS NOT NULL AND protocol IS NOT NULL "
        f"AND (NOT {_WITH_PORTS} OR target_port IS NOT NULL)), "
        "turned AS (SELECT *, source > target OR (source = target AND source_port > target_port) AS turned FROM resolved) "
        "SELECT protocol, if(turned, target, source) AS one, if(turned, target_port, source_port) AS one_port, "
        "if(turned, source, target) AS two, if(turned, source_port, target_port) AS two_port, "
        "if(turned, target_owner, source_owner) AS one_owner, if(turned, source_owner, target_owner) AS two_owner, via, "
        "count(*) AS records, sum(bytes)::HUGEINT AS bytes, min(starts * 2 + turned::INT) AS begin, max(ends) AS last, "
        "count(*) FILTER (accepted AND NOT turned) AS accepted_one, count(*) FILTER (accepted AND turned) AS accepted_two, "
        "count(*) FILTER (NOT accepted AND NOT turned) AS refused_one, "
        "count(*) FILTER (NOT accepted AND turned) AS refused_two, "
        "sum(if(turned, -opener, opener)) AS says_one, "
        "min(place) FILTER (accepted) AS accepted_place, min(place) FILTER (NOT accepted) AS refused_place "
        "FROM turned GROUP BY ALL"
    )


def _make_connections(connection: duckdb.DuckDBPyConnection, owners: Owners) -> None:
    load(connection, "serves", "text VARCHAR, protocol INTEGER, first_port INTEGER, last_port INTEGER", owners.serving)
    connection.execute(
        f"CREATE OR REPLACE TABLE serving AS SELECT DISTINCT id, protocol, unnest(range(first_port, last_port + 1)) AS port "
        f"FROM (SELECT *, {_NUMBER} AS number FROM serves) JOIN addresses USING (number)"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE whole AS SELECT protocol, one, one_port, two, two_port, one_owner, two_owner, "
        "sum(records)::BIGINT AS records, sum(bytes)::HUGEINT AS bytes, min(begin) AS begin, max(last) AS last, "
        "sum(says_one) AS says_one, min(accepted_place) AS accepted_place, min(refused_place) AS refused_place, "
        "min(via) AS via, sum(accepted_one) > 0 AS sent_one, sum(accepted_two) > 0 AS sent_two, "
        "sum(refused_one) > 0 AS stopped_one, sum(refused_two) > 0 AS stopped_two, "
        + ", ".join(
            f"bool_or(accepted_{end} > 0 AND refused_{end} > 0) OR (bool_or(accepted_{end} > 0) "
            f"AND NOT bool_or(refused_{end} > 0 AND accepted_{end} = 0)) AS passed_{end}"
            for end in ("one", "two")
        )
        + " FROM pairs GROUP BY ALL"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE ranked AS SELECT whole.*, whole.rowid AS number, "
        f"{_rank('a.id', 'one_port')} AS one_rank, {_rank('b.id', 'two_port')} AS two_rank, "
        f"says_one = 0 AND whole.{_WITH_PORTS} AND one_rank = two_rank AND one_rank > 1 AS undecided FROM whole "
        "LEFT JOIN serving AS a ON a.id = one AND a.port = one_port AND a.protocol = whole.protocol "
        "LEFT JOIN serving AS b ON b.id = two AND b.port = two_port AND b.protocol = whole.protocol"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE talked_to AS SELECT protocol, id, port, count(*) AS others FROM ("
        "SELECT protocol, one AS id, one_port AS port FROM ranked WHERE undecided "
        "UNION ALL SELECT protocol, two, two_port FROM ranked WHERE undecided) GROUP BY ALL HAVING count(*) > 1"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE connections AS WITH opened AS (SELECT ranked.*, "
        f"{_opened_by_one()} AS by_one FROM ranked "
        "LEFT JOIN talked_to AS a ON undecided AND a.id = one AND a.port = one_port AND a.protocol = ranked.protocol "
        "LEFT JOIN talked_to AS b ON undecided AND b.id = two AND b.port = two_port AND b.protocol = ranked.protocol) "
        "SELECT if(by_one, one, two) AS source, if(by_one, two, one) AS target, "
        "if(by_one, one_owner, two_owner) AS source_owner, if(by_one, two_owner, one_owner) AS target_owner, protocol, "
        f"CASE WHEN {_WITH_PORTS} THEN if(by_one, two_port, one_port) ELSE 0 END AS port, "
        "if(by_one, sent_two OR passed_one, sent_one OR passed_two) AS accepted, "
        "records, bytes, begin // 2 AS first, last, via, accepted_place, refused_place FROM opened"
    )


def _rank(served: str, port: str) -> str:
    return f"CASE WHEN {served} IS NOT NULL THEN 0 WHEN {port} < 1024 THEN 1 WHEN {port} < 32768 THEN 2 ELSE 3 END"


def _opened_by_one() -> str:
    only_one, only_two = "(stopped_one AND NOT stopped_two)", "(stopped_two AND NOT stopped_one)"
    never = "NOT sent_one AND NOT sent_two"
    return (
        "CASE WHEN says_one <> 0 THEN says_one > 0 "
        f"WHEN NOT ranked.{_WITH_PORTS} THEN coalesce(begin % 2 = 0, true) "
        f"WHEN {never} AND {only_one} THEN NOT (one_rank <= 1 AND two_rank = 3) "
        f"WHEN {never} AND {only_two} THEN two_rank <= 1 AND one_rank = 3 "
        "WHEN one_rank <> two_rank THEN one_rank > two_rank "
        "WHEN coalesce(a.others, 1) <> coalesce(b.others, 1) THEN coalesce(a.others, 1) < coalesce(b.others, 1) "
        "WHEN one_port <> two_port THEN one_port > two_port ELSE coalesce(begin % 2 = 0, true) END"
    )
