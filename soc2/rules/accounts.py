"""Rules that hold live identities against what the owner's feeds say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.feeds import Leaver, LiveIdentity, Person, ReviewDecision


@dataclass(frozen=True, kw_only=True)
class NotOnRoster(Deviation):
    template: ClassVar[str] = "it has access and is not on the roster"


@dataclass(frozen=True, kw_only=True)
class LeftWithAccess(Deviation):
    template: ClassVar[str] = "it still has access, {days} days after its holder left (the limit is {limit_days})"
    days: int
    limit_days: int


@dataclass(frozen=True, kw_only=True)
class NotReviewed(Deviation):
    template: ClassVar[str] = "{problem}"
    problem: str


@dataclass(frozen=True, kw_only=True)
class ConflictOfDuties(Deviation):
    template: ClassVar[str] = "it has the duties {first} and {second}, which are to be separate"
    first: str
    second: str


def on_roster(live: LiveIdentity) -> Iterator[Deviation]:
    """Whatever has access is on the roster."""
    if not live.rows:
        yield NotOnRoster(resource=live.resource)


def left_without_access(limit_days: int, as_of: datetime) -> Callable[[LiveIdentity], Iterator[Deviation]]:
    """Return the rule that nobody has access longer than the limit after leaving."""

    def rule(live: LiveIdentity) -> Iterator[Deviation]:
        for row in live.rows:
            days = (as_of.date() - row.left).days if isinstance(row, Leaver) else 0
            if days > limit_days:
                yield LeftWithAccess(resource=live.resource, days=days, limit_days=limit_days)

    return rule


def reviewed(limit_days: int, as_of: datetime) -> Callable[[LiveIdentity], Iterator[Deviation]]:
    """Return the rule that access was reviewed within the limit, by somebody else, and removed where so decided."""

    def rule(live: LiveIdentity) -> Iterator[Deviation]:
        decisions = [row for row in live.rows if isinstance(row, ReviewDecision)]
        if not decisions:
            yield NotReviewed(resource=live.resource, problem="no access review decided on it")
            return
        last = max(decisions, key=lambda row: row.reviewed)
        if as_of.date() - last.reviewed > timedelta(days=limit_days):
            yield NotReviewed(resource=live.resource, problem=f"the last access review is of {last.reviewed}")
        if last.decision == "remove":
            yield NotReviewed(resource=live.resource, problem=f"the access review of {last.reviewed} decided to remove it")
        if last.reviewer in (last.identity, live.resource.name):
            yield NotReviewed(resource=live.resource, problem="it was reviewed by its own holder")

    return rule


def separated(conflicts: Iterable[tuple[str, str]]) -> Callable[[Person], Iterator[Deviation]]:
    """Return the rule that nobody has two duties that are to be separate."""
    pairs = tuple(conflicts)

    def rule(person: Person) -> Iterator[Deviation]:
        for first, second in pairs:
            if {first, second} <= person.duties:
                yield ConflictOfDuties(resource=person.resource, first=first, second=second)

    return rule
