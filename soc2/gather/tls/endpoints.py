"""Asks something of every declared endpoint at once; what one of them leaves open does not hide the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from soc2.declared_network import Endpoint
from soc2.gather.codec import canonical
from soc2.gather.kubernetes.connection import now
from soc2.gather.problems import together
from soc2.gather.source import Gatherer, Listing
from soc2.model.population import Problem

E = TypeVar("E")
T = TypeVar("T")

SECONDS = 10.0
"""How long an endpoint may take altogether."""
_AT_ONCE = 16


@dataclass(frozen=True)
class Asked(Generic[T]):
    """What an endpoint showed, and what it left open."""

    record: T | None
    problems: tuple[Problem, ...] = ()


def ask_each(gatherer: Gatherer, name: str, query: str, ask: Callable[[Endpoint, str], Asked[T]]) -> Listing[T]:
    """Ask every endpoint under ``[[network.endpoints]]``, by its name, and keep what they showed as evidence."""
    endpoints = gatherer.system.network.endpoints
    return ask_all(gatherer, name, query, ask, endpoints, _names(endpoints))


def ask_all(
    gatherer: Gatherer, name: str, query: str, ask: Callable[[E, str], Asked[T]], endpoints: Sequence[E], names: Sequence[str]
) -> Listing[T]:
    """Ask all of these endpoints, each by its name, and keep what they showed as evidence."""
    started = now()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=name) as pool:
        asked = list(pool.map(ask, endpoints, names))
    found = tuple(each.record for each in asked if each.record is not None)
    status = gatherer.evidence.answered(
        name,
        query,
        identity="the caller",
        started=started,
        pages=len(endpoints),
        items=len(found),
        sha256=gatherer.evidence.keep(canonical(found)),
        problem=together([_of(known, one) for known, one in zip(names, asked, strict=True) if one.problems]),
        parameters={"endpoints": list(names)},
    )
    return Listing(found, (status,))


def _names(endpoints: Sequence[Endpoint]) -> list[str]:
    """Return what to call them: host and port, and the address where several endpoints have these."""
    several = Counter(endpoint.name for endpoint in endpoints)
    return [f"{each.name} at {each.address}" if each.address and several[each.name] > 1 else each.name for each in endpoints]


def _of(name: str, asked: Asked[Any]) -> Problem:
    """Return all that one endpoint left open. Its problems are of the places that it leads to."""
    details = "; ".join(dict.fromkeys(problem.detail for problem in asked.problems))
    return Problem(asked.problems[0].cause, details if details.startswith(name) else f"{name}: {details}")
