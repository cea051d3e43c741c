"""Where the company keeps its logs: groups of CloudWatch and prefixes of the bucket of logs, and the form they have there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from soc2.demo.company.logs import audit, containers, flows, nodes, sensors, trail
from soc2.demo.company.logs.scene import ACCOUNT, ENDPOINT, NODES, PROXY, REGION, Day, Event

BUCKET = "northwind-logs"
# A trail delivers about every five minutes; half an hour keeps the demo small.
_FILES_PER_HOUR = 2


@dataclass(frozen=True)
class Log:
    """A log, how a quiet day of it is made, and its place: a log group, or else a prefix of the bucket."""

    name: str
    quiet: Callable[[Day], Iterable[Event]]
    group: str = ""
    prefix: str = ""
    """Under ``AWSLogs/ACCOUNT``."""


def _flows_at(*names: str) -> Callable[[Day], Iterable[Event]]:
    return lambda day: (event for event in flows.quiet(day) if event.stream in names)


LOGS = (
    Log("kubernetes-audit", audit.quiet, group="/aws/eks/nn-staging/cluster"),
    Log("cloudtrail", trail.quiet, prefix="CloudTrail"),
    Log("flows-of-nodes", _flows_at(*(node.name for node in NODES)), prefix="vpcflowlogs"),
    Log("flows-of-databases", _flows_at(PROXY.name), group="/northwind/flow-logs"),
    Log("flows-of-endpoints", _flows_at(ENDPOINT.name), group="/northwind/endpoint-flow-logs"),
    Log("containers", containers.quiet, group="/aws/containerinsights/nn-staging/application"),
    Log("journals", nodes.quiet_journal, group="/northwind/nodes"),
    Log("auditd", nodes.quiet_auditd, group="/northwind/auditd"),
    Log("falco", sensors.quiet_falco, group="/northwind/falco"),
    Log("guardduty", sensors.quiet_guardduty, prefix="GuardDuty"),
)

Made = dict[str, list[Event]]
"""The events of each log by its name, in the order of time."""


def quiet_logs(day: Day) -> Made:
    """Return all logs of a quiet day."""
    return {log.name: sorted(log.quiet(day), key=lambda event: event.time) for log in LOGS}


def lines(events: Iterable[Event]) -> list[str]:
    """Return events as lines: JSON where the log is JSON."""
    return [one if isinstance(one := event.record, str) else json.dumps(one, separators=(",", ":")) for event in events]


def objects(log: Log, events: Iterable[Event], delivered: datetime | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield key and content of each object that the bucket has of a log, as AWS writes them: one that is ``delivered``
    now, else one for each of the periods in which they were."""
    if delivered is not None:
        if found := list(events):
            yield _key(log, delivered, len(found)), _content(log, found)
        return
    for period, group in groupby(events, key=lambda event: _period(event.time)):
        found = list(group)
        yield _key(log, period, len(found)), _content(log, found)


def _period(time: datetime) -> datetime:
    step = 60 // _FILES_PER_HOUR
    return time.replace(minute=time.minute // step * step, second=0, microsecond=0)


def _key(log: Log, period: datetime, count: int) -> str:
    folder = f"AWSLogs/{ACCOUNT}/{log.prefix}/{REGION}/{period:%Y/%m/%d}"
    unique = f"{period:%d%H%M%S}{count:04d}NorthWnd"
    match log.prefix:
        case "CloudTrail":
            return f"{folder}/{ACCOUNT}_CloudTrail_{REGION}_{period:%Y%m%dT%H%MZ}_{unique}.json.gz"
        case "vpcflowlogs":
            return (
                f"{folder}/{ACCOUNT}_vpcflowlogs_{REGION}_fl-0a1b2c3d4e5f60718_{period:%Y%m%dT%H%MZ}_{unique.lower()}.log.gz"
            )
        case _:
            return f"{folder}/{unique}.jsonl.gz"


def _content(log: Log, events: list[Event]) -> bytes:
    if log.prefix == "CloudTrail":
        text = json.dumps({"Records": [event.record for event in events]})
    else:
        text = "\n".join([*([flows.HEADER] if log.prefix == "vpcflowlogs" else []), *lines(events)]) + "\n"
    return gzip.compress(text.encode(), compresslevel=1, mtime=0)


def batches(events: Iterable[Event]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield streams of a log group and the events of each, as the API of CloudWatch Logs takes them."""
    by_stream: dict[str, list[Event]] = {}
    for event in events:
        by_stream.setdefault(event.stream, []).append(event)
    for stream, found in by_stream.items():
        texts = zip(found, lines(found), strict=True)
        yield stream, [{"timestamp": int(event.time.timestamp() * 1000), "message": text} for event, text in texts]


def write(made: Made, folder: Path) -> None:
    """Write logs to files: what the bucket has under its keys, and one file for each stream of a log group."""
    for log in LOGS:
        if log.prefix:
            for key, content in objects(log, made[log.name]):
                path = folder / BUCKET / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            continue
        for stream in sorted({event.stream for event in made[log.name]}):
            path = folder / log.group.strip("/").replace("/", "-") / f"{stream}.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            found = [event for event in made[log.name] if event.stream == stream]
            path.write_text("".join(line + "\n" for line in lines(found)), encoding="utf-8")
