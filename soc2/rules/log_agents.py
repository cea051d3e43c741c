"""Rules on agents that deliver logs: they lose nothing and have no errors, by their own account."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.log_agents import AgentCounters

# The catalogue's CC7.2-14.
_MOST_DROPPED = 0.001


@dataclass(frozen=True, kw_only=True)
class RecordsDropped(Deviation):
    template: ClassVar[str] = "it lost {dropped} of its records ({percent} %, at most {limit_percent} % is allowed)"
    dropped: int
    percent: float
    limit_percent: float


@dataclass(frozen=True, kw_only=True)
class ErrorsGrow(Deviation):
    template: ClassVar[str] = "it counted {errors} errors"
    errors: int


def delivers(agent: AgentCounters) -> Iterator[Deviation]:
    """The agent drops next to nothing, and its errors do not grow."""
    if agent.drop_share > _MOST_DROPPED:
        yield RecordsDropped(
            resource=agent.resource,
            dropped=math.ceil(agent.dropped),
            percent=round(100 * agent.drop_share, 2),
            limit_percent=100 * _MOST_DROPPED,
        )
    if agent.errors > 0:
        yield ErrorsGrow(resource=agent.resource, errors=math.ceil(agent.errors))
