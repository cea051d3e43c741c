"""The graph of access: who can become whom, and the shortest path from a start to a target."""

from __future__ import annotations

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

    @property
    def size(self) -> tuple[int, int]:
        """Return the numbers of nodes and edges."""
        return self._graph.num_nodes(), self._graph.num_edges()

    def paths_to(self, target: str, starts: Iterable[str]) -> Iterator[tuple[str, tuple[Step, ...]]]:
        """Yield (start, steps) of a shortest path to the target for every start that has one."""
        if target not in self._index:
            return
        towards = self._next_hops(self._index[target])
        for start in starts:
            at = self._index.get(start)
            if at is None or at not in towards:
                continue
            steps = []
            while (following := towards[at]) is not None:
                steps.append(Step(self._graph[at], self._graph[following], self._graph.get_edge_data(at, following)))
                at = following
            yield start, tuple(steps)

    def _next_hops(self, target: int) -> dict[int, int | None]:
        """Return, for every node that reaches the target, the node after it on a shortest path."""
        self._graph.reverse()
        try:
            found: dict[int, int | None] = {target: None}
            for node, successors in rx.bfs_successors(self._graph, target):
                for successor in successors:
                    # The children of a node may have been reached before: the first time is on a shortest path.
                    found.setdefault(self._index[successor], self._index[node])
        finally:
            self._graph.reverse()
        return found
