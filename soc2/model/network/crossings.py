"""What network policies at both ends together leave open between classes of endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from soc2.model.network.classes import Classes, Meeting
from soc2.model.network.ports import NO_PORT, PortSet
from soc2.model.network.selection import places_in, set_of
from soc2.model.network.sides import Side, Sides
from soc2.model.network.tiers import Table, both, common, either, ports_of, union


class _Entry(NamedTuple):
    """Classes that all have the same ports open to the same others."""

    ports: PortSet
    others: int
    classes: int


class Crossings:
    """Joins the egress of sources with the ingress of targets, over each of the meetings of their addresses."""

    def __init__(self, classes: Classes, sides: Sides) -> None:
        self._classes = classes
        self._sides = sides
        self._pairs: dict[tuple[int, int], PortSet] = {}
        self._incoming = [_entries(sides.ingress, each.ingress) for each in classes.meetings]

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
        for meeting, entries in zip(self._classes.meetings, self._incoming, strict=True):
            if meeting.sources >> source & 1:
                taking: Table[int] = {}
                for ports, sources, targets in entries:
                    if sources >> source & 1:
                        taking[ports] = taking.get(ports, 0) | targets & meeting.targets
                found = _more(found, common(self._sides.egress[source].tables[meeting.egress], taking))
        return found

    def sources(self, target: int) -> Table[int]:
        """Return the classes that reach a class, by the ports."""
        found: Table[int] = {}
        for meeting, sending in zip(self._classes.meetings, self._sending, strict=True):
            if meeting.targets >> target & 1:
                open_ = common(self._sides.ingress[target].tables[meeting.ingress], sending[target])
                met = {ports: sources & meeting.sources for ports, sources in open_.items()}
                found = _more(found, met)
        return found

    @cached_property
    def _sending(self) -> list[list[Table[int]]]:
        """For each meeting and each class as the target: the sources by the ports that they may send to."""
        count = len(self._classes.classes)
        return [_by_others(_entries(self._sides.egress, each.egress), count) for each in self._classes.meetings]


def _more(found: Table[int], other: Table[int]) -> Table[int]:
    return union(found, other) if found else other


def _entries(sides: Sequence[Side], family: int) -> list[_Entry]:
    found: dict[tuple[PortSet, int], list[int]] = {}
    for number, side in enumerate(sides):
        for entry in side.tables[family].items():
            found.setdefault(entry, []).append(number)
    return [_Entry(ports, others, set_of(numbers)) for (ports, others), numbers in found.items()]


def _by_others(entries: Iterable[_Entry], count: int) -> list[Table[int]]:
    tables: list[Table[int]] = [{} for _ in range(count)]
    for ports, others, classes in entries:
        for number in places_in(others):
            table = tables[number]
            table[ports] = table.get(ports, 0) | classes
    return tables
