"""GET over HTTPS, or over HTTP on loopback: redirects are followed without credentials, answers are streamed."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    HTTPError,
    IncompleteRead,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
    TimeoutError,
)
from urllib3.util.ssl_match_hostname import CertificateError

from soc2.declared_images import RegistryHost, host_of, is_loopback
from soc2.gather.registry.connections import POOLS, PlainPool, SecuredPool, until
from soc2.gather.registry.failure import Deadline, PullError
from soc2.gather.registry.printable import printable
from soc2.model.network.places import Place
from soc2.model.population import Cause

_CONNECT_SECONDS, _SILENCE_SECONDS = 10.0, 30.0
_AGENT = "soc2-controls"
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
# As many as ask one registry at once, for manifests and for signatures: urllib3 complains of each that it throws away.
_CONNECTIONS = 16
# AWS by IPv6, and Alibaba's; the others are link-local.
_METADATA = ("fd00:ec2::254", "100.100.100.200")
# The name by which Docker Hub's images are known is that of no registry.
_SERVED_BY = {"docker.io": "registry-1.docker.io"}


class Answer:
    """An answer whose body is read in pieces, as it was sent. ``redirected`` tells that another server than the one that was
    asked gave it."""

    def __init__(self, response: urllib3.BaseHTTPResponse, host: str, *, redirected: bool) -> None:
        self._response = response
        self.host = host
        self.redirected = redirected
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    def read(self, size: int = -1, /) -> bytes:
        """Raises PullError when the connection breaks or stays silent."""
        try:
            # What is there by now, so that whoever reads can tell how long it takes.
            return self._response.read1(None if size < 0 else size, decode_content=False)
        except (HTTPError, OSError) as error:
            raise failed(error, self.host) from None

    def body(self, limit: int, deadline: Deadline) -> bytes:
        """Return all of it. Raises PullError when that is more than ``limit`` bytes, or does not come in time."""
        found = bytearray()
        while deadline.left and (piece := self.read(65_536)):
            found += piece
            if len(found) > limit:
                raise PullError(Cause.TRUNCATED, f"an answer of {self.host} has more than {limit:,} bytes")
        return bytes(found)


class Transport:
    """Connections to a registry, and to where it leads."""

    def __init__(self, registry: RegistryHost) -> None:
        self.registry = registry
        self.name = _SERVED_BY.get(registry.host, registry.host)
        self.base = f"{'http' if registry.insecure else 'https'}://{self.name}"
        self._own = self._pool()
        self._others: dict[str, urllib3.PoolManager] = {}

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str], deadline: Deadline) -> Iterator[Answer]:
        """Yield the answer at the end of redirects; ``Authorization`` is sent to the first host only. Raises PullError."""
        with self._open("GET", url, headers, None, deadline) as answer:
            yield answer

    @contextmanager
    def post(self, url: str, form: Mapping[str, str], deadline: Deadline) -> Iterator[Answer]:
        """Send a form, which is not sent on to where an answer leads. Raises PullError."""
        with self._open("POST", url, {}, form, deadline) as answer:
            yield answer

    def close(self) -> None:
        if self._own:
            self._own.close()
        for manager in self._others.values():
            manager.clear()

    @contextmanager
    def _open(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None, deadline: Deadline
    ) -> Iterator[Answer]:
        sent = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers}
        asked = url
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._send(method, url, sent, form, deadline)
            location = response.headers.get("Location", "")
            if method == "POST" or response.status not in _REDIRECTS or not location:
                try:
                    yield Answer(response, self.require_safe(url).hostname or "", redirected=_origin(url) != _origin(asked))
                finally:
                    # What was not read is not worth reading: the connection is given up with it.
                    response.close()
                return
            response.close()
            try:
                target = urljoin(url, location)
            except ValueError:
                raise PullError(Cause.MALFORMED, f"{self.name} leads to what is no address") from None
            self.require_safe(target)
            if _origin(target) != _origin(url):
                sent.pop("Authorization", None)
            url = target
        raise PullError(Cause.MALFORMED, f"{self.name} redirects more than {_MOST_REDIRECTS} times")

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None, deadline: Deadline
    ) -> urllib3.BaseHTTPResponse:
        parts = self.require_safe(url)
        own = parts.netloc.lower() == self.name
        left = deadline.left
        timeout = urllib3.Timeout(connect=min(_CONNECT_SECONDS, left), read=min(_SILENCE_SECONDS, left))
        options = {"timeout": timeout, "retries": False, "redirect": False, "preload_content": False}
        if form is not None:
            options |= {"fields": dict(form), "encode_multipart": False}
        host = parts.hostname or ""
        try:
            with until(deadline):
                if own and self._own:
                    path = url.partition("://")[2][len(parts.netloc) :] or "/"
                    return self._own.request(method, path, headers={**headers, "Host": self.name}, **options)  # type: ignore[arg-type]
                return self._other(host).request(method, url, headers=dict(headers), **options)  # type: ignore[arg-type]
        except (HTTPError, OSError, ValueError) as error:
            raise failed(error, host) from None

    def require_safe(self, url: str) -> SplitResult:
        """Return the parts of an address that may be asked: over TLS, or on loopback when the registry itself talks none, and
        never the one at which a machine is told its own credentials. Raises PullError."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            _ = parts.port
        except ValueError:
            raise PullError(Cause.MALFORMED, f"{self.name} leads to what is no address") from None
        if _is_metadata(host):
            raise PullError(Cause.INCONCLUSIVE, f"{self.name} leads to {host}, which is no registry's and is not asked")
        if parts.scheme == "https" and host:
            return parts
        own = parts.netloc.lower() == self.name or is_loopback(host)
        if parts.scheme == "http" and self.registry.insecure and own:
            return parts
        raise PullError(Cause.INCONCLUSIVE, f"{self.name} leads to an address without TLS, which is not followed")

    def _pool(self) -> urllib3.HTTPConnectionPool | None:
        """Return connections to where the registry is declared to be, or None when its name says that."""
        declared = self.registry
        host = host_of(self.name)
        if declared.insecure:
            place = Place.parse(declared.address or (self.name if host != self.name else f"{self.name}:80"))
            return PlainPool(place.host, place.port, maxsize=_CONNECTIONS)
        if not declared.address:
            return None
        place, name = Place.parse(declared.address), host.strip("[]")
        return SecuredPool(
            place.host,
            place.port,
            maxsize=_CONNECTIONS,
            ssl_context=_context(declared.ca),
            server_hostname=name,
            assert_hostname=name,
        )

    def _other(self, host: str) -> urllib3.PoolManager:
        if host not in self._others:
            self._others[host] = _manager(host, _context(self.registry.ca))
        return self._others[host]


def failed(error: Exception, host: str) -> PullError:
    """Say what went wrong with a connection, without what was asked for: addresses may hold signatures."""
    host = printable(host)
    if isinstance(error, SSLError):
        return PullError(Cause.UNREACHABLE, f"no TLS with {host}: {_reason(error)}")
    if isinstance(error, ReadTimeoutError):
        return PullError(Cause.TIMED_OUT, f"{host} does not answer in time", again=True)
    if isinstance(error, NewConnectionError):
        return PullError(Cause.UNREACHABLE, f"no connection to {host}", again=True)
    if isinstance(error, TimeoutError):
        return PullError(Cause.UNREACHABLE, f"no connection to {host} in time", again=True)
    if isinstance(error, ProtocolError | IncompleteRead):
        return PullError(Cause.TRUNCATED, f"{host} broke the connection off before the answer was complete", again=True)
    return PullError(Cause.UNREACHABLE, f"no connection to {host}: {type(error).__name__}", again=True)


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else None
    if isinstance(cause, CertificateError):
        return "its certificate is made out to another name"
    return str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "it is refused")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _context(ca: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(ca)
    return context


def _manager(host: str, context: ssl.SSLContext) -> urllib3.PoolManager:
    """Return connections to a host, by the proxy of the environment where there is one for it."""
    proxy = getproxies().get("https")
    if proxy and not is_loopback(host) and not proxy_bypass(host):
        manager: urllib3.PoolManager = urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS, ssl_context=context)
    else:
        manager = urllib3.PoolManager(maxsize=_CONNECTIONS, ssl_context=context)
    manager.pool_classes_by_scheme = POOLS
    return manager


def _is_metadata(host: str) -> bool:
    """Tell whether an address is one of those by which clouds tell their machines who they are."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or str(address) in _METADATA
