"""The progress display of gathering: on a terminal only, and on standard error, so that it never mixes with results."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class GatherProgress:
    """Shows how many sources have answered and which are being asked; quiet when not on a terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (TextColumn("gathering"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("", total=None)
        self._asking: dict[str, None] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> GatherProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """Print one line, also when not on a terminal: for what takes minutes."""
        print(line, file=sys.__stderr__, flush=True)

    def expect(self, total: int) -> None:
        self._bar.update(self._task, total=total)

    def source(self, name: str, finished: bool) -> None:
        with self._lock:
            if finished:
                self._asking.pop(name, None)
                self._bar.advance(self._task)
            else:
                self._asking[name] = None
            self._bar.update(self._task, description=", ".join(list(self._asking)[:4]))
