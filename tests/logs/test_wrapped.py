"""Records of known kinds in all that stores, queues and collectors wrap them into."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from soc2.model.logs import LogKind
from tests.logs.framed import frame_text

AUDIT = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a-1", "stage": "ResponseComplete", "verb": "get"}
TRAIL = {
    "eventVersion": "1.11",
    "eventTime": "2026-01-01T00:00:00Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "GetUser",
}
FALCO = {
    "time": "2026-01-01T00:00:00Z",
    "rule": "Shell",
    "priority": "Notice",
    "output": "o",
    "output_fields": {"proc.pid": 1},
}
TETRAGON = {"process_exec": {"process": {"binary": "/bin/sh"}}, "node_name": "node-1", "time": "2026-01-01T00:00:00Z"}
FINDING = {"schemaVersion": "2.0", "accountId": "1", "id": "f", "type": "T", "severity": 5.0, "service": {"action": {"a": 1}}}
FLOW = "2 123456789010 eni-1235b8ca 192.0.2.1 - 20641 22 6 20 4249 1767225600 1767225660 ACCEPT OK"
FLOW_RECORD = {
    "version": 2,
    "account-id": "123456789010",
    "interface-id": "eni-1235b8ca",
    "srcaddr": "192.0.2.1",
    "srcport": 20641,
    "dstport": 22,
    "protocol": "6",
    "packets": 20,
    "bytes": 4249,
    "start": 1767225600,
    "end": 1767225660,
    "action": "ACCEPT",
    "log-status": "OK",
}
AUDITD = 'type=CWD msg=audit(1767225600.000:4): cwd="/"'
AUDITD_RECORD = {"time": "2026-01-01T00:00:00.000000Z", "serial": "4", "type": "CWD", "cwd": "/"}
KINDS: list[tuple[LogKind, str, dict[str, Any]]] = [
    (LogKind.KUBERNETES_AUDIT, json.dumps(AUDIT), AUDIT),
    (LogKind.CLOUDTRAIL, json.dumps(TRAIL, separators=(",", ":")), TRAIL),
    (LogKind.FALCO, json.dumps(FALCO), FALCO),
    (LogKind.TETRAGON, json.dumps(TETRAGON), TETRAGON),
    (LogKind.GUARDDUTY, json.dumps(FINDING), FINDING),
    (LogKind.VPC_FLOW, FLOW, FLOW_RECORD),
    (LogKind.AUDITD, AUDITD, AUDITD_RECORD),
]


def table(*rows: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


EVENT = {"timestamp": 1767225600000, "ingestionTime": 1, "logStreamName": "s", "eventId": "e"}
# Each wraps the text of a record; what the store calls it is "e", where it calls it anything.
WRAPPINGS: dict[str, Callable[[str], str]] = {
    "cloudwatch-event": lambda text: json.dumps({**EVENT, "message": text}),
    "cloudwatch-events": lambda text: json.dumps({"events": [{**EVENT, "message": text + "\n"}], "nextToken": "x"}, indent=2),
    "cloudwatch-subscription": lambda text: json.dumps(
        {
            "messageType": "DATA_MESSAGE",
            "logGroup": "g",
            "logStream": "s",
            "logEvents": [{"id": "e", "timestamp": 1, "message": text}],
        }
    ),
    "cloudwatch-insights": lambda text: json.dumps(
        {"results": [[{"field": "@message", "value": text}, {"field": "@ptr", "value": "e"}]], "status": "Complete"}
    ),
    "cloudwatch-s3": lambda text: "2026-01-01T00:00:00.000Z " + text,
    "cloudwatch-table": lambda text: table(["timestamp", "message"], ["1767225600000", text]),
    "elasticsearch-hits": lambda text: json.dumps({"hits": {"hits": [{"_id": "e", "_source": {"message": text}}]}}),
    "elastic-original": lambda text: json.dumps(
        {"@timestamp": "2026-01-01T00:00:00Z", "event": {"original": text}, "message": "x"}
    ),
    "splunk-raw": lambda text: json.dumps({"preview": False, "result": {"_raw": text, "host": "h"}}),
    "splunk-event": lambda text: json.dumps({"event": text, "sourcetype": "x", "time": 1767225600}),
    "filebeat": lambda text: json.dumps(
        {"@timestamp": "2026-01-01T00:00:00Z", "message": text, "agent": {"type": "filebeat"}}
    ),
    "fluent-bit": lambda text: json.dumps({"date": 1767225600.0, "log": text + "\n", "stream": "stdout"}),
    "docker": lambda text: json.dumps({"log": text + "\n", "stream": "stdout", "time": "2026-01-01T00:00:00Z"}),
    "docker-in-fluent-bit": lambda text: json.dumps({"date": 1.0, "log": "2026-01-01T00:00:00Z stdout F " + text}),
    "journal": lambda text: json.dumps(
        {"__REALTIME_TIMESTAMP": "1767225600000000", "MESSAGE": text, "SYSLOG_IDENTIFIER": "x"}
    ),
    "loki": lambda text: json.dumps(
        {"data": {"result": [{"stream": {"job": "x"}, "values": [["1767225600000000000", text]]}]}}
    ),
    "otlp": lambda text: json.dumps(
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1", "body": {"stringValue": text}}]}]}]}
    ),
    "sns": lambda text: json.dumps({"Type": "Notification", "TopicArn": "t", "Message": text}),
    "nested": lambda text: json.dumps(
        [{"_source": {"message": json.dumps({"logEvents": [{"id": "e", "timestamp": 1, "message": text}], "logGroup": "g"})}}]
    ),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize(("kind", "text", "record"), KINDS, ids=[kind for kind, _, _ in KINDS])
def test_wrapped_records(wrapping: str, kind: LogKind, text: str, record: dict[str, Any]) -> None:
    if kind is LogKind.VPC_FLOW and "docker" in wrapping:
        kind, record = LogKind.CONTAINER, {"message": FLOW, "stream": "stdout", "time": "2026-01-01T00:00:00Z"}
    ((found_kind, found),) = frame_text(WRAPPINGS[wrapping](text))
    named = (
        "cloudwatch-event",
        "cloudwatch-events",
        "cloudwatch-subscription",
        "cloudwatch-insights",
        "elasticsearch-hits",
        "nested",
    )
    if wrapping in named:
        assert found.pop("@id") == "e"
    found.pop("@id", None)
    found.pop("@line")
    found.pop("host", None)
    assert (found_kind, found) == (kind, record)


# Wrappings of JSON values rather than of texts.
VALUES: dict[str, Callable[[Any], str]] = {
    "list": lambda value: json.dumps([value]),
    "records": lambda value: json.dumps({"Records": [value]}),
    "pretty": lambda value: json.dumps({"Records": [value]}, indent=4),
    "items": lambda value: json.dumps({"kind": "EventList", "items": [value]}, indent=1),
    "findings": lambda value: json.dumps({"Findings": [value]}),
    "event-bridge": lambda value: json.dumps({"version": "0", "detail-type": "x", "detail": value}),
    "source": lambda value: json.dumps({"_index": "i", "_id": "x", "_source": value}),
    "bulk": lambda value: '{"index":{"_id":"1"}}\n' + json.dumps(value) + "\n",
    "trail-event": lambda value: json.dumps({"Events": [{"EventName": "x", "CloudTrailEvent": json.dumps(value)}]}),
    "syslog": lambda value: "Jan  1 00:00:00 h app[1]: " + json.dumps(value),
    "cee": lambda value: "2026-01-01T00:00:00Z h app: @cee: " + json.dumps(value),
    "cri": lambda value: "2026-01-01T00:00:00Z stdout F " + json.dumps(value),
    "sse": lambda value: "data: " + json.dumps(value) + "\n\n",
    "aks": lambda value: json.dumps(
        {"records": [{"category": "kube-audit", "properties": {"log": json.dumps(value), "pod": "p"}}]}
    ),
    "message": lambda value: json.dumps({"@timestamp": "2026-01-01T00:00:00Z", "message": value}),
}


@pytest.mark.parametrize("wrapping", VALUES)
@pytest.mark.parametrize(("kind", "text", "record"), KINDS[:5], ids=[kind for kind, _, _ in KINDS[:5]])
def test_wrapped_values(wrapping: str, kind: LogKind, text: str, record: dict[str, Any]) -> None:
    ((found_kind, found),) = frame_text(VALUES[wrapping](json.loads(text)))
    found.pop("@line")
    found.pop("@id", None)
    assert (found_kind, found) == (kind, record)


def test_several_records_of_a_line_can_be_told_apart() -> None:
    events = [{"id": name, "timestamp": 1, "message": FLOW} for name in ("a", "b")]
    found = frame_text(json.dumps({"logEvents": events, "logGroup": "g"}))
    assert [record["@id"] for _, record in found] == ["a", "b"]
    found = frame_text(json.dumps([{"interface_id": "eni-1", "srcaddr": "192.0.2.1"}] * 2))
    assert len({record["@id"] for _, record in found}) == 2


def test_lists_in_an_application_s_line_are_its_own() -> None:
    value = {"time": "2026-01-01T00:00:00Z", "level": "info", "message": "found", "items": [{"a": 1}]}
    ((kind, record),) = frame_text(json.dumps(value))
    assert (kind, record["message"], record["fields"]) == (LogKind.CONTAINER, "found", value)


def test_control_plane_streams_hold_other_logs_too() -> None:
    stream = "authenticator-" + "a1" * 16
    event = {
        **EVENT,
        "logGroup": "/aws/eks/prod/cluster",
        "logStreamName": stream,
        "message": 'time="x" level=info msg="granted"',
    }
    assert frame_text(json.dumps(event), kind=LogKind.KUBERNETES_AUDIT) == [
        (
            LogKind.CONTAINER,
            {
                "@line": 1,
                "@id": "e",
                "cluster": "prod",
                "container": "authenticator",
                "time": "2026-01-01T00:00:00.000000Z",
                "message": 'time="x" level=info msg="granted"',
                "level": "info",
            },
        )
    ]
