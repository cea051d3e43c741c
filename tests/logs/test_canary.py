"""The audit canary against the real API server and its audit log: found, lost, and where nobody can look."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soc2.demo.build import Binaries
from soc2.demo.controlplane import ControlPlane, Protections
from soc2.evidence import EvidenceStore
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.logs import canary
from soc2.gather.logs.canary import AuditCanary, sender_of
from soc2.gather.source import Gatherer, Listing
from soc2.log_sources import AbsentLog, Athena, Logs, LogSource
from soc2.model.canaries import CanaryPath, CanaryRun
from soc2.model.deviation import Deviation
from soc2.model.logs import LogKind
from soc2.model.population import Cause
from soc2.rules.canaries import found_with_sender
from soc2.system import About, System
from tests import conftest

RUNS = 3
Examine = Callable[..., Listing[CanaryPath]]


def audit(name: str, **place: Any) -> LogSource:
    return LogSource(name=name, kind=LogKind.KUBERNETES_AUDIT, **place)


@pytest.fixture
def examine(tmp_path: Path) -> Iterator[Examine]:
    """Send canaries to a control plane as a user without rights, and say what became of them."""
    opened: list[Gatherer] = []

    def run(plane: ControlPlane, *sources: LogSource, user: str = "canary", seconds: int = 600, **logs: Any) -> Any:
        groups = ("system:masters",) if user == "admin" else ()
        system = System(system=About(name="t", owner="t"), logs=Logs(sources=sources, canary_seconds=seconds, **logs))
        connection = KubeConnection(plane.kubeconfig(user, groups))
        gatherer = Gatherer(system, lambda: connection, _no_aws, EvidenceStore(tmp_path / "evidence"))
        opened.append(gatherer)
        return AuditCanary(RUNS).gather(gatherer)

    yield run
    for gatherer in opened:
        gatherer.close()


def _no_aws() -> Any:
    raise AssertionError("no AWS here")


@pytest.fixture(autouse=True)
def _no_wait_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "_APART_SECONDS", 0.0)


def may_list_namespaces(plane: ControlPlane, user: str) -> None:
    admin = KubeConnection(plane.kubeconfig("admin", ("system:masters",)))
    group = "rbac.authorization.k8s.io"
    api = f"/apis/{group}/v1"
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}]
    role = {"metadata": {"name": user}, "rules": rules}
    reference = {"kind": "ClusterRole", "name": user, "apiGroup": group}
    binding = {
        "metadata": {"name": user},
        "roleRef": reference,
        "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
    }
    for path, body in ((f"{api}/clusterroles", role), (f"{api}/clusterrolebindings", binding)):
        admin.request(
            "PATCH",
            f"{path}/{user}",
            {"fieldManager": "t", "force": "true"},
            body={**body, **_kind(path)},
            content_type="application/apply-patch+yaml",
        )
    admin.close()


def _kind(path: str) -> dict[str, str]:
    kind = "ClusterRole" if path.endswith("roles") else "ClusterRoleBinding"
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind}


def judged(listing: Listing[CanaryPath]) -> list[Deviation]:
    return [deviation for path in listing.items for deviation in found_with_sender(path)]


@pytest.mark.controlplane
def test_refused_requests_are_found_in_the_log_of_the_api_server(control_plane: ControlPlane, examine: Examine) -> None:
    may_list_namespaces(control_plane, "canary")
    listing = examine(control_plane, audit("file", path=str(control_plane.audit_log)))
    (path,) = listing.items
    assert (path.log, path.sender, len(path.runs), path.lost) == ("file", "canary", RUNS, 0)
    assert [run.actor for run in path.runs] == ["canary"] * RUNS
    assert (path.percentile(0.95) or 0.0) < 10
    assert judged(listing) == []
    assert listing.statuses[-1].query.startswith(f"look for canaries in file: {RUNS} of {RUNS} found, after ")


@pytest.mark.controlplane
def test_a_log_that_gets_nothing_is_a_deviation_and_one_that_cannot_be_read_is_no_evidence(
    control_plane: ControlPlane, examine: Examine, tmp_path: Path
) -> None:
    may_list_namespaces(control_plane, "canary")
    (tmp_path / "silent.log").touch()
    listing = examine(
        control_plane,
        audit("gone", path=str(tmp_path / "nowhere" / "audit.log")),
        audit("silent", path=str(tmp_path / "silent.log")),
        audit("table", athena=Athena(database="d", table="t", output="s3://b")),
        audit("whole folder", path=str(control_plane.audit_log.parent)),
        seconds=1,
    )
    assert [(path.log, path.lost) for path in listing.items] == [("silent", RUNS), ("whole folder", 0)]
    assert [str(deviation.resource) for deviation in judged(listing)] == ["LogSource/silent"]
    problems = [status.problem.cause if status.problem else None for status in listing.statuses[1:]]
    assert problems == [Cause.ABSENT, None, Cause.NOT_IMPLEMENTED, None]


@pytest.mark.controlplane
def test_without_an_audit_log_every_canary_is_lost(binaries: Binaries, examine: Examine, tmp_path: Path) -> None:
    with ControlPlane(binaries, tmp_path / "plane", Protections(audit_log=False)) as plane:
        may_list_namespaces(plane, "canary")
        listing = examine(plane, audit("file", path=str(plane.audit_log)), seconds=1)
    (path,) = listing.items
    assert path.runs == (CanaryRun(None),) * RUNS
    (deviation,) = judged(listing)
    assert deviation.message.startswith(f"{RUNS} of {RUNS} canaries were not found in it within 1 s")


@pytest.mark.controlplane
def test_who_may_read_secrets_can_send_no_canary(control_plane: ControlPlane, examine: Examine) -> None:
    listing = examine(control_plane, audit("file", path=str(control_plane.audit_log)), user="admin")
    problem = listing.statuses[-1].problem
    assert (listing.items, problem and problem.cause) == ((), Cause.INCONCLUSIVE)
    assert "may read Secrets" in str(problem)


@pytest.mark.controlplane
def test_no_declared_log_is_no_evidence_unless_the_owner_says_why(control_plane: ControlPlane, examine: Examine) -> None:
    may_list_namespaces(control_plane, "canary")
    listing = examine(control_plane)
    problem = listing.statuses[-1].problem
    assert (listing.items, problem and problem.cause) == ((), Cause.ABSENT)
    absent = examine(control_plane, absent=(AbsentLog(kind=LogKind.KUBERNETES_AUDIT, reason="no log here"),))
    assert (absent.items, absent.statuses, absent.exempt) == ((), (), "no log here")


@pytest.mark.controlplane
def test_a_run_shows_the_latency_and_whom_it_cannot_ask(control_plane: ControlPlane, tmp_path: Path) -> None:
    may_list_namespaces(control_plane, "canary")
    system = tmp_path / "system.toml"
    log = '[[logs.sources]]\nname = "{}"\nkind = "kubernetes-audit"\npath = "{}"\n'
    system.write_text(
        '[system]\nname = "t"\nowner = "t"\n[aws]\nabsent = "the test has none"\n'
        + log.format("file", control_plane.audit_log)
        + log.format("gone", tmp_path / "nowhere" / "audit.log")
    )
    kubeconfig = control_plane.kubeconfig("canary", ())
    options = ["--target", "live", "--system", str(system), "--kubeconfig", str(kubeconfig), "-k", "refused_requests"]
    run = conftest.examine(tmp_path / "reports", *options)
    (check,) = run.results["checks"]
    assert (check["id"], check["outcome"]) == ("audit-canary-found", "evidence_missing")
    assert "is no folder" in check["reason"]
    assert any("file: 5 of 5 found, after " in source["query"] for source in check["population"]["sources"])


EVENT: dict[str, Any] = {"userAgent": "soc2-canary/00112233445566aa", "user": {"username": "examiner"}}
_LINE = json.dumps(EVENT)


@pytest.mark.parametrize(
    "record",
    [
        _LINE,
        json.dumps({"log": _LINE, "stream": "stdout"}),
        json.dumps({"message": json.dumps({"log": _LINE})}),
        "2026-06-01T00:00:00Z stdout F " + _LINE,
        json.dumps({"kind": "EventList", "items": [{"userAgent": "kubectl", "user": {"username": "other"}}, EVENT]}),
    ],
)
def test_the_sender_is_read_in_whatever_a_collector_wraps_the_event(record: str) -> None:
    assert sender_of(record.encode(), EVENT["userAgent"]) == "examiner"


@pytest.mark.parametrize(
    "record", ["", "{", "[" * 9, json.dumps({"user": {"username": "x"}}), json.dumps({**EVENT, "user": 1})]
)
def test_a_record_without_a_sender_names_nobody(record: str) -> None:
    assert sender_of(record.encode(), EVENT["userAgent"]) == ""


@pytest.mark.parametrize(
    ("seconds", "median", "high"),
    [([1.0], 1.0, 1.0), ([3.0, 1.0, 2.0], 2.0, 3.0), ([1.0, None], 1.0, None), ([None, None], None, None), ([], None, None)],
)
def test_percentiles_count_what_was_lost_as_slowest(
    seconds: list[float | None], median: float | None, high: float | None
) -> None:
    path = CanaryPath("log", LogKind.KUBERNETES_AUDIT, 600, "s", tuple(CanaryRun(each) for each in seconds))
    assert (path.percentile(0.5), path.percentile(0.95)) == (median, high)
