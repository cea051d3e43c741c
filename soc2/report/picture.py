"""Draws a path of access as SVG: a box for each hop and what leads from it to the next."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import wrap

_WIDTH, _LINE, _PADDING = 640, 15, 11
# Characters that surely fit in a line, and lines that are shown of one text.
_COLUMNS, _LINES = 88, 4


def draw_path(hops: Sequence[tuple[str, str, str]]) -> str:
    """Return the picture of hops (from, how, to); every text is escaped, and wrapped where it is long."""
    names = [hops[0][0], *(hop[2] for hop in hops)]
    parts: list[str] = []
    top = 1
    for index, name in enumerate(names):
        lines = _lines(name)
        height = len(lines) * _LINE + _PADDING
        colour = "#fde8e8" if index == len(names) - 1 else "#e8f0fd" if index == 0 else "#fff"
        parts.append(f'<rect x="1" y="{top}" width="{_WIDTH - 2}" height="{height}" rx="4" fill="{colour}" stroke="#888"/>')
        parts += _texts(lines, 10, top + 2, "#222")
        top += height
        if index < len(hops):
            lines = _lines(hops[index][1])
            gap = len(lines) * _LINE + _PADDING + 6
            parts.append(f'<path d="M24 {top} v{gap - 4} m-4 -6 l4 6 l4 -6" fill="none" stroke="#888"/>')
            parts += _texts(lines, 40, top + 5, "#555")
            top += gap
    size = f'width="{_WIDTH}" height="{top + 1}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-size="12">' + "".join(parts) + "</svg>"


def _texts(lines: list[str], left: int, top: int, colour: str) -> list[str]:
    return [
        f'<text x="{left}" y="{top + (index + 1) * _LINE}" fill="{colour}">{escape(line)}</text>'
        for index, line in enumerate(lines)
    ]


def _lines(text: str) -> list[str]:
    printable = "".join(character if character.isprintable() else "?" for character in text)
    lines = wrap(printable, _COLUMNS) or [""]
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], lines[_LINES - 1][: _COLUMNS - 1] + "…"]
