"""How logs were collected: what arrived of each source and stream, hour by hour, and what of it is to be judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Node
from soc2.model.logs import LogKind
from soc2.model.population import Cause, Problem

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Delays:
    """Seconds from a record's own time to its arrival in the store, over ``records`` of them. A negative delay means that
    the clock which wrote the record was ahead of the store's."""

    records: int
    least: float
    median: float
    p95: float


@dataclass(frozen=True)
class LogStream:
    """What one node, cluster or account delivered in the window. Times are UTC; ``hours`` counts records by the hour they
    fall into, hours without any left out.

    ``name`` is empty for records that name none. ``ahead_seconds`` is how much later than the moment by which it had
    arrived a record says it was written: the arrival the store tells, or else the file's last change or the reading.
    """

    name: str
    records: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    hours: Mapping[datetime, int] = field(default_factory=dict)
    duplicates: int = 0
    out_of_order: int = 0
    delays: Delays | None = None
    ahead_seconds: float = 0.0


@dataclass(frozen=True)
class MalformedFile:
    """A file with ``count`` records that cannot be read; the first stands on ``line`` (from 1, 0: the whole file)."""

    origin: str
    count: int
    line: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class CollectedLog:
    """A declared source as it was read: the window [since, until), when it was read, and what was in it.

    ``per`` says what its streams are (``node``, ``account``, ``cluster``), and ``expected`` which of them the owner
    declared; nodes are told by the cluster instead. ``records`` counts those in the window, once each; ``undated``
    those of them without a time. The limits are in minutes, None where the log may be quiet for any time. ``complete``
    says that all of it was read: what is missing of another is no silence.
    """

    source: str
    kind: LogKind
    origin: str
    per: str
    since: datetime
    until: datetime
    read_at: datetime
    records: int = 0
    undated: int = 0
    streams: tuple[LogStream, ...] = ()
    malformed: tuple[MalformedFile, ...] = ()
    malformed_share: float = 0.0
    expected: tuple[str, ...] = ()
    age_limit_minutes: int | None = None
    gap_limit_minutes: int | None = None
    complete: bool = True

    @property
    def resource(self) -> Resource:
        return Resource("Log", self.source)

    @property
    def newest(self) -> datetime | None:
        return max((stream.newest for stream in self.streams if stream.newest), default=None)

    @property
    def staleness(self) -> Problem | None:
        """Return why the log does not show what happened until the window's end, or None when it does.

        A log that may be quiet shows it by having been read.
        """
        if self.age_limit_minutes is None:
            return None
        if self.newest is None:
            return Problem(Cause.STALE, f"no record since {self.since:%Y-%m-%dT%H:%M:%SZ}")
        if self.until - self.newest > timedelta(minutes=self.age_limit_minutes):
            return Problem(Cause.STALE, f"the newest record is of {self.newest:%Y-%m-%dT%H:%M:%SZ}")
        return None


@dataclass(frozen=True, kw_only=True)
class JudgedStream:
    """A stream, and the time in which it had to deliver: ``begin`` up to ``end``, UTC. One that is not ``current`` need not
    deliver any more."""

    log: CollectedLog
    stream: LogStream
    begin: datetime
    end: datetime
    current: bool = True

    @property
    def resource(self) -> Resource:
        return Resource("Log", self.stream.name, self.log.source) if self.stream.name else self.log.resource


@dataclass(frozen=True, kw_only=True)
class NodeDelivery:
    """A ready node of the cluster and a log that every node has to deliver."""

    node: Node
    log: CollectedLog
    records: int

    @property
    def resource(self) -> Resource:
        return self.node.resource


@dataclass(frozen=True, kw_only=True)
class ClockReading:
    """What a stream's delays tell of the clock behind it; ``others_least`` is the median of the least delays of all
    streams of the log, when there are at least three."""

    log: CollectedLog
    stream: LogStream
    others_least: float | None = None

    @property
    def resource(self) -> Resource:
        return Resource("Log", self.stream.name, self.log.source) if self.stream.name else self.log.resource


@dataclass(frozen=True, kw_only=True)
class LogNeed:
    """A kind of log that the system has to keep, for what it consists of; ``sources`` are those that were read."""

    kind: LogKind
    part: str
    sources: tuple[str, ...] = ()
    absent: str | None = None

    @property
    def resource(self) -> Resource:
        return Resource("LogKind", self.kind)


_OF_KUBERNETES = (LogKind.KUBERNETES_AUDIT, LogKind.CONTAINER, LogKind.NODE)
_OF_AWS = (LogKind.CLOUDTRAIL, LogKind.VPC_FLOW)


def log_needs(
    logs: Iterable[CollectedLog], absent: Mapping[LogKind, str], *, kubernetes: bool, aws: bool
) -> Iterator[LogNeed]:
    """Yield the kinds that a system with these parts has to keep; ``absent`` are the owner's reasons for having none."""
    sources: dict[LogKind, list[str]] = {}
    for log in logs:
        sources.setdefault(log.kind, []).append(log.source)
    parts = [("Kubernetes", kind) for kind in _OF_KUBERNETES if kubernetes] + [("AWS", kind) for kind in _OF_AWS if aws]
    for part, kind in parts:
        yield LogNeed(kind=kind, part=part, sources=tuple(sources.get(kind, ())), absent=absent.get(kind))


def judged_streams(logs: Iterable[CollectedLog], nodes: Iterable[Node] | None) -> Iterator[JudgedStream]:
    """Yield the streams of complete logs that had to deliver, and for how long.

    A declared account or cluster had to for the whole window, whether or not a record names it; what nobody declared is
    not judged where something is declared. A node had to since it was made or, when it registered anew, since its first
    record; one that is gone, from its first record to its last. ``nodes`` is None where there is no cluster to ask: then
    every node that was seen has to deliver.
    """
    known = None if nodes is None else tuple(nodes)
    for log in logs:
        if not log.complete:
            continue
        seen = {stream.name: stream for stream in log.streams}
        if log.per == "node" and known is not None:
            yield from _judged_nodes(log, known)
            continue
        names = log.expected or tuple(sorted(seen)) or ("",)
        for name in names:
            yield JudgedStream(log=log, stream=seen.get(name, LogStream(name)), begin=log.since, end=log.until)


def _judged_nodes(log: CollectedLog, nodes: tuple[Node, ...]) -> Iterator[JudgedStream]:
    node_of = _nodes_by_stream(log, nodes)
    for stream in log.streams:
        if node := node_of.get(stream.name):
            begin = max(log.since, min(node.metadata.creation_timestamp or log.since, stream.oldest or log.until))
            yield JudgedStream(log=log, stream=stream, begin=begin, end=log.until)
        elif stream.oldest and stream.newest:
            yield JudgedStream(log=log, stream=stream, begin=stream.oldest, end=stream.newest, current=False)
    if not log.streams:
        yield JudgedStream(log=log, stream=LogStream(""), begin=log.since, end=log.until)


def _nodes_by_stream(log: CollectedLog, nodes: Iterable[Node]) -> dict[str, Node]:
    """Return the node that each stream is of. Host names may be short: the first label of a node's name, where it is
    the name of one node only."""
    full = {node.name: node for node in nodes}
    short: dict[str, list[Node]] = {}
    for node in full.values():
        short.setdefault(node.name.partition(".")[0], []).append(node)
    found = {}
    for stream in log.streams:
        candidates = [full[stream.name]] if stream.name in full else short.get(stream.name.partition(".")[0], [])
        if stream.name and len(candidates) == 1:
            found[stream.name] = candidates[0]
    return found


def node_deliveries(logs: Iterable[CollectedLog], nodes: Iterable[Node]) -> Iterator[NodeDelivery]:
    """Yield every ready node with each log that it has to deliver; one that is younger than the log's limit has time yet."""
    ready = [node for node in nodes if node.ready]
    for log in logs:
        if log.per != "node" or log.age_limit_minutes is None:
            continue
        by_stream = _nodes_by_stream(log, ready)
        counts = {node.name: 0 for node in ready}
        for stream in log.streams:
            if node := by_stream.get(stream.name):
                counts[node.name] += stream.records
        latest = log.until - timedelta(minutes=log.age_limit_minutes)
        for node in ready:
            made = node.metadata.creation_timestamp
            if made is None or made <= latest:
                yield NodeDelivery(node=node, log=log, records=counts[node.name])


# With fewer streams there is no telling which of them is the odd one, and with fewer records the least delay is chance.
_STREAMS_TO_COMPARE = 3
_RECORDS_TO_COMPARE = 100


def clock_readings(logs: Iterable[CollectedLog]) -> Iterator[ClockReading]:
    """Yield each stream with records, beside the others of its log."""
    for log in logs:
        measured = {
            stream.name: stream.delays.least
            for stream in log.streams
            if stream.delays and stream.delays.records >= _RECORDS_TO_COMPARE
        }
        usual = median(measured.values()) if len(measured) >= _STREAMS_TO_COMPARE else None
        for stream in log.streams:
            yield ClockReading(log=log, stream=stream, others_least=usual if stream.name in measured else None)


def silences(hours: Mapping[datetime, int], begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return the longest stretches of whole hours within [begin, end) that have no record, each as [first, after last)."""
    found: list[tuple[datetime, datetime]] = []
    for hour in whole_hours(begin, end):
        if hours.get(hour):
            continue
        if found and found[-1][1] == hour:
            found[-1] = (found[-1][0], hour + HOUR)
        else:
            found.append((hour, hour + HOUR))
    return found


def whole_hours(begin: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the beginnings of the hours that lie within [begin, end) to their last second."""
    hour = begin.replace(minute=0, second=0, microsecond=0)
    if hour < begin:
        hour += HOUR
    while hour + HOUR <= end:
        yield hour
        hour += HOUR
