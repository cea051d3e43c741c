"""Connects to every declared endpoint of etcd without a client certificate, over TLS and in plain text, and sends requests.

With TLS 1.3 a client is told that it lacks a certificate only when it reads for the first time: a handshake alone would look
as if it had been let in.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from soc2.gather.source import Gatherer, Listing
from soc2.gather.tls.certificates import presented
from soc2.gather.tls.endpoints import SECONDS, Asked, ask_all
from soc2.gather.tls.wire import Failed, Reach, Unreachable, Wire
from soc2.model.etcd import Attempt, EtcdEndpoint
from soc2.model.network.places import Place
from soc2.model.population import Cause, Problem

T = TypeVar("T")

# Any member tells its version; its status takes the right to speak with the database.
_REQUESTS = (("GET", "/version", ""), ("POST", "/v3/maintenance/status", "{}"))
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?:[ \r\n]|\Z)")
# What proxies that ask for a certificate answer without one (with words that say so: others refuse for want of a password),
# and what servers of TLS answer to plain text.
_REFUSALS = (400, 401, 403)
# What a client of HTTP/2 says first, with empty settings (RFC 9113, 3.4). A server says its own settings, or that it goes.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FIRST_FRAME = re.compile(rb".{3}[\x04\x07].\0{4}", re.S)
# The alerts by which a server says that the certificate is what it misses (RFC 8446, 6.2; RFC 5246, 7.2.2).
_WANTS_CERTIFICATE = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "ALERT_NO_CERTIFICATE",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
)
_TLS_ALERT = b"\x15"
_TLS_RECORDS = (_TLS_ALERT, b"\x16")


@dataclass(frozen=True)
class EtcdAttempts:
    """What declared endpoints of etcd answer to nobody. ``seconds`` is how long each of them may take altogether."""

    seconds: float = SECONDS
    name: str = "etcd without a certificate"

    def gather(self, gatherer: Gatherer) -> Listing[EtcdEndpoint]:
        exempt = gatherer.system.kubernetes.absent
        places = gatherer.system.etcd.places
        if exempt or not places:
            return Listing((), (), exempt)
        query = "GET /version and POST /v3/maintenance/status without a client certificate"
        ask = partial(self._try, gatherer.system.etcd.ca)
        return ask_all(gatherer, self.name, query, ask, places, [str(place) for place in places])

    def _try(self, ca: str | None, place: Place, name: str) -> Asked[EtcdEndpoint]:
        reach = Reach(place, self.seconds)
        found: list[Attempt | None] = []
        problems: list[Problem] = []
        for attempt in (partial(_over_tls, reach, ca), partial(_in_plain_text, reach)):
            try:
                found.append(attempt())
            except Unreachable as error:
                return Asked(None, (error.problem,))
            except Failed as error:
                problems.append(error.problem)
        shown = tuple(each for each in found if each)
        if not problems and all(each.refused and each.over == "plain text" for each in shown):
            said = shown[0].answer if shown else "nothing"
            problems.append(Problem(Cause.INCONCLUSIVE, f"{place} talks no TLS and says {said} in plain text; is it etcd?"))
        # What one way showed counts, whatever the other one left open; a refusal by itself shows little.
        let_in = any(not each.refused for each in shown)
        return Asked(EtcdEndpoint(name, shown) if let_in or not problems else None, tuple(problems))


def _context(ca: str | None, *, http2: bool = False) -> ssl.SSLContext:
    """Return a context without a client certificate. Who issued the server's counts where the owner says so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if ca:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(ca)
    if http2:
        context.set_alpn_protocols(["h2"])
    return context


@dataclass(frozen=True)
class _Ending:
    """How a connection ended: with an answer, with an alert, or (without both) silently. ``why`` says that the answer names
    a certificate as what it misses."""

    status: int = 0
    answered: bool = False
    http2: bool = False
    why: bool = False
    alert: str = ""
    no_tls: bool = False

    @property
    def takes_requests(self) -> bool:
        return self.http2 or (self.status > 0 and self.status not in _REFUSALS)

    @property
    def refused(self) -> bool:
        return bool(self.alert) or (self.status in _REFUSALS and self.why)

    @property
    def words(self) -> str:
        if self.alert:
            return f"the alert {self.alert.lower().replace('_', ' ')}"
        if self.http2:
            return "HTTP/2"
        return f"HTTP {self.status}" if self.status else "something that is no HTTP" if self.answered else "nothing"


def _request(place: Place, method: str, path: str, body: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: soc2-controls\r\nConnection: close\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode("ascii")


def _in_plain_text(reach: Reach) -> Attempt:
    endings = []
    for method, path, body in _REQUESTS:
        with reach.connect() as wire:
            wire.send(_request(reach.place, method, path, body))
            ending = _read(wire.receive())
        if ending.takes_requests:
            return Attempt("plain text", refused=False, answer=f"{ending.words} to {method} {path}")
        endings.append(ending)
    return Attempt("plain text", refused=True, answer=endings[0].words)


def _read(data: bytes) -> _Ending:
    if data[:1] == _TLS_ALERT:
        return _Ending(alert="to speak TLS")
    status = _STATUS.match(data)
    return _Ending(
        status=int(status[1]) if status else 0,
        answered=bool(data),
        http2=bool(_FIRST_FRAME.match(data)),
        why=b"certificate" in data.lower(),
    )


def _over_tls(reach: Reach, ca: str | None) -> Attempt | None:
    """Return what came of it, or None where TLS is not spoken. Raises Failed."""
    endings = []
    context = _context(ca)
    for method, path, body in _REQUESTS:
        ending = _ask(reach, context, _request(reach.place, method, path, body))
        if ending.no_tls:
            return None
        if ending.takes_requests:
            return Attempt("TLS", refused=False, answer=f"{ending.words} to {method} {path}")
        endings.append(ending)
        if ending.alert:
            break
    if not any(ending.refused for ending in endings):
        # With listen-client-http-urls, the other port takes gRPC only.
        with contextlib.suppress(Failed):
            ending = _ask(reach, _context(ca, http2=True), _PREFACE)
            if ending.takes_requests:
                return Attempt("TLS", refused=False, answer=f"{ending.words}, as gRPC begins")
            endings.append(ending)
        # What a server says last may be lost with a request that it did not take any more.
        with contextlib.suppress(Failed):
            endings.append(_ask(reach, context, b""))
    refusal = next((ending for ending in endings if ending.refused), None)
    if refusal is None:
        said = next((f"answers {ending.words}" for ending in endings if ending.answered), "ends the connection")
        why = f"{reach.place} {said} over TLS and does not say that it wants a certificate; is it etcd?"
        raise Failed(Cause.INCONCLUSIVE, why)
    return Attempt("TLS", refused=True, answer=refusal.words)


def _ask(reach: Reach, context: ssl.SSLContext, request: bytes) -> _Ending:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=reach.place.host)
    with reach.connect() as wire:
        try:
            _pump(wire, client.do_handshake, incoming, outgoing)
            if request:
                client.write(request)
            return _read(_pump(wire, lambda: client.read(4096), incoming, outgoing))
        except ssl.SSLCertVerificationError as error:
            why = f"{reach.place} presents a certificate that is not of the declared ca: {error.verify_message}"
            raise Failed(Cause.INCONCLUSIVE, why) from None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return _Ending(no_tls=wire.received[:1] not in _TLS_RECORDS)
        except ssl.SSLError as error:
            return _ended(reach.place, error, asked=bool(presented(client)), received=bytes(wire.received))


def _pump(wire: Wire, step: Callable[[], T], incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> T:
    """Take a step of TLS, and send and receive for it what it needs. Raises Failed and ssl.SSLError."""
    while True:
        try:
            result = step()
        except ssl.SSLWantReadError:
            wire.send(outgoing.read())
            data = wire.receive()
            if data:
                incoming.write(data)
            else:
                incoming.write_eof()
            continue
        wire.send(outgoing.read())
        return result


def _ended(place: Place, error: ssl.SSLError, *, asked: bool, received: bytes) -> _Ending:
    reason = error.reason or ""
    # Older servers have no other word for a certificate that they miss, which they say after they presented their own.
    if reason.endswith(_WANTS_CERTIFICATE) or (asked and reason.endswith("ALERT_HANDSHAKE_FAILURE")):
        return _Ending(alert=reason.rpartition("ALERT_")[2])
    if received[:1] not in _TLS_RECORDS:
        return _Ending(no_tls=True)
    raise Failed(Cause.INCONCLUSIVE, f"no handshake with {place}: {reason or 'it ends too early'}")
