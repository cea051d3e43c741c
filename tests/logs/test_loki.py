"""Loki over loopback HTTP: pages by time, equal times, and answers that are refusals or no answers."""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.errors import UsageError
from soc2.gather.logs.loki import LokiLogs, fetch_loki
from soc2.gather.logs.readers import Fetched, Window
from soc2.model.population import Cause, Problem
from tests.logs.reading import at, records

NOW = at("25 12:00")
DAY = Window(NOW - timedelta(days=1), NOW)
START = int(DAY.since.timestamp()) * 10**9
SECOND = 10**9
QUERY = '{job="pods"}'

Line = tuple[str, int, str]


@dataclass
class Loki:
    """Streams by a label; ``answers`` are given first: a status, a body as it is, or a cut one."""

    lines: list[Line] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    largest: int = 5_000

    def answer(self, query: dict[str, str], headers: dict[str, str]) -> Any:
        self.asked.append(query)
        self.headers.append(headers)
        if self.answers:
            return self.answers.pop(0)
        start, end, limit = int(query["start"]), int(query["end"]), min(int(query["limit"]), self.largest)
        page = sorted((line for line in self.lines if start <= line[1] < end), key=lambda line: line[1])[:limit]
        streams: dict[str, list[list[str]]] = {}
        for app, time, text in page:
            streams.setdefault(app, []).append([str(time), text])
        result = [{"stream": {"app": app}, "values": values} for app, values in streams.items()]
        return {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}}


LOKI = Loki()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        assert url.path == "/loki/api/v1/query_range"
        answer = LOKI.answer({key: value[0] for key, value in parse_qs(url.query).items()}, dict(self.headers))
        status = answer if isinstance(answer, int) else 200
        body = answer if isinstance(answer, bytes) else b"" if status != 200 else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (10 if body == b"cut" else 0)))
        self.send_header("Retry-After", "7")
        self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def serving(loki: Loki) -> Iterator[Loki]:
    LOKI.__dict__.update(loki.__dict__)
    yield LOKI


def fetch(url: str, folder: Path, cursor: Any = None, waits: list[float] | None = None, **declared: Any) -> Fetched:
    waited: list[float] = [] if waits is None else waits
    return fetch_loki(LokiLogs(url, QUERY, **declared), DAY, cursor or {}, folder, NOW, {"TOKEN": "s3cret"}, waited.append)


def lines(fetched: Fetched) -> list[Line]:
    return [
        (stream["stream"]["app"], int(time), text)
        for record in records(fetched)
        for stream in record["data"]["result"]
        for time, text in stream["values"]
    ]


def test_pages_follow_one_another_and_equal_times_are_kept(url: str, tmp_path: Path) -> None:
    kept = [("a", START, "1"), ("b", START, "1"), ("a", START + 5, "2"), ("b", START + 5, "2"), ("a", START + 5, "3")]
    outside = [("a", START - 1, "before"), ("a", START + 24 * 3600 * SECOND, "after")]
    with serving(Loki([*kept, *outside])) as loki:
        fetched = fetch(url, tmp_path, limit=4, tenant="team", token_variable="TOKEN")
    assert sorted(lines(fetched)) == sorted(kept)
    assert (fetched.items, fetched.problem, len(fetched.files)) == (5, None, 1)
    assert fetched.files[0][1] == f"Loki {url} {QUERY}"
    assert {key: loki.asked[0][key] for key in ("query", "start", "end", "limit", "direction")} == {
        "query": QUERY,
        "start": str(START),
        "end": str(START + 24 * 3600 * SECOND),
        "limit": "4",
        "direction": "forward",
    }
    assert loki.headers[0]["X-Scope-OrgID"] == "team"
    assert loki.headers[0]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(fetched)


def test_more_lines_of_one_time_than_a_page_has_are_a_problem_and_the_rest_is_read(url: str, tmp_path: Path) -> None:
    with serving(Loki([("a", START, str(number)) for number in range(4)] + [("a", START + 1, "next")])):
        fetched = fetch(url, tmp_path, limit=3)
        assert lines(fetched) == [*(("a", START, str(number)) for number in range(3)), ("a", START + 1, "next")]
        assert fetched.problem == Problem(Cause.TRUNCATED, f"more than 3 lines have the same time at {url} {QUERY}")
        again = fetch(url, tmp_path, fetched.cursor, limit=5)
        assert (lines(again), again.problem) == ([("a", START, "3")], None)


def test_a_lower_limit_of_the_server_loses_nothing(url: str, tmp_path: Path) -> None:
    kept = [("a", START + number, str(number)) for number in range(10)]
    with serving(Loki(list(kept), largest=3)):
        assert lines(fetch(url, tmp_path)) == kept


def test_a_server_that_ignores_the_window_is_not_believed(url: str, tmp_path: Path) -> None:
    early = {"data": {"result": [{"stream": {"app": "a"}, "values": [[str(START - 1), "x"], [str(START - 2), "y"]]}]}}
    with serving(Loki(answers=[early])):
        assert fetch(url, tmp_path).files == ()
    with serving(Loki(answers=[early])):
        problem = fetch(url, tmp_path, limit=2).problem
    assert problem == Problem(Cause.TRUNCATED, f"a full page holds nothing of the time asked for at {url} {QUERY}")


@pytest.mark.parametrize(
    ("answer", "times", "cause", "detail"),
    [
        (401, 1, Cause.UNAUTHENTICATED, "HTTP 401"),
        (403, 1, Cause.DENIED, "HTTP 403"),
        (404, 1, Cause.ABSENT, "HTTP 404"),
        (400, 1, Cause.MALFORMED, "HTTP 400"),
        (302, 1, Cause.MALFORMED, "HTTP 302"),
        (429, 5, Cause.THROTTLED, "HTTP 429"),
        (500, 5, Cause.SERVER_ERROR, "HTTP 500"),
        (504, 5, Cause.TIMED_OUT, "HTTP 504"),
        (b"cut", 5, Cause.TRUNCATED, "the connection broke before the answer was complete"),
        (b"[]", 1, Cause.MALFORMED, "the answer is not one of query_range"),
        (b'{"data": {"result": [{"metric": {}, "values": []}]}}', 1, Cause.MALFORMED, "the answer is not one of query_range"),
        (
            b'{"data":{"result":[{"stream":{},"values":[["x","y"]]}]}}',
            1,
            Cause.MALFORMED,
            "the answer is not one of query_range",
        ),
    ],
)
def test_what_goes_wrong_is_a_problem_and_what_was_read_is_kept(
    answer: Any, times: int, cause: Cause, detail: str, url: str, tmp_path: Path
) -> None:
    first = {"data": {"result": [{"stream": {"app": "a"}, "values": [[str(START), "kept"]]}]}}
    with serving(Loki([("a", START, "kept"), ("a", START, "later")], [first, *[answer] * times])) as loki:
        waits: list[float] = []
        fetched = fetch(url, tmp_path, waits=waits)
        assert lines(fetched) == [("a", START, "kept")]
        assert fetched.problem == Problem(cause, f"{detail} at {url} {QUERY}")
        assert len(waits) == times - 1
        assert len(loki.asked) == times + 1
        assert lines(fetch(url, tmp_path, fetched.cursor)) == [("a", START, "later")]


def test_it_waits_as_long_as_it_is_told_and_tries_again(url: str, tmp_path: Path) -> None:
    with serving(Loki([("a", START, "x")], [429, b"cut"])):
        waits: list[float] = []
        assert (lines(fetch(url, tmp_path, waits=waits)), waits) == ([("a", START, "x")], [7.0, 1.0])


def test_a_token_that_is_not_set_is_not_asked_for(url: str, tmp_path: Path) -> None:
    with serving(Loki()) as loki:
        problem = fetch(url, tmp_path, token_variable="OTHER").problem
        assert problem == Problem(Cause.UNAUTHENTICATED, f"the variable OTHER is not set at {url} {QUERY}")
        assert loki.asked == []


def test_nobody_there(tmp_path: Path) -> None:
    problem = fetch("http://127.0.0.1:9", tmp_path).problem
    assert problem is not None
    assert problem.cause is Cause.UNREACHABLE


@pytest.mark.parametrize(
    "wrong", ["loki.example.com", "ftp://loki.example.com", "https://me:pass@loki.example.com", "http://"]
)
def test_an_address_is_an_address(wrong: str) -> None:
    with pytest.raises(UsageError) as error:
        LokiLogs(wrong, QUERY)
    assert "pass" not in str(error.value)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12), st.integers(0, 59)), max_size=15),
    st.integers(1, 4),
    st.lists(st.integers(0, 12), max_size=2),
)
def test_every_line_comes_once_over_readings_and_lateness(
    url: str, told: list[tuple[str, int, int]], spare: int, readings: list[int]
) -> None:
    """Lines of a day's hours 0 to 12; each is there up to 59 minutes after its time; pages are as small as may be."""
    hour, minute = 3600 * SECOND, 60 * SECOND
    every = [(app, START + time * hour, f"{number}", late) for number, (app, time, late) in enumerate(told)]
    limit = max(Counter(time for _, time, _, _ in every).values(), default=0) + spare
    cursor: dict[str, Any] = {}
    got: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        for reading in [*sorted(readings), 24]:
            now = DAY.since + timedelta(hours=reading)
            there = [line[:3] for line in every if line[1] + line[3] * minute <= START + reading * hour]
            with serving(Loki(there)):
                fetched = fetch_loki(LokiLogs(url, QUERY, limit=limit), DAY, cursor, Path(folder), now)
            assert fetched.problem is None
            cursor = fetched.cursor
            got += lines(fetched)
    assert sorted(got) == sorted(line[:3] for line in every)
