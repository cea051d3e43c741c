"""Lines of containers, from the runtime's files and from what collectors make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from soc2.model.logs import LogKind
from tests.logs.framed import frame_bytes, frame_text

POD_FILE = "/var/log/pods/shop_cart-7d9f_0b3c5a1e-1111-2222-3333-444455556666/app/0.log"
CONTAINER_FILE = "/var/log/containers/cart-7d9f_shop_app-" + "a1" * 32 + ".log"
POD = {"namespace": "shop", "pod": "cart-7d9f", "container": "app"}
UID = "0b3c5a1e-1111-2222-3333-444455556666"


def test_runtime_file() -> None:
    content = (
        '2026-01-01T01:00:00.123456789+01:00 stdout P {"level":"warn",\n'
        "2026-01-01T00:00:00.2Z stderr F W0101 00:00:00.000000 1 main.go:1] late \n"
        "2026-01-01T00:00:00.3Z stdout P \n"
        '2026-01-01T00:00:00.4Z stdout F "msg":"x"}\n'
        "2026-01-01T00:00:00.5Z stdout F\n"
        "2026-01-01T00:00:00.6Z stdout P never ended\n"
    )
    common = {**POD, "pod_uid": UID}
    assert frame_text(content, POD_FILE) == [
        (
            LogKind.CONTAINER,
            {
                "@line": 2,
                **common,
                "time": "2026-01-01T00:00:00.2Z",
                "stream": "stderr",
                "message": "W0101 00:00:00.000000 1 main.go:1] late ",
                "level": "warning",
            },
        ),
        (
            LogKind.CONTAINER,
            {
                "@line": 1,
                **common,
                "time": "2026-01-01T00:00:00.123456Z",
                "stream": "stdout",
                "message": '{"level":"warn","msg":"x"}',
                "level": "warn",
                "fields": {"level": "warn", "msg": "x"},
            },
        ),
        (LogKind.CONTAINER, {"@line": 5, **common, "time": "2026-01-01T00:00:00.5Z", "stream": "stdout", "message": ""}),
        (
            LogKind.CONTAINER,
            {"@line": 6, **common, "time": "2026-01-01T00:00:00.6Z", "stream": "stdout", "message": "never ended"},
        ),
    ]


def test_docker_file_joins_parts() -> None:
    part = "x" * (16 << 10)
    lines = [
        {"log": part, "stream": "stdout", "time": "2026-01-01T00:00:00.1Z"},
        {"log": "other\n", "stream": "stderr", "time": "2026-01-01T00:00:00.2Z"},
        {"log": "end level=debug\r\n", "stream": "stdout", "time": "2026-01-01T00:00:00.3Z"},
    ]
    assert frame_text("\n".join(map(json.dumps, lines)), CONTAINER_FILE) == [
        (LogKind.CONTAINER, {"@line": 2, **POD, "time": "2026-01-01T00:00:00.2Z", "stream": "stderr", "message": "other"}),
        (
            LogKind.CONTAINER,
            {
                "@line": 1,
                **POD,
                "time": "2026-01-01T00:00:00.1Z",
                "stream": "stdout",
                "message": part + "end level=debug",
                "level": "debug",
            },
        ),
    ]


FLUENT_BIT = {
    "date": 1767225600.5,
    "stream": "stderr",
    "logtag": "F",
    "log": "hello\n",
    "kubernetes": {
        "pod_name": "cart-7d9f",
        "namespace_name": "shop",
        "pod_id": UID,
        "host": "node-1",
        "container_name": "app",
        "container_image": "registry/app:1",
        "docker_id": "x",
        "labels": {"app": "cart"},
    },
}
VECTOR = {
    "file": POD_FILE,
    "kubernetes": {
        "pod_name": "cart-7d9f",
        "pod_namespace": "shop",
        "pod_uid": UID,
        "pod_node_name": "node-1",
        "container_name": "app",
        "container_image": "registry/app:1",
        "pod_labels": {"app": "cart"},
    },
    "message": "hello",
    "source_type": "kubernetes_logs",
    "stream": "stderr",
    "timestamp": "2026-01-01T00:00:00.500000Z",
}
FILEBEAT = {
    "@timestamp": "2026-01-01T00:00:00.500000Z",
    "message": "hello",
    "stream": "stderr",
    "kubernetes": {
        "pod": {"name": "cart-7d9f", "uid": UID},
        "namespace": "shop",
        "node": {"name": "node-1"},
        "container": {"name": "app", "image": "registry/app:1"},
        "labels": {"app": "cart"},
    },
    "input": {"type": "container"},
}
ATTRIBUTES = [
    {"key": "k8s.namespace.name", "value": {"stringValue": "shop"}},
    {"key": "k8s.pod.name", "value": {"stringValue": "cart-7d9f"}},
    {"key": "k8s.pod.uid", "value": {"stringValue": UID}},
    {"key": "k8s.container.name", "value": {"stringValue": "app"}},
    {"key": "k8s.node.name", "value": {"stringValue": "node-1"}},
    {"key": "container.image.name", "value": {"stringValue": "registry/app:1"}},
]
OTLP_RECORD = {
    "timeUnixNano": "1767225600500000000",
    "body": {"stringValue": "hello"},
    "attributes": [{"key": "log.iostream", "value": {"stringValue": "stderr"}}],
}
OTLP = {"resourceLogs": [{"resource": {"attributes": ATTRIBUTES}, "scopeLogs": [{"scope": {}, "logRecords": [OTLP_RECORD]}]}]}
FLATTENED = {
    "body": "hello",
    "timestamp": "2026-01-01T00:00:00.500000Z",
    "attributes": {"log.iostream": "stderr", "log.file.path": POD_FILE},
    "resource": {"k8s.node.name": "node-1", "container.image.name": "registry/app:1"},
}
LABELS = {"namespace": "shop", "pod": "cart-7d9f", "container": "app", "node_name": "node-1", "stream": "stderr"}
LOKI = {
    "status": "success",
    "data": {"resultType": "streams", "result": [{"stream": LABELS, "values": [["1767225600500000000", "hello"]]}]},
}
PROMTAIL = {"labels": {**LABELS, "filename": POD_FILE}, "line": "hello", "timestamp": "2026-01-01T00:00:00.500000Z"}
INSIGHTS = {
    "timestamp": 1767225600500,
    "logGroup": "/aws/containerinsights/prod/application",
    "logStream": "node-1-application.var.log.containers.cart-7d9f_shop_app-" + "a1" * 32 + ".log",
    "eventId": "e",
    "message": json.dumps({"log": "hello", "stream": "stderr", "kubernetes": FLUENT_BIT["kubernetes"]}),
}
RECORD = {
    **POD,
    "pod_uid": UID,
    "time": "2026-01-01T00:00:00.500000Z",
    "stream": "stderr",
    "message": "hello",
    "node": "node-1",
    "image": "registry/app:1",
    "labels": {"app": "cart"},
}
LOKI_RECORD = {name: RECORD[name] for name in ("namespace", "pod", "container", "time", "stream", "message", "node")}
COLLECTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("fluent-bit", FLUENT_BIT, RECORD),
    ("vector", VECTOR, RECORD),
    ("filebeat", FILEBEAT, RECORD),
    ("otlp", OTLP, {name: value for name, value in RECORD.items() if name != "labels"}),
    ("flattened", FLATTENED, {name: value for name, value in RECORD.items() if name != "labels"}),
    ("loki", LOKI, {**LOKI_RECORD, "labels": LABELS}),
    ("promtail", PROMTAIL, {**LOKI_RECORD, "pod_uid": UID, "labels": PROMTAIL["labels"]}),
    ("insights", INSIGHTS, {**RECORD, "@id": "e", "cluster": "prod"}),
]


@pytest.mark.parametrize(("value", "record"), [case[1:] for case in COLLECTED], ids=[case[0] for case in COLLECTED])
def test_collectors(value: dict[str, Any], record: dict[str, Any]) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2)):
        ((kind, found),) = frame_text(text)
        if "@id" not in record:
            found.pop("@id", None)
        assert (kind, found) == (LogKind.CONTAINER, {"@line": 1, **record})


def test_fields_beside_the_message_are_kept() -> None:
    value = {**FLUENT_BIT, "log_processed": {"level": "error", "user": "ann"}, "region": "eu"}
    assert frame_text(json.dumps(value)) == [
        (
            LogKind.CONTAINER,
            {"@line": 1, **RECORD, "level": "error", "fields": {"region": "eu", "level": "error", "user": "ann"}},
        )
    ]


def test_an_application_s_own_json() -> None:
    value = {"ts": 1767225600.5, "level": "info", "msg": "login", "user": "ann"}
    assert frame_text(json.dumps(value)) == [
        (
            LogKind.CONTAINER,
            {"@line": 1, "time": "2026-01-01T00:00:00.500000Z", "message": "login", "level": "info", "fields": value},
        )
    ]


def test_what_is_no_log_is_not_recognised() -> None:
    assert frame_bytes(b'{"EventID":1,"Channel":"Security","Message":"x"}\n')[1].unrecognised == ("log",)
    assert frame_bytes(b'{"name":"package","version":"1.0.0"}\n')[1].unrecognised == ("log",)


def test_plain_lines_of_a_declared_container_log() -> None:
    assert frame_text("hello\n{broken\n", kind=LogKind.CONTAINER) == [
        (LogKind.CONTAINER, {"@line": 1, "message": "hello"}),
        (LogKind.CONTAINER, {"@line": 2, "message": "{broken"}),
    ]
