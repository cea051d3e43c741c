"""What every reader of a log store takes and gives, and how what goes wrong becomes a Problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from soc2.gather.aws.connection import UNANSWERED, error_code, problem_of
from soc2.model.population import Cause, Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABSENT = ("ResourceNotFound", "NoSuch", "InvalidObjectState", "EventDataStoreNotFound", "EventDataStoreARNInvalid")
# A store that searches a wide window may answer with many pages that hold nothing; one that never ends is broken.
_FRUITLESS_PAGES = 10_000


@dataclass(frozen=True)
class Window:
    """The time whose records are wanted: from ``since`` up to, not including, ``until``; kept in UTC."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None:
            raise ValueError("a window needs times with a time zone")
        object.__setattr__(self, "since", self.since.astimezone(UTC))
        object.__setattr__(self, "until", self.until.astimezone(UTC))

    def per_second(self, units: int) -> tuple[int, int]:
        """Return both ends since 1970 in ``units`` a second, exact to the microsecond: 1,000 for milliseconds."""
        return _since_epoch(self.since, units), _since_epoch(self.until, units)


@dataclass(frozen=True)
class Fetched:
    """What a reader brought: whole files for framing, and all that an auditor asks of how they were fetched.

    ``files`` are (file, origin); ``cursor`` is JSON-able and for the reader's next call only, ``{}`` before the first
    one: keep it once the files are taken in. ``items`` are the records (for S3: the objects) that were kept. A
    ``problem`` never takes away what was read before it. ``ingest_delays`` are seconds from a record's own time to its
    ingestion by the store, where the store tells: at most ``DELAYS`` of them, evenly taken from all.
    """

    files: tuple[tuple[Path, str], ...]
    cursor: dict[str, Any]
    pages: int
    items: int
    problem: Problem | None = None
    ingest_delays: tuple[float, ...] = ()


class Stopped(Exception):
    """A store could not be read to the end; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


READING_ERRORS = (ClientError, *UNANSWERED, urllib3.exceptions.HTTPError, Stopped, LookupError, TypeError, ValueError)
"""What a reader catches and makes a Problem of: refusals, broken connections, answers of another form."""


def reading_problem(error: Exception) -> Problem:
    """Classify what a reader caught, as ``problem_of`` does; what is not there (any more) and what broke off besides."""
    if isinstance(error, Stopped):
        return error.problem
    if isinstance(error, ClientError) and error_code(error).startswith(_ABSENT):
        return Problem(Cause.ABSENT, f"{error.operation_name}: {error_code(error)}")
    if isinstance(error, IncompleteReadError | ResponseStreamingError | urllib3.exceptions.ProtocolError):
        return Problem(Cause.TRUNCATED, "the connection broke before the answer was complete")
    if isinstance(error, LookupError | TypeError | ValueError):
        return Problem(Cause.MALFORMED, f"the answer has another form ({type(error).__name__})")
    return problem_of(error)


def worst(problems: list[tuple[str, Problem]], asked: int) -> Problem | None:
    """Return one problem for several, each with where it happened; None when there is none."""
    if not problems:
        return None
    where, first = min(problems, key=lambda one: one[1])
    others = f" ({len(problems)} of {asked})" if asked > 1 else ""
    return Problem(first.cause, f"{first.detail} at {where}{others}")


class Pager:
    """Follows the tokens of an AWS operation, and stops where they lead in a circle or bring nothing for too long.

    The caller says of each page whether it was ``fruitful``: some stores repeat events under ever new tokens.
    ``token`` is the name of the token in the question and, unless ``answered`` is given, in the answer.
    """

    def __init__(
        self, call: Callable[..., Mapping[str, Any]], parameters: Mapping[str, Any], token: str, answered: str = ""
    ) -> None:
        self._call = call
        self._parameters = dict(parameters)
        self._token = token
        self._answered = answered or token
        self.fruitful = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        parameters = dict(self._parameters)
        tokens: set[str] = set()
        fruitless = 0
        while True:
            self.fruitful = False
            page = self._call(**parameters)
            yield page
            token = page.get(self._answered)
            if not token:
                return
            fruitless = 0 if self.fruitful else fruitless + 1
            if token in tokens or fruitless >= _FRUITLESS_PAGES:
                raise Stopped(Problem(Cause.TRUNCATED, "the pages of the answer do not end"))
            tokens.add(token)
            parameters[self._token] = token


def _since_epoch(moment: datetime, units: int) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * units // 1_000_000


def moment(time: int, units: int) -> datetime:
    """Return the UTC time of a number of ``units`` a second since 1970, to the microsecond."""
    return _EPOCH + timedelta(microseconds=time * 1_000_000 // units)
