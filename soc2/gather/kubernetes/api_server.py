"""Where the API server answers: the place that the examiner uses, and the address that the server tells its clients."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from soc2.gather.kubernetes.answers import read_answers
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.api_server import ApiServerPlace
from soc2.model.population import Cause, Problem


class _ServerAddress(msgspec.Struct):
    server_address: str = msgspec.field(default="", name="serverAddress")


class _Versions(msgspec.Struct):
    places: tuple[_ServerAddress, ...] = msgspec.field(default=(), name="serverAddressByClientCIDRs")


_VERSIONS = msgspec.json.Decoder(_Versions)


@dataclass(frozen=True)
class ApiServerPlaces:
    """The host of the connection, with the addresses that its name has here, and what ``GET /api`` tells: every caller may
    ask that. Of several servers behind one place, the one that answers tells its own address."""

    name: str = "places of the API server"

    def gather(self, gatherer: Gatherer) -> Listing[ApiServerPlace]:
        return read_answers(gatherer, self.name, "GET /api, names of the server", "/api", _places)


def _places(connection: KubeConnection) -> Iterator[ApiServerPlace]:
    host = _host(connection.server)
    yield ApiServerPlace(host, _addresses(host), "the examiner's configuration")
    for each in _VERSIONS.decode(connection.request("GET", "/api").body).places:
        own = _host(each.server_address)
        yield ApiServerPlace(own, (own,), "the server itself")


def _host(place: str) -> str:
    """Return the host of a URL, or of ``host:port``."""
    try:
        found = urlsplit(place if "://" in place else f"//{place}").hostname
    except ValueError:
        found = None
    if not found:
        # Not quoted: a URL may have a password in it.
        raise GatherError(Problem(Cause.MALFORMED, "a place of the API server names no host"))
    return found


def _addresses(host: str) -> tuple[str, ...]:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise GatherError(Problem(Cause.UNREACHABLE, f"the name {host} has no address here: {error}")) from None
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
