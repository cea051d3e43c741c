"""Asks every declared endpoint for its first page over plain HTTP. Nothing is kept of the answer but its status and which
site it redirects to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urljoin, urlsplit

from soc2.declared_network import Endpoint
from soc2.gather.source import Gatherer, Listing
from soc2.gather.tls.endpoints import SECONDS, Asked, ask_each
from soc2.gather.tls.wire import Failed, Reach, Refused, Wire
from soc2.model.network.places import Place
from soc2.model.population import Cause
from soc2.model.tls import PlainHttp

_AGENT = "soc2-controls"
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?:[ \r\n]|\Z)")
_BLANK = re.compile(rb"\r?\n\r?\n")
_HTTP = 80
# Servers that know no HEAD still know GET (RFC 9110, 9.1).
_NO_HEAD = (400, 405, 501)


@dataclass(frozen=True)
class PlainHttpAnswers:
    """What declared endpoints answer to plain HTTP. ``seconds`` is how long each of them may take altogether."""

    seconds: float = SECONDS
    name: str = "plain HTTP of endpoints"

    def gather(self, gatherer: Gatherer) -> Listing[PlainHttp]:
        return ask_each(gatherer, self.name, "HEAD / over plain HTTP, or GET where there is no HEAD", self._try)

    def _try(self, endpoint: Endpoint, name: str) -> Asked[PlainHttp]:
        place = endpoint.http_place
        if place is None:
            return Asked(None)
        reach = Reach(place, self.seconds)
        try:
            answer = _ask(reach, "HEAD", endpoint)
            if answer.status in _NO_HEAD:
                answer = _ask(reach, "GET", endpoint)
        except Refused:
            answer = _Answer("refused")
        except Failed as error:
            # Whoever drops the connection may stand on this side: that nothing comes through from here shows nothing.
            mend = "; declare http = false where no plain HTTP is served" * (error.problem.cause is Cause.TIMED_OUT)
            return Asked(None, (Failed(error.problem.cause, f"{error.problem.detail}{mend}").problem,))
        record = PlainHttp(
            host=endpoint.host,
            name=name,
            place=str(place),
            outcome=answer.outcome,
            status=answer.status,
            scheme=answer.scheme,
            target=answer.target,
        )
        return Asked(record)


@dataclass(frozen=True)
class _Answer:
    outcome: Literal["refused", "closed", "answered"]
    status: int = 0
    scheme: str = ""
    target: str = ""


def _ask(reach: Reach, method: str, endpoint: Endpoint) -> _Answer:
    shown = Place(endpoint.host, endpoint.http if type(endpoint.http) is int else _HTTP)
    host = str(shown).removesuffix(f":{_HTTP}")
    request = f"{method} / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    with reach.connect() as wire:
        wire.send(request.encode("ascii"))
        head = _head(wire)
    if not head or _is_tls(head):
        return _Answer("closed")
    status = _STATUS.match(head)
    if not status:
        raise Failed(Cause.MALFORMED, f"{reach.place} answers HTTP with something that is none")
    scheme, target = _redirect(head, host)
    return _Answer("answered", int(status[1]), scheme, target)


def _head(wire: Wire) -> bytes:
    """Return the status line and the headers of the final answer, whose body is not waited for. Raises Failed."""
    start = 0
    while True:
        data = bytes(wire.received[start:])
        end = _BLANK.search(data)
        if end and data.startswith(b"HTTP/") and data[9:10] == b"1":
            # An answer before the answer (RFC 9110, 15.2).
            start += end.end()
        elif end or _is_tls(data) or not b"HTTP/".startswith(data[:5]):
            return data[: end.start()] if end else data
        elif not wire.receive():
            if data:
                raise Failed(Cause.MALFORMED, f"the answer of {wire.place} ends before its headers do")
            return b""


def _is_tls(data: bytes) -> bool:
    """Tell whether the answer is an alert of TLS, which one gives who talks nothing else."""
    return data[:1] == b"\x15"


def _redirect(head: bytes, host: str) -> tuple[str, str]:
    """Return the scheme and the host that the answer leads to, which are empty when it leads nowhere or nowhere certain."""
    lines = head.decode("latin-1").splitlines()[1:]
    headers = [line.partition(":") for line in lines]
    locations = {value.strip() for name, _, value in headers if name.strip().lower() == "location"}
    if len(locations) != 1:
        return "", ""
    try:
        # Browsers take a backslash for a slash.
        target = urlsplit(urljoin(f"http://{host}/", locations.pop().replace("\\", "/")))
        return target.scheme.lower(), (target.hostname or "").rstrip(".")
    except ValueError:
        return "", ""
