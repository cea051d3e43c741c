"""Draws a path of access as SVG: a box for each hop and what leads from it to the next."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_WIDTH, _BOX, _GAP, _LINE = 640, 26, 34, 90


def draw_path(hops: Sequence[tuple[str, str, str]]) -> str:
    """Return the picture of hops (from, how, to); every text is escaped."""
    names = [hops[0][0], *(hop[2] for hop in hops)]
    height = len(names) * _BOX + len(hops) * _GAP + 2
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" role="img" font-size="12">']
    for index, name in enumerate(names):
        top = index * (_BOX + _GAP) + 1
        colour = "#fde8e8" if index == len(names) - 1 else "#e8f0fd" if index == 0 else "#fff"
        parts.append(f'<rect x="1" y="{top}" width="{_WIDTH - 2}" height="{_BOX}" rx="4" fill="{colour}" stroke="#888"/>')
        parts.append(f'<text x="10" y="{top + 17}" fill="#222">{escape(_short(name))}</text>')
        if index < len(hops):
            below = top + _BOX
            parts.append(f'<path d="M24 {below} v{_GAP - 4} m-4 -6 l4 6 l4 -6" fill="none" stroke="#888"/>')
            parts.append(f'<text x="40" y="{below + 21}" fill="#555">{escape(_short(hops[index][1]))}</text>')
    return "".join(parts) + "</svg>"


def _short(text: str) -> str:
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable if len(printable) <= _LINE else printable[: _LINE - 1] + "…"
