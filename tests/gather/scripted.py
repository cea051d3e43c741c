"""A loopback HTTP server that answers with what a test scripts, one answer per request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

import yaml

from soc2.evidence import EvidenceStore
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.source import Gatherer
from soc2.system import About, Kubernetes, System


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None  # a Content-Length that is not the body's


@dataclass
class Script:
    answers: list[Answer]
    paths: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "selfsubjectreviews" in self.path:
            answer = Answer(body=b'{"status": {"userInfo": {"username": "tester"}}}')
        else:
            self.script.paths.append(self.path)
            answer = self.script.answers.pop(0) if len(self.script.answers) > 1 else self.script.answers[0]
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) if answer.announced is None else answer.announced
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(answer.body)
        if answer.announced is not None:
            self.close_connection = True

    do_GET = do_POST = _serve  # noqa: N815


@contextmanager
def scripted(tmp_path: Path, *answers: Answer) -> Iterator[tuple[Gatherer, Script]]:
    """Yield a gatherer whose cluster answers as scripted; the last answer is repeated."""
    script = Script(list(answers))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"script": script}))
    # How often it looks whether it has to stop is what each test waits for at its end.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "t",
                "clusters": [{"name": "t", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "t", "user": {"token": "not-to-be-written"}}],
                "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
            }
        )
    )
    connection = KubeConnection(kubeconfig)
    system = System(system=About(name="t", owner="t"), kubernetes=Kubernetes(cluster="t"))
    gatherer = Gatherer(system, lambda: connection, _no_aws, EvidenceStore(tmp_path / "evidence"))
    try:
        yield gatherer, script
    finally:
        gatherer.close()
        server.shutdown()
        thread.join(5)
        server.server_close()


def _no_aws() -> NoReturn:
    raise AssertionError("no AWS here")
