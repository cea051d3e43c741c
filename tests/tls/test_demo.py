"""The demo's endpoints show what is planted, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from soc2.declared_network import Endpoint
from soc2.demo import tls as demo
from soc2.demo.company import FOLDER
from soc2.demo.company.weaknesses import weaknesses
from soc2.demo.tls import Endpoints
from soc2.gather.source import Source
from soc2.gather.tls.certificates import TlsCertificates
from soc2.gather.tls.plain_http import PlainHttpAnswers
from soc2.gather.tls.versions import TlsVersions
from soc2.model.deviation import Deviation
from soc2.rules.tls import certificates_valid, old_tls_refused, plain_http_refused
from soc2.system import load_system
from tests.tls.gathering import gather, problem_of


@contextmanager
def declared(folder: Path, variant: str) -> Iterator[tuple[Endpoint, ...]]:
    """Yield the endpoints of the demo's system.toml, placed where they listen."""
    endpoints = Endpoints(folder / "tls")
    places = endpoints.start(variant)
    network = load_system(FOLDER / "system.toml").network
    assert {each.host for each in network.endpoints} == set(places)
    try:
        yield tuple(msgspec.structs.replace(each, **msgspec.structs.asdict(places[each.host])) for each in network.endpoints)
    finally:
        endpoints.stop()


def found(folder: Path, endpoints: tuple[Endpoint, ...]) -> set[tuple[str, str]]:
    """Return the check and the resource of every deviation."""
    judged: dict[str, tuple[Source[Any], Callable[[Any], Iterator[Deviation]]]] = {
        "old-tls-refused": (TlsVersions(), old_tls_refused),
        "plain-http-refused": (PlainHttpAnswers(), plain_http_refused),
        "endpoint-certificates-valid": (TlsCertificates(), certificates_valid(30, datetime.now(UTC))),
    }
    deviations = set()
    for check, (source, rule) in judged.items():
        listing = gather(source, folder, *endpoints)
        assert problem_of(listing) is None
        assert len(listing.items) == len(endpoints)
        deviations |= {(check, str(each.resource)) for item in listing.items for each in rule(item)}
    return deviations


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_default_company_shows_what_was_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_hand: bool) -> None:
    if by_hand:
        monkeypatch.setattr(demo, "_serves_old", lambda _: False)
    planted = {(expected.check, expected.resource) for weakness in weaknesses("tls") for expected in weakness.expected}
    with declared(tmp_path, "default") as endpoints:
        assert found(tmp_path, endpoints) == planted


def test_the_compliant_company_shows_nothing(tmp_path: Path) -> None:
    with declared(tmp_path, "compliant") as endpoints:
        assert found(tmp_path, endpoints) == set()
