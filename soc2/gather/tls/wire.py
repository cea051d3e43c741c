"""TCP connections to endpoints, bounded in time and in what is read of them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any

from soc2.model.network.places import Place
from soc2.model.population import Cause, Problem

MOST_BYTES = 64 * 1024
"""So much is read of a connection; a chain of certificates that takes more is longer than any in use."""
_PART = 16 * 1024
# A server that lets one attempt hang leaves time for the others.
_SHARE_OF_ATTEMPT = 0.4
_SHARE_OF_NUDGE = 0.1


class Failed(Exception):
    """An endpoint did not give evidence; the problem names its place."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.problem = Problem(cause, detail)


class Unreachable(Failed):
    """There is no connection at all, so that nothing else needs to be tried."""


class Refused(Unreachable):
    """Every address of the host refused the connection: nothing listens there."""


class Reach:
    """The way to a place, for at most ``seconds`` altogether, and for each connection a share of that. Of several addresses
    of its host, the first that takes a connection is meant, as clients do it."""

    def __init__(self, place: Place, seconds: float) -> None:
        self.place = place
        self._attempt = seconds * _SHARE_OF_ATTEMPT
        self._nudge = seconds * _SHARE_OF_NUDGE
        self._end = time.monotonic() + seconds
        self._addresses: Sequence[_Address] = ()

    def connect(self) -> Wire:
        """Raises Failed."""
        if time.monotonic() >= self._end:
            raise Failed(Cause.TIMED_OUT, f"{self.place} takes too long altogether")
        end = min(self._end, time.monotonic() + self._attempt)
        if not self._addresses:
            self._addresses = _resolve(self.place, end - time.monotonic())
        errors: list[OSError] = []
        for number, (family, kind, protocol, _, address) in enumerate(self._addresses):
            left = (end - time.monotonic()) / (len(self._addresses) - number)
            if left <= 0:
                errors.append(TimeoutError())
                break
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(left)
            try:
                connection.connect(address)
            except ConnectionResetError:
                # Taken, and hung up at once: whoever reads from it is told so.
                return Wire(connection, self.place, end, self._nudge)
            except OSError as error:
                connection.close()
                errors.append(error)
                continue
            return Wire(connection, self.place, end, self._nudge)
        if all(isinstance(error, ConnectionRefusedError) for error in errors):
            raise Refused(Cause.UNREACHABLE, f"{self.place} refuses connections")
        if any(isinstance(error, TimeoutError) for error in errors):
            raise Unreachable(Cause.TIMED_OUT, f"{self.place} does not answer: something on the way drops the connection")
        raise Unreachable(Cause.UNREACHABLE, f"{self.place}: {errors[-1].strerror or 'no connection'}")


class Wire:
    """A connection, up to its own end of time. ``received`` is all that came."""

    def __init__(self, connection: socket.socket, place: Place, end: float, nudge: float) -> None:
        self._connection = connection
        self.place = place
        self._end = end
        self._nudge = nudge
        self.received = bytearray()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def send(self, data: bytes) -> None:
        """Send all of it; to one who has hung up, nothing. Raises Failed."""
        if not data:
            return
        self._wait()
        try:
            self._connection.sendall(data)
        except TimeoutError:
            raise self._late() from None
        except OSError:
            return

    def receive(self, *, nudge: bool = False) -> bytes:
        """Return what came since, or nothing when the other side has hung up. Raises Failed.

        With ``nudge``, one that has said nothing in all the time is told that nothing else will come: who waits for the end
        of a line, because it talks something else than TLS, says so then.
        """
        if len(self.received) >= MOST_BYTES:
            raise Failed(Cause.MALFORMED, f"{self.place} answers with more than {MOST_BYTES // 1024} KiB")
        self._wait()
        try:
            data = self._connection.recv(min(_PART, MOST_BYTES - len(self.received)))
        except TimeoutError:
            data = self._nudged() if nudge and not self.received else b""
            if not data:
                raise self._late() from None
        except OSError:
            return b""
        self.received += data
        return data

    def _nudged(self) -> bytes:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.settimeout(self._nudge)
            return self._connection.recv(_PART)
        return b""

    def _wait(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._late()
        with contextlib.suppress(OSError):
            self._connection.settimeout(left)

    def _late(self) -> Failed:
        return Failed(Cause.TIMED_OUT, f"{self.place} takes the connection and does not answer in time")


_Address = tuple[int, int, int, str, Any]
"""As ``getaddrinfo`` tells it."""


def _resolve(place: Place, seconds: float) -> Sequence[_Address]:
    """Ask the resolver, which knows no end of time itself."""
    answers: SimpleQueue[Sequence[_Address] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    Thread(target=ask, daemon=True, name="resolver").start()
    try:
        answer = answers.get(timeout=max(seconds, 0.001))
    except Empty:
        raise Unreachable(Cause.TIMED_OUT, f"the name {place.host} is not resolved in time") from None
    if isinstance(answer, socket.gaierror):
        raise Unreachable(Cause.UNREACHABLE, f"the name {place.host} is not resolved: {answer.strerror}")
    if isinstance(answer, Exception):
        raise Unreachable(Cause.UNREACHABLE, f"the name {place.host} is not resolved")
    return answer
