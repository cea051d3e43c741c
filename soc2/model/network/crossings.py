"""What network policies at both ends together leave open between classes of endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from soc2.model.network.classes import Classes, Meeting
from soc2.model.network.ports import NO_PORT, PortSet
from soc2.model.network.selection import places_in
from soc2.model.network.sides import Side, Sides
from soc2.model.network.tiers import Table, both, either, ports_of, union

_BATCH = 256
"""Targets that are worked out together. What may be sent to all of them is held in memory."""


class _Entry(NamedTuple):
    """Classes that all have the same ports (by their number in ``_PortSets``) open to the same others."""

    ports: int
    others: int
    classes: int


class _PortSets:
    """Numbers for sets of ports, as these are slow to hash."""

    def __init__(self) -> None:
        self.known: list[PortSet] = []
        self._numbers: dict[PortSet, int] = {}
        self._both: dict[tuple[int, int], int] = {}

    def number(self, ports: PortSet) -> int:
        found = self._numbers.get(ports)
        if found is None:
            found = self._numbers[ports] = len(self.known)
            self.known.append(ports)
        return found

    def both(self, one: int, other: int) -> int:
        """Return the number of the ports that are in both sets."""
        found = self._both.get((one, other))
        if found is None:
            found = self._both[one, other] = self.number(both(self.known[one], self.known[other]))
        return found


class Crossings:
    """Joins the egress of sources with the ingress of targets, over each of the meetings of their addresses."""

    def __init__(self, classes: Classes, sides: Sides) -> None:
        self._classes = classes
        self._sides = sides
        self._ports = _PortSets()
        self._pairs: dict[tuple[int, int], PortSet] = {}
        self._taking = [self._entries(sides.ingress, each.ingress) for each in classes.meetings]
        self._sending = [self._entries(sides.egress, each.egress) for each in classes.meetings]

    def between(self, source: int, target: int) -> PortSet:
        """Return the ports that are open from a class to another, by their numbers."""
        found = self._pairs.get((source, target))
        if found is None:
            found = NO_PORT
            for meeting in self.meetings(source, target):
                sending = ports_of(self._sides.egress[source].tables[meeting.egress], 1 << target)
                taking = ports_of(self._sides.ingress[target].tables[meeting.ingress], 1 << source)
                found = either(found, both(sending, taking))
            self._pairs[source, target] = found
        return found

    def meetings(self, source: int, target: int) -> Iterator[Meeting]:
        """Yield how addresses of two classes meet."""
        for each in self._classes.meetings:
            if each.sources >> source & 1 and each.targets >> target & 1:
                yield each

    def targets(self, source: int) -> Table[int]:
        """Return the classes that a class reaches, by the ports."""
        found: Table[int] = {}
        for meeting, entries in zip(self._classes.meetings, self._taking, strict=True):
            if meeting.sources >> source & 1:
                taking: dict[int, int] = {}
                for ports, sources, targets in entries:
                    if sources >> source & 1:
                        taking[ports] = taking.get(ports, 0) | targets
                sending = self._sides.egress[source].tables[meeting.egress]
                found = _more(found, self._common(sending, taking, meeting.targets))
        return found

    def sources(self) -> Iterator[Table[int]]:
        """Yield for every class, in their order, the classes that reach it by the ports."""
        for first in range(0, len(self._classes.classes), _BATCH):
            batches = [_batch(entries, first) for entries in self._sending]
            for target, side in enumerate(self._sides.ingress[first : first + _BATCH], first):
                found: Table[int] = {}
                for meeting, batch in zip(self._classes.meetings, batches, strict=True):
                    if meeting.targets >> target & 1:
                        taking = side.tables[meeting.ingress]
                        found = _more(found, self._common(taking, batch[target - first], meeting.sources))
                yield found

    def _common(self, table: Table[int], other: dict[int, int], met: int) -> Table[int]:
        """Return what is open in both for those that are met."""
        mine = [(self._ports.number(ports), members & met) for ports, members in table.items()]
        present = 0
        for _, members in mine:
            present |= members
        found: dict[int, int] = {}
        for ports, theirs in other.items():
            left = theirs & present
            for own, members in mine if left else ():
                if hit := left & members:
                    number = self._ports.both(own, ports)
                    found[number] = found.get(number, 0) | hit
                    if hit == left:
                        break
        return {known: members for number, members in found.items() if (known := self._ports.known[number])}

    def _entries(self, sides: Sequence[Side], family: int) -> list[_Entry]:
        found: dict[tuple[int, int], list[int]] = {}
        users = self._sides.classes_of(sides)
        for side, classes in users.items():
            for ports, others in side.tables[family].items():
                found.setdefault((self._ports.number(ports), others), []).append(classes)
        return [_Entry(ports, others, _all_of(sets)) for (ports, others), sets in found.items()]


def _more(found: Table[int], other: Table[int]) -> Table[int]:
    return union(found, other) if found else other


def _all_of(sets: Sequence[int]) -> int:
    found = 0
    for each in sets:
        found |= each
    return found


def _batch(entries: Sequence[_Entry], first: int) -> list[dict[int, int]]:
    """Return the sources by the ports that they may send to, for each of a number of targets."""
    tables: list[dict[int, int]] = [{} for _ in range(_BATCH)]
    mask = (1 << _BATCH) - 1
    for ports, others, classes in entries:
        for place in places_in(others >> first & mask):
            table = tables[place]
            table[ports] = table.get(ports, 0) | classes
    return tables
