"""Flow logs as they arrive: each VPC with its flow logs, the declared logs they go to, and the records of its interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from soc2.model.aws.compute import FlowLog, NetworkInterface
from soc2.model.aws.joins import LoggedVpc
from soc2.model.deviation import Resource
from soc2.model.log_health import CollectedLog, silences
from soc2.model.network.flows import InterfaceRecords

VERSION_2 = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
"""The fields of the default format."""


@dataclass(frozen=True)
class DeclaredPlace:
    """Where a declared log is: ``s3`` is bucket and prefix without the scheme, ``group`` a log group; one is empty.
    ``format`` are the fields that its lines are declared to have, where they do not say so themselves."""

    log: str
    s3: str = ""
    group: str = ""
    format: str = ""

    def takes(self, flow_log: FlowLog) -> bool:
        """Tell whether the flow log delivers into it. In a bucket AWS adds ``AWSLogs/…`` to the prefix."""
        arn = flow_log.log_destination
        if self.s3 and ":s3:::" in arn:
            given = arn.partition(":s3:::")[2].strip("/") + "/AWSLogs/"
            own = self.s3 if "/" in self.s3 else f"{self.s3}/"
            return own.startswith(given) or given.startswith(own)
        group = flow_log.log_group_name or (arn.partition(":log-group:")[2].removesuffix(":*"))
        return bool(self.group) and group == self.group


@dataclass(frozen=True, kw_only=True)
class LogProblem:
    """A flow log of a VPC and what is wrong with it."""

    flow_log: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class SilentInterface:
    """An interface in use that has had no record since a time (UTC)."""

    interface: NetworkInterface
    since: datetime


@dataclass(frozen=True, kw_only=True)
class DeliveringVpc:
    """A VPC, with what is wrong with its flow logs and with those interfaces in use of which no records arrive."""

    resource: Resource
    problems: tuple[LogProblem, ...] = ()
    silent: tuple[SilentInterface, ...] = ()
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
    seen: dict[str, list[datetime]] = {}
    for record in records:
        seen.setdefault(record.interface, []).extend(filter(None, [record.newest]))
    for vpc in vpcs:
        problems, silent = [], []
        for flow_log in vpc.flow_logs:
            problems += [LogProblem(flow_log=_name(flow_log), problem=what) for what in _wrong(flow_log, every, by_name)]
        for interface in vpc.interfaces:
            into = [
                (flow_log, by_name[name])
                for flow_log in vpc.logs_of(interface)
                for name in _names(flow_log, every)
                if name in by_name
            ]
            if since := _silent_since(interface, into, seen.get(interface.network_interface_id)):
                silent.append(SilentInterface(interface=interface, since=since))
        if not vpc.flow_logs:
            problems.append(LogProblem(flow_log="no flow log", problem="there is none"))
        if by_name or problems:
            yield DeliveringVpc(
                resource=vpc.resource, problems=tuple(problems), silent=tuple(silent), interfaces=len(vpc.interfaces)
            )


def _silent_since(
    interface: NetworkInterface, into: Sequence[tuple[FlowLog, CollectedLog]], newest: list[datetime] | None
) -> datetime | None:
    """Return since when there have been no records of an interface; None if there are, or if nothing is known of it.

    Where nothing happens AWS says so at every interval. What ceased longer ago than a log may be late and silent together
    is silent, but for a log that is late as a whole; what is younger than that has time left.
    """
    if not into or any(not log.complete and not log.records for _, log in into):
        return None
    attached = interface.attachment.attach_time if interface.attachment else None
    for flow_log, log in into:
        begin = max(filter(None, (log.since, attached, flow_log.creation_time)))
        last = max(newest or [], default=begin)
        allowed = timedelta(minutes=(log.age_limit_minutes or 0) + (log.gap_limit_minutes or 0))
        if newest is None and log.until - begin > allowed:
            return begin
        if newest and log.complete and allowed and not log.staleness and log.until - last > allowed:
            return last
    return None


def _wrong(flow_log: FlowLog, places: tuple[DeclaredPlace, ...], logs: Mapping[str, CollectedLog]) -> Iterator[str]:
    if flow_log.flow_log_status != "ACTIVE":
        yield f"it is {flow_log.flow_log_status or 'of no known status'}"
    if flow_log.deliver_logs_status != "SUCCESS":
        why = f" ({flow_log.deliver_logs_error_message})" if flow_log.deliver_logs_error_message else ""
        yield f"its delivery is {flow_log.deliver_logs_status or 'of no known status'}{why}"
    taking = [place for place in places if place.takes(flow_log)]
    if not taking:
        yield f"it delivers to {flow_log.log_destination or flow_log.log_group_name}, which is no declared log"
    for place in taking:
        if place.group and flow_log.log_format and _fields(flow_log.log_format) != _fields(place.format or VERSION_2):
            yield f'its lines are not of the format of log {place.log}: declare format = "{flow_log.log_format}"'
        if place.log in logs:
            yield from _late(logs[place.log], flow_log.creation_time)


def _fields(line_format: str) -> list[str]:
    return [name.strip("${}") for name in line_format.split()]


def _late(log: CollectedLog, created: datetime | None) -> Iterator[str]:
    """Yield how a log is late or silent since the flow log was ``created``; a new one has time until its first records."""
    begin = max(log.since, created) if created else log.since
    age = timedelta(minutes=log.age_limit_minutes or 0)
    if not log.complete or begin + age >= log.until:
        return
    if log.staleness:
        yield f"log {log.source}: {log.staleness.detail}"
    if log.gap_limit_minutes is None:
        return
    for stream in log.streams:
        for first, last in silences(stream.hours, begin, log.until):
            if last - first >= timedelta(minutes=log.gap_limit_minutes):
                yield f"log {log.source}: no record from {first:%Y-%m-%dT%H:%MZ} until {last:%Y-%m-%dT%H:%MZ}"


def _names(flow_log: FlowLog, places: Iterable[DeclaredPlace]) -> list[str]:
    return [place.log for place in places if place.takes(flow_log)]


def _name(flow_log: FlowLog) -> str:
    return f"{flow_log.flow_log_id} of {flow_log.resource_id}"
