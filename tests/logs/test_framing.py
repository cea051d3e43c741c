"""Files of JSON records: which are read as they are, and what becomes of the others."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from soc2.gather.logs.framing import frame
from soc2.gather.logs.segments import Framed, Segment
from soc2.model.logs import LogKind

AUDIT = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a-1", "stage": "ResponseComplete", "verb": "get"}
TRAIL = {
    "eventVersion": "1.11",
    "eventTime": "2026-01-01T00:00:00Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "GetUser",
}


def read(framed: Framed) -> list[tuple[LogKind, dict[str, Any]]]:
    return [(segment.kind, json.loads(line)) for segment in framed.segments for line in segment.path.read_bytes().splitlines()]


def test_audit_lines_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(json.dumps(AUDIT) + "\n" + json.dumps({**AUDIT, "auditID": "a-2"}) + "\n")
    assert frame(path, "audit", tmp_path) == Framed((Segment(LogKind.KUBERNETES_AUDIT, path, "audit", False),))


def test_records_of_a_trail_are_framed(tmp_path: Path) -> None:
    path = tmp_path / "trail"
    path.write_bytes(gzip.compress(json.dumps({"Records": [TRAIL, {**TRAIL, "eventName": "X"}]}).encode()))
    assert read(frame(path, "trail", tmp_path)) == [
        (LogKind.CLOUDTRAIL, {"@line": 1, **TRAIL}),
        (LogKind.CLOUDTRAIL, {"@line": 1, **TRAIL, "eventName": "X"}),
    ]
