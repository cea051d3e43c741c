"""Security groups with what they let in from outside, each by itself and as interfaces wear them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from soc2.model.aws.compute import NetworkInterface, SecurityGroup
from soc2.model.aws.openings import Opening
from soc2.model.deviation import Resource


@dataclass(frozen=True)
class OpenGroup:
    """A security group, whether any network interface wears it, and what it lets in from outside."""

    group: SecurityGroup
    attached: bool
    openings: tuple[Opening, ...]

    @property
    def resource(self) -> Resource:
        return self.group.resource


@dataclass(frozen=True)
class WornTogether:
    """Several groups that an interface wears, which let in what any of them does. ``others`` is how many more interfaces wear
    the same ones."""

    interface: NetworkInterface
    openings: tuple[tuple[Opening, ...], ...]
    others: int

    @property
    def resource(self) -> Resource:
        return self.interface.resource


def open_groups(
    groups: Sequence[SecurityGroup], interfaces: Iterable[NetworkInterface], opened: Mapping[str, tuple[Opening, ...]]
) -> Iterator[OpenGroup | WornTogether]:
    """Return every group and, once for each set of groups, the interfaces that wear more than one that lets something in."""
    sets = worn_sets(interfaces)
    worn = frozenset().union(*sets)
    for group in groups:
        yield OpenGroup(group, group.group_id in worn, opened[group.group_id])
    for names, wearers in sets.items():
        together = tuple(opened[name] for name in sorted(names) if opened.get(name))
        if len(together) > 1:
            first = min(wearers, key=lambda each: each.network_interface_id)
            yield WornTogether(first, together, len(wearers) - 1)


def worn_sets(interfaces: Iterable[NetworkInterface]) -> dict[frozenset[str], list[NetworkInterface]]:
    """Return the interfaces by the groups that they wear."""
    found: dict[frozenset[str], list[NetworkInterface]] = {}
    for interface in interfaces:
        found.setdefault(frozenset(each.group_id for each in interface.groups), []).append(interface)
    return found
