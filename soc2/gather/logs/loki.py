"""Loki: the lines that a LogQL query selects, by its HTTP API."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import urllib3

from soc2.errors import UsageError
from soc2.gather.logs.progress import Progress
from soc2.gather.logs.readers import Fetched, Stopped, Window
from soc2.gather.logs.spool import JsonLines, spool_name
from soc2.model.population import Cause, Problem

_NANOSECONDS = 1_000_000_000
_TIMEOUT = urllib3.Timeout(connect=10, read=120)
_ATTEMPTS = 5
_LONGEST_WAIT_SECONDS = 30.0
_RETRIED = frozenset({429, 500, 502, 503, 504})
_CAUSES = {
    401: Cause.UNAUTHENTICATED,
    403: Cause.DENIED,
    404: Cause.ABSENT,
    429: Cause.THROTTLED,
    501: Cause.NOT_IMPLEMENTED,
    504: Cause.TIMED_OUT,
}


@dataclass(frozen=True)
class LokiLogs:
    """A Loki and the query that selects streams: ``url`` without ``/loki/api``, ``query`` such as ``{job="pods"}``.

    ``tenant`` is sent as X-Scope-OrgID. ``token_variable`` names the environment variable with the bearer token. A page
    has at most ``limit`` lines; Loki's own limit (max_entries_limit_per_query) is 5,000 unless it is configured.
    ``overlap`` is how late a line may arrive: Loki takes lines up to an hour behind their stream's newest.
    """

    url: str
    query: str
    tenant: str = ""
    token_variable: str = ""
    limit: int = 5_000
    overlap: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("the url of a Loki has to begin with http:// or https://")
        if parts.username or parts.password or parts.query:
            raise UsageError(
                f"the url of the Loki at {parts.hostname} holds more than an address",
                "name the environment variable of its token instead",
            )


class _Stream(msgspec.Struct):
    """``values`` are ``[nanoseconds, line]``, with structured metadata perhaps; the time is a text of digits."""

    stream: dict[str, str]
    values: list[list[Any]]


# Labels, and the values with their times.
_Page = list[tuple[dict[str, str], list[tuple[int, list[Any]]]]]


class _Data(msgspec.Struct):
    result: list[_Stream]


class _Answer(msgspec.Struct):
    data: _Data


@dataclass
class _Reading:
    declared: LokiLogs
    get: Callable[[int, int], _Page]
    progress: Progress
    file: JsonLines
    horizon: int
    pages: int = 0
    lines: int = 0
    problem: Problem | None = None


def fetch_loki(
    declared: LokiLogs,
    window: Window,
    cursor: dict[str, Any],
    folder: Path,
    now: datetime | None = None,
    environment: Mapping[str, str] = os.environ,
    wait: Callable[[float], object] = time.sleep,
) -> Fetched:
    """Read the lines in the window that earlier readings did not give, into one file if there are any.

    A line of the file is ``{"data": {"result": [{"stream": {label: value}, "values": [[ns, line, …]]}]}}``: a page as
    Loki answers it, without what was given before and without what lies outside of the window. More lines with the same
    nanosecond than a page holds cannot be told apart by time: the rest is a problem, never a silent loss.
    """
    progress = Progress(cursor)
    horizon = (now or datetime.now(UTC)) - declared.overlap
    where = f"{declared.url} {declared.query}"
    name = spool_name("loki", declared.url, declared.tenant, declared.query)
    with JsonLines(folder, name) as file, urllib3.PoolManager() as pool:
        get = _getter(pool, declared, environment, wait)
        reading = _Reading(declared, get, progress, file, Window(horizon, horizon).per_second(_NANOSECONDS)[0])
        try:
            for start, end in progress.unread(*window.per_second(_NANOSECONDS)):
                _read(reading, start, end)
        except Stopped as error:
            reading.problem = error.problem
    files = ((file.path, f"Loki {where}"),) if file.lines else ()
    problem = reading.problem and Problem(reading.problem.cause, f"{reading.problem.detail} at {where}")
    return Fetched(files, progress.cursor, reading.pages, reading.lines, problem)


def _read(reading: _Reading, start: int, end: int) -> None:
    """Page by the newest time seen, which is read again for its other lines, until an answer is empty."""
    settled = start
    while start < end:
        page = reading.get(start, end)
        reading.pages += 1
        answered = sum(len(values) for _, values in page)
        # What Loki filters is filtered again: its word is no evidence.
        inside = [(labels, [each for each in values if start <= each[0] < end]) for labels, values in page]
        newest = max((time for _, values in inside for time, _ in values), default=None)
        if newest is None and answered < reading.declared.limit:
            break
        if newest is None:
            raise Stopped(Problem(Cause.TRUNCATED, "a full page holds nothing of the time asked for"))
        _write(reading, inside)
        reading.progress.settle(settled, min(newest, reading.horizon))
        if newest == start and answered >= reading.declared.limit:
            reading.problem = Problem(Cause.TRUNCATED, f"more than {reading.declared.limit:,} lines have the same time")
            settled = newest + 1
        start = newest + 1 if newest == start else newest
    reading.progress.settle(settled, min(end, reading.horizon))


def _write(reading: _Reading, page: _Page) -> None:
    new = []
    for labels, values in page:
        name = sorted(labels.items())
        fresh = [value for time, value in values if reading.progress.is_new(f"{name}{value[:2]}", time)]
        if fresh:
            new.append({"stream": labels, "values": fresh})
            reading.lines += len(fresh)
    if new:
        reading.file.write({"data": {"result": new}})


def _getter(
    pool: urllib3.PoolManager, declared: LokiLogs, environment: Mapping[str, str], wait: Callable[[float], object]
) -> Callable[[int, int], _Page]:
    headers = {"Accept": "application/json", "User-Agent": "soc2-controls"}
    if declared.tenant:
        headers["X-Scope-OrgID"] = declared.tenant
    decoder = msgspec.json.Decoder(_Answer)

    def get(start: int, end: int) -> _Page:
        if declared.token_variable:
            if not environment.get(declared.token_variable):
                raise Stopped(Problem(Cause.UNAUTHENTICATED, f"the variable {declared.token_variable} is not set"))
            headers["Authorization"] = f"Bearer {environment[declared.token_variable]}"
        url = f"{declared.url.rstrip('/')}/loki/api/v1/query_range"
        limits = {"start": str(start), "end": str(end), "limit": str(declared.limit), "direction": "forward"}
        body = _request(pool, url, {"query": declared.query, **limits}, headers, wait)
        try:
            result = decoder.decode(body).data.result
            return [(each.stream, [(int(value[0]), [*value]) for value in each.values]) for each in result]
        except (msgspec.DecodeError, LookupError, TypeError, ValueError):
            raise Stopped(Problem(Cause.MALFORMED, "the answer is not one of query_range")) from None

    return get


def _request(
    pool: urllib3.PoolManager, url: str, fields: dict[str, str], headers: dict[str, str], wait: Callable[[float], object]
) -> bytes:
    """Return the body of a success. Too many requests, server errors and broken connections are tried again."""
    problem, seconds = Problem(Cause.UNREACHABLE, ""), 0.0
    for attempt in range(_ATTEMPTS):
        if attempt:
            wait(seconds)
        seconds = min(0.5 * 2.0**attempt, _LONGEST_WAIT_SECONDS)
        try:
            # A redirection would take the token to another host.
            answer = pool.request("GET", url, fields=fields, headers=headers, timeout=_TIMEOUT, retries=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            problem = _broken(error)
            continue
        if answer.status == 200:
            return answer.data
        cause = _CAUSES.get(answer.status, Cause.SERVER_ERROR if answer.status >= 500 else Cause.MALFORMED)
        problem = Problem(cause, f"HTTP {answer.status}")
        if answer.status not in _RETRIED:
            break
        told = answer.headers.get("Retry-After", "")
        seconds = min(float(told), _LONGEST_WAIT_SECONDS) if told.isdigit() else seconds
    raise Stopped(problem)


def _broken(error: Exception) -> Problem:
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return Problem(Cause.TIMED_OUT, "no answer in time")
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return Problem(Cause.TRUNCATED, "the connection broke before the answer was complete")
    return Problem(Cause.UNREACHABLE, type(error).__name__)
