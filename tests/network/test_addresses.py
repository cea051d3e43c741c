"""Sets of addresses: as sets of numbers behave, and with Kubernetes' reading of a CIDR."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from soc2.model.network.addresses import EVERY_ADDRESS, NO_ADDRESS, AddressSet, network_of, number_of
from soc2.model.network.endpoints import Network

# The last addresses of IPv4 and the first of IPv6 are neighbours on the line of numbers.
NETWORKS: st.SearchStrategy[Network] = st.one_of(
    st.builds(
        lambda last, bits: ip_network((0xFFFFFF00 | last, bits), strict=False), st.integers(0, 255), st.integers(24, 32)
    ),
    st.builds(lambda last, bits: ip_network(f"::{last:x}/{bits}", strict=False), st.integers(0, 255), st.integers(120, 128)),
    st.sampled_from([ip_network("0.0.0.0/0"), ip_network("::/0")]),
)
_SOME = [number for text in ("255.255.255.0", "::") if (number := number_of(text)) is not None]
NUMBERS = {start + each for start in _SOME for each in range(256)} | {0}


def _numbers(addresses: AddressSet) -> set[int]:
    return {number for number in NUMBERS if number in addresses}


@given(st.lists(NETWORKS, max_size=3), st.lists(NETWORKS, max_size=3))
def test_sets_of_addresses_behave_as_sets(one: list[Network], two: list[Network]) -> None:
    first, second = AddressSet.of(*one), AddressSet.of(*two)
    assert _numbers(first | second) == _numbers(first) | _numbers(second)
    assert _numbers(first & second) == _numbers(first) & _numbers(second)
    assert _numbers(~first) == NUMBERS - _numbers(first)
    assert bool(first) == bool(one)
    assert AddressSet.of(*first.networks()) == first
    assert (first | ~first, first & ~first) == (EVERY_ADDRESS, NO_ADDRESS)
    assert ~~first == first


def test_networks_are_the_fewest() -> None:
    halves = AddressSet.of(ip_network("10.0.0.0/25"), ip_network("10.0.0.128/25"))
    assert list(halves.networks()) == [ip_network("10.0.0.0/24")]
    assert list(EVERY_ADDRESS.networks()) == [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert AddressSet.of_numbers([*_SOME, _SOME[0] + 1]) == AddressSet.of(ip_network("255.255.255.0/31"), ip_network("::/128"))


def test_odd_texts() -> None:
    assert network_of("010.0.0.1/8") == ip_network("10.0.0.0/8")
    assert [network_of(text) for text in ("10.0.0.1", "", "10.0.0.0/33", "a/8", "10.0.0.0/x", "::/129")] == [None] * 6
    assert [number_of(text) for text in ("", "a", "10.0.0.1/32", "1.2.3")] == [None] * 4
    assert number_of("fe80::1%eth0") == number_of("fe80::1")
