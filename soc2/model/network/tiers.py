"""How policies decide: those of administrators in their order, then NetworkPolicies together, then the baseline.

Everything is worked out for all peers at once: ``Members`` are sets of them, of classes of endpoints (an int with a bit
for each) or of addresses. Where it is not known whether a rule is about a peer, everything that may be allowed is: an
allowing rule counts, a denying one does not, and a passing one both holds and does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, Self, TypeVar

from soc2.model.network.policies import Policy, Rule
from soc2.model.network.ports import EVERY_PORT, NO_PORT, PortSet


class Members(Protocol):
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


@dataclass(frozen=True, eq=False)
class Tiers(Generic[M]):
    """What decides on one end of connections, in one direction. Each of ``admin`` and ``baseline`` are policies of equal
    priority: which of these comes first, nobody can tell. ``isolating`` are the NetworkPolicies that select the end, and
    ``terms`` those of all of their rules."""

    admin: tuple[tuple[Judged[M], ...], ...]
    isolating: tuple[Policy, ...]
    terms: tuple[Term[M], ...]
    baseline: tuple[tuple[Judged[M], ...], ...]


Table = dict[PortSet, M]
"""Peers by what is open for them: no peer is in two sets."""


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
    allowed, left = _in_order(tiers.admin, {EVERY_PORT: everybody})
    if tiers.isolating:
        by_ports: Table[M] = {}
        for term in tiers.terms:
            _put(by_ports, term.ports, term.possible)
        return union(allowed, common(union({}, by_ports), left))
    open_, left = _in_order(tiers.baseline, left)
    return union(union(allowed, open_), left)


def _in_order(groups: Sequence[Sequence[Judged[M]]], left: Table[M]) -> tuple[Table[M], Table[M]]:
    """Return what policies allow, and what they leave to those that come after them."""
    allowed: Table[M] = {}
    passed: Table[M] = {}
    for group in groups:
        rests = []
        for judged in group:
            rest = left
            for term in judged.terms:
                hit = common(rest, {term.ports: term.possible})
                if term.rule.action == "Allow":
                    allowed = union(allowed, hit)
                elif term.rule.action == "Pass":
                    passed = union(passed, hit)
                rest = take(rest, term.ports, term.sure)
            rests.append(rest)
        for rest in rests:
            left = common(left, rest)
    return allowed, union(left, passed)


@dataclass(frozen=True)
class Cause:
    """What decides on one port between the end and a peer: a rule, or that NetworkPolicies select the end and none of
    their rules lets the connection through (``isolating``), or nothing at all (then it is open)."""

    allowed: bool
    rule: Rule | None = None
    isolating: tuple[Policy, ...] = ()


def explain(tiers: Tiers[M], peer: M, port: tuple[str, int]) -> Cause:
    """Return what decides on a port for some peers: it is allowed if it is for any of them."""
    left, cause = _explain_order(tiers.admin, peer, port)
    if cause and (cause.allowed or not left):
        return cause
    if tiers.isolating:
        for term in tiers.terms:
            if port in term.ports and term.possible & left:
                return Cause(allowed=True, rule=term.rule)
        return Cause(allowed=False, isolating=tiers.isolating)
    left, cause = _explain_order(tiers.baseline, left, port)
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
