"""What flow logs show: who talked to whom, who was refused, and of which interfaces there are records."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import duckdb

from soc2.detect import macros
from soc2.gather.aws import sources as aws_sources
from soc2.gather.codec import canonical
from soc2.gather.feeds import ADDRESSES
from soc2.gather.kubernetes import sources
from soc2.gather.logs import flow_groups
from soc2.gather.logs.collection import LOGS, SomeLogs, source_name
from soc2.gather.logs.detections import absent_kinds, silent_streams
from soc2.gather.logs.flow_join import join
from soc2.gather.logs.flow_owners import Known, owners_of
from soc2.gather.logs.flow_records import FLOW_KINDS, FlowFiles, load_records
from soc2.gather.logs.kept import kept_log
from soc2.gather.source import Listing, Source
from soc2.model.feeds import AddressRow
from soc2.model.logs import LogKind
from soc2.model.network.flows import Flow, InterfaceRecords, ListedTraffic, Probe
from soc2.model.network.parties import DeclaredConnection
from soc2.model.population import Cause, Problem, SourceStatus

if TYPE_CHECKING:
    from soc2.gather.source import Gatherer

T = TypeVar("T")

_MEMORY = "1GB"
_UNDECLARED = "declare under [[logs.sources]] where flow logs are, or under [[logs.absent]] why there are none"


@dataclass(frozen=True)
class FlowScan:
    """All that is asked of the flow logs of a window."""

    flows: tuple[Flow, ...] = ()
    listed: tuple[ListedTraffic, ...] = ()
    probes: tuple[Probe, ...] = ()
    interfaces: tuple[InterfaceRecords, ...] = ()
    lacking: flow_groups.Lacking = flow_groups.Lacking()


def scan(
    logs: Sequence[FlowFiles],
    window: tuple[datetime, datetime],
    known: Known,
    *,
    declared: Sequence[DeclaredConnection] = (),
    listed: Sequence[AddressRow] = (),
    probe_targets: int = 10,
    folder: Path,
) -> FlowScan:
    """Join kept flow logs with owners of addresses, and return what is asked of them; ``folder`` takes what does not fit in
    memory."""
    # In a file, because tables in memory only are not bounded by it.
    config: dict[str, Any] = {"memory_limit": _MEMORY, "temp_directory": str(folder)}
    with duckdb.connect(str(folder / "flows.duckdb"), config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false; SET preserve_insertion_order = false")
        macros.install(connection)
        load_records(connection, logs, window)
        ends, owners = owners_of(known, declared, flow_groups.hints(connection))
        join(connection, owners)
        named = flow_groups.Ends(connection, ends)
        return FlowScan(
            tuple(flow_groups.accepted_flows(connection, named)),
            tuple(flow_groups.listed_traffic(connection, named, listed)),
            tuple(flow_groups.probes(connection, named, logs, probe_targets)),
            tuple(flow_groups.interface_records(connection, logs)),
            flow_groups.lacking(connection),
        )


@dataclass(frozen=True)
class FlowScanning:
    """The flow logs of the window, joined once for whatever is asked of them."""

    name: str = "scan of the flow logs"

    def gather(self, gatherer: Gatherer) -> Listing[FlowScan]:
        started, system = datetime.now(UTC), gatherer.system
        collected = {source_name(log.source): log for log in gatherer.get(LOGS).items if log.kind in FLOW_KINDS}
        logs, window = [], None
        for source in system.logs.sources:
            if log := collected.get(source_name(source.name)):
                window = (log.since, log.until)
                logs.append(FlowFiles(source.name, source.kind, kept_log(gatherer, source).files(log.since)))
        listings = [gatherer.get(source) for source in _OWNERS]
        found, problem = FlowScan(), None
        if window:
            items = [listing.items for listing in listings]
            known = Known(tuple(chain(*items[1:_POD_SOURCES])), items[0], *items[_POD_SOURCES:])
            with tempfile.TemporaryDirectory(prefix="soc2-flows-") as folder:
                found = scan(
                    logs,
                    window,
                    known,
                    declared=[connection.declared for connection in system.network.connections],
                    listed=gatherer.get(ADDRESSES).items,
                    probe_targets=system.thresholds.probe_targets,
                    folder=Path(folder),
                )
        if max(len(found.flows), len(found.listed)) > flow_groups.MOST_GROUPS:
            problem = Problem(Cause.TRUNCATED, f"more than {flow_groups.MOST_GROUPS:,} groups of connections")
        if len(found.probes) > flow_groups.MOST_PROBES:
            problem = Problem(Cause.TRUNCATED, f"more than {flow_groups.MOST_PROBES:,} addresses probe; raise probe_targets")
        status = gatherer.evidence.answered(
            self.name,
            f"joined {', '.join(log.log for log in logs) or 'no logs'} with owners of addresses",
            identity="the caller",
            started=started,
            pages=len(logs),
            items=len(found.flows),
            sha256=gatherer.evidence.keep(canonical(found)),
            problem=problem,
        )
        return Listing((found,), (status,))


FLOW_SCAN = FlowScanning()
_POD_SOURCES = len(sources.POD_SOURCES)
_OWNERS: tuple[Source[Any], ...] = (
    *sources.POD_SOURCES,
    sources.NODES,
    aws_sources.INTERFACES,
    aws_sources.SECURITY_GROUPS,
    sources.SERVICES,
)


@dataclass(frozen=True)
class FlowLogs(Generic[T]):
    """A part of what flow logs show, as records of a ``kind``. Of ``owned`` parts there are none while it is not known whose
    addresses are. Parts of ``events`` are no complete evidence unless the logs are, and hold what they say they hold."""

    name: str
    kind: type[T]
    part: Callable[[FlowScan], tuple[T, ...]] = field(compare=False)
    owned: bool = False
    events: bool = True

    def gather(self, gatherer: Gatherer) -> Listing[T]:
        logs = gatherer.get(SomeLogs(f"logs for {self.name}", FLOW_KINDS, current=True))
        if not any(source.kind in FLOW_KINDS for source in gatherer.system.logs.sources):
            absent = absent_kinds(gatherer.system)
            if LogKind.VPC_FLOW in absent:
                return Listing((), (), exempt=absent[LogKind.VPC_FLOW])
            return Listing((), (*logs.statuses, self._status(Problem(Cause.ABSENT, _UNDECLARED))))
        scanned = gatherer.get(FLOW_SCAN)
        (found,) = scanned.items
        if not self.events:
            return Listing(self.part(found), scanned.statuses)
        owners = tuple(status for source in _OWNERS for status in gatherer.get(source).statuses) if self.owned else ()
        problems = list(_incomplete(found))
        if silent := [name for log in logs.items for name in silent_streams(log)]:
            problems.append(Problem(Cause.STALE, f"silent was {', '.join(silent)}"))
        statuses = (*logs.statuses, *scanned.statuses, *owners, *map(self._status, problems))
        return Listing(self.part(found) if all(each.complete for each in owners) else (), statuses)

    def _status(self, problem: Problem) -> SourceStatus:
        return SourceStatus(self.name, "the declared flow logs", 0, 0, None, problem)


def _incomplete(found: FlowScan) -> Iterator[Problem]:
    for interface in found.interfaces:
        if interface.skipped:
            what = f"{interface.skipped} times records of {interface.interface} were skipped (SKIPDATA, {interface.log})"
            yield Problem(Cause.INCONCLUSIVE, what)
    lacking = found.lacking
    if lacking.lost:
        yield Problem(Cause.INCONCLUSIVE, f"{lacking.lost} times Hubble lost flows")
    if lacking.unusable:
        what = f"{lacking.unusable:,} records name no address, protocol, port or outcome; add these fields to the format"
        yield Problem(Cause.INCONCLUSIVE, what)
    if lacking.timeless:
        yield Problem(Cause.INCONCLUSIVE, f"{lacking.timeless:,} records have no start; add the field to the format")


CONNECTIONS = FlowLogs("connections in flow logs", Flow, lambda found: found.flows, owned=True)
LISTED_TRAFFIC = FlowLogs("traffic with listed addresses", ListedTraffic, lambda found: found.listed)
PROBES = FlowLogs("probes in flow logs", Probe, lambda found: found.probes)
INTERFACE_RECORDS = FlowLogs("records of interfaces", InterfaceRecords, lambda found: found.interfaces, events=False)
