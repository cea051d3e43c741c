"""Child processes that end with their parent, are waited for by a condition and are stopped with a deadline."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_POLL_SECONDS = 0.02
_LOG_LINES_SHOWN = 15


class StartError(Exception):
    """A server did not become ready; the text has the end of its log."""


def free_port() -> int:
    """Return a TCP port that nothing on the loopback interface listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return True as soon as ``condition`` holds, False when it did not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


class Child:
    """A server process in a process group of its own, whose standard input is its lifeline."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env} if env else None,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready``; raise StartError when the process ends first or the deadline passes."""
        if wait_until(lambda: not self.running or ready(), seconds) and self.running:
            return
        why = f"did not become ready within {seconds:.0f} s" if self.running else "ended while starting"
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
        raise StartError(f"{self.name} {why}; the end of {self.log}:\n" + "\n".join(lines))

    def ask_to_stop(self) -> None:
        """Close the lifeline and send SIGTERM, without waiting."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if self.running:
            self._process.terminate()

    def stop(self, seconds: float = 2.0) -> None:
        """Stop the process: SIGTERM, then SIGKILL to its group when it is still there after ``seconds``."""
        self.ask_to_stop()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(seconds)


def stop_all(children: Sequence[Child], seconds: float = 2.0) -> None:
    """Stop children, last started first; all are asked before any is waited for."""
    for child in reversed(children):
        child.ask_to_stop()
    for child in reversed(children):
        child.stop(seconds)


class Servers(ABC):
    """Servers that belong together, as a context manager: what was started is stopped, also when starting fails."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.children: list[Child] = []

    @abstractmethod
    def start(self) -> None:
        """Start everything; return when it answers. Raises StartError."""

    def stop(self) -> None:
        """Stop everything, last started first, each with a deadline."""
        stop_all(self.children)
        self.children.clear()

    @property
    def pids(self) -> dict[str, int]:
        return {child.name: child.pid for child in self.children}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
