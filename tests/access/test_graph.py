"""Shortest paths, against a search as a textbook has it."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from soc2.model.access.graph import AccessGraph

NODE = st.sampled_from("abcdefgh")


def distance(edges: set[tuple[str, str]], start: str, target: str) -> int | None:
    """Breadth-first search as a textbook has it."""
    seen, queue = {start}, deque([(start, 0)])
    while queue:
        node, steps = queue.popleft()
        if node == target:
            return steps
        for source, following in edges:
            if source == node and following not in seen:
                seen.add(following)
                queue.append((following, steps + 1))
    return None


@given(st.sets(st.tuples(NODE, NODE), max_size=30), NODE)
def test_paths_are_real_and_shortest(edges: set[tuple[str, str]], target: str) -> None:
    graph = AccessGraph()
    for source, following in sorted(edges):
        graph.add(source, following, f"{source} to {following}")
    known = {node for edge in edges for node in edge}
    found = dict(graph.paths_to(target, sorted(known)))
    for start in known:
        expected = distance(edges, start, target) if target in known else None
        assert (start in found) == (expected is not None)
        if start in found:
            steps = found[start]
            assert len(steps) == expected
            assert all((step.source, step.target) in edges for step in steps)
            places = [start, *(step.target for step in steps)]
            assert places[-1] == target
            assert [step.source for step in steps] == places[:-1]


def test_the_first_way_between_two_nodes_is_told() -> None:
    graph = AccessGraph()
    graph.add("a", "b", "first")
    graph.add("a", "b", "second")
    ((_, steps),) = graph.paths_to("b", ["a"])
    assert [step.how for step in steps] == ["first"]
    assert graph.size == (2, 1)


@given(st.sets(st.tuples(NODE, NODE), max_size=30), st.sets(NODE, min_size=2, max_size=4))
def test_the_two_nearest_targets_are_found(edges: set[tuple[str, str]], targets: set[str]) -> None:
    graph = AccessGraph()
    for source, following in sorted(edges):
        graph.add(source, following, "go")
    known = {node for edge in edges for node in edge}
    for start in sorted(known):
        found = [(target, len(steps)) for _, target, steps in graph.nearest(sorted(targets), [start], most=2)]
        distances = {target: distance(edges, start, target) for target in targets & known}
        possible = sorted(steps for steps in distances.values() if steps is not None)
        assert [steps for _, steps in found] == possible[:2]
        assert all(distances[target] == steps for target, steps in found)
        assert len({target for target, _ in found}) == len(found)
