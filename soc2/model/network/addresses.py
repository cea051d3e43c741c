"""Sets of addresses, exact whatever is taken away from what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range

from soc2.model.network.endpoints import Network

SIX = 1 << 32
"""Where IPv6 begins on the line of numbers that has all IPv4 addresses first."""
_END = SIX + (1 << 128)
_LEADING_ZEROS = re.compile(r"\b0+(?=\d)")

Span = tuple[int, int]
"""Numbers from the first to before the second."""


@dataclass(frozen=True)
class AddressSet:
    """Addresses of both families as sorted spans that neither overlap nor touch, so that equal sets are equal."""

    spans: tuple[Span, ...] = ()

    @staticmethod
    def of(*networks: Network) -> AddressSet:
        return _merged(_span(network) for network in networks)

    @staticmethod
    def of_numbers(numbers: Iterable[int]) -> AddressSet:
        """Return the set of addresses by their numbers, as ``number_of`` gives them."""
        return _merged((number, number + 1) for number in numbers)

    @staticmethod
    def merged(spans: Iterable[Span]) -> AddressSet:
        """Return the set of all numbers that are in a span; spans may overlap."""
        return _merged(spans)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __contains__(self, number: int) -> bool:
        return any(first <= number < end for first, end in self.spans)

    def __or__(self, other: AddressSet) -> AddressSet:
        if not other.spans or self.spans == other.spans:
            return self
        return _merged((*self.spans, *other.spans)) if self.spans else other

    def __and__(self, other: AddressSet) -> AddressSet:
        found = []
        mine, others = iter(self.spans), iter(other.spans)
        one, two = next(mine, None), next(others, None)
        while one and two:
            first, end = max(one[0], two[0]), min(one[1], two[1])
            if first < end:
                found.append((first, end))
            if one[1] < two[1]:
                one = next(mine, None)
            else:
                two = next(others, None)
        return AddressSet(tuple(found))

    def __invert__(self) -> AddressSet:
        edges = [0, *(edge for span in self.spans for edge in span), _END]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return AddressSet(tuple((first, end) for first, end in pairs if first < end))

    def networks(self) -> Iterator[Network]:
        """Yield the fewest networks that have just these addresses in them."""
        for first, end in self.spans:
            if first < SIX:
                yield from summarize_address_range(IPv4Address(first), IPv4Address(min(end, SIX) - 1))
            if end > SIX:
                yield from summarize_address_range(IPv6Address(max(first, SIX) - SIX), IPv6Address(end - 1 - SIX))


def _merged(spans: Iterable[Span]) -> AddressSet:
    merged: list[Span] = []
    for first, end in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((first, end))
    return AddressSet(tuple(merged))


def _span(network: Network) -> Span:
    first = int(network.network_address) + (SIX if network.version == 6 else 0)
    return first, first + network.num_addresses


def number_of(text: str) -> int | None:
    """Return an address as its number on the line of both families, or None when it is none."""
    try:
        address = ip_address(_without_zeros(text).partition("%")[0])
    except ValueError:
        return None
    return int(address) + (SIX if address.version == 6 else 0)


def single_number(network: Network) -> int | None:
    """Return the number of the one address that a network has, or None when it has more."""
    if network.prefixlen != network.max_prefixlen:
        return None
    return int(network.network_address) + (SIX if network.version == 6 else 0)


def network_of(text: str) -> Network | None:
    """Return the network of a CIDR as Kubernetes reads it (host bits are cut off, IPv4 may have leading zeros), or None
    when it is none: then nothing is in it."""
    try:
        return ip_network(_without_zeros(text), strict=False) if "/" in text else None
    except ValueError:
        return None


def _without_zeros(text: str) -> str:
    return text if ":" in text else _LEADING_ZEROS.sub("", text)


EVERY_ADDRESS = AddressSet(((0, _END),))
NO_ADDRESS = AddressSet()
PRIVATE = AddressSet.of(*map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
"""Addresses that clusters give to pods (RFC 1918, RFC 6598, RFC 4193)."""
