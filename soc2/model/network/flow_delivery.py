"""Flow logs as they arrive: each VPC with its flow logs, the declared logs they go to, and the records of its interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from soc2.model.aws.compute import FlowLog, NetworkInterface
from soc2.model.aws.joins import LoggedVpc
from soc2.model.deviation import Resource
from soc2.model.log_health import CollectedLog, silences
from soc2.model.network.flows import InterfaceRecords


@dataclass(frozen=True)
class DeclaredPlace:
    """Where a declared log is: ``s3`` is bucket and prefix without the scheme, ``group`` a log group; one is empty."""

    log: str
    s3: str = ""
    group: str = ""

    def takes(self, flow_log: FlowLog) -> bool:
        """Tell whether the flow log delivers into it. In a bucket AWS adds ``AWSLogs/…`` to the prefix."""
        arn = flow_log.log_destination
        if self.s3 and ":s3:::" in arn:
            given, own = arn.partition(":s3:::")[2].strip("/") + "/", self.s3.strip("/") + "/"
            return own.startswith(given) or given.startswith(own)
        group = flow_log.log_group_name or (arn.partition(":log-group:")[2].removesuffix(":*"))
        return bool(self.group) and group == self.group


@dataclass(frozen=True, kw_only=True)
class LogProblem:
    """A flow log of a VPC and what is wrong with it."""

    flow_log: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class DeliveringVpc:
    """A VPC, with what is wrong with its flow logs and those interfaces in use that have no record at all."""

    resource: Resource
    problems: tuple[LogProblem, ...] = ()
    silent: tuple[NetworkInterface, ...] = ()
    since: datetime
    interfaces: int = 0


def delivering_vpcs(
    vpcs: Iterable[LoggedVpc],
    places: Iterable[DeclaredPlace],
    logs: Iterable[CollectedLog],
    records: Iterable[InterfaceRecords],
) -> Iterator[DeliveringVpc]:
    """Join VPCs with what arrived. Of interfaces whose records go to a log of which nothing could be read, nothing is
    known."""
    every, by_name = tuple(places), {log.source: log for log in logs}
    seen = {record.interface for record in records}
    since = min((log.since for log in by_name.values()), default=None)
    for vpc in vpcs:
        problems, silent = [], []
        for flow_log in vpc.flow_logs:
            problems += [LogProblem(flow_log=_name(flow_log), problem=what) for what in _wrong(flow_log, every, by_name)]
        for interface in vpc.interfaces:
            into = [by_name[name] for log in vpc.logs_of(interface) for name in _names(log, every) if name in by_name]
            unread = any(not log.complete and not log.records for log in into)
            if into and not unread and interface.network_interface_id not in seen:
                silent.append(interface)
        if not vpc.flow_logs:
            problems.append(LogProblem(flow_log="no flow log", problem="there is none"))
        if since is not None or problems:
            yield DeliveringVpc(
                resource=vpc.resource,
                problems=tuple(problems),
                silent=tuple(silent),
                since=since or datetime.min,
                interfaces=len(vpc.interfaces),
            )


def _wrong(flow_log: FlowLog, places: tuple[DeclaredPlace, ...], logs: Mapping[str, CollectedLog]) -> Iterator[str]:
    if flow_log.flow_log_status != "ACTIVE":
        yield f"it is {flow_log.flow_log_status or 'of no known status'}"
    if flow_log.deliver_logs_status != "SUCCESS":
        why = f" ({flow_log.deliver_logs_error_message})" if flow_log.deliver_logs_error_message else ""
        yield f"its delivery is {flow_log.deliver_logs_status or 'of no known status'}{why}"
    names = _names(flow_log, places)
    if not names:
        yield f"it delivers to {flow_log.log_destination or flow_log.log_group_name}, which is no declared log"
    for log in (logs[name] for name in names if name in logs):
        yield from _late(log)


def _late(log: CollectedLog) -> Iterator[str]:
    if not log.complete:
        return
    if log.staleness:
        yield f"log {log.source}: {log.staleness.detail}"
    limit = timedelta(minutes=log.gap_limit_minutes) if log.gap_limit_minutes else None
    for stream in log.streams if limit else ():
        for begin, end in silences(stream.hours, log.since, log.until) if limit else ():
            if limit and end - begin >= limit:
                yield f"log {log.source}: no record from {begin:%Y-%m-%dT%H:%MZ} until {end:%Y-%m-%dT%H:%MZ}"


def _names(flow_log: FlowLog, places: Iterable[DeclaredPlace]) -> list[str]:
    return [place.log for place in places if place.takes(flow_log)]


def _name(flow_log: FlowLog) -> str:
    return f"{flow_log.flow_log_id} of {flow_log.resource_id}"
