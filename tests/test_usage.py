"""What a user's mistake and a user's options come to, run as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from soc2.catalog import all_checks

ROOT = Path(__file__).resolve().parents[1]
USAGE_ERROR = 4
SYSTEM = """\
[system]
name = "test"
owner = "test"
[kubernetes]
absent = "there is no cluster"
[aws]
absent = "there is no account"
"""


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    # A proxy that leads nowhere: whatever would use the network fails.
    environment = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120, env=environment)


def write(folder: Path, text: str) -> str:
    path = folder / "system.toml"
    path.write_text(text)
    return str(path)


def test_without_a_target_nothing_is_examined() -> None:
    done = run()
    assert done.returncode == USAGE_ERROR
    assert "--target demo" in done.stderr
    assert "--target live" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_collecting_needs_no_target_and_no_network() -> None:
    done = run("--collect-only", "-q")
    assert done.returncode == 0
    assert done.stdout.count("::test_") == len(all_checks())


def test_the_current_context_is_never_used_by_itself(tmp_path: Path) -> None:
    done = run("--target", "live", "--system", write(tmp_path, '[system]\nname="x"\nowner="y"\n'))
    assert done.returncode == USAGE_ERROR
    assert "current context" in done.stderr


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (SYSTEM + "[exposure]\nservces = []\n", 9, 'did you mean "services"'),
        (SYSTEM + "[thresholds]\nnode_zones = 'three'\n", 9, "node_zones"),
        (SYSTEM + "[thresholds]\nlog_retention_days = 30\n", 9, ">= 90"),
        (SYSTEM.replace('owner = "test"\n', ""), 1, '"owner" is missing'),
        ("[system\n", 1, "not valid TOML"),
        (SYSTEM + '[[not_used]]\ncheck = "pod-privilegd"\nreason = "none"\n', 9, 'did you mean "pod-privileged"'),
    ],
)
def test_a_mistake_in_the_description_is_one_clear_error(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = write(tmp_path, text)
    done = run("--target", "live", "--system", path)
    assert done.returncode == USAGE_ERROR
    assert f"{path}:{line}: " in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_missing_description_is_named(tmp_path: Path) -> None:
    done = run("--target", "live", "--system", str(tmp_path / "nowhere.toml"))
    assert done.returncode == USAGE_ERROR
    assert "nowhere.toml: no such file" in done.stderr


@pytest.mark.parametrize("options", [["-k", "nothing_like_this"], ["-m", "controlplane"]])
def test_selecting_nothing_is_an_error(tmp_path: Path, options: list[str]) -> None:
    done = run("--target", "live", "--system", write(tmp_path, SYSTEM), "--report-dir", str(tmp_path / "r"), *options)
    assert done.returncode == USAGE_ERROR
    assert "no check is selected" in done.stderr
    assert not list((tmp_path / "r").glob("*")), "nothing examined leaves no run behind"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--since", "yesterday"], '--since: "yesterday" is no time; write 2026-06-01T12:00Z'),
        (["--since", "1h", "--until", "2h"], "--since, --until: the window of logs is empty"),
    ],
)
def test_a_window_that_cannot_be_read_is_an_error(tmp_path: Path, options: list[str], words: str) -> None:
    done = run("--target", "live", "--system", write(tmp_path, SYSTEM), *options)
    assert done.returncode == USAGE_ERROR
    assert words in done.stderr


def test_an_unknown_criterion_is_an_error(tmp_path: Path) -> None:
    done = run("--target", "live", "--system", write(tmp_path, SYSTEM), "--criteria", "CC6.1,CC9.9")
    assert done.returncode == USAGE_ERROR
    assert "CC9.9" in done.stderr


def test_what_is_absent_is_out_of_scope_and_not_passed(tmp_path: Path) -> None:
    """Also proves that values of options outside the repository are not taken for test folders."""
    reports = tmp_path / "reports"
    reports.mkdir()
    done = run("--target", "live", "--system", write(tmp_path, SYSTEM), "--report-dir", str(reports))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(all_checks())} skipped" in done.stdout
    assert "out of scope: there is no cluster" in done.stdout
    assert (reports / "latest" / "report.html").is_file()


def test_criteria_in_scope_come_from_the_description(tmp_path: Path) -> None:
    text = SYSTEM.replace('owner = "test"', 'owner = "test"\ncriteria = ["CC7.3"]')
    done = run("--target", "live", "--system", write(tmp_path, text), "--report-dir", str(tmp_path / "r"))
    expected = sum(check.criterion == "CC7.3" for check in all_checks())
    assert f"{expected} skipped, {len(all_checks()) - expected} deselected" in done.stdout


def test_a_waiver_file_that_is_no_toml_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "waivers.toml").write_text("[[waiver]\n")
    done = run("--target", "live", "--system", write(tmp_path, SYSTEM))
    assert done.returncode == USAGE_ERROR
    assert "waivers.toml:1: not valid TOML" in done.stderr


def test_an_unreachable_system_is_missing_evidence(tmp_path: Path) -> None:
    """Nothing answers: every check that asks is an error with its cause, and the exit code is 10."""
    text = '[system]\nname="x"\nowner="y"\n[aws]\nabsent="none"\n'
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    options = ["--target", "live", "--system", write(tmp_path, text), "--kubeconfig", str(kubeconfig)]
    done = run(*options, "--report-dir", str(tmp_path / "r"), "--criteria", "CC6.6")
    assert done.returncode == 10, done.stdout + done.stderr
    assert "unreachable" in done.stdout
    assert " passed" not in done.stdout
    assert " failed" not in done.stdout
    assert " errors in " in done.stdout


def test_two_regions_may_be_named(tmp_path: Path) -> None:
    text = '[system]\nname="x"\nowner="y"\n[kubernetes]\nabsent="none"\n'
    options = ["--target", "live", "--system", write(tmp_path, text), "--report-dir", str(tmp_path / "r")]
    done = run(*options, "--aws-region", "eu-west-1", "--aws-region", "eu-central-1", "-k", "alarms")
    assert done.returncode == 10, done.stdout + done.stderr
    assert "2 of 2 calls" in done.stdout


def test_a_demo_that_cannot_start_is_one_clear_error(tmp_path: Path) -> None:
    """KUBEBUILDER_ASSETS names binaries that end at once."""
    for name in ("soc2-controlplane", "soc2-kwok"):
        binary = tmp_path / name
        binary.write_text("#!/bin/sh\nexit 3\n")
        binary.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--target", "demo", "--report-dir", str(tmp_path / "r")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "KUBEBUILDER_ASSETS": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")},
    )
    assert done.returncode == 10, done.stdout + done.stderr
    assert "the demo environment did not start" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "r" / "latest").exists()
