"""Reads declared feeds: CSV, JSON or YAML files with a typed schema, an owner and a date."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import yaml

from soc2.evidence import Call
from soc2.gather.codec import canonical
from soc2.gather.source import Gatherer, Listing
from soc2.model import feeds
from soc2.model.population import Cause, Problem, SourceStatus

T = TypeVar("T", bound=feeds.FeedRow)


@dataclass(frozen=True)
class FeedSource(Generic[T]):
    """All rows of one kind of feed. Where none is declared, a person has to provide the evidence."""

    name: str
    kind: type[T]

    def gather(self, gatherer: Gatherer) -> Listing[T]:
        declared = [feed for feed in gatherer.system.feeds if feed.kind == self.name]
        if not declared:
            why = f'declare a [[feeds]] entry of kind "{self.name}", or show the auditor the list itself'
            return Listing((), (), manual=why)
        rows: list[T] = []
        statuses = []
        for feed in declared:
            started = datetime.now(UTC)
            found, problem = _read(Path(feed.path), self.kind)
            age = (started.date() - feed.date).days
            if problem is None and age > feed.max_age_days:
                problem = Problem(Cause.STALE, f"{feed.path} is of {feed.date}, more than {feed.max_age_days} days ago")
            rows += found
            sha256 = gatherer.evidence.keep(canonical(found))
            name = f"feed: {self.name}"
            query = f"read {Path(feed.path).name}, of {feed.date}, from {feed.owner}"
            gatherer.evidence.record(
                Call(
                    source=name,
                    operation=query,
                    parameters={},
                    identity=feed.owner,
                    started=started,
                    finished=datetime.now(UTC),
                    pages=1,
                    items=len(found),
                    complete=problem is None,
                    problem=str(problem) if problem else None,
                    sha256=sha256,
                )
            )
            statuses.append(SourceStatus(name, query, 1, len(found), sha256, problem))
        return Listing(tuple(rows), tuple(statuses))


def _read(path: Path, kind: type[T]) -> tuple[list[T], Problem | None]:
    """Return the rows that fit, and the first that does not: file, place and mend."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        raw = _raw_rows(path, text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.DecodeError, csv.Error, ValueError) as error:
        return [], Problem(Cause.MALFORMED, f"{path}: {str(error).splitlines()[0]}")
    rows: list[T] = []
    problem = None
    for place, row in raw:
        try:
            rows.append(msgspec.convert(row, kind, strict=False))
        except msgspec.ValidationError as error:
            wanted = ", ".join(kind.__struct_fields__)
            problem = problem or Problem(Cause.MALFORMED, f"{path}: {place}: {error}; a row has {wanted}")
    return rows, problem


def _raw_rows(path: Path, text: str) -> list[tuple[str, Any]]:
    if path.suffix == ".csv":
        reader = csv.DictReader(io.StringIO(text), strict=True)
        return [(f"line {reader.line_num}", row) for row in reader]
    content = msgspec.json.decode(text) if path.suffix == ".json" else yaml.safe_load(text)
    if not isinstance(content, list):
        raise ValueError("expected a list of rows; name the file .csv, .json or .yaml")
    return [(f"row {number}", row) for number, row in enumerate(content, 1)]


ROSTER = FeedSource("roster", feeds.RosterEntry)
LEAVERS = FeedSource("leavers", feeds.Leaver)
ACCESS_REVIEW = FeedSource("access-review", feeds.ReviewDecision)
DUTIES = FeedSource("duties", feeds.Duty)
