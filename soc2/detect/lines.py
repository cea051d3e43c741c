"""Line numbers of records in files that DuckDB read by itself: it numbers records, and passes over blank lines."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from soc2.gather.logs.content import Content

_BLANK = re.compile(rb"\n[ \t\r\f\v]*(?=\n)")


class LineNumbers:
    """Turns the number of a record in its file (from 0) into the number of its line (from 1)."""

    def __init__(self) -> None:
        self._blank: dict[Path, list[int]] = {}

    def line(self, path: Path, record: int) -> int:
        return record + 1 + bisect_right(self.blank(path), record)

    def blank(self, path: Path) -> list[int]:
        """Return, for each blank line of a file, how many records stand before it."""
        if path not in self._blank:
            self._blank[path] = list(_blank_lines(path))
        return self._blank[path]


def _blank_lines(path: Path) -> Iterator[int]:
    """Yield, for each blank line, how many records stand before it."""
    # The line before the first one ends here, so that every line begins after the end of another.
    unread, ends, blank = b"\n", 0, 0
    for chunk in Content(path).chunks():
        text = unread + chunk
        counted = 0
        for found in _BLANK.finditer(text):
            ends += text.count(b"\n", counted, found.start())
            counted = found.start()
            yield ends - blank
            blank += 1
        last = text.rfind(b"\n")
        ends += text.count(b"\n", counted, last)
        unread = text[last:]
