"""Populations: every item a check looked at, with how it was listed and whether the listing was complete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from soc2.model.matrix import Matrix

T = TypeVar("T")


class Cause(StrEnum):
    """Why a source did not give complete evidence."""

    DENIED = "access denied"
    UNAUTHENTICATED = "not authenticated"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed out"
    THROTTLED = "throttled"
    SERVER_ERROR = "server error"
    MALFORMED = "malformed answer"
    TRUNCATED = "truncated"
    ABSENT = "not served"
    REGION_DISABLED = "region disabled"
    NOT_IMPLEMENTED = "operation not implemented"
    INCONCLUSIVE = "inconclusive"
    STALE = "stale"


@dataclass(frozen=True, order=True)
class Problem:
    """Why evidence is missing: a cause to group by, and what the source said (never a secret value)."""

    cause: Cause
    detail: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}" if self.detail else str(self.cause)


@dataclass(frozen=True)
class SourceStatus:
    """How one source was listed: the query sent, pages and items received, and the digest of what is kept of it."""

    source: str
    query: str
    pages: int
    items: int
    sha256: str | None
    problem: Problem | None = None

    @property
    def complete(self) -> bool:
        return self.problem is None


@dataclass(frozen=True)
class Population(Generic[T]):
    """The items of a check. ``exempt`` gives the owner's reason when the system has no such part in scope; ``manual``
    says what a person has to provide; ``empty`` what it means that there are no items; ``matrix`` is a picture of them."""

    items: tuple[T, ...]
    sources: tuple[SourceStatus, ...]
    exempt: str | None = None
    manual: str | None = None
    empty: str = "a complete listing is empty"
    matrix: Matrix | None = None

    @property
    def complete(self) -> bool:
        return all(source.complete for source in self.sources)

    @property
    def problems(self) -> tuple[tuple[str, Problem], ...]:
        """Return (source, problem) of every source that was not listed completely."""
        return tuple((source.source, source.problem) for source in self.sources if source.problem)


@dataclass(frozen=True)
class Pictured(Generic[T]):
    """What a build function returns instead of items alone: the items, the matrix that a report draws of them, and what else
    there is that cannot be told, which hides no item."""

    items: Iterable[T]
    matrix: Matrix | None = None
    gaps: tuple[EvidenceGap, ...] = ()


class EvidenceGap(Exception):
    """What was listed does not tell: for example, no findings while the detector is off. Raised while joining."""

    def __init__(self, source: str, problem: Problem) -> None:
        super().__init__(str(problem))
        self.status = SourceStatus(source, "joined from what was listed", 0, 0, None, problem)


class NothingToExamine(Exception):
    """The system is not meant to have what the check is about; the text says what that is gathered from. Raised while
    joining."""


class ManualEvidence(Exception):
    """What the check needs can only be shown by a person, or be declared by the owner; the text says what. Raised while
    joining."""
