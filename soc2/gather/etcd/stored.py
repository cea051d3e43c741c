"""Reads single keys of etcd over its JSON gateway, as the API server's peer: with a certificate, from a verified etcd."""

from __future__ import annotations

import base64
import ssl
from typing import Protocol

import msgspec
import urllib3

from soc2.declared_etcd import Etcd
from soc2.gather.kubernetes.connection import GatherError
from soc2.model.network.places import Place
from soc2.model.population import Cause, Problem

_TIMEOUT = urllib3.Timeout(connect=5, read=10)
# Etcd takes no request of more than 1.5 MiB, of which base64 makes a third more.
_MOST_BYTES = 4 * 1024 * 1024
_REFUSALS = (400, 401, 403)


class _Pair(msgspec.Struct):
    value: str = ""


class _Range(msgspec.Struct):
    kvs: tuple[_Pair, ...] = ()


_RANGE = msgspec.json.Decoder(_Range)


class Keys(Protocol):
    """What reads a key: its value, or None when there is none. Raises GatherError."""

    def read(self, place: Place, key: str) -> bytes | None: ...


class EtcdKeys:
    """Reads with the declared client certificate."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd

    def read(self, place: Place, key: str) -> bytes | None:
        """Return the value of a key, or None when etcd has no such key. Raises GatherError, without a word of the answer."""
        body = msgspec.json.encode({"key": base64.b64encode(key.encode()).decode(), "limit": "1"})
        try:
            with self._pool(place) as pool:
                answer = pool.urlopen(
                    "POST",
                    "/v3/kv/range",
                    body=body,
                    headers={"Content-Type": "application/json", "User-Agent": "soc2-controls"},
                    preload_content=False,
                    redirect=False,
                )
                data = answer.read(_MOST_BYTES)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise GatherError(_problem(place, error)) from None
        if answer.status != 200:
            cause = Cause.DENIED if answer.status in _REFUSALS else Cause.SERVER_ERROR
            mend = "; it has no JSON gateway there (--enable-grpc-gateway)" * (answer.status == 404)
            raise GatherError(Problem(cause, f"{place}: HTTP {answer.status} to POST /v3/kv/range{mend}"), answer.status)
        try:
            pairs = _RANGE.decode(data).kvs
            return base64.b64decode(pairs[0].value, validate=True) if pairs else None
        except (msgspec.DecodeError, ValueError):
            # Their own words might quote the answer, which holds the Secret.
            raise GatherError(Problem(Cause.MALFORMED, f"{place}: the answer of etcd cannot be read")) from None

    def _pool(self, place: Place) -> urllib3.HTTPSConnectionPool:
        """Raises OSError."""
        context = ssl.create_default_context(cafile=self._etcd.ca)
        if self._etcd.client_cert:
            context.load_cert_chain(self._etcd.client_cert, self._etcd.client_key)
        return urllib3.HTTPSConnectionPool(
            place.host, place.port, timeout=_TIMEOUT, retries=False, maxsize=1, ssl_context=context
        )


def _problem(place: Place, error: Exception) -> Problem:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return Problem(Cause.TIMED_OUT, f"{place} does not answer in time")
    if isinstance(error, urllib3.exceptions.SSLError | ssl.SSLError):
        reason = getattr(error.args[0] if error.args else None, "reason", None) or getattr(error, "reason", None)
        return Problem(Cause.UNAUTHENTICATED, f"{place}: no agreement on certificates ({reason or 'SSL error'})")
    if isinstance(error, urllib3.exceptions.ProtocolError):
        why = "breaks the connection; with --listen-client-http-urls, the JSON gateway is on the port of that"
        return Problem(Cause.UNREACHABLE, f"{place} {why}")
    return Problem(Cause.UNREACHABLE, f"{place}: {type(error).__name__}")
