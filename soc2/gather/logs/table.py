"""Logs as tables of comma-separated values with a header, as consoles and notebooks save what a query found."""

from __future__ import annotations

import csv
from typing import Any

# A table is one of a log if it has one of these columns; a message and a time make an event of CloudWatch Logs.
_TELLING = frozenset(
    ("message", "@message", "_raw", "log", "CloudTrailEvent", "eventName", "eventname", "auditID", "full_log")
)
_FLOW = frozenset(("interface-id", "interface_id", "interfaceid"))


def header(text: str) -> tuple[str, ...] | None:
    """The names of the columns, if the line is such a header; else None."""
    if "," not in text or len(text) > 4096:
        return None
    names = tuple(name.strip() for name in _cells(text))
    if len(names) < 2 or not all(name and len(name) < 64 and not any(sign in name for sign in '{}="') for name in names):
        return None
    return names if not (_TELLING | _FLOW).isdisjoint(names) else None


def row(text: str, names: tuple[str, ...]) -> dict[str, Any] | None:
    """The row that a line is; None if it has another number of cells."""
    cells = _cells(text)
    if len(cells) != len(names):
        return None
    made: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=True) if cell != ""}
    if "message" in made and "timestamp" in made:
        made.setdefault("ingestionTime", None)
    return made


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return []
