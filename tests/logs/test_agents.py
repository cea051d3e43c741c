"""What log agents count, asked of a stand-in for a Prometheus: which counters, of which place, and what is no evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from soc2.evidence import EvidenceStore
from soc2.gather.logs.agents import LogAgents, growth
from soc2.gather.source import Gatherer, Listing
from soc2.log_sources import Logs
from soc2.model.log_agents import AgentCounters
from soc2.model.population import Cause
from soc2.system import About, System

Series = dict[str, list[tuple[dict[str, str], str]]]


@contextmanager
def prometheus(series: Series, status: int = 200, token: str = "") -> Iterator[str]:
    """Answer an instant query with the samples of the first selector that stands in it; ``up == 0`` is one, too."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (query,) = parse_qs(urlsplit(self.path).query)["query"]
            found = next(
                (samples for selector, samples in series.items() if f"({selector}[" in query or selector == query), []
            )
            result = [{"metric": labels, "value": [1.0, value]} for labels, value in found]
            allowed = not token or self.headers["Authorization"] == f"Bearer {token}"
            body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
            self.send_response_only(status if allowed else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def gathered(folder: Path, **logs: Any) -> Listing[AgentCounters]:
    system = System(system=About(name="t", owner="t"), logs=Logs(**logs))
    gatherer = Gatherer(system, lambda: pytest.fail("no cluster"), lambda: pytest.fail("no AWS"), EvidenceStore(folder))
    try:
        return LogAgents().gather(gatherer)
    finally:
        gatherer.close()


ONE, TWO = {"job": "fluent-bit", "instance": "10.0.0.1:2020", "node": "node-1"}, {"job": "falco", "instance": "10.0.0.2:8765"}
COUNTED: Series = {
    "fluentbit_output_proc_records_total": [(ONE, "1000")],
    "fluentbit_output_errors_total": [(ONE, "2")],
    "fluentbit_output_retries_failed_total": [(ONE, "1")],
    "falcosecurity_scap_n_evts_total": [(TWO, "5e5")],
    "falcosecurity_scap_n_drops_total": [(TWO, "12.5")],
    "otelcol_exporter_sent_log_records_total": [({"job": "otel", "instance": "c:8888", "nodename": "node-3"}, "7")],
    "otelcol_exporter_send_failed_log_records_total": [({"job": "otel", "instance": "c:8888", "nodename": "node-3"}, "3")],
}


def test_counters_are_summed_by_agent_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "not-to-be-written")
    elsewhere = ({"job": "database", "instance": "db:9090"}, "0")
    with prometheus({**COUNTED, "up == 0": [elsewhere]}, token="not-to-be-written") as url:
        listing = gathered(tmp_path, prometheus=url, prometheus_token_env="PROMETHEUS_TOKEN")
    assert listing.items == (
        AgentCounters(agent="fluent-bit", job="fluent-bit", place="node-1", delivered=1000.0, dropped=0.0, errors=3.0),
        AgentCounters(agent="otel-collector", job="otel", place="node-3", delivered=7.0, dropped=3.0, errors=0.0),
        AgentCounters(agent="falco", job="falco", place="10.0.0.2:8765", delivered=5e5, dropped=12.5, errors=0.0),
    )
    assert all(status.complete for status in listing.statuses)
    assert not any(b"not-to-be-written" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_an_agent_that_is_not_scraped_is_missing_evidence(tmp_path: Path) -> None:
    with prometheus({**COUNTED, "up == 0": [({"job": "falco", "instance": "x", "node": "node-9"}, "0")]}) as url:
        listing = gathered(tmp_path, prometheus=url)
    problem = listing.statuses[0].problem
    assert (len(listing.items), problem and problem.cause) == (3, Cause.UNREACHABLE)
    assert "node-9" in str(problem)


@pytest.mark.parametrize(
    ("status", "value", "cause"),
    [
        (200, "NaN", Cause.MALFORMED),
        (200, "many", Cause.MALFORMED),
        (403, "1", Cause.DENIED),
        (500, "1", Cause.SERVER_ERROR),
    ],
)
def test_an_answer_that_says_nothing_is_no_evidence(tmp_path: Path, status: int, value: str, cause: Cause) -> None:
    with prometheus({"fluentbit_output_proc_records_total": [(ONE, value)]}, status) as url:
        listing = gathered(tmp_path, prometheus=url)
    problem = listing.statuses[0].problem
    assert (listing.items, problem and problem.cause) == ((), cause)


def test_without_a_prometheus_nothing_is_asked(tmp_path: Path) -> None:
    assert gathered(tmp_path) == Listing((), ())


def test_a_counter_that_appears_in_the_window_counts_from_nothing() -> None:
    labels = "job, instance, node, kubernetes_node, node_name, nodename, hostname"
    assert growth("errors_total", 60) == (
        f"sum by ({labels}) ((increase(errors_total[60s]) and errors_total offset 60s) "
        "or (max_over_time(errors_total[60s]) unless errors_total offset 60s))"
    )


def test_a_token_that_is_not_set_is_no_evidence_and_passwords_of_urls_are_not_shown(tmp_path: Path) -> None:
    unset = gathered(tmp_path, prometheus="http://127.0.0.1:1", prometheus_token_env="NOT_SET_ANYWHERE").statuses[0].problem
    assert "NOT_SET_ANYWHERE" in str(unset)
    with prometheus({}, status=403) as url:
        shown = gathered(tmp_path, prometheus=url.replace("//", "//user:not-to-be-written@")).statuses[0].problem
    assert str(shown).endswith(f"{url}/api/v1/query: HTTP 403")
