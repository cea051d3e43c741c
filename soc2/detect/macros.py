"""SQL macros that compiled rules are written in. They are total: what cannot be read is NULL, never an error."""

from __future__ import annotations

import duckdb

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IP4 = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
# Eight groups, or fewer with one "::", that may end with an IPv4 address.
_IP6 = rf"(?i)(([0-9a-f]{{1,4}}:)*[0-9a-f]{{1,4}})?(::)?(([0-9a-f]{{1,4}}:)*([0-9a-f]{{1,4}}|{_IP4}))?"

MACROS = (
    # A JSON number, and nothing else that a cast would take ("inf", " 5", "1_000").
    r"soc2_number(t) AS CASE WHEN regexp_full_match(t, '-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?') "
    "THEN try_cast(t AS DOUBLE) END",
    # A time in UTC: a cast to TIMESTAMP would leave out the offset, one to TIMESTAMPTZ would add the session's.
    r"soc2_time(t) AS CASE WHEN regexp_matches(t, '([zZ]|:[0-9.]+ ?[+-][0-9:]+)$') "
    "THEN timezone('UTC', try_cast(t AS TIMESTAMPTZ)) ELSE try_cast(t AS TIMESTAMP) END",
    # A time of seconds since 1970; NULL for what no calendar of four digits tells.
    "soc2_seconds(n) AS CASE WHEN n BETWEEN -62135596800 AND 253402300799 "
    "THEN make_timestamp(CAST(n * 1000000 AS BIGINT)) END",
    # Elements instead of arrays, one level deep.
    "soc2_spread(l) AS flatten(list_transform(l, lambda x: "
    "CASE WHEN starts_with(CAST(x AS VARCHAR), '[') THEN json_extract(x, '$[*]') ELSE [x] END))",
    "soc2_step(l, path) AS soc2_spread(list_transform(l, lambda x: json_extract(x, path)))",
    "soc2_texts(l) AS list_filter(list_transform(l, lambda x: json_extract_string(x, '$')), lambda x: x IS NOT NULL)",
    "soc2_leaves(j) AS soc2_texts(list_filter(list_append(json_extract(j, '$.**'), j), "
    "lambda x: NOT starts_with(CAST(x AS VARCHAR), '[') AND NOT starts_with(CAST(x AS VARCHAR), '{')))",
    "soc2_some(l) AS coalesce(list_bool_or(l), false)",
    "soc2_joined(l) AS CASE WHEN len(list_filter(l, lambda x: x IS NOT NULL)) > 0 THEN array_to_string(l, ', ') END",
    f"soc2_ip4_text(t) AS CASE WHEN regexp_full_match(t, '{_IP4}') THEN "
    + " + ".join(f"TRY_CAST(split_part(t, '.', {part}) AS BIGINT) * {256 ** (4 - part)}" for part in range(1, 5))
    + " END",
    "soc2_groups(t) AS CASE WHEN t = '' THEN [] ELSE string_split(t, ':') END",
    # A list of one that is transformed gives its element a name, so that macros in macros do not multiply.
    # An IPv4 address at the end, as the two groups that it stands for.
    r"soc2_ip6_hex(t) AS CASE WHEN contains(t, '.') THEN regexp_extract(t, '^.*:') || list_transform("
    "[soc2_ip4_text(regexp_extract(t, '[^:]*$'))], lambda n: printf('%x:%x', n // 65536, n % 65536))[1] ELSE t END",
    "soc2_ip6_list(t) AS CASE WHEN contains(t, '::') THEN soc2_groups(split_part(t, '::', 1)) || "
    "list_resize(CAST([] AS VARCHAR[]), greatest(1, 8 - len(soc2_groups(split_part(t, '::', 1))) "
    "- len(soc2_groups(split_part(t, '::', 2)))), '0') || soc2_groups(split_part(t, '::', 2)) ELSE string_split(t, ':') END",
    "soc2_ip6_number(l) AS CASE WHEN len(l) = 8 THEN list_reduce(list_transform(l, "
    "lambda x: CAST(TRY_CAST('0x' || x AS INTEGER) AS UHUGEINT)), lambda a, x: a * 65536 + x) END",
    f"soc2_ip6_any(t) AS CASE WHEN NOT contains(t, ':::') AND regexp_full_match(t, '{_IP6}') "
    "AND len(string_split(t, '::')) <= 2 THEN list_transform([soc2_ip6_hex(t)], "
    "lambda h: list_transform([soc2_ip6_list(h)], lambda l: soc2_ip6_number(l))[1])[1] END",
    "soc2_mapped(n) AS n >= 281470681743360 AND n <= 281474976710655",
    # IPv4 addresses (and those that IPv6 maps) as BIGINT; all other IPv6 addresses as UHUGEINT. Zones are left out.
    "soc2_ip4(t) AS CASE WHEN NOT contains(t, ':') THEN soc2_ip4_text(t) ELSE list_transform("
    "[soc2_ip6_any(split_part(t, '%', 1))], "
    "lambda n: CASE WHEN soc2_mapped(n) THEN CAST(n - 281470681743360 AS BIGINT) END)[1] END",
    "soc2_ip6(t) AS CASE WHEN contains(t, ':') THEN list_transform("
    "[soc2_ip6_any(split_part(t, '%', 1))], lambda n: CASE WHEN NOT soc2_mapped(n) THEN n END)[1] END",
)


def install(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the macros known to a connection; temporary, so that they leave no trace in a database file."""
    for macro in MACROS:
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")
