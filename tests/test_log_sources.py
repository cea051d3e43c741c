"""[logs] of system.toml: defaults by kind, the window, and mistakes named with line and mend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from soc2.errors import UsageError
from soc2.log_sources import Logs, LogSource
from soc2.model.logs import LogKind
from soc2.system import load_system

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
HEAD = '[system]\nname = "x"\nowner = "y"\n[logs]\n'
SOURCE = '[[logs.sources]]\nname = "audit"\nkind = "kubernetes-audit"\n'


def _load(tmp_path: Path, text: str) -> Logs:
    path = tmp_path / "system.toml"
    path.write_text(text)
    return load_system(path).logs


def test_defaults_by_kind() -> None:
    sources = {kind.value: LogSource(name="x", kind=kind, path="x") for kind in LogKind}
    assert {kind: (s.age_limit_minutes, s.gap_limit_minutes, s.stream) for kind, s in sources.items()} == {
        "kubernetes-audit": (5, 60, "cluster"),
        "cloudtrail": (30, 60, "account"),
        "vpc-flow": (60, 60, "account"),
        "container": (5, 60, "node"),
        "node": (15, 60, "node"),
        "auditd": (15, 60, "node"),
        "falco": (None, None, "node"),
        "tetragon": (5, 60, "node"),
        "guardduty": (None, None, "account"),
        "hubble": (15, 60, "node"),
    }


def test_files_and_the_store_stand_beside_system_toml(tmp_path: Path) -> None:
    logs = _load(tmp_path, HEAD + 'store = "kept"\n' + SOURCE + 'path = "audit/*.log"\nmax_gap_minutes = 120\n')
    assert logs.store == str(tmp_path / "kept")
    (source,) = logs.sources
    assert (source.path, source.gap_limit_minutes) == (str(tmp_path / "audit/*.log"), 120)


@pytest.mark.parametrize(
    ("text", "line", "wording"),
    [
        (SOURCE, 5, 'log source "audit" names none of its places; one of path, cloudwatch, s3, loki, lake, athena'),
        (SOURCE + 'path = "a"\ns3 = "s3://b"\n', 5, "names path and s3 of its places; one of"),
        (SOURCE + 'path = "a"\nstreams = "b"\n', 9, '"streams" is of no use without "cloudwatch"'),
        (SOURCE + 'loki = "http://loki"\n', 5, 'log source "audit" has no query'),
        (SOURCE + 'pth = "a"\n', 8, 'unknown key "pth" in [logs.sources]; did you mean "path"?'),
        (SOURCE.replace("-audit", "-audt"), 7, 'unknown kind "kubernetes-audt"; did you mean "kubernetes-audit"?'),
        (SOURCE + 'path = "a"\nper = "nodes"\n', 9, 'unknown per "nodes"; did you mean "node"?'),
        (
            SOURCE + 'lake = "bf6a2b7e-0f47-4c5d-9e55-5ba7f2cf0a51"\n',
            7,
            '"lake" holds cloudtrail events, not kubernetes-audit',
        ),
        (SOURCE + 'athena = { database = "a", table = "t", grp = "b" }\n', 8, 'unknown key "grp" in [logs.sources.athena]'),
        (SOURCE + 'path = "a"\n' + SOURCE + 'path = "b"\n', 10, 'two log sources are named "audit"'),
        ('since = "yesterday"\n', 5, '"yesterday" is no time; write 2026-06-01T12:00Z, or how long ago as in 24h or 7d'),
        ('[[logs.absent]]\nkind = "falco"\n', 5, 'the required key "reason" is missing in [logs.absent]'),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, wording: str) -> None:
    with pytest.raises(UsageError) as error:
        _load(tmp_path, HEAD + text)
    assert (error.value.line, wording in str(error.value)) == (line, True), str(error.value)


@pytest.mark.parametrize(
    ("logs", "since", "until"),
    [
        (Logs(), timedelta(hours=24), timedelta()),
        (Logs(window_hours=2), timedelta(hours=2), timedelta()),
        (Logs(until="2h"), timedelta(hours=26), timedelta(hours=2)),
        (Logs(since="7d", until="3h"), timedelta(days=7), timedelta(hours=3)),
        (Logs(since="2026-06-01T14:00:00+02:00", until="2026-06-01T12:10:00"), timedelta(minutes=30), timedelta(minutes=20)),
    ],
)
def test_the_window_ends_now_unless_said_otherwise(logs: Logs, since: timedelta, until: timedelta) -> None:
    assert logs.window(NOW) == (NOW - since, NOW - until)


def test_an_empty_window_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="begins 2026-06-01T11:30:00Z and ends 2026-06-01T10:30:00Z"):
        Logs(since="1h", until="2h").window(NOW)
