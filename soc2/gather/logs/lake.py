"""CloudTrail events where they can be queried: CloudTrail Lake and tables of Athena."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from soc2.errors import UsageError
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.progress import Progress
from soc2.gather.logs.readers import READING_ERRORS, Fetched, Pager, Stopped, Window, moment, reading_problem
from soc2.gather.logs.spool import JsonLines, spool_name
from soc2.gather.logs.trail_sql import ATHENA, LAKE, Column, athena_statement, event_time, labels, lake_statement, record_of
from soc2.model.population import Cause, Problem

_MILLISECONDS = 1_000
_STORE = re.compile(r"^(arn:[\w-]+:cloudtrail:[\w-]+:\d{12}:eventdatastore/)?(?P<id>[0-9a-fA-F-]{36})$")
_NAME = re.compile(r"^[\w-]+$")
_LONGEST_POLL_SECONDS = 10.0
_PATIENCE_SECONDS = 900.0
_PAGE_ROWS = 1_000


@dataclass(frozen=True)
class CloudTrailLake:
    """An event data store by its id or ARN. CloudTrail delivers events up to ``overlap`` after their time."""

    store: str
    region: str
    overlap: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if not _STORE.match(self.store):
            raise UsageError(f"{self.store!r} is no event data store", "name it by its id or its ARN")

    @property
    def id(self) -> str:
        found = _STORE.match(self.store)
        return found["id"] if found else ""


@dataclass(frozen=True)
class AthenaTable:
    """A table over a trail's files. Athena writes what a query gives to ``output`` (``s3://bucket/folder/``).

    It does so with every query: declare a table only if that may be written to. A workgroup that enforces a location of
    its own writes there instead. ``day_column`` is a partition by day (YYYY/MM/DD), which limits what is read and paid.
    """

    database: str
    table: str
    region: str
    output: str
    workgroup: str = "primary"
    catalog: str = "AwsDataCatalog"
    day_column: str = ""
    overlap: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        for name in (self.database, self.table, self.workgroup, self.catalog, self.day_column or "none"):
            if not _NAME.match(name):
                raise UsageError(f"{name!r} is no name of Athena", "use letters, digits, - and _")
        if not self.output.startswith("s3://"):
            raise UsageError("Athena needs a place for what its queries give", "declare the output as s3://bucket/folder/")


@dataclass(frozen=True)
class _Query:
    """A store that can be asked: ``rows`` yields the pages of a window, each a list of rows."""

    name: str
    columns: Sequence[Column]
    overlap: timedelta
    rows: Callable[[Window], Iterator[list[Sequence[str | None]]]]


def fetch_lake(
    connection: AwsConnection,
    declared: CloudTrailLake,
    window: Window,
    cursor: dict[str, Any],
    folder: Path,
    now: datetime | None = None,
    wait: Callable[[float], object] = time.sleep,
) -> Fetched:
    """Query the store for the events in the window that earlier readings did not give; a line of the file is a record.

    Needs ``cloudtrail:StartQuery`` and ``cloudtrail:GetQueryResults``. AWS charges by the bytes that a query scans.
    """

    def rows(part: Window) -> Iterator[list[Sequence[str | None]]]:
        client = connection.client("cloudtrail", declared.region)
        statement = lake_statement(declared.id, part)
        asked = {"QueryId": client.start_query(QueryStatement=statement)["QueryId"], "MaxQueryResults": _PAGE_ROWS}
        _await(lambda: _lake_state(client.get_query_results(**asked)), wait)
        for page in Pager(client.get_query_results, asked, "NextToken"):
            yield [[next(iter(cell.values()), None) for cell in row] for row in page["QueryResultRows"]]

    query = _Query(f"CloudTrail Lake {declared.id} in {declared.region}", LAKE, declared.overlap, rows)
    return _fetch(query, window, cursor, folder, now)


def fetch_athena(
    connection: AwsConnection,
    declared: AthenaTable,
    window: Window,
    cursor: dict[str, Any],
    folder: Path,
    now: datetime | None = None,
    wait: Callable[[float], object] = time.sleep,
) -> Fetched:
    """Query the table for the events in the window that earlier readings did not give; a line of the file is a record.

    Writes the query's result to the declared output. Needs ``athena:StartQueryExecution``,
    ``athena:GetQueryExecution``, ``athena:GetQueryResults``, ``glue:GetDatabase``, ``glue:GetTable``,
    ``glue:GetPartitions``, ``s3:GetObject`` and ``s3:ListBucket`` for the trail's files, and for the output
    ``s3:GetBucketLocation``, ``s3:GetObject`` and ``s3:PutObject``. AWS charges by the bytes that a query scans.
    """

    def rows(part: Window) -> Iterator[list[Sequence[str | None]]]:
        client = connection.client("athena", declared.region)
        identity = client.start_query_execution(
            QueryString=athena_statement(f'"{declared.database}"."{declared.table}"', part, declared.day_column),
            QueryExecutionContext={"Database": declared.database, "Catalog": declared.catalog},
            ResultConfiguration={"OutputLocation": declared.output},
            WorkGroup=declared.workgroup,
        )["QueryExecutionId"]
        _await(lambda: _athena_state(client.get_query_execution(QueryExecutionId=identity)), wait)
        asked = {"QueryExecutionId": identity, "MaxResults": _PAGE_ROWS}
        for page in Pager(client.get_query_results, asked, "NextToken"):
            found = [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
            # The first row of the first page has the names.
            yield [row for row in found if row != labels(ATHENA)]

    query = _Query(f"Athena {declared.database}.{declared.table} in {declared.region}", ATHENA, declared.overlap, rows)
    return _fetch(query, window, cursor, folder, now)


def _fetch(query: _Query, window: Window, cursor: dict[str, Any], folder: Path, now: datetime | None) -> Fetched:
    progress = Progress(cursor)
    end = (now or datetime.now(UTC)) - query.overlap
    horizon = Window(end, end).per_second(_MILLISECONDS)[0]
    pages = 0
    problem = None
    with JsonLines(folder, spool_name(query.name)) as file:
        try:
            for start, until in progress.unread(*window.per_second(_MILLISECONDS)):
                part = Window(moment(start, _MILLISECONDS), moment(until, _MILLISECONDS))
                for rows in query.rows(part):
                    pages += 1
                    _keep(query, rows, part, progress, file)
                progress.settle(start, min(until, horizon))
        except READING_ERRORS as error:
            found = reading_problem(error)
            problem = Problem(found.cause, f"{found.detail} at {query.name}")
    files = ((file.path, query.name),) if file.lines else ()
    return Fetched(files, progress.cursor, pages, file.lines, problem)


def _keep(query: _Query, rows: list[Sequence[str | None]], part: Window, progress: Progress, file: JsonLines) -> None:
    for row in rows:
        record = record_of(query.columns, row)
        at = event_time(record)
        # What the store filters is filtered again: its word is no evidence.
        wanted = part.since <= at < part.until
        if wanted and progress.is_new(record["eventID"], Window(at, at).per_second(_MILLISECONDS)[0]):
            file.write(record)


def _await(state: Callable[[], Problem | bool], wait: Callable[[float], object]) -> None:
    """Ask for the state of a query, less and less often, until it is done; raise Stopped when it will not be."""
    waited, seconds = 0.0, 0.5
    while (now := state()) is False:
        if waited >= _PATIENCE_SECONDS:
            raise Stopped(Problem(Cause.TIMED_OUT, f"the query did not end in {_PATIENCE_SECONDS:.0f} s"))
        wait(seconds)
        waited += seconds
        seconds = min(seconds * 2, _LONGEST_POLL_SECONDS)
    if isinstance(now, Problem):
        raise Stopped(now)


def _lake_state(answer: dict[str, Any]) -> Problem | bool:
    state = answer["QueryStatus"]
    if state in ("QUEUED", "RUNNING", "FINISHED"):
        return bool(state == "FINISHED")
    return Problem(Cause.TIMED_OUT if state == "TIMED_OUT" else Cause.SERVER_ERROR, f"StartQuery: {state}")


def _athena_state(answer: dict[str, Any]) -> Problem | bool:
    status = answer["QueryExecution"]["Status"]
    if status["State"] in ("QUEUED", "RUNNING", "SUCCEEDED"):
        return bool(status["State"] == "SUCCEEDED")
    # Only the code at its beginning: what follows may quote data.
    reason = status.get("StateChangeReason", "")
    code = re.match(r"[A-Z_]{4,}(?=:)", reason)
    denied = re.search(r"access denied|accessdenied|not authorized", reason, re.I)
    absent = code and code[0].endswith("_NOT_FOUND")
    cause = Cause.DENIED if denied else Cause.ABSENT if absent else Cause.SERVER_ERROR
    return Problem(cause, f"StartQueryExecution: {code[0] if code else status['State']}")
