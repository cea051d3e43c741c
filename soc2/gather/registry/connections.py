"""Connections whose every read ends in time: who sends a byte now and then, or headers without end, is not waited for."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from soc2.gather.registry.failure import Deadline

_UNTIL: ContextVar[Deadline | None] = ContextVar("until", default=None)


@contextmanager
def until(deadline: Deadline) -> Iterator[None]:
    """Bound the answers to what is asked here, with their headers and bodies: reading one later raises PullError."""
    token = _UNTIL.set(deadline)
    try:
        yield
    finally:
        _UNTIL.reset(token)


class _Bounded(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, deadline: Deadline) -> None:
        self._raw, self._deadline = raw, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        _ = self._deadline.left
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        if deadline := _UNTIL.get():
            self.fp = io.BufferedReader(_Bounded(self.fp.detach(), deadline))


class _Plain(HTTPConnection):
    response_class = _Response


class _Secured(HTTPSConnection):
    response_class = _Response


class PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class SecuredPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secured


POOLS = {"http": PlainPool, "https": SecuredPool}
"""What a manager makes its pools of."""
