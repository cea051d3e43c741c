"""The layers beside network policies, asked once for all classes that they see alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial

from soc2.model.network.classes import Classes
from soc2.model.network.endpoints import Endpoint, Peer
from soc2.model.network.layers import Layer, Reason
from soc2.model.network.ports import EVERY_PORT, PortSet
from soc2.model.network.selection import set_of
from soc2.model.network.tiers import Table, both, common


class Layered:
    """What all layers let through."""

    def __init__(self, layers: Sequence[Layer], classes: Classes) -> None:
        self._layers = tuple(_Grouped(layer, classes) for layer in layers)

    def allowed(self, source: Peer, target: Peer) -> PortSet:
        ports = EVERY_PORT
        for each in self._layers:
            ports = both(ports, each.allowed(source, target))
        return ports

    def reasons(self, source: Peer, target: Peer, port: tuple[str, int]) -> tuple[Reason, ...]:
        return tuple(each.layer.reason(source, target, port) for each in self._layers)

    def stops(self, source: Peer, target: Peer, port: tuple[str, int]) -> tuple[Reason, ...]:
        """Return the reasons of the layers that do not let a port through."""
        return tuple(
            each.layer.reason(source, target, port) for each in self._layers if port not in each.allowed(source, target)
        )

    def from_classes(self, found: Table[int], target: Endpoint) -> Table[int]:
        """Return what the layers leave of what classes have open to a target."""
        for each in self._layers:
            found = each.restrict(found, partial(each.allowed, target=target))
        return found

    def to_classes(self, source: Peer, found: Table[int]) -> Table[int]:
        """Return what the layers leave of what a source has open to classes."""
        for each in self._layers:
            found = each.restrict(found, partial(each.allowed, source))
        return found


class _Grouped:
    """A layer with the classes grouped by what it knows of them."""

    def __init__(self, layer: Layer, classes: Classes) -> None:
        self.layer = layer
        self._classes = classes
        groups: dict[Hashable, list[int]] = {}
        for each in classes.classes:
            one = each.endpoints[0]
            groups.setdefault((one.namespace, layer.key(one)), []).append(each.number)
        self._members = [set_of(numbers) for numbers in groups.values()]
        self._first = [classes.classes[numbers[0]].endpoints[0] for numbers in groups.values()]
        self._groups = {number: group for group, numbers in enumerate(groups.values()) for number in numbers}
        self._known: dict[tuple[int, int], PortSet] = {}

    def allowed(self, source: Peer, target: Peer) -> PortSet:
        if not (isinstance(source, Endpoint) and isinstance(target, Endpoint)):
            return self.layer.allowed(source, target)
        numbers = self._classes.numbers
        key = self._groups[numbers[source.resource]], self._groups[numbers[target.resource]]
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self.layer.allowed(source, target)
        return found

    def restrict(self, found: Table[int], allowed: Callable[[Endpoint], PortSet]) -> Table[int]:
        """Return the table with no more open than the layer lets through; it is only asked for what is in the table."""
        present = 0
        for members in found.values():
            present |= members
        passing: Table[int] = {}
        for members, first in zip(self._members, self._first, strict=True):
            if members & present and (ports := allowed(first)):
                passing[ports] = passing.get(ports, 0) | members
        return common(found, passing)
