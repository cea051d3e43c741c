"""What reading a log gives: segments of one kind each, and what could not be read of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from soc2.model.logs import LogKind


@dataclass(frozen=True)
class Segment:
    """A part of a log that DuckDB reads as one JSON object a line.

    ``path`` is what DuckDB reads: the log file itself, a link to it whose name tells its compression, or a file of the
    spool folder. ``origin`` is how an alert names the log. ``framed`` records are our own: they have the columns of their
    kind's schema, ``@line`` (the line of the origin, from 1) and maybe ``@id``; the others are the log's own lines.
    """

    kind: LogKind
    path: Path
    origin: str
    framed: bool


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line, or a value of a JSON document, that is no record: where it begins, and why. ``offset`` counts bytes of the
    uncompressed log, ``line`` from 1. What it says is kept in the spool folder, not here."""

    origin: str
    line: int
    offset: int
    reason: str


@dataclass(frozen=True)
class Framed:
    """What files became. ``unrecognised`` names those of no known format."""

    segments: tuple[Segment, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    unrecognised: tuple[str, ...] = ()

    def __add__(self, other: Framed) -> Framed:
        return Framed.of((self, other))

    @classmethod
    def of(cls, several: Iterable[Framed]) -> Framed:
        """What several files became, together."""
        segments: list[Segment] = []
        malformed: list[Malformed] = []
        unrecognised: list[str] = []
        for framed in several:
            segments += framed.segments
            malformed += framed.malformed
            unrecognised += framed.unrecognised
        return cls(tuple(segments), tuple(malformed), tuple(unrecognised))
