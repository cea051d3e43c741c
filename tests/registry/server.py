"""A registry on loopback that serves images from memory, asks for tokens when it is told to, and can be made to misbehave."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from soc2.demo.images import Image

USER, PASSWORD = "examiner", "correct-horse"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

Misbehave = Callable[["_Handler", bytes], None]


@dataclass
class Registry:
    """``basic`` is who may read; ``faults`` say what happens instead, by the end of a path; ``requests`` are all paths that
    were asked for, with what was sent as ``Authorization``."""

    authorization: Literal["", "basic", "bearer"] = ""
    basic: str = BASIC
    anonymous: bool = False
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    faults: dict[str, Misbehave] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    realm: str = ""
    tls: ssl.SSLContext | None = None
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Registry:
        handler = type("Handler", (_Handler,), {"registry": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.server_address[1]}"

    def add(self, image: Image) -> str:
        """Serve an image and return its digest."""
        self.blobs.update(image.blobs)
        self.manifests.update(image.manifests)
        self.manifests[image.digest] = (image.manifest, image.media_type)
        return image.digest

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        registry = self.registry
        sent = self.headers.get("Authorization", "")
        registry.requests.append((self.path, sent))
        found = self._found()
        fault = next((fault for end, fault in registry.faults.items() if urlsplit(self.path).path.endswith(end)), None)
        if fault:
            fault(self, found[0] if found else b"")
        elif self.path.startswith("/token"):
            self._token(sent)
        elif not self._authorized(sent):
            realm = registry.realm or f"http{'s' * bool(registry.tls)}://{registry.address}/token"
            wanted = {"basic": 'Basic realm="images"', "bearer": f'Bearer realm="{realm}",service="images",scope="everything"'}
            self.answer(401, b"{}", {"WWW-Authenticate": wanted[registry.authorization]})
        elif found:
            self.answer(200, found[0], {"Content-Type": found[1]})
        else:
            self.answer(404, b"{}")

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        self.registry.requests.append((self.path, json.dumps(form)))
        self._give_token() if form.get("refresh_token") == ["refresh"] else self.answer(401, b"{}")

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        del format, args

    def _found(self) -> tuple[bytes, str] | None:
        kind, _, digest = urlsplit(self.path).path.rpartition("/")
        if kind.endswith("/manifests"):
            return self.registry.manifests.get(digest)
        blob = self.registry.blobs.get(digest)
        return None if blob is None else (blob, "application/octet-stream")

    def _token(self, sent: str) -> None:
        if sent == self.registry.basic or (self.registry.anonymous and not sent):
            self._give_token()
        else:
            self.answer(401, b"{}")

    def _give_token(self) -> None:
        token = secrets.token_urlsafe(16)
        self.registry.tokens.add(token)
        self.answer(200, json.dumps({"token": token, "expires_in": 60}).encode())

    def _authorized(self, sent: str) -> bool:
        if self.registry.authorization == "basic":
            return sent == self.registry.basic
        return self.registry.authorization != "bearer" or sent.removeprefix("Bearer ") in self.registry.tokens
