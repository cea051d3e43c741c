"""Reads declared feeds: CSV, JSON or YAML files with a typed schema, an owner and a date."""

from __future__ import annotations

import csv
import hashlib
import io
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import yaml

from soc2.gather.codec import Codec, canonical
from soc2.gather.source import Gatherer, Listing
from soc2.model import feeds
from soc2.model.population import Cause, Problem

if TYPE_CHECKING:
    from soc2.system import Feed

T = TypeVar("T", bound=feeds.Row)


@dataclass(frozen=True)
class FeedSource(Generic[T]):
    """All rows of one kind of feed; none when the owner declared no such feed."""

    name: str
    kind: type[T]

    def gather(self, gatherer: Gatherer) -> Listing[T]:
        rows: list[T] = []
        statuses = []
        for feed in gatherer.system.feeds_of(self.name):
            started = datetime.now(UTC)
            found, problem = _read(feed, self.kind, started.date(), gatherer.codec)
            rows += found
            sha256 = gatherer.evidence.keep(canonical(found))
            name = f"feed: {self.name}"
            query = f"read {Path(feed.path).name}, of {feed.date}, from {feed.owner}"
            status = gatherer.evidence.answered(
                name,
                query,
                identity="the caller",
                started=started,
                pages=1,
                items=len(found),
                sha256=sha256,
                problem=problem,
            )
            statuses.append(status)
        return Listing(tuple(rows), tuple(statuses))


def _read(feed: Feed, kind: type[T], today: date, codec: Codec) -> tuple[list[T], Problem | None]:
    """Return the rows that fit, and the first thing that is wrong: file, place and mend."""
    path = Path(feed.path)
    try:
        content = path.read_bytes()
        raw = _raw_rows(path, content.decode("utf-8-sig"))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return [], Problem(Cause.MALFORMED, f"{path}: {line}{error.problem}")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.DecodeError, csv.Error, ValueError) as error:
        return [], Problem(Cause.MALFORMED, f"{path}: {str(error).splitlines()[0]}")
    rows: list[T] = []
    problem = _declaration_problem(feed, content, today)
    with suppress(msgspec.ValidationError):
        return codec.convert([row for _, row in raw], list[kind]), problem  # type: ignore[valid-type]
    for place, row in raw:
        try:
            rows.append(codec.convert(row, kind))
        except msgspec.ValidationError as error:
            wanted = ", ".join(kind.__struct_fields__)
            problem = problem or Problem(Cause.MALFORMED, f"{path}: {place}: {error}; a row has {wanted}")
    return rows, problem


def _declaration_problem(feed: Feed, content: bytes, today: date) -> Problem | None:
    """Return why a file is not the one that was declared, or is of a day that does not count."""
    if feed.sha256 is not None and hashlib.sha256(content).hexdigest() != feed.sha256:
        return Problem(Cause.MALFORMED, f"{feed.path} is not the file whose sha256 is declared for it")
    if feed.date > today:
        return Problem(Cause.MALFORMED, f"{feed.path} is declared to be of {feed.date}, which is yet to come")
    if (today - feed.date).days > feed.max_age_days:
        return Problem(Cause.STALE, f"{feed.path} is of {feed.date}, more than {feed.max_age_days} days ago")
    return None


def _raw_rows(path: Path, text: str) -> list[tuple[str, Any]]:
    if path.suffix == ".csv":
        lines = text.splitlines(keepends=True)
        above = next((number for number, line in enumerate(lines) if not line.startswith("#")), 0)
        reader = csv.DictReader(io.StringIO("".join(lines[above:])), strict=True)
        return [(f"line {above + reader.line_num}", _cells(row)) for row in reader if not _is_comment(row)]
    content = msgspec.json.decode(text) if path.suffix == ".json" else _yaml(text)
    if not isinstance(content, list):
        raise ValueError("expected a list of rows; name the file .csv, .json or .yaml")
    return [(f"row {number}", row) for number, row in enumerate(content, 1)]


def _yaml(text: str) -> Any:
    with suppress(yaml.YAMLError):
        return yaml.load(text, yaml.CSafeLoader)
    return yaml.safe_load(text)  # slower, but tells better where the mistake is


def _is_comment(row: dict[str | Any, Any]) -> bool:
    return str(next(iter(row.values()), "")).startswith("#")


def _cells(row: dict[str | Any, Any]) -> dict[str, Any]:
    """Name what stands beyond the last column, and leave out what is empty or not there at all."""
    beyond = {"a cell beyond the last column": row.pop(None)} if None in row else {}
    return {key: value for key, value in row.items() if value} | beyond


ROSTER = FeedSource("roster", feeds.RosterEntry)
LEAVERS = FeedSource("leavers", feeds.Leaver)
ACCESS_REVIEW = FeedSource("access-review", feeds.ReviewDecision)
DUTIES = FeedSource("duties", feeds.Duty)
ALERTS = FeedSource("alerts", feeds.AlertRow)
ADDRESSES = FeedSource("addresses", feeds.AddressRow)
