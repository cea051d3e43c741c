"""The workloads of a cluster by what finally owns their pods, and sets of them (an int with a bit for each)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from soc2.model.deviation import Resource
from soc2.model.network.addresses import AddressSet, number_of
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.parties import Kind, Party
from soc2.model.network.selection import places_in, set_of


@dataclass(frozen=True)
class Workload:
    """A workload with its endpoints. ``number`` is its bit in sets of workloads, ``name`` is ``namespace/name``."""

    number: int
    resource: Resource
    name: str
    namespace: str
    endpoints: tuple[Endpoint, ...]

    @cached_property
    def host_network(self) -> bool:
        return any(each.host_network for each in self.endpoints)


class Workloads:
    """All workloads of a cluster, in the order of their names."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        found: dict[Resource, list[Endpoint]] = {}
        for endpoint in endpoints:
            found.setdefault(endpoint.workload, []).append(endpoint)
        ordered = sorted(found.values(), key=lambda each: (each[0].name, each[0].workload))
        self.all = tuple(
            Workload(number, each[0].workload, each[0].name, each[0].namespace, tuple(each))
            for number, each in enumerate(ordered)
        )
        self.numbers = {each.resource: each.number for each in self.all}
        self.everybody = (1 << len(self.all)) - 1
        self.hosts = self.where(lambda each: each.host_network)
        members: dict[str, list[int]] = {}
        for each in self.all:
            members.setdefault(each.namespace, []).append(each.number)
        self._by_namespace = {namespace: set_of(numbers) for namespace, numbers in members.items()}
        self._by_pattern: dict[str, int] = {}
        self._namespaces_of: dict[int, list[str]] = {}

    def where(self, holds: Callable[[Workload], bool]) -> int:
        return set_of([each.number for each in self.all if holds(each)])

    def members(self, workloads: int) -> Iterator[Workload]:
        """Yield the workloads of a set."""
        return (self.all[number] for number in places_in(workloads))

    def namespaces_of(self, workloads: int) -> list[str]:
        """Return the namespaces of a set of workloads, in the order of the workloads."""
        found = self._namespaces_of.get(workloads)
        if found is None:
            found = self._namespaces_of[workloads] = list(dict.fromkeys(each.namespace for each in self.members(workloads)))
        return found

    def of_namespace(self, namespace: str) -> int:
        return self._by_namespace.get(namespace, 0)

    def named(self, pattern: str) -> int:
        """Return the workloads whose ``namespace/name`` a pattern matches."""
        if pattern not in self._by_pattern:
            self._by_pattern[pattern] = self.where(lambda each: fnmatchcase(each.name, pattern))
        return self._by_pattern[pattern]

    def of_party(self, party: Party) -> int:
        """Return the workloads that a party of a declared connection is about: by their names, or as all of their pods'
        addresses are known and lie in the declared network. Those in their node's network are not meant by ``nodes``."""
        if party.kind is Kind.WORKLOAD:
            return self.named(party.pattern)
        if party.network is None:
            return 0
        inside = AddressSet.of(party.network)
        return self.where(lambda each: all(_lies_in(one, inside) for one in each.endpoints))


def _lies_in(endpoint: Endpoint, addresses: AddressSet) -> bool:
    numbers = [number_of(each) for each in endpoint.addresses]
    return bool(numbers) and all(number is not None and number in addresses for number in numbers)
