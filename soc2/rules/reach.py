"""Rules on what policies let through, beside the declared connections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.network.connections import ReachedWorkload, WorkloadEgress
from soc2.model.network.declared_lines import DeclaredLine
from soc2.model.network.selected import PolicyEffect


@dataclass(frozen=True, kw_only=True)
class SelectsNothing(Deviation):
    """A part of a policy that does nothing, as nothing is there that it speaks of."""

    template: ClassVar[str] = "{part} does nothing: {why}"
    part: str
    why: str


@dataclass(frozen=True, kw_only=True)
class ReachedUndeclared(Deviation):
    """A workload that holds restricted data, with a source that gets in undeclared; ``by`` lets it through."""

    template: ClassVar[str] = "can be reached from {source} at {ports}, which no connection declares: {by}"
    source: str
    ports: str
    by: str


@dataclass(frozen=True, kw_only=True)
class LeavesUndeclared(Deviation):
    """A workload that gets out where no connection declares it; ``by`` lets it through."""

    template: ClassVar[str] = "reaches {ports} at {target}, which no connection declares: {by}"
    target: str
    ports: str
    by: str


@dataclass(frozen=True, kw_only=True)
class DeclaredForNobody(Deviation):
    """A declared connection with a pattern that names no workload."""

    template: ClassVar[str] = "no workload is named {pattern}{hint}"
    pattern: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class DeclaredAndBlocked(Deviation):
    """A declared connection that policies stop, so it is not needed or they are too narrow."""

    template: ClassVar[str] = "{ports} is declared and nowhere possible: {by}"
    ports: str
    by: str


def selects_something(record: PolicyEffect) -> Iterator[Deviation]:
    """Everything that a policy speaks of is there."""
    for each in record.dead:
        yield SelectsNothing(resource=record.resource, part=each.part, why=each.why)


def reached_as_declared(record: ReachedWorkload) -> Iterator[Deviation]:
    """Nothing from outside or from other namespaces reaches the workload but what is declared."""
    for path in record.paths:
        yield ReachedUndeclared(resource=record.resource, source=path.who, ports=path.ports.words, by=path.ways)


def metadata_as_declared(record: WorkloadEgress) -> Iterator[Deviation]:
    """The workload does not reach the metadata service unless that is declared."""
    for path in record.metadata:
        yield LeavesUndeclared(resource=record.resource, target=path.who, ports=path.ports.words, by=path.ways)


def internet_as_declared(record: WorkloadEgress) -> Iterator[Deviation]:
    """The workload reaches nothing in the internet but what is declared."""
    for path in record.internet:
        yield LeavesUndeclared(resource=record.resource, target=path.who, ports=path.ports.words, by=path.ways)


def declared_holds(record: DeclaredLine) -> Iterator[Deviation]:
    """A declared connection names workloads that are there, and is possible by the policies."""
    for pattern, nearest in record.nobody:
        hint = f"; did you mean {nearest}?" if nearest else ""
        yield DeclaredForNobody(resource=record.resource, pattern=pattern, hint=hint)
    if record.closed:
        yield DeclaredAndBlocked(resource=record.resource, ports=record.closed.words, by=record.stopped)
