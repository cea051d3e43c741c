"""The one error that a user's mistake becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(eq=False)
class UsageError(Exception):
    """A mistake in what the user wrote: what is wrong, where, and how to mend it. Rendered on one line."""

    what: str
    mend: str = ""
    file: Path | str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.what}" + (f"; {self.mend}" if self.mend else "")
