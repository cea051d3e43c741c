"""Environments: started, found, used and stopped."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from soc2.demo.controlplane import remove_folder
from soc2.demo.process import StartError, wait_until
from soc2.demo.state import ALERTS, PROGRESS, SIGNING_KEY, State, is_supervisor

# A cold build of the control plane takes minutes.
_START_SECONDS = 1800.0
_STOP_SECONDS = 10.0
_PID = "supervisor.pid"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """A running environment. Kubeconfigs are of the company's administrator, of the examiner and of a stranger."""

    folder: Path
    state: State

    @property
    def variant(self) -> str:
        return self.state.variant

    @property
    def admin_kubeconfig(self) -> Path:
        return Path(self.state.admin_kubeconfig)

    @property
    def auditor_kubeconfig(self) -> Path:
        return Path(self.state.auditor_kubeconfig)

    @property
    def denied_kubeconfig(self) -> Path:
        return Path(self.state.denied_kubeconfig)

    @property
    def aws_env(self) -> dict[str, str]:
        return self.state.aws_env

    @property
    def auditor_aws_env(self) -> dict[str, str]:
        return self.state.auditor_aws_env

    @property
    def denied_aws_env(self) -> dict[str, str]:
        return self.state.denied_aws_env

    @property
    def audit_log(self) -> Path:
        return Path(self.state.audit_log)

    @property
    def alerts(self) -> Path:
        """Return the company's record of alerts, a feed."""
        return self.folder / ALERTS

    @property
    def signing_key(self) -> Path:
        """Return the public key of those who sign the company's images."""
        return self.folder / SIGNING_KEY

    @property
    def aws_access_log(self) -> Path:
        return Path(self.state.aws_access_log)

    def stop(self) -> None:
        """Stop it and remove its folder; the supervisor is killed when it does not end in time."""
        _end(self.state.pid, self.folder)


def state_root() -> Path:
    """Return the folder of all environments of this user."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "soc2-controls" / "demo"


def running() -> list[Environment]:
    """Return the environments that are up, newest last."""
    return [
        Environment(folder, state)
        for folder in _folders()
        if (state := State.read(folder)) and is_supervisor(state.pid, folder)
    ]


def start(variant: str, progress: Progress, *, detached: bool) -> Environment:
    """Start an environment and return when the company runs in it; leftovers of dead ones are removed first.

    A detached one goes on after this process; any other ends with it. Raises StartError.
    """
    _remove_leftovers()
    folder = state_root() / f"{variant}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700, parents=True)
    command = [sys.executable, "-m", "soc2.demo.supervisor", str(folder), variant]
    with (folder / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(
            command if detached else [*command, "--lifeline"],
            stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / _PID).write_text(str(supervisor.pid))
    told = _Tail(folder / PROGRESS, progress)
    try:
        wait_until(lambda: told.read() or bool(State.read(folder)) or supervisor.poll() is not None, _START_SECONDS)
    except BaseException:
        _end(supervisor.pid, folder)
        raise
    told.read()
    state = State.read(folder)
    if state is None or supervisor.poll() is not None:
        why = told.last or (folder / "supervisor.log").read_text(errors="replace")[-2000:]
        _end(supervisor.pid, folder)
        raise StartError(f"the demo environment did not start: {why}")
    _KEPT[supervisor.pid] = supervisor
    return Environment(folder, state)


# Popen objects whose lifelines this process holds open, by process id.
_KEPT: dict[int, subprocess.Popen[bytes]] = {}


@contextmanager
def using_environment(variant: str, progress: Progress) -> Iterator[Environment]:
    """Yield a running environment of a variant, or start one and stop it afterwards."""
    found = [environment for environment in running() if environment.variant == variant and _detached(environment)]
    if found:
        yield found[-1]
        return
    progress("starting the demo environment")
    environment = start(variant, progress, detached=False)
    try:
        yield environment
    finally:
        environment.stop()


def _detached(environment: Environment) -> bool:
    return b"--lifeline" not in Path(f"/proc/{environment.state.pid}/cmdline").read_bytes()


class _Tail:
    """Passes on the new lines of a file."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path, self._progress, self._seen = path, progress, 0
        self.last = ""

    def read(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            lines = self._path.read_text(encoding="utf-8").splitlines()
            for line in lines[self._seen :]:
                self.last = line
                self._progress(line)
            self._seen = len(lines)
        return False


def _folders() -> list[Path]:
    root = state_root()
    return sorted((path for path in root.iterdir() if path.is_dir()), key=_age) if root.is_dir() else []


def _age(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _remove_leftovers() -> None:
    for folder in _folders():
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((folder / _PID).read_text())
            if not is_supervisor(pid, folder):
                remove_folder(folder)


def _end(pid: int, folder: Path) -> None:
    kept = _KEPT.pop(pid, None)

    def gone() -> bool:
        if kept is not None:
            kept.poll()
        return not is_supervisor(pid, folder)

    for number in (signal.SIGTERM, signal.SIGKILL):
        if gone():
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_until(gone, _STOP_SECONDS)
    if kept is not None and kept.stdin is not None:
        kept.stdin.close()
    remove_folder(folder)
