"""What the agents that deliver logs count of themselves."""

from __future__ import annotations

from dataclasses import dataclass

from soc2.model.deviation import Resource


@dataclass(frozen=True, kw_only=True)
class AgentCounters:
    """By how much the counters of one agent in one place (a node, or what is scraped) grew in the window: records that
    it delivered, records that it lost, and errors of any kind."""

    agent: str
    job: str
    place: str
    delivered: float
    dropped: float
    errors: float

    @property
    def resource(self) -> Resource:
        return Resource("LogAgent", self.place, self.agent)

    @property
    def drop_share(self) -> float:
        """Return lost records as a share (0 to 1) of all that the agent took up."""
        every = self.delivered + self.dropped
        return self.dropped / every if every else 0.0
