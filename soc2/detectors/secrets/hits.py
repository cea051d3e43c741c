"""A hit: what a detector found in a text, in memory only."""

from __future__ import annotations

from typing import NamedTuple


class Hit(NamedTuple):
    """``start`` is the offset of the secret in the text that was searched; ``value`` never leaves the memory."""

    start: int
    value: str
    detector: str
