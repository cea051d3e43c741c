"""What is kept of a log: Parquet by day, how far it was read, and what of it could not be read."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from soc2.errors import UsageError
from soc2.gather.logs.segments import Malformed
from soc2.model.log_health import MalformedFile

if TYPE_CHECKING:
    from soc2.gather.source import Gatherer
    from soc2.log_sources import LogSource

_UNDATED = "undated"


class MalformedCount(msgspec.Struct, frozen=True):
    """Records of one file that could not be read: how many, and the line and the mistake of the first."""

    origin: str
    count: int
    line: int
    reason: str


class Reading(msgspec.Struct, frozen=True):
    """What one reading brought: when, and how many records, readable or not."""

    at: datetime
    records: int
    malformed: tuple[MalformedCount, ...] = ()


class State(msgspec.Struct, frozen=True):
    """How far a place was read. It is written once everything up to there is kept, never before."""

    place: str
    cursor: dict[str, Any] = {}
    readings: tuple[Reading, ...] = ()


class KeptLog:
    """The folder of one source: ``state.json``, ``days/day=<date>/*.parquet``, and ``malformed/`` with what was no record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.days = folder / "days"
        self.spool = folder / "spool"
        self._state = folder / "state.json"

    def open(self, place: str) -> State:
        """Return how far ``place`` was read; what a reading that broke off left is dropped, for it will be read again.

        Raises UsageError when the folder holds another log.
        """
        self.drop_spool()
        try:
            state = msgspec.json.decode(self._state.read_bytes(), type=State)
        except FileNotFoundError:
            return State(place)
        except msgspec.DecodeError as error:
            raise UsageError(f"cannot be read: {error}", "remove it to read the log anew", self._state) from None
        if state.place != place:
            raise UsageError(f"this folder keeps {state.place}", "rename the source, or remove the folder", self.folder)
        return state

    def save(self, state: State) -> None:
        """Write the state in one step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self._state.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(state))
        part.replace(self._state)

    def drop_spool(self) -> None:
        shutil.rmtree(self.spool, ignore_errors=True)

    def set_aside(self) -> None:
        """Keep what framing put aside beyond the spool folder."""
        for path in sorted((self.spool / "malformed").glob("*.ndjson")):
            target = self.folder / "malformed" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("ab") as file:
                file.write(path.read_bytes())

    def files(self, since: datetime) -> list[Path]:
        """Return the Parquet files that may hold records since then, those without a time among them."""
        first = f"{since.astimezone(UTC):%Y-%m-%d}"
        days = [day for day in self.days.glob("day=*") if (name := day.name.partition("=")[2]) >= first or name == _UNDATED]
        return sorted(file for day in days for file in day.glob("*.parquet"))


def kept_log(gatherer: Gatherer, source: LogSource) -> KeptLog:
    """Return where a source is kept: in the declared store, or in the folder of the run."""
    store = gatherer.system.logs.store
    return KeptLog((Path(store) if store else gatherer.evidence.folder.parent / "logs") / source.name)


def since_then(readings: Sequence[Reading], since: datetime) -> tuple[Reading, ...]:
    """Return the readings that brought what a window from ``since`` holds."""
    return tuple(reading for reading in readings if reading.at >= since)


BROKEN_OFF = ("truncated ", "broken ")
"""How reasons begin for which nobody knows how many more records a file had."""


def counted(malformed: Iterable[Malformed]) -> list[MalformedCount]:
    """Return the malformed lines by file, with the first reason, or with that for which the file broke off."""
    counts: dict[str, MalformedCount] = {}
    for each in malformed:
        before = counts.get(each.origin)
        told = each if before is None or each.reason.startswith(BROKEN_OFF) else before
        counts[each.origin] = MalformedCount(each.origin, before.count + 1 if before else 1, told.line, told.reason)
    return list(counts.values())


def malformed_files(readings: Iterable[Reading]) -> tuple[MalformedFile, ...]:
    """Return what readings met by file, in the order of names."""
    files: dict[str, MalformedFile] = {}
    for each in (count for reading in readings for count in reading.malformed):
        before = files.get(each.origin)
        files[each.origin] = (
            replace(before, count=before.count + each.count)
            if before
            else MalformedFile(each.origin, each.count, each.line, each.reason)
        )
    return tuple(file for _, file in sorted(files.items()))


def malformed_share(readings: Iterable[Reading]) -> float:
    """Return the share (0 to 1) of all records read that cannot be read."""
    readable = sum(reading.records for reading in readings)
    malformed = sum(count.count for reading in readings for count in reading.malformed)
    return malformed / (readable + malformed) if malformed else 0.0
