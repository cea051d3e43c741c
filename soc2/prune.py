"""Removes old runs."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from soc2.errors import UsageError

_DURATION = re.compile(r"^([1-9]\d{0,5})([hdw])$")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_RUN = re.compile(r"^\d{8}T\d{6}Z-[0-9a-f]{6}(\.incomplete)?$")


class _Times(msgspec.Struct):
    finished: datetime


class _Results(msgspec.Struct):
    run: _Times


def duration(text: str) -> timedelta:
    """Read ``36h``, ``400d`` or ``12w``. Raises UsageError."""
    match = _DURATION.match(text)
    if match is None:
        raise UsageError(f'"{text}" is not a duration', "write a number and h, d or w, as in 400d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def prune(reports: Path, keep: timedelta, *, dry_run: bool, now: datetime | None = None) -> list[Path]:
    """Remove the runs that finished longer than ``keep`` ago, and return their folders.

    Only what is named and made like a run is touched; never the newest run, never through a link.
    """
    if not reports.is_dir():
        raise UsageError("no such folder", "name the folder of the runs with --report-dir", reports)
    oldest = (now or datetime.now(UTC)) - keep
    latest = (reports / "latest").resolve()
    old = [
        path
        for path in sorted(reports.iterdir())
        if _RUN.match(path.name)
        and path.is_dir()
        and not path.is_symlink()
        and path.resolve() != latest
        and (finished := _finished(path)) is not None
        and finished < oldest
    ]
    for path in [] if dry_run else old:
        shutil.rmtree(path)
    return old


def _finished(run: Path) -> datetime | None:
    """Return when a run finished by its own results; a run that never finished counts from when it began."""
    try:
        return msgspec.json.decode((run / "results.json").read_bytes(), type=_Results).run.finished
    except (OSError, msgspec.DecodeError):
        if run.suffix != ".incomplete":
            return None
    return datetime.strptime(run.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
