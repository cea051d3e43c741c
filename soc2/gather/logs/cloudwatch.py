"""CloudWatch Logs: the events of a log group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.progress import Progress
from soc2.gather.logs.readers import READING_ERRORS, Fetched, Pager, Window, reading_problem, worst
from soc2.gather.logs.spool import Delays, JsonLines, spool_name
from soc2.model.population import Cause, Problem

_MILLISECONDS = 1_000
_FIELDS = ("timestamp", "ingestionTime", "logStreamName", "eventId", "message")
# Progress is kept by slice: what was read to the end before something broke is not read again, and the ids that tell
# doubles apart are needed for one slice at a time.
_SLICE = 6 * 3600 * _MILLISECONDS


@dataclass(frozen=True)
class CloudWatchLogs:
    """A log group, perhaps only its streams that begin with ``streams``; in all regions in scope unless some are named.

    ``overlap`` is how long after its own time an event may still arrive: that much is read again by the next reading.
    """

    group: str
    streams: str = ""
    regions: tuple[str, ...] = ()
    overlap: timedelta = timedelta(hours=2)


@dataclass
class _Reading:
    declared: CloudWatchLogs
    delays: Delays
    horizon: int
    pages: int = 0


def fetch_cloudwatch(
    connection: AwsConnection,
    declared: CloudWatchLogs,
    window: Window,
    cursor: dict[str, Any],
    folder: Path,
    now: datetime | None = None,
) -> Fetched:
    """Read the group's events in the window that earlier readings did not give: one file for each region that has any.

    A line is ``{"timestamp", "ingestionTime", "logStreamName", "logGroup", "eventId", "message"}``, times in
    milliseconds. Needs ``logs:FilterLogEvents``. A group that some regions lack is read where it is.
    """
    horizon = (now or datetime.now(UTC)) - declared.overlap
    reading = _Reading(declared, Delays(), Window(horizon, horizon).per_second(_MILLISECONDS)[0])
    regions = declared.regions or connection.regions
    files: list[tuple[Path, str]] = []
    problems: list[tuple[str, Problem]] = []
    kept = dict(cursor)
    items = 0
    for region in regions:
        place = f"{connection.account}/{region}"
        progress = Progress(cursor.get(place))
        with JsonLines(folder, spool_name("cloudwatch", place, declared.group, declared.streams)) as file:
            problem = _read(connection, region, reading, window, progress, file)
        if problem:
            problems.append((region, problem))
        if file.lines:
            files.append((file.path, f"log group {declared.group} in {region}"))
            items += file.lines
        kept[place] = progress.cursor
    elsewhere = [each for each in problems if each[1].cause is not Cause.ABSENT]
    if not declared.regions and len(problems) - len(elsewhere) < len(regions):
        problems = elsewhere
    return Fetched(tuple(files), kept, reading.pages, items, worst(problems, len(regions)), reading.delays.kept)


def _read(
    connection: AwsConnection, region: str, reading: _Reading, window: Window, progress: Progress, file: JsonLines
) -> Problem | None:
    try:
        client = connection.client("logs", region)
        for start, end in progress.unread(*window.per_second(_MILLISECONDS)):
            for first in range(start, end, _SLICE):
                last = min(first + _SLICE, end)
                _read_slice(client, reading, (first, last), progress, file)
                progress.settle(first, min(last, reading.horizon))
    except READING_ERRORS as error:
        return reading_problem(error)
    return None


def _read_slice(client: Any, reading: _Reading, part: tuple[int, int], progress: Progress, file: JsonLines) -> None:
    declared = reading.declared
    parameters = {"logGroupName": declared.group, "startTime": part[0], "endTime": part[1]}
    if declared.streams:
        parameters["logStreamNamePrefix"] = declared.streams
    pager = Pager(client.filter_log_events, parameters, "nextToken")
    for page in pager:
        reading.pages += 1
        for event in page["events"]:
            record = {**{name: event[name] for name in _FIELDS}, "logGroup": declared.group}
            time = record["timestamp"]
            # What the service filters is filtered again: its word is no evidence.
            wanted = part[0] <= time < part[1] and record["logStreamName"].startswith(declared.streams)
            if wanted and progress.is_new(record["eventId"], time):
                pager.fruitful = True
                reading.delays.tell((record["ingestionTime"] - time) / _MILLISECONDS)
                file.write(record)
