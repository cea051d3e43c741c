"""``soc2 detect`` as users run it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from soc2.cli import main

STOP = {
    "eventVersion": "1.11",
    "eventTime": "2026-06-01T10:00:00Z",
    "eventSource": "cloudtrail.amazonaws.com",
    "eventName": "StopLogging",
    "eventID": "1",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/eve", "userName": "eve"},
    "requestParameters": {"name": "main", "masterUserPassword": "hunter2-hunter2"},
    "recipientAccountId": "123456789012",
}
RULE = """
title: Trail stopped
id: 00000000-0000-4000-8000-000000000001
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: stoplogging, requestParameters.masterUserPassword|exists: true}
  condition: selection
level: high
tags: [soc2.cc6.3]
"""
BROKEN = RULE.replace("eventName", "noSuchField").replace("000000000001", "000000000002")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yml").write_text(RULE)
    return tmp_path


def _trail(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def _own(*words: str) -> int:
    return main(["detect", *words, "--sigma-rules", "rules", "--only-user-rules"])


def test_an_alert_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "trail.json").write_text("\n" + _trail({**STOP, "eventID": "0", "eventName": "GetTrail"}, STOP, STOP))
    assert _own("trail.json", "--format", "json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "rule_id": "00000000-0000-4000-8000-000000000001",
        "title": "Trail stopped",
        "criterion": "CC6.3",
        "severity": "high",
        "time": "2026-06-01T10:00:00Z",
        "source": "cloudtrail",
        "file": "trail.json",
        "line": 3,
        "actor": "arn:aws:iam::123456789012:user/eve",
        "object": "main",
        "fields": {"eventName": "StopLogging", "requestParameters.masterUserPassword": "[masked]"},
    }
    assert err == "1 alerts; read 2 cloudtrail; 1 rules\n"


def test_a_table_counts_what_is_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "logs").mkdir()
    (folder / "logs" / "trail.json.gz").write_bytes(gzip.compress(json.dumps({"Records": [STOP]}).encode()))
    (folder / "logs" / "later").write_text(_trail({**STOP, "eventID": "2", "eventTime": "2026-06-01T11:00:00Z"}))
    assert _own("logs") == 1
    out, _ = capsys.readouterr()
    (row,) = [line.split() for line in out.splitlines() if "Trail stopped" in line]
    assert row[:4] == ["2026-06-01", "10:00:00", "high", "CC6.3"]
    assert row[-1] == "2"


def test_nothing_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "trail.json").write_text(_trail({**STOP, "eventName": "GetTrail"}))
    assert _own("trail.json", "--format", "json") == 0
    assert capsys.readouterr().out == ""


def test_the_window(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "trail.json").write_text(_trail(STOP))
    assert _own("trail.json", "--since", "2026-06-01T10:00:00Z", "--until", "2026-06-01T10:00:01Z", "--format", "json") == 1
    assert _own("trail.json", "--until", "2026-06-01T10:00:00Z") == 0
    assert "read 0 cloudtrail (1 outside of the window)" in capsys.readouterr().err


def test_what_cannot_be_read_is_told_and_the_rest_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "trail.json").write_text(_trail({**STOP, "eventName": "GetTrail"}) + "{broken\n")
    (folder / "notes").write_text("nothing that we know\n")
    (folder / "rules" / "broken.yml").write_text(BROKEN)
    assert _own("trail.json", "notes", "--format", "json") == 10
    assert capsys.readouterr().err.splitlines() == [
        "error: rules/broken.yml: Trail stopped: noSuchField: logs of cloudtrail have no such field",
        "error: notes: not a log of a known format",
        f"error: trail.json:2: no known form (byte {len(_trail({**STOP, 'eventName': 'GetTrail'})):,})",
        "0 alerts; read 1 cloudtrail; 1 rules",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "error: nowhere: no such file or folder; name a log file or a folder of them"),
        (["trail", "--since", "soon"], 'error: "soon" is no time; write 2026-06-01T12:00Z, or how long ago as in 24h or 7d'),
        (["trail", "--only-user-rules"], "error: --only-user-rules leaves no rules; say where yours are: --sigma-rules DIR"),
        (["trail", "--sigma-rules", "no"], "error: no: --sigma-rules: no such folder; name a folder of Sigma rules"),
    ],
)
def test_mistakes(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    (folder / "trail").write_text(_trail(STOP))
    assert main(["detect", *words]) == 4
    assert capsys.readouterr().err == said + "\n"


def test_a_folder_without_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rules" / "mine.yml").unlink()
    (folder / "trail").write_text(_trail(STOP))
    assert _own("trail") == 4
    assert "there is no Sigma rule" in capsys.readouterr().err
