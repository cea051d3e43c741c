"""What the digest files of a trail prove of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DigestFault(StrEnum):
    """Why a digest or a log file is not what CloudTrail delivered, or why that cannot be known."""

    UNREADABLE = "is no digest that can be read"
    UNSIGNED = "has no signature"
    MOVED = "says that it was delivered elsewhere"
    KEY_UNKNOWN = "is signed under a key that CloudTrail does not publish"
    BAD_SIGNATURE = "does not match its signature"
    REPLACED = "is not the one that the next digest names"
    SKIPPED = "is named by no later digest"
    DELETED = "is missing, though a digest names it"
    FIRST = "names no digest before it, so that nothing proves the time before"
    ELSEWHERE = "follows a digest in another bucket"
    GAP = "does not begin where the digest before it ended"
    NONE = "holds no digest of this time"
    CHANGED = "differs from what its digest says"
    ADDED = "is in no digest"


@dataclass(frozen=True, kw_only=True)
class DigestVerdict:
    """One digest or log file (``what``) of a trail in one region. ``fault`` is None when it was proved genuine.

    ``object`` is ``s3://bucket/key``, or the folder of the chain for a time without digests. ``since`` and ``until``
    (UTC) are the time that a digest covers, or that is left without proof, as far as it is known.
    """

    trail: str
    region: str
    what: str
    object: str
    since: datetime | None = None
    until: datetime | None = None
    fault: DigestFault | None = None
