"""Brings the company's logs to where it keeps them: a day of them at the start, and then what happens as it happens."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import msgspec

from soc2.demo.aws.server import REGION
from soc2.demo.company.logs import audit
from soc2.demo.company.logs.planting import tell
from soc2.demo.company.logs.pod_flows import pod_flows, running_pods
from soc2.demo.company.logs.scene import NODES, PROXY, Day, Event
from soc2.demo.company.logs.store import BUCKET, LOGS, Log, Made, batches, objects, quiet_logs
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.model.feeds import AlertRow

# What CloudWatch Logs takes in one request, with room to spare: 10,000 events, of 1 MiB together.
_EVENTS_AT_ONCE = 1000
_BYTES_AT_ONCE = 900_000
_COMING = timedelta(hours=24)
# The quiet logs that come once the environment stands; what is shipped of the cluster's own audit log comes at once.
_EACH = timedelta(seconds=30)
_AUDIT = next(log for log in LOGS if log.name == "kubernetes-audit")


class Shipper:
    """``environment`` is that of boto3, ``audit_log`` the file that the API server writes, ``feed`` where the company's
    record of alerts goes."""

    def __init__(self, environment: Mapping[str, str], audit_log: Path, feed: Path) -> None:
        session = boto3.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        self._logs: Any = session.client("logs", endpoint_url=environment["AWS_ENDPOINT_URL"])
        self._s3: Any = session.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"])
        self._audit_log = audit_log
        self._feed = feed
        self._offset = 0
        self._streams: set[tuple[str, str]] = set()
        self._coming: Made = {}
        self._shipped = datetime.now(UTC)
        self._ec2: Any = session.client("ec2", endpoint_url=environment["AWS_ENDPOINT_URL"])
        self._interfaces: dict[str, str] = {}

    def seed(self, variant: str, instances: Mapping[str, str]) -> None:
        """Bring the logs of the last day, and write the feed. ``instances`` are ids by name: flow logs are of the interfaces
        that these really have."""
        found = self._ec2.describe_network_interfaces()["NetworkInterfaces"]
        live = {each.get("Attachment", {}).get("InstanceId"): each["NetworkInterfaceId"] for each in found}
        self._interfaces = {each.interface: live[instances[each.name]] for each in (*NODES, PROXY)}
        now = datetime.now(UTC)
        story = tell(Day(now), variant)
        self._deliver(story.logs)
        with self._feed.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, AlertRow.__struct_fields__)
            writer.writeheader()
            writer.writerows(story.alerts)
        self._coming = quiet_logs(Day(now + _COMING, int(_COMING / timedelta(hours=1)), seed=1))
        self._shipped = now

    def begin(self, kubeconfig: Path, variant: str) -> None:
        """Ship the API server's audit log from here on, and what the pods that run now say to others. What made the company is
        no part of its story."""
        self._offset = self._audit_log.stat().st_size
        connection = KubeConnection(kubeconfig)
        items = msgspec.json.decode(connection.request("GET", "/api/v1/pods").body)["items"]
        connection.close()
        now = datetime.now(UTC)
        # A pod has its address from the second on in which it started.
        time = now.replace(microsecond=0)
        made: Made = {log.name: [] for log in LOGS}
        for log, event in pod_flows(running_pods(items), variant, time, Day(now).dice("pods")):
            made[log].append(event)
        self._deliver(made, now)

    def ship(self) -> None:
        """Bring what happened since the last time."""
        self._ship_audit_log()
        now = datetime.now(UTC)
        if now - self._shipped >= _EACH:
            due = {name: [event for event in events if event.time <= now] for name, events in self._coming.items()}
            self._deliver(due, now)
            self._coming = {name: [event for event in events if event.time > now] for name, events in self._coming.items()}
            self._shipped = now

    def _ship_audit_log(self) -> None:
        if self._audit_log.stat().st_size < self._offset:
            # The API server began a new file.
            self._offset = 0
        with self._audit_log.open("rb") as file:
            file.seek(self._offset)
            whole, end, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(end)
        now = datetime.now(UTC)
        texts = whole.decode().splitlines()
        self._put(_AUDIT, audit.STREAM, [{"timestamp": _milliseconds(text, now), "message": text} for text in texts])

    def _deliver(self, made: Made, now: datetime | None = None) -> None:
        for log in LOGS:
            told = [self._of_live_interface(event) for event in made[log.name]] if "flows" in log.name else made[log.name]
            if log.prefix:
                for key, content in objects(log, told, now):
                    self._s3.put_object(Bucket=BUCKET, Key=key, Body=content)
            for stream, events in batches(told) if log.group else ():
                self._put(log, stream, events)

    def _of_live_interface(self, event: Event) -> Event:
        record = str(event.record)
        for made, live in self._interfaces.items():
            record = record.replace(made, live)
        return replace(event, record=record)

    def _put(self, log: Log, stream: str, events: list[dict[str, Any]]) -> None:
        if events and (log.group, stream) not in self._streams:
            self._logs.create_log_stream(logGroupName=log.group, logStreamName=stream)
            self._streams.add((log.group, stream))
        batch: list[dict[str, Any]] = []
        size = 0
        for event in sorted(events, key=lambda each: int(each["timestamp"])):
            length = len(event["message"].encode()) + 26
            if batch and (len(batch) == _EVENTS_AT_ONCE or size + length > _BYTES_AT_ONCE):
                self._logs.put_log_events(logGroupName=log.group, logStreamName=stream, logEvents=batch)
                batch, size = [], 0
            batch.append(event)
            size += length
        if batch:
            self._logs.put_log_events(logGroupName=log.group, logStreamName=stream, logEvents=batch)


class _Received(msgspec.Struct):
    requestReceivedTimestamp: datetime  # noqa: N815


def _milliseconds(text: str, otherwise: datetime) -> int:
    try:
        moment = msgspec.json.decode(text, type=_Received).requestReceivedTimestamp
    except msgspec.DecodeError:
        moment = otherwise
    return int(moment.timestamp() * 1000)
