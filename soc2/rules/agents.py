"""Rules on the agents that watch nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.joins import NodeAgents


@dataclass(frozen=True, kw_only=True)
class AgentMissing(Deviation):
    template: ClassVar[str] = "no ready pod of {agent} runs on the node"
    agent: str


def running(declared: Iterable[str]) -> Callable[[NodeAgents], Iterator[Deviation]]:
    """Return the rule that every declared DaemonSet (``namespace/name``) has a ready pod on the node.

    When none is declared every node deviates: nothing is known to watch it.
    """
    wanted = tuple(declared) or ("any agent (none is declared)",)

    def rule(record: NodeAgents) -> Iterator[Deviation]:
        for agent in wanted:
            if agent not in record.running:
                yield AgentMissing(resource=record.resource, agent=agent)

    return rule
