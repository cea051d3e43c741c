"""The graph of access: who can become whom, and the shortest path from a start to a target."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import rustworkx as rx

from soc2.model.deviation import Resource


@dataclass(frozen=True)
class Step:
    """One hop: what stands at ``source`` can become or reach ``target``, and ``how`` (verb and object)."""

    source: str
    target: str
    how: str

    def __str__(self) -> str:
        return f"{self.source} can {self.how}: {self.target}"


@dataclass(frozen=True)
class AccessPath:
    """A shortest path from a start in scope to a target."""

    start: Resource
    target: str
    steps: tuple[Step, ...]

    @property
    def resource(self) -> Resource:
        return self.start


class AccessGraph:
    """Nodes are texts such as ``ServiceAccount/shop/robot``; the first edge between two nodes is the one that is told."""

    def __init__(self) -> None:
        self._graph: rx.PyDiGraph[str, str] = rx.PyDiGraph(multigraph=False)
        self._index: dict[str, int] = {}
        self._edges: set[tuple[int, int]] = set()

    def _node(self, name: str) -> int:
        if name not in self._index:
            self._index[name] = self._graph.add_node(name)
        return self._index[name]

    def add(self, source: str, target: str, how: str) -> None:
        """Add a hop; a second way from the same source to the same target is not kept."""
        pair = (self._node(source), self._node(target))
        if source != target and pair not in self._edges:
            self._edges.add(pair)
            self._graph.add_edge(*pair, how)

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def names(self, prefix: str) -> tuple[str, ...]:
        """Return, in order, the nodes whose names begin with a text."""
        return tuple(sorted(name for name in self._index if name.startswith(prefix)))

    @property
    def size(self) -> tuple[int, int]:
        """Return the numbers of nodes and edges."""
        return self._graph.num_nodes(), self._graph.num_edges()

    def paths_to(self, target: str, starts: Iterable[str]) -> Iterator[tuple[str, tuple[Step, ...]]]:
        """Yield (start, steps) of a shortest path to the target for every start that has one."""
        for start, _, steps in self.nearest((target,), starts):
            yield start, steps

    def nearest(
        self, targets: Iterable[str], starts: Iterable[str], most: int = 1
    ) -> Iterator[tuple[str, str, tuple[Step, ...]]]:
        """Yield (start, target, steps) for up to ``most`` of the targets nearest to each start, the nearest first."""
        known = [self._index[target] for target in targets if target in self._index]
        towards = self._towards(known, most)
        # Many paths end in the same way.
        ends: dict[tuple[int, int], tuple[Step, ...]] = {}

        def steps(at: int, target: int) -> tuple[Step, ...]:
            hops = []
            while (at, target) not in ends and (following := towards[at][target]) is not None:
                hops.append((at, following))
                at = following
            rest = ends.setdefault((at, target), ())
            for source, following in reversed(hops):
                step = Step(self._graph[source], self._graph[following], self._graph.get_edge_data(source, following))
                rest = ends[source, target] = (step, *rest)
            return rest

        for start in starts:
            for target in towards.get(self._index.get(start, -1), ()):
                yield start, self._graph[target], steps(self._index[start], target)

    def _towards(self, targets: Iterable[int], most: int) -> dict[int, dict[int, int | None]]:
        """Return, by node and by target, the node after it on a shortest path; breadth first from all targets at once."""
        found: dict[int, dict[int, int | None]] = {target: {target: None} for target in targets}
        queue = deque((target, target) for target in found)
        while queue:
            node, target = queue.popleft()
            for before in sorted(self._graph.predecessor_indices(node)):
                reached = found.setdefault(before, {})
                if target not in reached and len(reached) < most:
                    reached[target] = node
                    queue.append((before, target))
        return found
