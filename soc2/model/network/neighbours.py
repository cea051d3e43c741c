"""Nodes and the pods on them: no policy stops traffic between these."""

from __future__ import annotations

from collections.abc import Iterable

from soc2.model.network.addresses import single_number
from soc2.model.network.classes import Classes
from soc2.model.network.endpoints import Block, Endpoint, Peer
from soc2.model.network.selection import set_of


class Neighbours:
    """Who is on the same node as whom. A pod whose node is not known may be on each."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        places: dict[str, list[int]] = {}
        for each in classes.classes:
            for node in {endpoint.node for endpoint in each.endpoints}:
                places.setdefault(node, []).append(each.number)
        self._on = {node: set_of(numbers) for node, numbers in places.items()}
        self._anywhere = self._on.get("", 0)

    def are(self, source: Peer, target: Peer) -> bool:
        """Tell whether one is the node, or a pod in its network, that the other is on. Of Blocks, single addresses of a
        node are; a larger one also has others in it."""
        if isinstance(source, Block):
            return isinstance(target, Endpoint) and self._is_node_of(source, target)
        if isinstance(target, Block):
            return self._is_node_of(target, source)
        if not (source.host_network or target.host_network):
            return False
        return not source.node or not target.node or source.node == target.node

    def of(self, endpoint: Endpoint) -> int:
        """Return the classes that have neighbours of an endpoint among them."""
        return self._of_nodes([endpoint.node], host_network=endpoint.host_network)

    def of_class(self, number: int) -> int:
        """Return the classes that have neighbours of any endpoint of a class among them."""
        endpoints = self._classes.classes[number].endpoints
        return self._of_nodes({each.node for each in endpoints}, host_network=endpoints[0].host_network)

    def _of_nodes(self, nodes: Iterable[str], *, host_network: bool) -> int:
        found = self._anywhere
        for node in nodes:
            found |= self._on.get(node, 0) if node else self._classes.everybody
        return found if host_network else found & self._classes.hosts

    def _is_node_of(self, block: Block, endpoint: Endpoint) -> bool:
        number = single_number(block.network)
        nodes = frozenset() if number is None else self._classes.nodes_at(number)
        return bool(nodes) and (not endpoint.node or endpoint.node in nodes)
