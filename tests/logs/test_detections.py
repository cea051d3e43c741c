"""What is asked of the logs beside attacks, and what counts as evidence that nothing was there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from soc2.detect.engine import Detector
from soc2.detect.rules import load_rules
from soc2.gather.logs.collection import LOGS, SomeLogs, source_name
from soc2.gather.logs.detections import (
    ALL,
    ANOMALIES,
    MALWARE,
    NETWORK_ATTACKS,
    PRIVILEGED_USES,
    SCAN,
    Detections,
    Scan,
    _reads,
)
from soc2.gather.logs.framing import frame_paths
from soc2.gather.logs.questions import IAM_CHANGED, RBAC_CHANGED, ROOT_USED, questions, write_questions
from soc2.gather.source import Gatherer, Listing, Source
from soc2.model.log_health import CollectedLog, LogStream
from soc2.model.logs import Alert, LogKind
from soc2.model.population import Cause, Problem, SourceStatus
from soc2.system import Access, System
from tests.rules.test_detections import alert

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACCESS = Access(
    break_glass=("AWS::IAM::User/break-*", "AWS::IAM::Role/emergency", "User/sos", "Group/firefighters"),
    pipelines=("AWS::IAM::Role/deploy", "ServiceAccount/flux/controller"),
)


def trail(who: dict[str, Any], name: str = "ConsoleLogin", source: str = "signin", **changed: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "eventTime": "2026-06-01T10:00:00Z",
        "eventName": name,
        "eventSource": f"{source}.amazonaws.com",
        "eventType": "AwsApiCall",
        "awsRegion": "eu-west-1",
        "userIdentity": who,
        **changed,
    }


def audit(user: str, verb: str = "get", resource: str = "pods", code: int = 200, groups: Iterable[str] = ()) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io" if "role" in resource else ""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": user, "groups": list(groups)},
        "objectRef": {"resource": resource, "name": "x", "apiGroup": group},
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": "2026-06-01T10:00:00.000000Z",
    }


ROOT = {"type": "Root", "arn": "arn:aws:iam::1:root"}
ANN = {"type": "IAMUser", "userName": "ann", "arn": "arn:aws:iam::1:user/ann"}
BREAK = {"type": "IAMUser", "userName": "break-glass", "arn": "arn:aws:iam::1:user/break-glass"}
DEPLOY = {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/deploy/build"}
EMERGENCY = {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/emergency/ann"}
TOLD = [
    (trail(ROOT), "Root identity used"),
    (trail({**ROOT, "invokedBy": "ses.amazonaws.com"}), None),
    (trail(ROOT, eventType="AwsServiceEvent"), None),
    (trail(ANN), None),
    (trail(BREAK), "Break-glass identity used in the account"),
    (trail({**BREAK, "userName": "breakage"}), None),
    (trail(EMERGENCY), "Break-glass identity used in the account"),
    (trail({**EMERGENCY, "arn": "arn:aws:sts::1:assumed-role/emergency-2/ann"}), None),
    (trail(ANN, "AttachUserPolicy", "iam"), "IAM changed"),
    (trail(ANN, "AttachUserPolicy", "iam", errorCode="AccessDenied"), None),
    (trail(ANN, "ListUsers", "iam"), None),
    (trail(DEPLOY, "AttachUserPolicy", "iam"), None),
    (trail(ANN, "CreateAccessEntry", "eks"), "Access to EKS changed"),
    (trail(DEPLOY, "CreateAccessEntry", "eks"), None),
    (audit("sos"), "Break-glass identity used in the cluster"),
    (audit("sos2"), None),
    (audit("ann", groups=["firefighters"]), "Break-glass identity used in the cluster"),
    (audit("ann", "create", "clusterrolebindings"), "RBAC changed"),
    (audit("ann", "create", "clusterrolebindings", code=403), None),
    (audit("ann", "get", "clusterrolebindings"), None),
    (audit("system:serviceaccount:flux:controller", "patch", "roles"), None),
    (audit("system:serviceaccount:flux:other", "patch", "roles"), "RBAC changed"),
    (audit("system:serviceaccount:kube-system:clusterrole-aggregation-controller", "patch", "clusterroles"), None),
]


def test_uses_and_changes_are_told_and_nothing_else(tmp_path: Path) -> None:
    records = [(f"id-{number:02}", record, title) for number, (record, title) in enumerate(TOLD)]
    for name, key in (("trail", "eventID"), ("audit", "auditID")):
        of_kind = [{**record, key: made} for made, record, _ in records if ("eventName" in record) == (name == "trail")]
        (tmp_path / f"{name}.json").write_text("".join(json.dumps({"@id": one[key], **one}) + "\n" for one in of_kind))
    rules = load_rules([write_questions(ACCESS, tmp_path / "rules")])
    assert (len(rules.rules), rules.problems) == (len(questions(ACCESS)), ())
    framed = frame_paths([tmp_path / "trail.json", tmp_path / "audit.json"], tmp_path)
    with Detector(rules, tmp_path) as detector:
        detector.add(framed.segments)
        found = {(Path(item.file).stem, item.line): item.title for item in detector.alerts()}
    places = {"trail": 0, "audit": 0}
    expected = {}
    for _, record, title in records:
        name = "trail" if "eventName" in record else "audit"
        places[name] += 1
        if title:
            expected[name, places[name]] = title
    assert found == expected


def test_what_is_not_declared_is_not_asked() -> None:
    assert [rule["title"] for rule in questions(Access())] == [
        "Root identity used",
        "RBAC changed",
        "IAM changed",
        "Access to EKS changed",
    ]


def collected(name: str, kind: LogKind, hours: Iterable[int] = range(24), *, newest: datetime = NOW) -> CollectedLog:
    counts = {NOW - 24 * HOUR + hour * HOUR: 1 for hour in hours}
    stream = LogStream("node-1", 24, NOW - 24 * HOUR, newest, counts)
    return CollectedLog(
        source=name,
        kind=kind,
        origin="test",
        per="node",
        since=NOW - 24 * HOUR,
        until=NOW,
        read_at=NOW,
        records=24,
        streams=(stream,),
        age_limit_minutes=15,
        gap_limit_minutes=60,
    )


READS = {
    ("net", "CC6.6"): frozenset({LogKind.VPC_FLOW}),
    ("other", "CC7.2"): frozenset({LogKind.NODE}),
    ("run", "CC6.8"): frozenset({LogKind.NODE, *MALWARE.sensors}),
    (ROOT_USED, "CC6.2"): frozenset({LogKind.CLOUDTRAIL}),
}


def asked(
    source: Detections,
    logs: Iterable[CollectedLog],
    alerts: tuple[Alert, ...] = (),
    problems: dict[str, Problem] | None = None,
    absent: Iterable[LogKind] = (),
    sensors: Iterable[str] = (),
) -> Listing[Alert]:
    logs = tuple(logs)
    declared = {
        "sources": [{"name": log.source, "kind": log.kind, "path": "x"} for log in logs],
        "absent": [{"kind": kind, "reason": "we have none"} for kind in absent],
    }
    system = msgspec.convert(
        {"system": {"name": "t", "owner": "t"}, "logs": declared, "agents": {"runtime": list(sensors)}}, System
    )
    statuses = tuple(
        SourceStatus(source_name(log.source), "read", 1, 1, None, (problems or {}).get(log.source)) for log in logs
    )

    def get(wanted: Source[Any]) -> Listing[Any]:
        if wanted == LOGS:
            return Listing(logs, statuses)
        if wanted == SCAN:
            return Listing((Scan(alerts, READS),), (SourceStatus(SCAN.name, "scan", 1, 1, None),))
        assert isinstance(wanted, SomeLogs)
        return wanted.gather(gatherer)

    gatherer = cast(Gatherer, SimpleNamespace(system=system, get=get))
    return source.gather(gatherer)


def problems_of(listing: Listing[Alert]) -> dict[str, Cause]:
    return {status.source: status.problem.cause for status in listing.statuses if status.problem}


FLOWS, NODES = collected("flows", LogKind.VPC_FLOW), collected("nodes", LogKind.NODE)


def test_only_the_logs_that_the_rules_read_are_needed() -> None:
    denied = {"nodes": Problem(Cause.DENIED, "no")}
    assert problems_of(asked(NETWORK_ATTACKS, [FLOWS, NODES], problems=denied)) == {}
    assert problems_of(asked(ANOMALIES, [FLOWS, NODES], problems=denied)) == {"log: nodes": Cause.DENIED}
    assert problems_of(asked(ALL, [FLOWS, NODES], problems=denied)) == {"log: nodes": Cause.DENIED}


def test_undeclared_logs_are_missing_unless_the_system_has_none() -> None:
    assert problems_of(asked(NETWORK_ATTACKS, [NODES])) == {NETWORK_ATTACKS.name: Cause.ABSENT}
    assert asked(NETWORK_ATTACKS, [NODES], absent=[LogKind.VPC_FLOW]) == Listing((), (), "we have none")


@pytest.mark.parametrize(
    ("kinds", "absent", "known"),
    [
        ([LogKind.NODE], [], False),
        ([LogKind.NODE], [LogKind.GUARDDUTY], False),
        ([LogKind.NODE], MALWARE.sensors, True),
        ([LogKind.NODE, LogKind.FALCO], [], True),
        ([LogKind.TETRAGON], [], True),
    ],
)
def test_a_sensor_that_is_not_heard_shows_nothing(kinds: list[LogKind], absent: Iterable[LogKind], known: bool) -> None:
    logs = [collected(kind, kind) for kind in kinds]
    listing = asked(MALWARE, logs, absent=absent, sensors=["agents/sensor"])
    assert problems_of(listing) == ({} if known else {MALWARE.name: Cause.ABSENT})
    assert problems_of(asked(MALWARE, logs, absent=absent)) == {}


@pytest.mark.parametrize("found", [(), (alert(rule_id="net", criterion="CC6.6"),)])
def test_a_silent_log_does_not_show_that_nothing_occurred(found: tuple[Alert, ...]) -> None:
    silent = collected("flows", LogKind.VPC_FLOW, [hour for hour in range(24) if hour not in (7, 8)])
    listing = asked(NETWORK_ATTACKS, [silent], found)
    assert listing.items == found
    assert problems_of(listing) == ({} if found else {NETWORK_ATTACKS.name: Cause.STALE})
    old = collected("flows", LogKind.VPC_FLOW, range(20), newest=NOW - 4 * HOUR)
    assert problems_of(asked(NETWORK_ATTACKS, [old], found)) == {"log: flows": Cause.STALE}


def test_every_alert_is_asked_about_once_and_uses_apart() -> None:
    alerts = tuple(alert(rule_id=rule, criterion=criterion) for rule, criterion in (("net", "CC6.6"), ("x", "P1.1")))
    used = alert(rule_id=ROOT_USED, severity="informational")
    every = (*alerts, used, alert(rule_id=RBAC_CHANGED), alert(rule_id=IAM_CHANGED))
    logs = [FLOWS, NODES, collected("trail", LogKind.CLOUDTRAIL)]
    assert asked(NETWORK_ATTACKS, logs, every).items == alerts[:1]
    assert asked(ANOMALIES, logs, every).items == alerts[1:]
    assert asked(ALL, logs, every).items == alerts
    assert asked(PRIVILEGED_USES, logs, every).items == (used,)


def test_a_correlation_reads_what_its_rules_read(tmp_path: Path) -> None:
    rule = {
        "title": "r",
        "name": "step",
        "id": "00000000-0000-4000-8000-000000000001",
        "logsource": {"product": "linux"},
        "detection": {"a": {"program": "x"}, "condition": "a"},
        "level": "low",
        "tags": ["soc2.cc6.6"],
    }
    correlation = {
        "title": "c",
        "id": "00000000-0000-4000-8000-000000000002",
        "correlation": {
            "type": "event_count",
            "rules": ["step"],
            "group-by": ["host"],
            "timespan": "1h",
            "condition": {"gte": 3},
        },
        "level": "high",
        "tags": ["soc2.cc6.2"],
    }
    for number, document in enumerate((rule, correlation)):
        (tmp_path / f"{number}.yml").write_text(json.dumps(document))
    rules = load_rules([tmp_path])
    assert rules.problems == ()
    assert _reads(rules)["00000000-0000-4000-8000-000000000002", "CC6.2"] == {LogKind.NODE}
