"""The service in front of moto: answers declared operations, refuses what an identity may not do, passes on
everything else.

Usage: ``python -m soc2.demo.aws.front PORT UPSTREAM_PORT ANSWERS_FILE ACCESS_LOG``.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import urllib3
import yaml

from soc2.demo.aws.answers import Declared, HttpAnswer, error_answer, protocol_of, read_answers, utc_now
from soc2.demo.aws.operations import Request, operation_model, recognise, service_model
from soc2.demo.aws.simulate import ASKED, simulated
from soc2.demo.company import FOLDER
from soc2.demo.lifeline import exit_when_parent_is_gone
from soc2.gather.aws.permissions import permissions

DENIED_ACCESS_KEY = "AKIADENIEDEXAMPLE000"
AUDITOR_ACCESS_KEY = "AKIAAUDITOREXAMPLE00"
# What is shipped for every system, and what the demo's system.toml says of its logs, whose places the front does not look at.
_AUDITOR_POLICIES = (
    Path(__file__).resolve().parents[3] / "deploy" / "aws" / "policy.json",
    FOLDER / "aws" / "log-policy.json",
)
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "expect"})


class Front(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, upstream: int, answers: dict[tuple[str, str], tuple[Declared, ...]], access_log: Path | None
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answers = answers
        policies = [json.loads(path.read_text(encoding="utf-8")) for path in _AUDITOR_POLICIES]
        statements = [statement for policy in policies for statement in policy["Statement"]]
        self.auditor_actions = frozenset(action for statement in statements for action in statement["Action"])
        self.upstream = f"http://127.0.0.1:{upstream}"
        self.pool = urllib3.PoolManager(maxsize=64)
        self._log = access_log.open("a", buffering=1) if access_log else None
        self._log_lock = threading.Lock()

    def note(self, request: Request) -> None:
        """Append who asked for which operation; never what was sent."""
        if self._log is None:
            return
        entry = {
            "time": utc_now().isoformat(),
            "service": request.service,
            "operation": request.operation,
            "region": request.region,
            "access_key": request.access_key,
        }
        with self._log_lock:
            self._log.write(json.dumps(entry) + "\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front
    # Without this, small answers wait for an acknowledgement that the client delays.
    disable_nagle_algorithm = True
    wbufsize = -1

    def _serve(self) -> None:
        body = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = recognise(self.command, self.path, headers, body)
        self.server.note(request)
        answer = self._own_answer(request, body)
        if answer is None:
            self._pass_on(request, body)
        else:
            self._send(answer.status, {"Content-Type": answer.content_type}, answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815

    def handle_expect_100(self) -> bool:
        """Let the client send its body at once, which else it does after a second."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return chunks
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _own_answer(self, request: Request, body: bytes) -> HttpAnswer | None:
        if not self._is_allowed(request):
            model = service_model(request.service)
            protocol = str(model.resolved_protocol) if model else "rest-json"
            return error_answer(protocol, "AccessDenied", "the identity has no right to it")
        text = unquote(self.path) + body.decode(errors="replace")
        for answer in self.server.answers.get((request.service, request.operation), ()):
            if answer.when in text:
                return answer.http()
        return simulated(body, self.server.upstream) if (request.service, request.operation) == ASKED else None

    def _is_allowed(self, request: Request) -> bool:
        """Tell what the identity may do: nothing, what the shipped policy allows, or everything."""
        # AWS lets everybody ask who they are.
        if (request.service, request.operation) == ("sts", "GetCallerIdentity"):
            return True
        if request.access_key == AUDITOR_ACCESS_KEY:
            return permissions(request.service, request.operation) <= self.server.auditor_actions
        return request.access_key != DENIED_ACCESS_KEY

    def _pass_on(self, request: Request, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        answer = self.server.pool.request(
            self.command, self.server.upstream + self.path, body=body, headers=headers, redirect=False, retries=False
        )
        operation = operation_model(request.service, request.operation)
        if operation is not None and _unknown_to_moto(answer):
            refusal = error_answer(protocol_of(operation), "NotImplemented", "not part of the demo", 501)
            self._send(refusal.status, {"Content-Type": refusal.content_type}, refusal.body)
            return
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._send(answer.status, kept, answer.data)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


def _unknown_to_moto(answer: Any) -> bool:
    """moto answers what it does not know with a page of HTML, or with 500 and the trace of NotImplementedError."""
    if answer.status in (404, 405) and "text/html" in answer.headers.get("Content-Type", ""):
        return True
    return answer.status >= 500 and (b"NotImplementedError" in answer.data or b"not been implemented" in answer.data)


def main() -> None:
    port, upstream, answers_file, access_log = sys.argv[1:5]
    exit_when_parent_is_gone()
    declared = yaml.safe_load(Path(answers_file).read_text(encoding="utf-8")) or {}
    answers = read_answers(declared, answers_file, utc_now())
    Front(int(port), int(upstream), answers, Path(access_log)).serve_forever()


if __name__ == "__main__":
    main()
