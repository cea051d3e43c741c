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
        return PortSet.of(
            PortRange(one.protocol, max(one.first, two.first), min(one.last, two.last))
            for one in self.ranges
            for two in other.ranges
            if one.protocol == two.protocol and one.first <= two.last and two.first <= one.last
        )

    def __sub__(self, other: PortSet) -> PortSet:
        left = list(self.ranges)
        for cut in other.ranges:
            left = [piece for each in left for piece in _without(each, cut)]
        return PortSet.of(left)

    def __le__(self, other: PortSet) -> bool:
        return not self - other

    @cached_property
    def words(self) -> str:
        """Return the ports as reports show them: ``tcp/443, udp/53``, or ``every port``."""
        return "every port" if self == EVERY_PORT else ", ".join(map(str, self.ranges)) or "no port"


def _without(each: PortRange, cut: PortRange) -> Iterator[PortRange]:
    if each.protocol != cut.protocol or cut.last < each.first or each.last < cut.first:
        yield each
        return
    if each.first < cut.first:
        yield each._replace(last=cut.first - 1)
    if cut.last < each.last:
        yield each._replace(first=cut.last + 1)


NO_PORT = PortSet()
EVERY_PORT = PortSet.of(PortRange(protocol, 0, HIGHEST) for protocol in PROTOCOLS)
