"""Local servers that behave as a test says, one connection after the other, until the test ends."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Handler = Callable[[socket.socket], None]


@dataclass
class Server:
    """Where it listens, and what it was sent."""

    address: str
    stopping: threading.Event = field(default_factory=threading.Event)
    requests: list[bytes] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


@contextmanager
def serving(
    handler: Handler | None = None, host: str = "127.0.0.1", talk: Callable[[Server, socket.socket], None] | None = None
) -> Iterator[Server]:
    """Listen on a port of the loopback interface; each connection is closed when its handler returns."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=32) as listener:
        port = listener.getsockname()[1]
        server = Server(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if server.stopping.is_set():
                    connection.close()
                    return
                thread = threading.Thread(target=run, args=(connection,), daemon=True)
                threads.append(thread)
                thread.start()

        def run(connection: socket.socket) -> None:
            connection.settimeout(5)
            with connection, contextlib.suppress(OSError):
                if handler:
                    handler(connection)
                if talk:
                    talk(server, connection)

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield server
        finally:
            server.stopping.set()
            with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
                pass
            acceptor.join(5)
            for thread in threads:
                thread.join(5)


def tls(context: ssl.SSLContext) -> Handler:
    """Shake hands and wait for the client to hang up."""

    def handle(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as secure:
            while secure.recv(1024):
                pass

    return handle


def answering(data: bytes) -> Handler:
    """Read what comes first, answer, hang up."""

    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)

    return handle


def silent(server: Server, connection: socket.socket) -> None:
    """Take the connection and say nothing until the test ends."""
    del connection
    server.stopping.wait(5)


def http(*answers: bytes) -> Callable[[Server, socket.socket], None]:
    """Answer each request with the next one of the answers, and the last of them for ever; requests are kept."""

    def talk(server: Server, connection: socket.socket) -> None:
        server.requests.append(connection.recv(4096))
        connection.sendall(answers[min(len(server.requests), len(answers)) - 1])

    return talk


def free_port() -> int:
    """Return a port where nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
