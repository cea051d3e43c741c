"""Asks a Prometheus what the agents that deliver logs count of themselves: delivered, dropped, failed.

The names are those of the agents' own documentation: Fluent Bit, Vector, the OpenTelemetry Collector (whose newer
releases end them in ``_total``), Falco, Promtail and Grafana Alloy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from soc2.gather.codec import canonical
from soc2.gather.kubernetes.connection import now
from soc2.gather.logs.http import HttpApi
from soc2.gather.logs.readers import Stopped
from soc2.gather.source import Gatherer, Listing
from soc2.model.log_agents import AgentCounters
from soc2.model.population import Cause, Problem

# Where an agent runs, by the first of these that the scrape configuration sets.
_NODE_LABELS = ("node", "kubernetes_node", "node_name", "nodename", "hostname")
_LABELS = ", ".join(("job", "instance", *_NODE_LABELS))


@dataclass(frozen=True)
class _Agent:
    """Selectors of the counters of an agent."""

    name: str
    delivered: tuple[str, ...]
    dropped: tuple[str, ...]
    errors: tuple[str, ...] = ()


_AGENTS = (
    _Agent(
        "fluent-bit",
        ("fluentbit_output_proc_records_total",),
        ("fluentbit_output_dropped_records_total",),
        ("fluentbit_output_errors_total", "fluentbit_output_retries_failed_total"),
    ),
    _Agent(
        "vector",
        # Every component counts what passes through it; only sinks deliver.
        ('vector_component_sent_events_total{component_kind="sink"}',),
        ('vector_component_discarded_events_total{intentional="false"}',),
        ("vector_component_errors_total",),
    ),
    _Agent(
        "otel-collector",
        ("otelcol_exporter_sent_log_records", "otelcol_exporter_sent_log_records_total"),
        (
            "otelcol_exporter_send_failed_log_records",
            "otelcol_exporter_send_failed_log_records_total",
            "otelcol_exporter_enqueue_failed_log_records",
            "otelcol_exporter_enqueue_failed_log_records_total",
        ),
        ("otelcol_receiver_refused_log_records", "otelcol_receiver_refused_log_records_total"),
    ),
    _Agent(
        "falco",
        ("falcosecurity_scap_n_evts_total",),
        ("falcosecurity_scap_n_drops_total",),
        ("falcosecurity_falco_outputs_queue_num_drops_total",),
    ),
    _Agent("promtail", ("promtail_sent_entries_total",), ("promtail_dropped_entries_total",)),
    _Agent("alloy", ("loki_write_sent_entries_total",), ("loki_write_dropped_entries_total",)),
)

_ROLES = ("delivered", "dropped", "errors")


@dataclass(frozen=True)
class LogAgents:
    """The agents that a declared Prometheus scrapes; none when none is declared. One that is not scraped now is missing
    evidence."""

    name: str = "counters of log agents"

    def gather(self, gatherer: Gatherer) -> Listing[AgentCounters]:
        logs = gatherer.system.logs
        if logs.prometheus is None:
            return Listing((), ())
        started = now()
        since, until = logs.window(started)
        found: list[AgentCounters] = []
        queries = 0
        try:
            api = HttpApi(logs.prometheus, logs.prometheus_token_env)
            reading = _Reading(api, int((until - since).total_seconds()), until.timestamp())
            for agent in _AGENTS:
                found += reading.agent(agent)
            problem = reading.down({each.job for each in found})
            queries = reading.queries
        except Stopped as error:
            problem = error.problem
        status = gatherer.evidence.answered(
            self.name,
            f"growth of counters from {since:%FT%TZ} to {until:%FT%TZ}",
            identity="the caller",
            started=started,
            pages=queries,
            items=len(found),
            sha256=gatherer.evidence.keep(canonical(found)),
            problem=problem,
        )
        return Listing(tuple(found), (status,))


@dataclass
class _Reading:
    api: HttpApi
    seconds: int
    at: float
    queries: int = 0

    def agent(self, agent: _Agent) -> list[AgentCounters]:
        """Return the agent's counters by job and place."""
        grown: dict[tuple[str, str], dict[str, float]] = {}
        for role in _ROLES:
            for selector in getattr(agent, role):
                for labels, value in self._ask(growth(selector, self.seconds)):
                    key = labels.get("job", ""), _place(labels)
                    grown.setdefault(key, dict.fromkeys(_ROLES, 0.0))[role] += value
        return [
            AgentCounters(agent=agent.name, job=job, place=place, **counters)
            for (job, place), counters in sorted(grown.items())
        ]

    def down(self, jobs: set[str]) -> Problem | None:
        """Return a problem when what is scraped for one of these jobs does not answer."""
        silent = sorted({_place(labels) for labels, _ in self._ask("up == 0") if labels.get("job") in jobs})
        if not silent:
            return None
        return Problem(Cause.UNREACHABLE, f"Prometheus gets no answer from {len(silent)} agents: {', '.join(silent[:5])}")

    def _ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        self.queries += 1
        answer = self.api.get("/api/v1/query", {"query": expression, "time": f"{self.at:.3f}"})
        try:
            return [_sample(each) for each in answer["data"]["result"]]
        except (LookupError, TypeError, ValueError, AttributeError):
            raise Stopped(Problem(Cause.MALFORMED, "Prometheus' answer is no vector of numbers")) from None


def growth(selector: str, seconds: int) -> str:
    """Return the PromQL for how much a counter grew by place.

    ``increase`` says nothing of the value that a series begins with, and error counters of some agents first appear with
    the first error: what was not there when the window began counts as a whole.
    """
    window = f"{seconds}s"
    before = f"{selector} offset {window}"
    grown = f"(increase({selector}[{window}]) and {before})"
    begun = f"(max_over_time({selector}[{window}]) unless {before})"
    return f"sum by ({_LABELS}) ({grown} or {begun})"


def _sample(raw: Any) -> tuple[dict[str, str], float]:
    value = float(raw["value"][1])
    if not math.isfinite(value):
        raise ValueError("no number")
    return {str(name): str(text) for name, text in raw["metric"].items()}, value


def _place(labels: dict[str, str]) -> str:
    return next((labels[name] for name in (*_NODE_LABELS, "instance") if labels.get(name)), "unknown")
