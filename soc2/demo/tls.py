"""The company's endpoints, on loopback ports of the process that holds the environment: one with TLS, and one for plain HTTP
beside it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from soc2.demo.company import FOLDER
from soc2.demo.company.weaknesses import merge_patch, weaknesses
from soc2.demo.pki import CertificateAuthority
from soc2.demo.state import TlsEndpoint
from soc2.gather.tls.hello import client_hello
from soc2.model.tls import Version

_SECONDS = 5.0
_CA_DAYS = 400
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16\r\nConnection: close\r\n\r\nNorthwind Notes\n"
_REDIRECT = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://{host}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TLS_1_0 = b"\x03\x01"
# The first record of a server that takes TLS 1.0 with TLS_RSA_WITH_AES_128_CBC_SHA (RFC 2246), all of its numbers zero.
_SERVER_HELLO = bytes.fromhex("160301002a02000026") + _TLS_1_0 + bytes(33) + bytes.fromhex("002f00")

Talk = Callable[[socket.socket], None]


def declared_endpoints(variant: str) -> dict[str, Any]:
    """Return the endpoints of a variant by host, with the weaknesses of the default one merged in."""
    endpoints: dict[str, Any] = yaml.safe_load((FOLDER / "tls" / "endpoints.yaml").read_text(encoding="utf-8"))
    if variant == "default":
        for weakness in weaknesses("tls"):
            for patch in weakness.patch:
                endpoints = merge_patch(endpoints, patch)
    return endpoints


class Endpoints:
    """Serves them from ``start`` to ``stop``; their keys and the certificate of their issuer are in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listeners: list[socket.socket] = []

    def start(self, variant: str) -> dict[str, TlsEndpoint]:
        """Return where each of them listens, by host."""
        authority = CertificateAuthority(self._folder, _CA_DAYS)
        found = {}
        for host, declared in declared_endpoints(variant).items():
            pair = authority.site(host, declared["days"])
            talk = _tls(_context(pair.certificate, pair.key, declared["oldest"]), declared["oldest"])
            plain = {"redirect": _REDIRECT.format(host=host).encode(), "page": _PAGE}[declared["plain"]]
            found[host] = TlsEndpoint(
                address=self._listen(talk), http=self._listen(_http(plain)), ca=str(authority.certificate)
            )
        return found

    def stop(self) -> None:
        for listener in self._listeners:
            # Closing alone does not wake whoever waits for a connection.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _listen(self, talk: Talk) -> str:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listeners.append(listener)
        threading.Thread(target=_serve, args=(listener, talk), daemon=True, name="endpoint").start()
        host, port = listener.getsockname()
        return f"{host}:{port}"


def _serve(listener: socket.socket, talk: Talk) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(connection, talk), daemon=True, name="connection").start()


def _talk(connection: socket.socket, talk: Talk) -> None:
    connection.settimeout(_SECONDS)
    with connection, contextlib.suppress(OSError):
        talk(connection)


def _http(answer: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        if connection.recv(4096):
            connection.sendall(answer)

    return talk


def _tls(context: ssl.SSLContext, oldest: str) -> Talk:
    by_hand = oldest == "TLSv1.0" and not _serves_old(context)

    def talk(connection: socket.socket) -> None:
        if by_hand and connection.recv(11, socket.MSG_PEEK)[9:] == _TLS_1_0:
            connection.recv(4096)
            connection.sendall(_SERVER_HELLO)
            return
        with context.wrap_socket(connection, server_side=True) as secure:
            if secure.recv(4096):
                secure.sendall(_PAGE)

    return talk


def _serves_old(context: ssl.SSLContext) -> bool:
    """Tell whether this machine's OpenSSL still serves TLS 1.0. Where it does not, the weakness is planted as far as a
    server's first message."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(client_hello(Version.TLS_1_0, "localhost"))
    try:
        context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        return False
    return True


def _context(certificate: Path, key: Path, oldest: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if oldest == "TLSv1.0":
        # The hashes of old versions are below every level of security.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
    return context
