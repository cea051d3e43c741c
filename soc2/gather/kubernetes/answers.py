"""Sources that are read from one answer of the API server, or a few, and not from a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from soc2.gather.codec import canonical
from soc2.gather.kubernetes.connection import GatherError, KubeConnection, now
from soc2.gather.source import Gatherer, Listing
from soc2.model.population import Cause, Problem

T = TypeVar("T")


def read_answers(
    gatherer: Gatherer, name: str, query: str, place: str, read: Callable[[KubeConnection], Iterable[T]]
) -> Listing[T]:
    """Return what ``read`` yields, with evidence of it under ``name`` and ``query``.

    What it yielded before a GatherError or an answer that cannot be decoded is kept, beside the problem; ``place`` says where
    such an answer stands.
    """
    exempt = gatherer.system.kubernetes.absent
    if exempt:
        return Listing((), (), exempt)
    started, connection = now(), gatherer.kubernetes
    found: list[T] = []
    problem = None
    try:
        found.extend(read(connection))
    except GatherError as error:
        problem = error.problem
    except msgspec.DecodeError as error:
        problem = Problem(Cause.MALFORMED, f"{place}: {error}")
    answered = bool(found) or problem is None
    status = gatherer.evidence.answered(
        name,
        query,
        identity=connection.identity if answered else "unknown",
        started=started,
        pages=1,
        items=len(found),
        sha256=gatherer.evidence.keep(canonical(found)) if answered else None,
        problem=problem,
    )
    return Listing(tuple(found), (status,))
