"""Planted weaknesses: patches over what the company declares, with what the suite must say about each."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

from soc2.demo.company import FOLDER

WEAKNESSES = "weaknesses*.yaml"


@dataclass(frozen=True)
class Expected:
    """A deviation that a check must report: ``resource`` is a pattern over ``Kind/namespace/name``, ``count`` how many
    resources match it. ``missing`` expects missing evidence instead."""

    check: str
    resource: str = ""
    count: int = 1
    waived: bool = False
    missing: bool = False

    def matches(self, resource: str) -> bool:
        return fnmatchcase(resource, self.resource)


@dataclass(frozen=True)
class Weakness:
    id: str
    why: str
    patch: tuple[dict[str, Any], ...]
    expected: tuple[Expected, ...]


def weaknesses(half: str) -> list[Weakness]:
    """Return those of one half (``kubernetes``, ``aws`` and so on), from all of its files of that name."""
    files = sorted((FOLDER / half).glob(WEAKNESSES))
    entries = [entry for path in files for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]
    return [
        Weakness(
            entry["id"],
            entry["why"],
            tuple(entry["patch"]),
            tuple(Expected(**expected) for expected in entry["expected"]),
        )
        for entry in entries
    ]


def all_weaknesses() -> list[Weakness]:
    halves = ("kubernetes", "aws", "logs", "tls", "images", "etcd")
    return [weakness for half in halves for weakness in weaknesses(half)]


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386) and return the result."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def declared_etcd(variant: str) -> dict[str, Any]:
    """Return how etcd listens in a variant, with the weaknesses of the default one merged in."""
    declared: dict[str, Any] = yaml.safe_load((FOLDER / "etcd" / "etcd.yaml").read_text(encoding="utf-8"))
    for weakness in weaknesses("etcd") if variant == "default" else ():
        for patch in weakness.patch:
            declared = merge_patch(declared, patch)
    return declared
