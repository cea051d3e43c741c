"""Old runs are removed, and nothing else is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from soc2.cli import main
from soc2.errors import UsageError
from soc2.prune import duration, prune

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def run_folder(reports: Path, days: int, suffix: str = "") -> Path:
    finished = NOW - timedelta(days=days)
    path = reports / f"{finished:%Y%m%dT%H%M%SZ}-{days:06x}{suffix}"
    path.mkdir(parents=True)
    if not suffix:
        (path / "results.json").write_text(json.dumps({"run": {"finished": finished.isoformat()}}))
    return path


def test_only_old_runs_go(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    old, young, killed = run_folder(reports, 401), run_folder(reports, 10), run_folder(reports, 500, ".incomplete")
    newest = run_folder(reports, 450)
    (reports / "latest").symlink_to(newest.name)
    outside = tmp_path / "outside"
    outside.mkdir()
    (reports / "20200101T000000Z-aaaaaa").symlink_to(outside)
    (reports / "notes").mkdir()
    (reports / "20200101T000000Z-bbbbbb").mkdir()
    kept = {young, newest, reports / "latest", reports / "20200101T000000Z-aaaaaa", reports / "notes"}
    assert prune(reports, timedelta(days=400), dry_run=True, now=NOW) == sorted([old, killed])
    assert old.exists()
    assert prune(reports, timedelta(days=400), dry_run=False, now=NOW) == sorted([old, killed])
    assert set(reports.iterdir()) == kept | {reports / "20200101T000000Z-bbbbbb"}
    assert outside.exists()


@pytest.mark.parametrize(("text", "expected"), [("36h", timedelta(hours=36)), ("12w", timedelta(weeks=12))])
def test_durations(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "400", "d", "-1d", "0d", "4 d", "1y"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        duration(text)


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "--keep", "400", "--report-dir", str(tmp_path)]) == 4
    assert main(["prune", "--keep", "400d", "--report-dir", str(tmp_path / "nowhere")]) == 4
    assert len(capsys.readouterr().err.splitlines()) == 2
