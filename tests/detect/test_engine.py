"""The engine and the store on what is out of the ordinary."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from soc2.detect.engine import Detector
from soc2.detect.rules import load_rules
from soc2.detect.store import keep
from soc2.gather.logs.segments import Segment
from soc2.model.logs import Alert, LogKind

RULE = """
title: Listed
id: 00000000-0000-4000-8000-000000000001
logsource: {product: kubernetes, service: audit}
detection: {selection: {verb: list}, condition: selection}
level: low
"""
MIB = 1 << 20


def _event(number: int, padding: int = 0, verb: str = "list") -> str:
    event = {"auditID": str(number), "stage": "ResponseComplete", "verb": verb, "requestObject": {"padding": "x" * padding}}
    return json.dumps({**event, "requestReceivedTimestamp": f"2026-06-01T0{number}:00:00Z"}) + "\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "listed.yml").write_text(RULE)
    return tmp_path / "rules"


def _segment(path: Path, content: str) -> Segment:
    path.write_text(content)
    return Segment(LogKind.KUBERNETES_AUDIT, path, path.name, framed=False)


def _places(alerts: list[Alert]) -> list[tuple[str, int]]:
    return [(alert.file, alert.line) for alert in alerts]


def test_a_record_longer_than_duckdb_expects(tmp_path: Path, rules: Path) -> None:
    segment = _segment(tmp_path / "audit.log", _event(1) + _event(2, padding=40 * MIB) + _event(3))
    with Detector(load_rules([rules]), tmp_path) as detector:
        detector.add([segment])
        assert _places(list(detector.alerts())) == [("audit.log", 1), ("audit.log", 2), ("audit.log", 3)]
    assert keep(duckdb.connect(), LogKind.KUBERNETES_AUDIT, [segment], tmp_path / "kept").records == 3


def test_kept_logs_give_the_same_alerts(tmp_path: Path, rules: Path) -> None:
    """Blank lines and lines that are no record keep their numbers; what was kept twice is told once."""
    segment = _segment(tmp_path / "audit.log", "\n" + _event(1) + "{broken\n\n" + _event(2, verb="get") + _event(3))
    with Detector(load_rules([rules]), tmp_path) as detector:
        detector.add([segment])
        alerts = list(detector.alerts())
        (scanned,) = detector.scanned
    assert _places(alerts) == [("audit.log", 2), ("audit.log", 6)]
    assert (scanned.records, [line.line for line in scanned.malformed]) == (3, [3])
    files: list[Path] = []
    for _ in range(2):
        kept = keep(duckdb.connect(), LogKind.KUBERNETES_AUDIT, [segment], tmp_path / "kept")
        assert (kept.records, [line.line for line in kept.malformed]) == (3, [3])
        files += kept.files
    assert {path.parent.name for path in files} == {"day=2026-06-01"}
    with Detector(load_rules([rules]), tmp_path) as detector:
        detector.add_kept(LogKind.KUBERNETES_AUDIT, files)
        assert list(detector.alerts()) == alerts
