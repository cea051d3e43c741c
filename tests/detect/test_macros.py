"""The SQL macros against what Python says of the same texts."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from datetime import datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detect.reference import fold, number
from tests.detect.table import connect


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


_groups = st.sampled_from(["", "0", "1", "ffff", "FFFF", "abc", "01", "12345", "g", "1.2.3.4", "255.256.0.1", "::"])
_written = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.ip_addresses(v=4).map("::ffff:{}".format),
    st.lists(_groups, min_size=1, max_size=9).map(":".join),
    st.lists(st.integers(0, 300).map(str) | st.sampled_from(["", "01", "+1", " 1"]), min_size=3, max_size=5).map(".".join),
    st.ip_addresses().map("{}%eth0".format),
)


@settings(max_examples=60)
@given(st.lists(_written, min_size=20, max_size=40))
def test_addresses_are_read_as_python_reads_them(connection: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    found = connection.execute("SELECT soc2_ip4(t), soc2_ip6(t) FROM (SELECT unnest(?) AS t)", [texts]).fetchall()
    assert found == [_address(text) for text in texts]


def _address(text: str) -> tuple[int | None, int | None]:
    """IPv4, and IPv6 that is no mapped IPv4; the zone of an IPv6 address left out."""
    bare, _, zone = text.partition("%")
    try:
        address = ipaddress.ip_address(bare if zone and ":" in bare else text)
    except ValueError:
        return None, None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return (int(address), None) if address.version == 4 else (None, int(address))


@given(st.lists(st.text(st.sampled_from("0123456789.eE+- _infax")) | st.floats(allow_nan=False).map(repr), max_size=20))
def test_numbers_are_those_of_json(connection: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    found = connection.execute("SELECT soc2_number(t) FROM (SELECT unnest(?::VARCHAR[]) AS t)", [texts]).fetchall()
    assert found == [(number(text),) for text in texts]


def test_letters_fold_one_for_one(connection: duckdb.DuckDBPyConnection) -> None:
    letters = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    cased = [letter for letter in letters if letter.lower() != letter or letter.upper() != letter]
    found = connection.execute("SELECT lower(unnest(?))", [cased]).fetchall()
    assert found == [(fold(letter),) for letter in cased]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T03:07:59Z", datetime(2024, 2, 29, 3, 7, 59)),
        ("2024-02-29T03:07:59.123456Z", datetime(2024, 2, 29, 3, 7, 59, 123456)),
        ("2024-02-29T03:07:59+02:00", datetime(2024, 2, 29, 1, 7, 59)),
        ("2024-02-29T03:07:59-0530", datetime(2024, 2, 29, 8, 37, 59)),
        ("2024-02-29 03:07:59", datetime(2024, 2, 29, 3, 7, 59)),
        ("2024-02-29", datetime(2024, 2, 29)),
        ("yesterday", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_times_are_utc(connection: duckdb.DuckDBPyConnection, text: str, expected: datetime | None, zone: str) -> None:
    connection.execute(f"SET TimeZone = '{zone}'")
    assert connection.execute("SELECT soc2_time(?)", [text]).fetchall() == [(expected,)]
