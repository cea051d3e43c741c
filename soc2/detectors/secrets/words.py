"""The lists of words that detectors compare names and values with."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).resolve().parents[2] / "data" / "secret_words.toml"


@cache
def _lists() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def words(name: str) -> frozenset[str]:
    """Return a list of ``secret_words.toml``."""
    return frozenset(_lists()[name].split())
