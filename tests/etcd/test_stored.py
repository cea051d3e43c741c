"""Single keys of etcd, from servers that answer oddly: whatever they say, nothing of it is told."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
from pathlib import Path

import pytest

from soc2.declared_etcd import Etcd
from soc2.gather.etcd.stored import EtcdKeys
from soc2.gather.kubernetes.connection import GatherError
from soc2.model.network.places import Place
from soc2.model.population import Cause
from tests.tls.authority import Authority
from tests.tls.servers import serving

SECRET = "hunter2hunter2"
STORED = base64.b64encode(SECRET.encode()).decode()


def read(folder: Path, answer: bytes) -> bytes | None:
    authority = Authority("root")
    context = authority.issue("127.0.0.1").context(folder)

    def handle(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as secure:
            asked = b""
            while not asked.endswith(b"}"):
                asked += secure.recv(4096)
            secure.sendall(answer)

    with serving(handle) as server:
        return EtcdKeys(Etcd(ca=str(authority.file(folder)))).read(Place.parse(server.address), "/registry/x")


def ok(body: str) -> bytes:
    data = body.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


def test_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    assert read(tmp_path, ok(json.dumps({"header": {}, "kvs": [{"key": "a2V5", "value": STORED}]}))) == SECRET.encode()
    assert read(tmp_path, ok('{"header": {"revision": "7"}}')) is None


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (ok(f'{{"kvs": [{{"value": "{STORED}é"}}]}}'), Cause.MALFORMED, "cannot be read"),
        (ok(f'{{"kvs": [{{"value": "{STORED}!"}}]}}'), Cause.MALFORMED, "cannot be read"),
        (ok(f'{{"kvs": [{{"value": ["{STORED}"]}}]}}'), Cause.MALFORMED, "cannot be read"),
        (ok(f'{{"kvs": [{{"value": "{STORED}"'), Cause.MALFORMED, "cannot be read"),
        (ok(f"<html>{SECRET}"), Cause.MALFORMED, "cannot be read"),
        (
            f"HTTP/1.1 403 {SECRET}\r\nContent-Length: {len(SECRET)}\r\n\r\n{SECRET}".encode(),
            Cause.DENIED,
            "HTTP 403 to POST /v3/kv/range",
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Cause.SERVER_ERROR, "--enable-grpc-gateway"),
        (
            f"HTTP/1.1 302 Found\r\nLocation: http://{SECRET}/\r\nContent-Length: 0\r\n\r\n".encode(),
            Cause.SERVER_ERROR,
            "HTTP 302",
        ),
        (b"", Cause.UNREACHABLE, "--listen-client-http-urls"),
        (SECRET.encode(), Cause.UNREACHABLE, ""),
    ],
)
def test_nothing_of_an_odd_answer_is_told(tmp_path: Path, answer: bytes, cause: Cause, words: str) -> None:
    with pytest.raises(GatherError) as error:
        read(tmp_path, answer)
    assert error.value.problem.cause is cause
    assert words in str(error.value)
    assert SECRET not in str(error.value)
    assert STORED not in str(error.value)
