"""Where canaries are looked for: files through rotation, log groups, buckets and Loki, and what they say when they fail."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.canary import sender_of
from soc2.gather.logs.readers import Stopped
from soc2.gather.logs.sightings import LocalFiles, LogGroup, NewFiles, open_store
from soc2.log_sources import LogSource
from soc2.model.logs import LogKind
from soc2.model.population import Cause
from tests.logs.reading import KEYS, REGION, connected, refused

GROUP = "/aws/eks/main/cluster"


def digits(number: int) -> str:
    return f"{number:016x}"


def line(number: int) -> bytes:
    return json.dumps({"userAgent": f"soc2-canary/{digits(number)}"}).encode()


@given(
    before=st.integers(0, 3),
    steps=st.lists(st.sampled_from(["write", "half", "rename", "look", "noise"]), max_size=20),
    declared=st.sampled_from(["audit.log", "", "audit*.log"]),
)
def test_every_whole_line_since_is_seen_whatever_rotation_does(before: int, steps: list[str], declared: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        current = folder / "audit.log"
        current.write_bytes(b"".join(line(1000 + number) + b"\n" for number in range(before)))
        store = LocalFiles(str(folder / declared))
        every = frozenset(digits(number) for number in range(2000))
        written: list[int] = []
        seen: set[str] = set()
        rest = b""
        for number, step in enumerate(steps):
            with current.open("ab") as file:
                if step == "write":
                    file.write(rest + line(number) + b"\n")
                    written.append(number)
                    rest = b""
                elif step == "half" and not rest:
                    whole = line(number) + b"\n"
                    file.write(whole[:30])
                    written.append(number)
                    rest = whole[30:]
                elif step == "noise":
                    file.write(rest + b'{"userAgent": "kubectl"}\n')
                    rest = b""
            if step == "rename" and not rest:
                # A file that came and went between two looks is nobody's to see.
                seen |= store.look(every).keys()
                current.rename(folder / f"audit-{number}.log")
                current.touch()
            elif step == "look":
                seen |= store.look(every).keys()
        with current.open("ab") as file:
            file.write(rest)
        found = store.look(every)
        assert seen | found.keys() == {digits(number) for number in written}


def test_a_file_that_was_copied_and_emptied_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    store = LocalFiles(str(log))
    log.write_bytes(line(3) + b"\n")
    assert store.look(frozenset(map(digits, range(9)))).keys() == {digits(3)}


def test_what_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "audit.log").touch()

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(Stopped) as stopped:
        LocalFiles(str(tmp_path / "*.log"))
    assert stopped.value.problem.cause is Cause.DENIED


@mock_aws
def test_a_log_group_is_filtered_again_on_this_side() -> None:
    connection = AwsConnection((REGION, "eu-central-1"), environment=KEYS)
    client = connection.client("logs", REGION)
    client.create_log_group(logGroupName=GROUP)
    now = datetime.now(UTC)
    for stream, number in (("kube-apiserver-audit-1", 1), ("authenticator-1", 2)):
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        events = [{"timestamp": int(now.timestamp() * 1000), "message": line(number).decode()}]
        client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)
    store = open_store(_source(cloudwatch=GROUP, streams="kube-apiserver-audit-"), lambda: connection, Path(), now)
    assert isinstance(store, LogGroup)
    assert store.look(frozenset({digits(1), digits(2)})) == {digits(1): line(1)}
    assert store.look(frozenset({digits(3)})) == {}
    connection.close()


@pytest.mark.parametrize(
    ("code", "cause"), [("AccessDeniedException", Cause.DENIED), ("ResourceNotFoundException", Cause.ABSENT)]
)
def test_a_log_group_that_refuses_is_no_evidence(code: str, cause: Cause) -> None:
    class Client:
        def filter_log_events(self, **_: Any) -> Any:
            raise refused(code, "FilterLogEvents")

    store = LogGroup(connected(Client()), GROUP, "", None, datetime.now(UTC))
    with pytest.raises(Stopped) as stopped:
        store.look(frozenset({digits(1)}))
    assert stopped.value.problem.cause is cause


@mock_aws
def test_objects_of_a_bucket_are_each_fetched_once_compressed_or_not(tmp_path: Path) -> None:
    connection = AwsConnection((REGION,), environment=KEYS)
    client = connection.client("s3", REGION)
    client.create_bucket(Bucket="audit-archive", CreateBucketConfiguration={"LocationConstraint": REGION})
    since = datetime.now(UTC)
    store = open_store(_source(s3="s3://audit-archive/audit"), lambda: connection, tmp_path / "spool", since)
    assert isinstance(store, NewFiles)
    every = frozenset(map(digits, range(9)))
    assert store.look(every) == {}
    bodies = {"a.json.gz": gzip.compress(line(1)), "b.zst": zstandard.compress(line(2)), "c.json": line(3)}
    for key, body in bodies.items():
        client.put_object(Bucket="audit-archive", Key=f"audit/{key}", Body=body)
    client.put_object(Bucket="audit-archive", Key="other/d.json", Body=line(4))
    assert store.look(every) == {digits(number): line(number) for number in (1, 2, 3)}
    assert store.look(every) == {}
    assert [path for path in (tmp_path / "spool").rglob("*") if path.is_file()] == []
    client.put_object(Bucket="audit-archive", Key="audit/e.json.gz", Body=gzip.compress(line(5))[:-9])
    with pytest.raises(Stopped) as stopped:
        store.look(every)
    assert stopped.value.problem.cause is Cause.MALFORMED
    connection.close()


@contextmanager
def answering(answer: Any, status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve one JSON answer to every request; yield the URL and what was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked.append(
                {"path": url.path, "headers": dict(self.headers), **{k: v[0] for k, v in parse_qs(url.query).items()}}
            )
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def test_loki_is_asked_for_canaries_only_and_filtered_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOKI_TOKEN", "not-to-be-written")
    now = f"{datetime.now(UTC).timestamp() * 1e9:.0f}"
    event = json.loads(line(2)) | {"user": {"username": "examiner"}}
    values = [[now, line(1).decode()], [now, json.dumps({"log": json.dumps(event), "stream": "stdout"})]]
    with answering({"data": {"result": [{"stream": {}, "values": values}]}}) as (url, asked):
        source = _source(loki=url, query='{job="audit"}', tenant="security", token_env="LOKI_TOKEN")
        store = open_store(source, lambda: None, tmp_path, datetime.now(UTC))
        found = store.look(frozenset({digits(2)}))
        assert [(name, sender_of(record, f"soc2-canary/{name}")) for name, record in found.items()] == [
            (digits(2), "examiner")
        ]
    assert {(request["path"], request["query"]) for request in asked} == {
        ("/loki/api/v1/query_range", '{job="audit"} |= `soc2-canary`')
    }
    assert asked[0]["headers"]["X-Scope-OrgID"] == "security"
    assert asked[0]["headers"]["Authorization"] == "Bearer not-to-be-written"


def test_a_loki_that_refuses_is_no_evidence(tmp_path: Path) -> None:
    with answering({}, 403) as (url, _):
        store = open_store(_source(loki=url, query="{}"), lambda: None, tmp_path, datetime.now(UTC))
        with pytest.raises(Stopped) as stopped:
            store.look(frozenset({digits(1)}))
    assert stopped.value.problem.cause is Cause.DENIED
    with pytest.raises(Stopped) as refusal:
        open_store(_source(loki="http://user:not-to-be-written@loki", query="{}"), lambda: None, tmp_path, datetime.now(UTC))
    assert "not-to-be-written" not in str(refusal.value)


def _source(**place: Any) -> LogSource:
    return LogSource(name="audit", kind=LogKind.KUBERNETES_AUDIT, **place)
