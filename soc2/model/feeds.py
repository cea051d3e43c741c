"""Records of the feeds that the owner declares: lists that no system API knows, exported from where they are kept.

Identities read as the suite names them: ``User/name`` and ``Group/name`` in a cluster, ``AWS::IAM::User/name`` and
``AWS::IAM::Role/name`` in an account. A person, by whatever name the owner's lists call people, may have several.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from soc2.model.deviation import Resource
from soc2.model.fingerprint import Fingerprint

_A_DAY_LESS_A_SECOND = timedelta(days=1, seconds=-1)


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of any feed."""


class FeedRow(Row, frozen=True, forbid_unknown_fields=True):
    """A row about an ``identity``."""

    identity: Annotated[str, Meta(min_length=1)]


class RosterEntry(FeedRow, frozen=True, forbid_unknown_fields=True):
    """An identity that may exist, who answers for it, and whose it is when it is one person's."""

    owner: str
    person: str = ""


class Leaver(FeedRow, frozen=True, forbid_unknown_fields=True):
    """Somebody who left, by an identity or as the person that the roster names, and the day."""

    left: date


class ReviewDecision(FeedRow, frozen=True, forbid_unknown_fields=True):
    """What an access review decided on an identity, when, and who decided it."""

    decision: Literal["keep", "remove"]
    reviewer: str
    reviewed: date


class Duty(FeedRow, frozen=True, forbid_unknown_fields=True):
    """A duty that an identity or a person has."""

    duty: str


class AddressRow(Row, frozen=True, forbid_unknown_fields=True):
    """An address, or a network in CIDR notation, of IPv4 or IPv6, that nobody should talk to, why, and who says so."""

    address: str
    reason: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError when it is no address."""
        _ = self.network

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """Return the network (of a single address, if it is one); bits beyond the prefix are cut off."""
        return ip_network(self.address.strip(), strict=False)


class Moment:
    """An instant, or, when only a day is known, all of it. Times are UTC; those without a zone are taken for UTC.

    No dataclass, so that decoders ask for it by ``of``.
    """

    __slots__ = ("first", "last")

    def __init__(self, first: datetime, last: datetime) -> None:
        self.first, self.last = first, last

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moment) and (self.first, self.last) == (other.first, other.last)

    def __hash__(self) -> int:
        return hash((self.first, self.last))

    def __repr__(self) -> str:
        return f"Moment({self})"

    @classmethod
    def of(cls, value: object) -> Moment:
        """Read a date, a time or ISO 8601 text. Raises ValueError."""
        if isinstance(value, str):
            text = value.strip()
            value = date.fromisoformat(text) if len(text) <= len("2026-01-01") else datetime.fromisoformat(text)
        if isinstance(value, datetime):
            instant = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
            return cls(instant, instant)
        if isinstance(value, date):
            midnight = datetime.combine(value, time(), UTC)
            return cls(midnight, midnight + _A_DAY_LESS_A_SECOND)
        raise ValueError(f"Expected a day or a time, got `{type(value).__name__}`")

    def __str__(self) -> str:
        return self.first.isoformat() if self.first == self.last else self.first.date().isoformat()


class AlertRow(Row, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An alert or a ticket, as the SIEM or the tracker exports it.

    ``rule`` is the id or the title of the rule that it is about, as a pattern; ``actor``, ``object`` and ``source`` are
    patterns too, and empty for whichever. ``occurred`` is when that happened which it is about; without it, it is about
    the last such thing before it was ``opened``. ``disposition`` is what it was found to be (true positive, false
    positive, benign, …); it was found when ``triaged`` or, without that, when ``closed``. ``rationale`` may quote what it
    is about, so that only its features are kept.
    """

    rule: Annotated[str, Meta(pattern=r"[^*?\s]")]
    object: str = ""
    actor: str = ""
    source: str = ""
    occurred: Moment | None = None
    opened: Moment
    triaged: Moment | None = None
    closed: Moment | None = None
    disposition: str = ""
    rationale: Fingerprint | None = None
    owner: str = ""
    ticket: str = ""


@dataclass(frozen=True)
class LiveIdentity:
    """An identity that really has access: what it is, and what is known of it from the feed."""

    resource: Resource
    rows: tuple[FeedRow, ...]


def with_rows(
    identities: Iterable[Resource], rows: Iterable[FeedRow], roster: Iterable[RosterEntry] = ()
) -> Iterator[LiveIdentity]:
    """Join identities with the rows about them, or about the person whose they are by the roster."""
    by_name: dict[str, list[FeedRow]] = {}
    for row in rows:
        by_name.setdefault(row.identity, []).append(row)
    person = persons(roster)
    for resource in dict.fromkeys(identities):
        name = str(resource)
        of_person = by_name.get(person[name], ()) if name in person else ()
        yield LiveIdentity(resource, (*by_name.get(name, ()), *of_person))


def persons(roster: Iterable[RosterEntry]) -> dict[str, str]:
    """Return, by identity, the person whose it is."""
    return {entry.identity: entry.person for entry in roster if entry.person}


@dataclass(frozen=True)
class Person:
    """Somebody with all duties: those that the feed gives, and those that the rights of the person's identities are."""

    resource: Resource
    duties: frozenset[str]


def people(declared: Iterable[Duty], live: Iterable[tuple[Resource, str]], roster: Iterable[RosterEntry]) -> Iterator[Person]:
    """Gather the duties of every person; an identity that the roster gives to nobody stands for itself."""
    person = persons(roster)
    duties: dict[str, set[str]] = {}
    for name, duty in (*((row.identity, row.duty) for row in declared), *((str(who), duty) for who, duty in live)):
        duties.setdefault(person.get(name, name), set()).add(duty)
    for name, held in duties.items():
        kind, slash, rest = name.partition("/")
        yield Person(Resource(kind, rest) if slash else Resource("Person", name), frozenset(held))
