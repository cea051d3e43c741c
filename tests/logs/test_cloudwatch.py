"""CloudWatch Logs: every event once, whatever the service's pages are like, and what it refuses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from soc2.errors import UsageError
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.cloudwatch import CloudWatchLogs, fetch_cloudwatch
from soc2.gather.logs.readers import Fetched, Window
from soc2.model.population import Cause, Problem
from tests.logs.reading import ACCOUNT, KEYS, REGION, at, connected, records, refused

GROUP = "/aws/eks/prod/cluster"
NOW = at("25 12:00")
DAY = Window(NOW - timedelta(days=1), NOW)
START = int(DAY.since.timestamp() * 1000)
HOUR = 3_600_000


def event(name: str, time: int, ingested: int | None = None, stream: str = "audit-1") -> dict[str, Any]:
    return {
        "eventId": name,
        "timestamp": time,
        "ingestionTime": time + 2000 if ingested is None else ingested,
        "logStreamName": stream,
        "message": f"{{{name}}}",
    }


class Scripted:
    """A client that answers one page or error after the other, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def filter_log_events(self, **parameters: Any) -> Any:
        self.asked.append(parameters)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    describe_log_streams = filter_log_events


def fetch(client: Any, folder: Path, cursor: Any = None, window: Window = DAY, **declared: Any) -> Fetched:
    return fetch_cloudwatch(connected(client), CloudWatchLogs(GROUP, **declared), window, cursor or {}, folder, NOW)


def ids(fetched: Fetched) -> list[str]:
    return [record["eventId"] for record in records(fetched)]


def test_events_come_with_their_group_and_delay(tmp_path: Path) -> None:
    one = event("a", START + HOUR)
    fetched = fetch(Scripted({"events": [one]}, {"events": []}), tmp_path)
    assert records(fetched) == [{**one, "logGroup": GROUP}]
    assert [origin for _, origin in fetched.files] == [f"log group {GROUP} in {REGION}"]
    assert (fetched.pages, fetched.items, fetched.problem, fetched.ingest_delays) == (4, 1, None, (2.0,))


def test_what_lies_outside_of_window_and_prefix_is_dropped(tmp_path: Path) -> None:
    outside = [event("early", START - 1), event("late", START + 24 * HOUR), event("other", START, stream="controller")]
    client = Scripted({"events": [event("in", START), *outside]}, {"events": []})
    assert ids(fetch(client, tmp_path, streams="audit")) == ["in"]
    assert {asked["logStreamNamePrefix"] for asked in client.asked} == {"audit"}


def test_nothing_found_makes_no_file(tmp_path: Path) -> None:
    fetched = fetch(Scripted({"events": []}), tmp_path)
    assert (fetched.files, fetched.items, fetched.problem) == ((), 0, None)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (refused("AccessDeniedException", "FilterLogEvents"), (Cause.DENIED, "FilterLogEvents: AccessDeniedException")),
        (refused("ThrottlingException", "FilterLogEvents"), (Cause.THROTTLED, "FilterLogEvents: ThrottlingException")),
        (
            refused("ResourceNotFoundException", "FilterLogEvents"),
            (Cause.ABSENT, "FilterLogEvents: ResourceNotFoundException"),
        ),
        ({"events": [], "nextToken": "a"}, (Cause.TRUNCATED, "the pages of the answer do not end")),
        ({"events": [{"eventId": "x"}]}, (Cause.MALFORMED, "the answer has another form (KeyError)")),
        ({}, (Cause.MALFORMED, "the answer has another form (KeyError)")),
    ],
)
def test_what_goes_wrong_is_a_problem_and_what_was_read_is_kept(
    answer: Any, problem: tuple[Cause, str], tmp_path: Path
) -> None:
    first = {"events": [event("a", START)], "nextToken": "t"}
    fetched = fetch(Scripted(first, answer), tmp_path)
    assert ids(fetched) == ["a"]
    assert fetched.problem == Problem(problem[0], f"{problem[1]} at {REGION}")
    mended = fetch(Scripted({"events": [event("a", START), event("b", START)]}, {"events": []}), tmp_path, fetched.cursor)
    assert ids(mended) == ["b"]


def test_ever_new_tokens_with_the_same_events_end(tmp_path: Path) -> None:
    class Endless:
        asked = 0

        def filter_log_events(self, **_: Any) -> Any:
            self.asked += 1
            return {"events": [event("a", START)], "nextToken": str(self.asked)}

    fetched = fetch(Endless(), tmp_path)
    assert ids(fetched) == ["a"]
    assert fetched.problem == Problem(Cause.TRUNCATED, f"the pages of the answer do not end at {REGION}")


def test_a_group_is_read_where_it_is(tmp_path: Path) -> None:
    here = Scripted({"events": [event("a", START)]}, {"events": []})
    elsewhere = Scripted(refused("ResourceNotFoundException", "FilterLogEvents"))
    connection = connected(lambda _, region: here if region == REGION else elsewhere, ("us-east-1", REGION))
    fetched = fetch_cloudwatch(connection, CloudWatchLogs(GROUP), DAY, {}, tmp_path, NOW)
    assert (ids(fetched), fetched.problem) == (["a"], None)
    named = CloudWatchLogs(GROUP, regions=("us-east-1", REGION))
    problem = fetch_cloudwatch(connection, named, DAY, {}, tmp_path, NOW).problem
    assert problem == Problem(Cause.ABSENT, "FilterLogEvents: ResourceNotFoundException at us-east-1 (1 of 2)")


def test_a_position_that_is_none_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="remove it to read anew"):
        fetch(Scripted({"events": []}), tmp_path, {f"{ACCOUNT}/{REGION}": {"settled": "all"}})


class Store:
    """A log group whose pages are as bad as the service allows: short, empty, out of order, with doubles."""

    def __init__(self, events: list[dict[str, Any]], now: int, sizes: list[int]) -> None:
        self.known = [each for each in events if each["ingestionTime"] <= now]
        self.sizes = sizes

    def filter_log_events(self, **asked: Any) -> Any:
        found = [each for each in self.known if asked["startTime"] <= each["timestamp"] <= asked["endTime"]]
        first, page = map(int, asked.get("nextToken", "0 0").split())
        size = self.sizes[page % len(self.sizes)]
        more = {"nextToken": f"{first + size} {page + 1}"} if first + size < len(found) else {}
        return {"events": found[max(first - 1, 0) : first + size], **more}


MINUTES = st.integers(0, 24 * 60 - 1)


@settings(max_examples=120)
@given(
    st.lists(st.tuples(MINUTES, st.integers(0, 119)), max_size=30),
    st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(any),
    st.lists(MINUTES, min_size=1, max_size=4),
)
def test_every_event_comes_once_over_readings_and_lateness(
    times: list[tuple[int, int]], sizes: list[int], readings: list[int]
) -> None:
    """Each reading is at a minute of the day and wants all of it; an event arrives up to 119 minutes after its time."""
    minute = 60_000
    events = [
        event(f"e{number}", START + time * minute, START + (time + late) * minute) for number, (time, late) in enumerate(times)
    ]
    cursor: dict[str, Any] = {}
    given_ids: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for reading in [*sorted(readings), 26 * 60]:
            now = DAY.since + timedelta(minutes=reading)
            store = Store(events, int(now.timestamp() * 1000), sizes)
            window = Window(DAY.since, min(now + timedelta(minutes=1), DAY.until))
            fetched = fetch_cloudwatch(connected(store), CloudWatchLogs(GROUP), window, cursor, Path(folder), now)
            assert fetched.problem is None
            cursor = fetched.cursor
            given_ids += ids(fetched)
    assert sorted(given_ids) == sorted(each["eventId"] for each in events)


@pytest.fixture
def moto_logs() -> Iterator[Any]:
    with mock_aws():
        connection = AwsConnection((REGION,), environment=KEYS)
        client = connection.client("logs", REGION)
        client.create_log_group(logGroupName=GROUP)
        yield connection, client
        connection.close()


def put(client: Any, stream: str, times: list[datetime]) -> None:
    client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    messages = [{"timestamp": int(time.timestamp() * 1000), "message": f"{stream} {n}"} for n, time in enumerate(times)]
    client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=messages)


def test_many_pages_of_moto(moto_logs: Any, tmp_path: Path) -> None:
    connection, client = moto_logs
    now = datetime.now(NOW.tzinfo)
    put(client, "audit-1", [now - timedelta(minutes=10) + timedelta(milliseconds=n // 2) for n in range(10_005)])
    put(client, "authenticator", [now - timedelta(minutes=5)])
    window = Window(now - timedelta(hours=1), now)
    declared = CloudWatchLogs(GROUP, streams="audit")
    fetched = fetch_cloudwatch(connection, declared, window, {}, tmp_path)
    assert sorted(record["message"] for record in records(fetched)) == sorted(f"audit-1 {n}" for n in range(10_005))
    assert (fetched.pages, fetched.items, fetched.problem) == (2, 10_005, None)
    assert len(fetched.ingest_delays) == 5_003
    again = fetch_cloudwatch(connection, declared, window, fetched.cursor, tmp_path)
    assert (again.files, again.items) == ((), 0)
