"""A gatherer that knows endpoints and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from soc2.declared_network import DeclaredNetwork, Endpoint
from soc2.evidence import EvidenceStore
from soc2.gather.source import Gatherer, Listing, Source
from soc2.model.population import Problem
from soc2.system import About, System


def gather(source: Source[Any], folder: Path, *endpoints: Endpoint) -> Listing[Any]:
    system = System(system=About(name="test", owner="test"), network=DeclaredNetwork(endpoints=endpoints))
    gatherer = Gatherer(system, _none, _none, EvidenceStore(folder / "evidence"))
    try:
        return gatherer.get(source)
    finally:
        gatherer.close()


def problem_of(listing: Listing[Any]) -> Problem | None:
    (status,) = listing.statuses
    return status.problem


def _none() -> NoReturn:
    raise AssertionError("endpoints are no part of an API")
