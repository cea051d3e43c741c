"""How policies decide: those of administrators in their order, then NetworkPolicies together, then the baseline.

Everything is worked out for all peers at once: ``Members`` are sets of them, of classes of endpoints (an int with a bit
for each) or of addresses. Where it is not known whether a rule is about a peer, everything that may be allowed is: an
allowing rule counts, a denying one does not, and a passing one both holds and does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, Protocol, Self, TypeVar

from soc2.model.network.policies import Policy, Rule
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortSet


class Members(Protocol):
    def __hash__(self) -> int: ...
    def __and__(self, other: Self, /) -> Self: ...
    def __or__(self, other: Self, /) -> Self: ...
    def __invert__(self) -> Self: ...


M = TypeVar("M", bound=Members)


@dataclass(frozen=True, eq=False)
class Term(Generic[M]):
    """What a rule says of some ports: it is about the ``sure`` peers, and may be about the ``possible`` ones (which have
    the sure ones among them)."""

    rule: Rule
    ports: PortSet
    sure: M
    possible: M


@dataclass(frozen=True, eq=False)
class Judged(Generic[M]):
    """A policy of administrators with the terms of its rules, in their order."""

    policy: Policy
    terms: tuple[Term[M], ...]


Table = dict[PortSet, M]
"""Peers by what is open for them: no peer is in two sets."""


@dataclass(frozen=True, eq=False)
class Ranked(Generic[M]):
    """Policies of administrators in their order. Each of ``groups`` are of equal priority: which of these comes first,
    nobody can tell. Ends that the same of them select share one, and what comes of it."""

    groups: tuple[tuple[Judged[M], ...], ...]
    _known: dict[M, tuple[Table[M], Table[M]]] = field(default_factory=dict)

    def begin(self, everybody: M) -> tuple[Table[M], Table[M]]:
        """Return what they allow for everybody on every port, and what they leave to those that come after them."""
        found = self._known.get(everybody)
        if found is None:
            found = self._known[everybody] = in_order(self.groups, {EVERY_PORT: everybody})
        return found


@dataclass(frozen=True, eq=False)
class Tiers(Generic[M]):
    """What decides on one end of connections, in one direction. ``isolating`` are the NetworkPolicies that select the end,
    and ``terms`` those of all of their rules."""

    admin: Ranked[M]
    isolating: tuple[Policy, ...]
    terms: tuple[Term[M], ...]
    baseline: Ranked[M]


@lru_cache(maxsize=1 << 16)
def both(one: PortSet, other: PortSet) -> PortSet:
    return one & other


@lru_cache(maxsize=1 << 16)
def either(one: PortSet, other: PortSet) -> PortSet:
    return one | other


@lru_cache(maxsize=1 << 16)
def without(one: PortSet, other: PortSet) -> PortSet:
    return one - other


def add(table: Table[M], ports: PortSet, members: M) -> Table[M]:
    """Return the table with more ports open for some."""
    if not ports or not members:
        return table
    found: Table[M] = {}
    for each, those in table.items():
        hit = those & members
        if not hit:
            _put(found, each, those)
            continue
        _put(found, either(each, ports), hit)
        _put(found, each, those & ~members)
        members = members & ~those
    _put(found, ports, members)
    return found


def union(table: Table[M], other: Mapping[PortSet, M]) -> Table[M]:
    for ports, members in other.items():
        table = add(table, ports, members)
    return table


def common(one: Mapping[PortSet, M], other: Mapping[PortSet, M]) -> Table[M]:
    """Return what is open in both."""
    found: Table[M] = {}
    for ports, members in one.items():
        for others, those in other.items():
            if hit := members & those:
                _put(found, both(ports, others), hit)
    return found


def _put(table: Table[M], ports: PortSet, members: M) -> None:
    if members and ports:
        before = table.get(ports)
        table[ports] = members if before is None else before | members


def take(table: Table[M], ports: PortSet, members: M) -> Table[M]:
    """Return the table without some ports for some."""
    found: Table[M] = {}
    for each, those in table.items():
        _put(found, without(each, ports), those & members)
        _put(found, each, those & ~members)
    return found


def decide(tiers: Tiers[M], everybody: M) -> Table[M]:
    """Return what is open for everybody at this end of a connection."""
    allowed, left = tiers.admin.begin(everybody)
    if tiers.isolating:
        by_ports: Table[M] = {}
        for term in tiers.terms:
            _put(by_ports, term.ports, term.possible)
        return union(allowed, common(union({}, by_ports), left))
    open_, left = in_order(tiers.baseline.groups, left)
    return union(union(allowed, open_), left)


def in_order(groups: Sequence[Sequence[Judged[M]]], left: Table[M]) -> tuple[Table[M], Table[M]]:
    """Return what policies allow, and what they leave to those that come after them."""
    allowed: Table[M] = {}
    passed: Table[M] = {}
    for group in groups:
        rests = []
        for judged in group:
            rest = left
            for term in judged.terms:
                hit, rest = _met(rest, term)
                if term.rule.action == "Allow":
                    allowed = union(allowed, hit)
                elif term.rule.action == "Pass":
                    passed = union(passed, hit)
            rests.append(rest)
        left = rests[0] if len(rests) == 1 else _all_common(rests)
    return allowed, union(left, passed)


def _met(rest: Table[M], term: Term[M]) -> tuple[Table[M], Table[M]]:
    """Return what of a table a term may be about, and the table without what it is surely about."""
    hit: Table[M] = {}
    left: Table[M] = {}
    for ports, members in rest.items():
        inside = members & term.possible
        met = both(ports, term.ports) if inside else NO_PORT
        if not met:
            _put(left, ports, members)
            continue
        _put(hit, met, inside)
        _put(left, without(ports, term.ports), members & term.sure)
        _put(left, ports, members & ~term.sure)
    return hit, left


def _all_common(tables: Sequence[Table[M]]) -> Table[M]:
    found = tables[0]
    for each in tables[1:]:
        found = common(found, each)
    return found


@dataclass(frozen=True)
class Cause:
    """What decides on one port between the end and a peer: a rule, or that NetworkPolicies select the end and none of
    their rules lets the connection through (``isolating``), or nothing at all (then it is open)."""

    allowed: bool
    rule: Rule | None = None
    isolating: tuple[Policy, ...] = ()


def explain(tiers: Tiers[M], peer: M, port: tuple[str, int]) -> Cause:
    """Return what decides on a port for some peers: it is allowed if it is for any of them."""
    left, cause = _explain_order(tiers.admin.groups, peer, port)
    if cause and (cause.allowed or not left):
        return cause
    if tiers.isolating:
        for term in tiers.terms:
            if port in term.ports and term.possible & left:
                return Cause(allowed=True, rule=term.rule)
        return Cause(allowed=False, isolating=tiers.isolating)
    left, cause = _explain_order(tiers.baseline.groups, left, port)
    return cause if cause and (cause.allowed or not left) else Cause(allowed=True)


def _explain_order(groups: Sequence[Sequence[Judged[M]]], peers: M, port: tuple[str, int]) -> tuple[M, Cause | None]:
    """Return those of the peers that are left to what comes after, and the first rule that allows or denies."""
    left, passed, denied = peers, peers & ~peers, None
    for group in groups:
        rests = []
        for judged in group:
            rest = left
            for term in judged.terms:
                hit = rest & term.possible
                if port not in term.ports or not hit:
                    continue
                if term.rule.action == "Allow":
                    return left, Cause(allowed=True, rule=term.rule)
                if term.rule.action == "Pass":
                    passed = passed | hit
                elif denied is None and rest & term.sure:
                    denied = Cause(allowed=False, rule=term.rule)
                rest = rest & ~term.sure
            rests.append(rest)
        for rest in rests:
            left = left & rest
    return left | passed, denied


def ports_of(table: Mapping[PortSet, M], peer: M) -> PortSet:
    """Return what is open for any of some peers."""
    found = NO_PORT
    for ports, members in table.items():
        if members & peer:
            found = either(found, ports)
    return found
