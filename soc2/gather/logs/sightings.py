"""Looks for canaries in the stores that logs are delivered to: only at what was written since the store was opened."""

from __future__ import annotations

import glob
import gzip
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import zstandard

from soc2.errors import UsageError
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.loki import LokiLogs, fetch_loki
from soc2.gather.logs.readers import READING_ERRORS, Fetched, Pager, Stopped, Window, reading_problem
from soc2.gather.logs.s3 import S3Logs, fetch_s3
from soc2.log_sources import LogSource
from soc2.model.population import Cause, Problem

MARK = "soc2-canary"
"""What every canary begins with; a slash and 16 hex digits of its own follow."""

# Some shippers write a slash as JSON may have it, and again when the record is a text in another.
_CANARY = re.compile(rb"soc2-canary\\*/([0-9a-f]{16})")
# A store stamps what it takes in by clocks that are not ours.
_SKEW = timedelta(minutes=5)
_MAGIC_GZIP, _MAGIC_ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

Sightings = dict[str, bytes]
"""Canaries by the digits of their own: the record each was found in, as it was delivered."""


class CanaryStore(Protocol):
    """Where a log is delivered to. ``interval`` is how many seconds to wait between two looks."""

    interval: float

    def look(self, wanted: frozenset[str]) -> Sightings:
        """Return which of the wanted canaries are there by now. Raises Stopped when the store cannot be read."""
        ...


def open_store(source: LogSource, connect: Any, folder: Path, since: datetime) -> CanaryStore:
    """Return the store of a declared log, with what is there already left out. Raises Stopped.

    ``connect`` gives the AwsConnection when one is needed; objects of buckets are fetched into ``folder``.
    """
    if source.path:
        return LocalFiles(source.path)
    if source.cloudwatch:
        return LogGroup(connect(), source.cloudwatch, source.streams or "", source.region, since)
    if source.s3:
        bucket, _, prefix = source.s3.removeprefix("s3://").partition("/")
        objects = S3Logs(bucket, prefix, source.region or "")
        return NewFiles(partial(fetch_s3, connect(), objects), folder, since, interval=15.0)
    if source.loki:
        query = f"{source.query} |= `{MARK}`"
        try:
            lines = LokiLogs(source.loki, query, source.tenant or "", source.token_env or "")
        except UsageError as error:
            raise Stopped(Problem(Cause.UNREACHABLE, error.what)) from None
        return NewFiles(partial(fetch_loki, lines), folder, since, interval=1.0)
    where = ", ".join(source.places)
    raise Stopped(Problem(Cause.NOT_IMPLEMENTED, f"canaries are not looked for in {where}; declare where it is fed from"))


class LocalFiles:
    """Files, by name, folder or pattern; followed through rotation, whether they are renamed or copied and emptied."""

    interval = 0.05

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        # By device and inode: a rotated file keeps them, and what is made later begins at 0.
        self._offsets: dict[tuple[int, int], int] = {}
        for _, status in self._files():
            self._offsets[status.st_dev, status.st_ino] = status.st_size

    def look(self, wanted: frozenset[str]) -> Sightings:
        return _matching(wanted, (line for file, status in self._files() for line in self._new_lines(file, status)))

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        try:
            for path, wanted in self._candidates():
                status = path.stat()
                if stat.S_ISREG(status.st_mode) and (wanted or (status.st_dev, status.st_ino) in self._offsets):
                    yield path, status
        except FileNotFoundError:
            return  # renamed between the listing and here: the next look finds it
        except OSError as error:
            raise Stopped(_file_problem(self._path, error)) from None

    def _candidates(self) -> Iterator[tuple[Path, bool]]:
        """Yield paths, and whether what is there counts; if not, it does only when it was at one that does before."""
        if glob.has_magic(str(self._path)):
            found = sorted(glob.glob(str(self._path), recursive=True))  # noqa: PTH207 (the pattern may be absolute)
            yield from ((Path(name), True) for name in found)
        elif self._path.is_dir():
            next(self._path.iterdir(), None)  # raises where rglob would just see nothing
            yield from ((path, True) for path in sorted(self._path.rglob("*")))
        elif self._path.parent.is_dir():
            # Rotation renames it: audit.log becomes audit-2026-06-01.log or audit.log.1, whose end is still to be read.
            around = sorted(self._path.parent.iterdir())
            yield from ((each, each == self._path) for each in around if each.name.startswith(self._path.stem))
        else:
            raise Stopped(Problem(Cause.ABSENT, f"{self._path.parent} is no folder"))

    def _new_lines(self, path: Path, status: os.stat_result) -> Iterator[bytes]:
        key = status.st_dev, status.st_ino
        offset = self._offsets.get(key, 0)
        # One that is smaller than it was has been emptied.
        offset = offset if offset <= status.st_size else 0
        try:
            with path.open("rb") as file:
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # still being written
                    offset += len(line)
                    self._offsets[key] = offset
                    yield line
        except OSError as error:
            raise Stopped(_file_problem(path, error)) from None


@dataclass
class LogGroup:
    """A CloudWatch log group; in all regions in scope unless one is named."""

    connection: AwsConnection
    group: str
    streams: str
    region: str | None
    since: datetime
    interval: float = 2.0

    def look(self, wanted: frozenset[str]) -> Sightings:
        regions = (self.region,) if self.region else self.connection.regions
        lines: list[bytes] = []
        missing: list[Problem] = []
        for region in regions:
            try:
                lines += self._messages(region)
            except READING_ERRORS as error:
                problem = reading_problem(error)
                if problem.cause is not Cause.ABSENT:
                    raise Stopped(problem) from None
                missing.append(problem)
        if len(missing) == len(regions):
            raise Stopped(missing[0])
        return _matching(wanted, lines)

    def _messages(self, region: str) -> Iterator[bytes]:
        parameters = {
            "logGroupName": self.group,
            "startTime": int((self.since - _SKEW).timestamp() * 1000),
            "filterPattern": f'"{MARK}"',
        }
        if self.streams:
            parameters["logStreamNamePrefix"] = self.streams
        pager = Pager(self.connection.client("logs", region).filter_log_events, parameters, "nextToken")
        for page in pager:
            pager.fruitful = bool(page["events"])
            found = (event for event in page["events"] if event["logStreamName"].startswith(self.streams))
            yield from (event["message"].encode() for event in found)


@dataclass
class NewFiles:
    """What a reader fetches that it did not fetch before, removed again once it was looked through."""

    fetch: Callable[[Window, dict[str, Any], Path], Fetched]
    folder: Path
    since: datetime
    interval: float
    cursor: dict[str, Any] = field(default_factory=dict)

    def look(self, wanted: frozenset[str]) -> Sightings:
        self.folder.mkdir(parents=True, exist_ok=True)
        fetched = self.fetch(Window(self.since - _SKEW, datetime.now(UTC) + _SKEW), self.cursor, self.folder)
        if fetched.problem:
            raise Stopped(fetched.problem)
        self.cursor = fetched.cursor
        seen: Sightings = {}
        for path, origin in fetched.files:
            seen.update(_matching(wanted, _plain_lines(path, origin)))
            path.unlink()
        return seen


def _matching(wanted: frozenset[str], lines: Iterable[bytes]) -> Sightings:
    """Find the canaries on this side, whatever the store was asked to filter."""
    seen: Sightings = {}
    for line in lines:
        for found in _CANARY.finditer(line):
            if (digits := found[1].decode()) in wanted:
                seen.setdefault(digits, line)
    return seen


def _plain_lines(path: Path, origin: str) -> Iterator[bytes]:
    with path.open("rb") as file:
        magic = file.read(4)
    try:
        if magic.startswith(_MAGIC_GZIP):
            with gzip.open(path) as lines:
                yield from lines
        elif magic == _MAGIC_ZSTD:
            with zstandard.open(path, "rb") as stream:
                yield from stream.read().splitlines()
        else:
            with path.open("rb") as plain:
                yield from plain
    except (OSError, EOFError, zstandard.ZstdError):
        raise Stopped(Problem(Cause.MALFORMED, f"{origin} cannot be decompressed")) from None


def _file_problem(path: Path, error: OSError) -> Problem:
    cause = Cause.DENIED if isinstance(error, PermissionError) else Cause.UNREACHABLE
    return Problem(cause, f"{path}: {error.strerror}")
