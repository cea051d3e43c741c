"""What audit records keep: which classes they are of, what counts as missing, and what is nobody's fault."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from soc2.demo.controlplane import ControlPlane
from soc2.evidence import EvidenceStore
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.logs.audit_records import AuditRecords
from soc2.gather.source import Gatherer, Listing
from soc2.model.audit_records import AuditClassSample
from soc2.model.population import Cause
from soc2.system import System

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def gathered(folder: Path, log: Path, **logs: Any) -> Listing[AuditClassSample]:
    described = {
        "system": {"name": "x", "owner": "y"},
        "kubernetes": {"cluster": "main"},
        "logs": {"sources": [{"name": "audit", "kind": "kubernetes-audit", "path": str(log)}], **logs},
    }
    system = msgspec.convert(described, System)
    gatherer = Gatherer(system, cast(Any, None), cast(Any, None), EvidenceStore(folder / "evidence"))
    try:
        return AuditRecords().gather(gatherer)
    finally:
        gatherer.close()


RBAC = {"apiGroup": "rbac.authorization.k8s.io", "resource": "roles", "namespace": "a", "name": "r"}
SECRET = {"resource": "secrets", "namespace": "a", "name": "s"}


class Events:
    """Writes events that are complete but for what is changed."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, reference: dict[str, Any], verb: str = "get", **changed: Any) -> None:
        event: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Request",
            "auditID": f"{len(self.lines)}",
            "stage": "ResponseComplete",
            "requestURI": "/api",
            "verb": verb,
            "user": {"username": "dana"},
            "sourceIPs": ["10.0.0.1"],
            "objectRef": reference,
            "responseStatus": {"code": 200},
            "requestReceivedTimestamp": f"{NOON - timedelta(hours=1):%Y-%m-%dT%H:%M:%S.%fZ}",
            **changed,
        }
        self.lines.append(json.dumps({name: value for name, value in event.items() if value is not None}) + "\n")

    def gathered(self, folder: Path) -> Listing[AuditClassSample]:
        log = folder / "audit.log"
        log.write_text("".join(self.lines))
        return gathered(folder, log, since="2026-06-01T06:00:00Z", until="2026-06-01T12:00:00Z")


def test_each_class_is_counted_with_what_its_records_lack(tmp_path: Path) -> None:
    events = Events()
    body = {"kind": "Role"}
    events.add(SECRET)
    events.add(SECRET, sourceIPs=None)
    events.add(SECRET, user={"groups": ["x"]}, sourceIPs=[])
    events.add(SECRET, user={}, responseStatus={"code": 401})
    events.add({**SECRET, "apiGroup": "bitnami.com"}, user={})
    events.add(RBAC, "create", requestObject=body)
    events.add(RBAC, "update", level="Metadata")
    events.add(RBAC, "patch", responseStatus={"code": 403})
    events.add(RBAC, "delete")
    events.add(RBAC, "list", user={})
    events.add({"resource": "pods", "subresource": "exec"}, "")
    events.add({"resource": "pods"}, "list", user={})
    events.add({"resource": "serviceaccounts", "subresource": "token"}, "create")
    listing = events.gathered(tmp_path)
    assert all(status.complete for status in listing.statuses), listing.statuses
    assert listing.items == (
        AuditClassSample(log="audit", name="access control", count=4, without_body=1),
        AuditClassSample(log="audit", name="exec", count=1, without_verb=1),
        AuditClassSample(log="audit", name="secrets", count=4, without_identity=1, without_source=2),
        AuditClassSample(log="audit", name="token requests", count=1),
    )


def test_what_was_read_twice_or_is_no_answer_or_outside_of_the_window_does_not_count(tmp_path: Path) -> None:
    events = Events()
    events.add(SECRET, auditID="same")
    events.add(SECRET, auditID="same")
    events.add(SECRET, stage="RequestReceived", user={})
    events.add(SECRET, requestReceivedTimestamp="2026-05-31T00:00:00.000000Z", user={})
    events.add(SECRET, requestReceivedTimestamp="2026-06-01T12:00:00.000000Z", user={})
    assert events.gathered(tmp_path).items == (AuditClassSample(log="audit", name="secrets", count=1),)


def test_a_log_that_cannot_be_read_is_no_evidence(tmp_path: Path) -> None:
    gone = gathered(tmp_path / "gone", tmp_path / "gone.log")
    none = gathered(tmp_path / "none", tmp_path / "gone.log", sources=[])
    assert (gone.items, all(status.complete for status in gone.statuses)) == ((), False)
    problem = none.statuses[0].problem
    assert (none.items, problem and problem.cause) == ((), Cause.ABSENT)


@pytest.mark.controlplane
def test_the_policy_of_the_embedded_control_plane_keeps_what_is_wanted(control_plane: ControlPlane, tmp_path: Path) -> None:
    admin = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    role = {"metadata": {"name": "audited"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    admin.request("POST", path, body=role)
    admin.request("DELETE", f"{path}/audited")
    admin.request("GET", "/api/v1/secrets")
    admin.close()
    listing = gathered(tmp_path, control_plane.audit_log)
    assert all(status.complete for status in listing.statuses), listing.statuses
    found = {sample.name: sample for sample in listing.items}
    assert found.keys() >= {"access control", "secrets"}
    for sample in listing.items:
        assert sample == AuditClassSample(log="audit", name=sample.name, count=sample.count)
