"""Fixtures of the suite's own tests: one control plane and one examination of each kind, shared by all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from moto.core import routing

from soc2.demo.build import Binaries, find_binaries
from soc2.demo.controlplane import ControlPlane
from soc2.demo.environment import Environment, start

pytest_plugins = ["pytester"]

# `pytest --hypothesis-profile nightly tests` looks further, and elsewhere every time.
settings.register_profile("suite", max_examples=300, derandomize=True, deadline=None)
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("suite")

ROOT = Path(__file__).resolve().parents[1]

# Python 3.11 may not parse in two threads at once ("AST constructor recursion depth mismatch"); moto, where it answers calls
# within a test's own process, does so when it is first asked for a service, in the thread that asks.
_ROUTES_AT_ONCE = threading.Lock()
_create_map = routing._create_map


def _create_map_alone(rules: Any) -> Any:
    with _ROUTES_AT_ONCE:
        return _create_map(rules)


routing._create_map = _create_map_alone


# Tests that share a server run in the same of two processes, so that it is started once and while others run.
_GROUPS = {
    "demo": {"own_state", "default_demo", "default_run", "denied_run", "compliant_run"},
    "control plane": {"control_plane", "unprotected"},
}


def pytest_itemcollected(item: pytest.Item) -> None:
    for group, fixtures in _GROUPS.items():
        if fixtures.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(group))
            return
    if item.path.parent.name == "demo":
        item.add_marker(pytest.mark.xdist_group("demo"))  # some of these ask for their fixtures by name


@dataclass(frozen=True)
class Examined:
    """A finished run of the suite in a process of its own."""

    exit_code: int
    output: str
    folder: Path
    results: dict[str, Any]

    def outcome(self, check: str) -> str:
        return str(next(item["outcome"] for item in self.results["checks"] if item["id"] == check))

    @property
    def outcomes(self) -> set[str]:
        return {item["outcome"] for item in self.results["checks"]}


def examine(reports: Path, *options: str, env: dict[str, str] | None = None) -> Examined:
    """Run the suite as a user does and read its results."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "--report-dir", str(reports)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, **(env or {})}
    )
    folder = (reports / "latest").resolve()
    results = json.loads((folder / "results.json").read_text()) if (reports / "latest").exists() else {}
    return Examined(done.returncode, done.stdout + done.stderr, folder, results)


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return find_binaries(lambda line: print(line, file=sys.__stderr__, flush=True))


@pytest.fixture(scope="session")
def control_plane(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with all its protections on."""
    with ControlPlane(binaries, tmp_path_factory.mktemp("control-plane")) as running:
        yield running


@pytest.fixture(scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the environments of the tests apart from those of the user."""
    folder = tmp_path_factory.mktemp("state")
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(scope="session")
def default_demo(binaries: Binaries, own_state: Path) -> Iterator[Environment]:
    """The default variant, kept running: examinations of it find it and use it."""
    assert binaries
    assert own_state
    environment = start("default", print, detached=True)
    yield environment
    environment.stop()
    assert not environment.folder.exists()


@pytest.fixture(scope="session")
def default_run(default_demo: Environment, tmp_path_factory: pytest.TempPathFactory) -> Examined:
    assert default_demo
    return examine(tmp_path_factory.mktemp("default"), "--target", "demo")


@pytest.fixture(scope="session")
def denied_run(default_demo: Environment, tmp_path_factory: pytest.TempPathFactory) -> Examined:
    assert default_demo
    return examine(tmp_path_factory.mktemp("denied"), "--target", "demo", "--demo-identity", "denied")


@pytest.fixture(scope="session")
def compliant_run(own_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Examined:
    assert own_state
    return examine(tmp_path_factory.mktemp("compliant"), "--target", "demo", "--demo-variant", "compliant")
