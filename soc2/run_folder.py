"""A run's folder: written under a temporary name and renamed when it is complete, so that no run is ever half there."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from datetime import datetime
from pathlib import Path

_INCOMPLETE = ".incomplete"


class RunFolder:
    """``reports/<id>.incomplete`` while the run goes on, ``reports/<id>`` afterwards; ``latest`` points to the newest."""

    def __init__(self, reports: Path, started: datetime) -> None:
        self.id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self._reports = reports
        self.path = reports / f"{self.id}{_INCOMPLETE}"
        self.final = reports / self.id

    def create(self) -> None:
        self.path.mkdir(parents=True)

    def complete(self) -> None:
        """Give the folder its final name and let ``latest`` point to it, each in one step."""
        self.path.rename(self.final)
        link = self._reports / f".latest-{self.id}"
        link.symlink_to(self.id, target_is_directory=True)
        link.replace(self._reports / "latest")

    def discard(self) -> None:
        """Remove a folder in which nothing was examined."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.path)
