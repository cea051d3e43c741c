"""Asks the reader of the place where a declared log is."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soc2.gather.logs.cloudwatch import CloudWatchLogs, fetch_cloudwatch
from soc2.gather.logs.framing import files_of
from soc2.gather.logs.lake import AthenaTable, CloudTrailLake, fetch_athena, fetch_lake
from soc2.gather.logs.loki import LokiLogs, fetch_loki
from soc2.gather.logs.readers import Fetched, Window
from soc2.gather.logs.s3 import S3Logs, fetch_s3
from soc2.model.population import Cause, Problem

if TYPE_CHECKING:
    from soc2.gather.source import Gatherer
    from soc2.log_sources import LogSource


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


def fetch(source: LogSource, gatherer: Gatherer, window: Window, cursor: dict[str, Any], spool: Path) -> Fetched:
    """Return what is new in the window. Raises UsageError when the cursor is not one of this place."""
    if source.path is not None:
        return _files(source.path)
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


def _files(pattern: str) -> Fetched:
    found = [Path(name) for name in sorted(glob(pattern, recursive=True))]  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = files_of(found)
    problem = None if files else Problem(Cause.ABSENT, f"{pattern}: no such file")
    return Fetched(tuple((file, str(file)) for file in files), {}, 1, len(files), problem)
