"""Asks the reader of the place where a declared log is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from soc2.errors import UsageError
from soc2.gather.logs.cloudwatch import CloudWatchLogs, fetch_cloudwatch
from soc2.gather.logs.cursor import NewPart, confirmed, read_new
from soc2.gather.logs.framing import Part, files_of
from soc2.gather.logs.lake import AthenaTable, CloudTrailLake, fetch_athena, fetch_lake
from soc2.gather.logs.loki import LokiLogs, fetch_loki
from soc2.gather.logs.readers import Fetched, Window
from soc2.gather.logs.rotation import Cursor
from soc2.gather.logs.s3 import S3Logs, fetch_s3
from soc2.model.population import Cause, Problem

if TYPE_CHECKING:
    from soc2.gather.source import Gatherer
    from soc2.log_sources import LogSource


@dataclass(frozen=True)
class Brought:
    """What a reader brought, for framing, and which part of each file is new: all of it where ``parts`` does not say.

    ``cursors`` are those of local files, which may be rotated while they are read.
    """

    fetched: Fetched
    parts: tuple[NewPart, ...] = ()
    cursors: dict[str, Cursor] = field(default_factory=dict)

    def new(self) -> Iterator[tuple[Path, str, Part]]:
        """Yield each file with its origin and the part of it that is new."""
        parts = {each.path: each.part for each in self.parts}
        for path, origin in self.fetched.files:
            yield path, origin, parts.get(path, Part())

    def cursor(self) -> dict[str, Any]:
        """Return what the next reading takes up, once all is kept."""
        if not self.cursors:
            return self.fetched.cursor
        built: dict[str, Any] = msgspec.to_builtins(confirmed(self.parts, self.cursors))
        return built


def place_of(source: LogSource) -> str:
    """Return where a log is, as reports name it."""
    if source.athena is not None:
        return f"Athena table {source.athena.database}.{source.athena.table}"
    if source.cloudwatch is not None:
        return f"log group {source.cloudwatch}" + (f", streams {source.streams}*" if source.streams else "")
    if source.lake is not None:
        return f"event data store {source.lake}"
    if source.loki is not None:
        return f"Loki at {source.loki}: {source.query}"
    return str(source.s3 or source.path)


def identity_of(source: LogSource, gatherer: Gatherer) -> str:
    """Return as whom the log is read."""
    return "the caller" if source.path or source.loki else gatherer.aws.identity


def fetch(source: LogSource, gatherer: Gatherer, window: Window, cursor: dict[str, Any], spool: Path) -> Brought:
    """Return what is new in the window, or of local files what is new at all. Raises UsageError when the cursor is not one
    of this place."""
    if source.path is not None:
        return _local(source.path, cursor)
    return Brought(_remote(source, gatherer, window, cursor, spool))


def _remote(source: LogSource, gatherer: Gatherer, window: Window, cursor: dict[str, Any], spool: Path) -> Fetched:
    if source.loki is not None:
        declared = LokiLogs(source.loki, source.query or "", source.tenant or "", source.token_env or "")
        return fetch_loki(declared, window, cursor, spool)
    aws = gatherer.aws
    region = source.region or next(iter(aws.regions), "")
    if not region:
        return Fetched((), cursor, 0, 0, Problem(Cause.ABSENT, "no AWS region is in scope, and the source names none"))
    if source.cloudwatch is not None:
        regions = (source.region,) if source.region else ()
        return fetch_cloudwatch(aws, CloudWatchLogs(source.cloudwatch, source.streams or "", regions), window, cursor, spool)
    if source.s3 is not None:
        bucket, _, prefix = source.s3.removeprefix("s3://").partition("/")
        return fetch_s3(aws, S3Logs(bucket, prefix, region), window, cursor, spool)
    if source.lake is not None:
        return fetch_lake(aws, CloudTrailLake(source.lake, region), window, cursor, spool)
    athena = source.athena
    assert athena is not None, "a valid source has a place"
    table = AthenaTable(
        athena.database, athena.table, region, athena.output, athena.workgroup, day_column=athena.day_column or ""
    )
    return fetch_athena(aws, table, window, cursor, spool)


def _local(pattern: str, cursor: dict[str, Any]) -> Brought:
    try:
        cursors = msgspec.convert(cursor, dict[str, Cursor])
    except msgspec.ValidationError as error:
        raise UsageError(f"the kept position in {pattern} cannot be read: {error}", "remove it to read anew") from None
    found = [Path(name) for name in sorted(glob(pattern, recursive=True))]  # noqa: PTH207 - Path.glob takes no absolute one
    if not found:
        return Brought(Fetched((), cursor, 0, 0, Problem(Cause.ABSENT, f"{pattern}: no such file or folder")))
    problem = _refusal(files_of(found))
    parts, kept = read_new(found, cursors, time.time())
    files = tuple((part.path, part.origin) for part in parts)
    return Brought(Fetched(files, cursor, 1, len(files), problem), parts, kept)


def _refusal(files: Iterable[Path]) -> Problem | None:
    """Return that a file may not be read: what reads on from a cursor passes over such files."""
    for path in files:
        try:
            path.open("rb").close()
        except FileNotFoundError:
            continue  # rotated meanwhile
        except OSError as error:
            return Problem(Cause.DENIED, f"{path}: {error.strerror or type(error).__name__}")
    return None
