"""What is known of nodes: their addresses and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.meta import LabelSelector
from soc2.model.network.addresses import AddressSet, number_of
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.selection import Selection, places_in


class KnownNodes:
    """Addresses and labels of nodes, as far as they are known: of Node objects, and by the pods in their network."""

    def __init__(self, nodes: Sequence[Node], endpoints: Sequence[Endpoint]) -> None:
        found: dict[str, set[int]] = {node.name: set() for node in nodes}
        for node in nodes:
            found[node.name] |= _numbers(address.address for address in node.status.addresses)
        for endpoint in endpoints:
            if endpoint.host_network and endpoint.node:
                found.setdefault(endpoint.node, set()).update(_numbers(endpoint.addresses))
        self._numbers = found
        self._names = tuple(node.name for node in nodes)
        self._labels = Selection([node.labels for node in nodes])
        self._at: dict[int, set[str]] = {}
        for name, numbers in found.items():
            for number in numbers:
                self._at.setdefault(number, set()).add(name)
        self.known = tuple(self._at)

    def numbers(self, node: str) -> Iterable[int]:
        return self._numbers.get(node, ())

    def at(self, number: int) -> frozenset[str]:
        return frozenset(self._at.get(number, ()))

    def select(self, selector: LabelSelector) -> tuple[AddressSet, AddressSet]:
        """Return the addresses of the nodes that are selected, and of those that may be: their labels are not known."""
        chosen = {self._names[place] for place in places_in(self._labels.select(selector))}
        possible = chosen | (self._numbers.keys() - set(self._names))
        return self._addresses(chosen), self._addresses(possible)

    def _addresses(self, names: Iterable[str]) -> AddressSet:
        return AddressSet.of_numbers(number for name in names for number in self._numbers[name])


def _numbers(addresses: Iterable[str]) -> set[int]:
    return {number for each in addresses if (number := number_of(each)) is not None}
