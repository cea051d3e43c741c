"""What system.toml approves of exposure, beside what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from soc2.model.deviation import Resource

_NEAR = 0.5
"""How much of two names is the same at least, of 1, for one to be offered for the other."""


@dataclass(frozen=True)
class Live:
    """Names of what is reachable from outside, and of what is there and is not."""

    exposed: Sequence[str]
    hidden: Sequence[str] = ()


@dataclass(frozen=True)
class Approval:
    """An entry of a list under ``[exposure]``. ``live`` says that something reachable is meant by it; ``hidden`` names
    something that is meant and is not reachable, and ``nearest`` the reachable one whose name is nearest ("" for none)."""

    resource: Resource
    live: bool
    hidden: str = ""
    nearest: str = ""


def approvals(approved: Mapping[str, Sequence[str]], live: Mapping[str, Live]) -> Iterator[Approval]:
    """Hold each entry of each list (by the list's name, as patterns) against what is there for that list."""
    for title, patterns in approved.items():
        there = live[title]
        for pattern in dict.fromkeys(patterns):
            found = any(fnmatchcase(name, pattern) for name in there.exposed)
            yield Approval(
                Resource("ApprovedExposure", f"{title}/{pattern}"),
                found,
                "" if found else next((name for name in there.hidden if fnmatchcase(name, pattern)), ""),
                "" if found else nearest(pattern, there.exposed),
            )


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the one of some names that is nearest to another, or the empty string when none is near."""
    return next(iter(get_close_matches(name, dict.fromkeys(names), 1, _NEAR)), "")
