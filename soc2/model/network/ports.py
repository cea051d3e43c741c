"""Sets of ports, by protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

PROTOCOLS = ("TCP", "UDP", "SCTP")
"""What NetworkPolicies know. Other protocols (ICMP) are left to whoever implements them, so nothing is said of them."""
HIGHEST = 65535


class PortRange(NamedTuple):
    """Ports of a protocol from ``first`` to ``last``, both included."""

    protocol: str
    first: int
    last: int

    def __str__(self) -> str:
        if (self.first, self.last) == (0, HIGHEST):
            return f"every {self.protocol.lower()} port"
        number = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.protocol.lower()}/{number}"


@dataclass(frozen=True)
class PortSet:
    """Ports as sorted ranges that neither overlap nor touch, so that equal sets are equal. Make it with ``of``."""

    ranges: tuple[PortRange, ...] = ()

    @staticmethod
    def of(ranges: Iterable[PortRange]) -> PortSet:
        merged: list[PortRange] = []
        for each in sorted(ranges):
            before = merged[-1] if merged else None
            if before and before.protocol == each.protocol and each.first <= before.last + 1:
                merged[-1] = before._replace(last=max(before.last, each.last))
            else:
                merged.append(each)
        return PortSet(tuple(merged))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Kept, as sets are the keys of many tables.
        return hash(self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __iter__(self) -> Iterator[PortRange]:
        return iter(self.ranges)

    def __contains__(self, port: tuple[str, int]) -> bool:
        return any(each.protocol == port[0] and each.first <= port[1] <= each.last for each in self.ranges)

    def __or__(self, other: PortSet) -> PortSet:
        if not other.ranges or self.ranges == other.ranges:
            return self
        return PortSet.of((*self.ranges, *other.ranges)) if self.ranges else other

    def __and__(self, other: PortSet) -> PortSet:
        found = []
        mine, others = iter(self.ranges), iter(other.ranges)
        one, two = next(mine, None), next(others, None)
        while one and two:
            if one.protocol == two.protocol and one.first <= two.last and two.first <= one.last:
                found.append(_overlap(one, two))
            if (one.protocol, one.last) < (two.protocol, two.last):
                one = next(mine, None)
            else:
                two = next(others, None)
        return PortSet(tuple(found))

    def __sub__(self, other: PortSet) -> PortSet:
        found: list[PortRange] = []
        cuts = iter(other.ranges)
        cut = next(cuts, None)
        for each in self.ranges:
            first = each.first
            while cut and (cut.protocol, cut.last) < (each.protocol, first):
                cut = next(cuts, None)
            while cut and cut.protocol == each.protocol and cut.first <= each.last:
                if first < cut.first:
                    found.append(PortRange(each.protocol, first, cut.first - 1))
                first = cut.last + 1
                if first > each.last:
                    break
                cut = next(cuts, None)
            if first <= each.last:
                found.append(each if first == each.first else PortRange(each.protocol, first, each.last))
        return PortSet(tuple(found))

    def __le__(self, other: PortSet) -> bool:
        return not self - other

    @cached_property
    def words(self) -> str:
        """Return the ports as reports show them: ``tcp/443, udp/53``, or ``every port``."""
        return "every port" if self == EVERY_PORT else ", ".join(map(str, self.ranges)) or "no port"


def _overlap(one: PortRange, two: PortRange) -> PortRange:
    if two.first <= one.first and one.last <= two.last:
        return one
    return PortRange(one.protocol, max(one.first, two.first), min(one.last, two.last))


NO_PORT = PortSet()
EVERY_PORT = PortSet.of(PortRange(protocol, 0, HIGHEST) for protocol in PROTOCOLS)
