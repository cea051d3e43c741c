"""Records of the feeds that the owner declares: lists that no system API knows, exported from where they are kept.

Identities read as the suite names them: ``User/name`` and ``Group/name`` in a cluster, ``AWS::IAM::User/name`` in an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import msgspec

from soc2.model.deviation import Resource


class FeedRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of any feed; ``identity`` is the one that it is about."""

    identity: str


class RosterEntry(FeedRow, frozen=True, forbid_unknown_fields=True):
    """An identity that may exist, and who answers for it."""

    owner: str


class Leaver(FeedRow, frozen=True, forbid_unknown_fields=True):
    """An identity of somebody who left, and the day."""

    left: date


class ReviewDecision(FeedRow, frozen=True, forbid_unknown_fields=True):
    """What an access review decided on an identity, when, and who decided it."""

    decision: Literal["keep", "remove"]
    reviewer: str
    reviewed: date


class Duty(FeedRow, frozen=True, forbid_unknown_fields=True):
    """A duty that an identity has."""

    duty: str


@dataclass(frozen=True)
class LiveIdentity:
    """An identity that really has access: what it is, and what is known of it from the feed."""

    resource: Resource
    rows: tuple[FeedRow, ...]

    @property
    def identity(self) -> str:
        return str(self.resource)


@dataclass(frozen=True)
class Person:
    """Somebody with all the duties that the feed gives."""

    resource: Resource
    duties: frozenset[str]
