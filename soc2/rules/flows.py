"""Rules on what flow logs show: only declared connections, nobody who is to be avoided, and probes that somebody looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.network.flow_delivery import DeliveringVpc
from soc2.model.network.flows import Flow, ListedTraffic, port_words
from soc2.model.network.ports import PortSet
from soc2.model.network.probed import HandledProbe
from soc2.model.network.seen import SeenPair
from soc2.rules import detections


@dataclass(frozen=True, kw_only=True)
class UndeclaredConnection(Deviation):
    """``first`` and ``last`` are UTC (ISO 8601); ``place`` is where a record of it stands."""

    template: ClassVar[str] = (
        "{source} connected to {target} at {ports}, which nothing declares (connections: {connections}, bytes: {bytes}), the "
        "first {first}, the last {last}, seen at {seen_at} ({place}); {let_through}; remove what lets it through, or declare "
        "it under [[network.connections]]"
    )
    source: str
    target: str
    ports: str
    connections: int
    bytes: int
    first: str
    last: str
    seen_at: str
    place: str
    let_through: str


@dataclass(frozen=True, kw_only=True)
class ListedAddress(Deviation):
    template: ClassVar[str] = (
        "{direction} {address}, which the list of addresses to avoid has as {entry} ({reason}; {list_source}), at {ports} "
        "(connections: {connections}, bytes: {bytes}), the first {first}, the last {last} ({place})"
    )
    direction: str
    address: str
    entry: str
    reason: str
    list_source: str
    connections: int
    bytes: int
    ports: str
    first: str
    last: str
    place: str


@dataclass(frozen=True, kw_only=True)
class ProbeNotHandled(Deviation):
    template: ClassVar[str] = (
        "was refused at {targets} targets ({examples}) from {first} until {last} ({place}): {problem}{afterwards}"
    )
    targets: int
    examples: str
    first: str
    last: str
    place: str
    problem: str
    afterwards: str


def declared(pair: SeenPair) -> Iterator[Deviation]:
    """Every connection that was seen between the ends is declared; one deviation for what has the same way in."""
    alike = sorted(pair.undeclared, key=lambda each: (each.let_through, each.flow.protocol, each.flow.port))
    for let_through, group in groupby(alike, key=lambda each: each.let_through):
        flows = [each.flow for each in group]
        yield UndeclaredConnection(
            resource=pair.resource,
            source=_with_addresses(pair.source_shown, flows[0].source_address, sum(flow.sources for flow in flows)),
            target=_with_addresses(pair.target_shown, flows[0].target_address, sum(flow.targets for flow in flows)),
            ports=_ports(flows),
            connections=sum(flow.connections for flow in flows),
            bytes=sum(flow.bytes for flow in flows),
            first=_time(min((flow.first for flow in flows if flow.first), default=None)),
            last=_time(max((flow.last for flow in flows if flow.last), default=None)),
            seen_at=flows[0].seen_at,
            place=str(flows[0].place),
            let_through=let_through,
        )


def listed(traffic: ListedTraffic) -> Iterator[Deviation]:
    """Nothing that was accepted is from or to an address of the list; what was refused did no harm."""
    if not traffic.accepted:
        return
    yield ListedAddress(
        resource=traffic.end.resource,
        direction="connected to" if traffic.outgoing else "took connections from",
        address=traffic.address,
        entry=traffic.entry,
        reason=traffic.reason or "no reason given",
        list_source=traffic.list_source or "no source given",
        connections=traffic.connections,
        bytes=traffic.bytes,
        ports=", ".join(port_words(*port) for port in traffic.ports),
        first=_time(traffic.first),
        last=_time(traffic.last),
        place=str(traffic.place),
    )


def probes_handled(limits_hours: Mapping[str, int], as_of: datetime) -> Callable[[HandledProbe], Iterator[Deviation]]:
    """Return the rule that somebody found out about a probe within the limit of its severity; what was accepted from the
    same address afterwards is told with it."""
    handled = detections.handled(limits_hours, as_of)

    def rule(record: HandledProbe) -> Iterator[Deviation]:
        probe = record.probe
        for deviation in handled(record.detection):
            entered = f"; afterwards it was let in to {', '.join(probe.entered)}" if probe.entered else ""
            yield ProbeNotHandled(
                resource=record.resource,
                targets=probe.targets,
                examples=", ".join(probe.examples),
                first=_time(probe.first),
                last=_time(probe.last),
                place=str(probe.place),
                problem=deviation.fields["problem"],
                afterwards=entered,
            )

    return rule


def _with_addresses(shown: str, address: str, count: int) -> str:
    return shown if address in shown else f"{shown} ({address})" if count == 1 else f"{shown} ({address} and others)"


def _ports(flows: list[Flow]) -> str:
    ranges = PortSet.of(flow.port_range for flow in flows if flow.has_ports)
    others = dict.fromkeys(flow.protocol_name.lower() for flow in flows if not flow.has_ports)
    return ", ".join([*([ranges.words] if ranges else ()), *others])


def _time(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else "unknown time"


@dataclass(frozen=True, kw_only=True)
class FlowLogNotDelivering(Deviation):
    template: ClassVar[str] = "flow log {flow_log}: {problem}"
    flow_log: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class InterfaceWithoutRecords(Deviation):
    template: ClassVar[str] = (
        "network interface {interface} ({what}) has no record since {since}, not even that there was no traffic"
    )
    interface: str
    what: str
    since: str


def delivers(vpc: DeliveringVpc) -> Iterator[Deviation]:
    """Every flow log is active, is delivered to a declared log that is fresh and without gaps, and records of every
    interface in use arrive."""
    for wrong in vpc.problems:
        yield FlowLogNotDelivering(resource=vpc.resource, flow_log=wrong.flow_log, problem=wrong.problem)
    for each in vpc.silent:
        interface = each.interface
        yield InterfaceWithoutRecords(
            resource=interface.resource,
            interface=interface.network_interface_id,
            what=", ".join(filter(None, (interface.description, interface.private_ip_address))) or "of no description",
            since=_time(each.since),
        )
