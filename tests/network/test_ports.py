"""Sets of ports behave as sets of numbers do; equal sets are equal however they were made."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.model.network.ports import EVERY_PORT, HIGHEST, NO_PORT, PROTOCOLS, PortRange, PortSet

LAST = 12
RANGES = st.builds(
    lambda protocol, ends: PortRange(protocol, min(ends), max(ends)),
    st.sampled_from(PROTOCOLS[:2]),
    st.tuples(st.integers(0, LAST), st.integers(0, LAST)),
)
SETS = st.lists(RANGES, max_size=6)
TRIED = settings(max_examples=200)


def numbers(ports: PortSet) -> set[tuple[str, int]]:
    return {(each.protocol, number) for each in ports for number in range(each.first, each.last + 1)}


@TRIED
@given(SETS, SETS)
def test_ports_are_a_set(one: list[PortRange], other: list[PortRange]) -> None:
    left, right = PortSet.of(one), PortSet.of(other)
    these, those = numbers(left), numbers(right)
    assert these == {(each.protocol, number) for each in one for number in range(each.first, each.last + 1)}
    assert numbers(left | right) == these | those
    assert numbers(left & right) == these & those
    assert numbers(left - right) == these - those
    assert (left <= right) == (these <= those)
    assert (left == right) == (these == those)
    assert bool(left) == bool(these)
    for port in ((protocol, number) for protocol in PROTOCOLS for number in range(LAST + 2)):
        assert (port in left) == (port in these)


@TRIED
@given(SETS, SETS)
def test_ranges_are_sorted_and_apart(one: list[PortRange], other: list[PortRange]) -> None:
    """What an operation returns is as ``of`` makes it, or sets that hold the same ports would differ."""
    left, right = PortSet.of(one), PortSet.of(other)
    for result in (left, left | right, left & right, left - right):
        assert result == PortSet.of(result.ranges)
        assert all(a < b for a, b in zip(result.ranges, result.ranges[1:], strict=False))
        assert all(
            a.protocol != b.protocol or a.last + 1 < b.first for a, b in zip(result.ranges, result.ranges[1:], strict=False)
        )


@TRIED
@given(SETS)
def test_complements(ranges: list[PortRange]) -> None:
    ports = PortSet.of(ranges)
    assert EVERY_PORT - (EVERY_PORT - ports) == ports
    assert ports | (EVERY_PORT - ports) == EVERY_PORT
    assert not ports & (EVERY_PORT - ports)
    assert NO_PORT <= ports <= EVERY_PORT


def test_ports_are_told_as_a_reader_says_them() -> None:
    tcp = PortRange("TCP", 0, HIGHEST)
    assert PortSet.of([PortRange("UDP", 53, 53), PortRange("TCP", 8080, 8090), tcp]).words == "every tcp port, udp/53"
    assert PortSet.of([PortRange("SCTP", 80, 81), PortRange("SCTP", 82, 82)]).words == "sctp/80-82"
    assert (EVERY_PORT.words, NO_PORT.words) == ("every port", "no port")
