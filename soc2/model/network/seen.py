"""Connections that were seen, each pair of ends with what nothing declares of it, and what lets that through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from soc2.model.deviation import Resource
from soc2.model.network.declared_flows import Declared
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.flows import End, EndKind, Flow
from soc2.model.network.let_through import LetThrough


@dataclass(frozen=True, kw_only=True)
class UndeclaredFlow:
    """A flow that nothing declares, and what lets it through, in words."""

    flow: Flow
    let_through: str


@dataclass(frozen=True, kw_only=True)
class SeenPair:
    """All that was seen from one end to another; ``source_shown`` and ``target_shown`` name them as reports do."""

    source: End
    target: End
    source_shown: str
    target_shown: str
    flows: tuple[Flow, ...]
    undeclared: tuple[UndeclaredFlow, ...] = ()

    @property
    def resource(self) -> Resource:
        """Return the end that is the owner's: the source, or the target where an address connected. A waiver names it."""
        foreign = self.source.kind is EndKind.ADDRESS and self.target.kind is not EndKind.ADDRESS
        return (self.target if foreign else self.source).resource


def seen_pairs(
    flows: Iterable[Flow],
    declared: Declared,
    let_through: LetThrough,
    in_scope: Callable[[str], bool],
    shown: Callable[[End], str] = str,
) -> Iterator[SeenPair]:
    """Yield the pairs of ends that are in scope, in the order of the flows.

    Pods of one namespace need no declaration unless the policies forbid it, nor does a node to the pods on it, whose health
    it asks for. What is out of scope is judged where the other end is a pod in scope, or a machine.
    """
    pairs: dict[tuple[End, End], list[Flow]] = {}
    for flow in flows:
        if _judged(flow, in_scope):
            pairs.setdefault((flow.source, flow.target), []).append(flow)
    for (source, target), between in pairs.items():
        undeclared = [flow for flow in between if not declared.allows(flow) and not _natural(flow, let_through)]
        yield SeenPair(
            source=source,
            target=target,
            source_shown=shown(source),
            target_shown=shown(target),
            flows=tuple(between),
            undeclared=tuple(UndeclaredFlow(flow=flow, let_through=let_through.words(flow)) for flow in undeclared),
        )


def _judged(flow: Flow, in_scope: Callable[[str], bool]) -> bool:
    ends = (flow.source, flow.target)
    namespaces = [end.resource.namespace for end in ends if end.kind is EndKind.WORKLOAD]
    return not namespaces or any(map(in_scope, namespaces)) or any(end.kind is EndKind.MACHINE for end in ends)


def _natural(flow: Flow, let_through: LetThrough) -> bool:
    if flow.target.kind is not EndKind.WORKLOAD:
        return False
    if flow.source.kind is EndKind.WORKLOAD:
        same = flow.source.resource.namespace == flow.target.resource.namespace
        return same and let_through.permitted(flow) is not False
    _, target = let_through.between(flow)
    return flow.source.kind is EndKind.NODE and isinstance(target, Endpoint) and target.node == flow.source.name
