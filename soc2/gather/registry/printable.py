"""Texts of images, which may hold anything, as they can be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text with what is no printable character written as an escape."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
