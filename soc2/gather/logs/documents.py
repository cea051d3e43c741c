"""JSON that does not keep to one value a line: pretty-printed, concatenated, or one long list; taken apart as it streams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from soc2.gather.logs.content import KEPT_ASIDE, LONGEST_LINE, Line
from soc2.gather.logs.envelopes import LISTS

# A whole text, a quote whose text does not end in what was read so far, or a bracket.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.S)
_LIST_FOLLOWS = re.compile(rb"\s*:\s*\[")
_NOTHING_FOLLOWS = re.compile(rb"\s*:?\s*\Z")
_LIST_NAMES = frozenset(f'"{name}"'.encode() for name in LISTS)
_BETWEEN = b" \t\r\n,\x1e\0"
_QUOTE = ord('"')
_PARTNERS = {ord("}"): ord("{"), ord("]"): ord("[")}
# Bytes that are read again, all in all, behind values that break off.
_READ_AGAIN = 4 << 20


def values_in(text: bytes) -> Iterator[tuple[int, bytes]]:
    """The values in a text, and where each begins; what is none is left out."""
    return ((line.offset, line.content) for line in values([text]) if line.reason is None)


def values(chunks: Iterable[bytes], number: int = 1, offset: int = 0) -> Iterator[Line]:
    """The values of a document, each with the line and the byte at which it begins: those at its top, those of lists at its
    top, and those of the lists of an answer (``LISTS``). What is no value, or breaks off, is a line with a reason."""
    splitter = _Splitter(number, offset)
    for chunk in chunks:
        yield from splitter.feed(chunk)
    yield from splitter.finish()


class _Splitter:
    """Where in the document the bytes read so far end. ``level`` is the depth at which values are taken: 0 at the top, 1 in
    a list at the top, 2 in a list of an answer. Positions are those of the buffer, which begins at ``offset``."""

    def __init__(self, number: int, offset: int) -> None:
        self._buffer = b""
        self._offset = offset
        self._number = number
        self._counted = 0
        self._position = 0
        self._open = bytearray()
        self._level = 0
        self._begin: int | None = None
        self._end = 0
        self._skipping = False
        self._again = _READ_AGAIN

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The values that end in the next bytes of the document."""
        self._buffer += chunk
        broken = True
        while broken:
            broken = False
            for token in _TOKEN.finditer(self._buffer, self._position):
                first, at, end = token[0], token.start(), token.end()
                if first == b'"':
                    if len(self._buffer) - at <= LONGEST_LINE:
                        self._position = at
                        break
                elif first[0] == _QUOTE:
                    if not self._key(first, end):
                        self._position = at
                        break
                    if self._begin is None and len(self._open) == self._level > 0:
                        yield from self._value(at, end)
                elif first in b"{[":
                    yield from self._opened(first, at)
                elif self._begin is not None and self._open[-1] != _PARTNERS[first[0]]:
                    broken = True
                    yield self._break(True)
                    break
                else:
                    yield from self._closed(first, at)
                self._position = end
            else:
                self._position = len(self._buffer)
        yield from self._forget()

    def finish(self) -> Iterator[Line]:
        """What is left: values that break off, those behind them, and what is none."""
        while self._begin is not None:
            yield self._break(False)
            yield from self.feed(b"")
        yield from self._gap(len(self._buffer))

    def _key(self, text: bytes, end: int) -> bool:
        """Take up a text, which may be the key of a list of an answer; false if what follows must be read first."""
        if len(self._open) != 1 or self._level or text not in _LIST_NAMES:
            return True
        if _NOTHING_FOLLOWS.match(self._buffer, end):
            return False
        if found := _LIST_FOLLOWS.match(self._buffer, end):
            self._level = 2
            self._begin = None
            self._skipping = False
            self._end = found.end()
        return True

    def _opened(self, first: bytes, at: int) -> Iterator[Line]:
        if len(self._open) == self._level and self._begin is None and not self._skipping:
            yield from self._gap(at)
            if not self._open and first == b"[":
                self._level = 1
                self._end = at + 1
            else:
                self._begin = at
        self._open += first

    def _closed(self, first: bytes, at: int) -> Iterator[Line]:
        if not self._open or self._open[-1] != _PARTNERS[first[0]]:
            return
        self._open.pop()
        if self._skipping:
            if not self._open:
                self._skipping = False
                self._end = at + 1
        elif self._begin is not None:
            if len(self._open) == self._level:
                yield self._line(self._begin, at + 1)
                self._begin = None
                self._end = at + 1
        elif len(self._open) < self._level:
            yield from self._gap(at)
            self._skipping = self._level == 2
            self._level = 0
            self._end = at + 1

    def _break(self, ended: bool) -> Line:
        """The value that is begun breaks off; go on behind it where the next one seems to begin, at the same indentation."""
        begin = self._begin or 0
        line = self._line(begin, min(begin + KEPT_ASIDE, len(self._buffer)))
        indent = self._buffer[self._buffer.rfind(b"\n", 0, begin) + 1 : begin]
        behind = re.compile(rb"\n" + (indent if not indent.strip() else b"") + rb"\{").search(self._buffer, begin + 1)
        resumes = behind is not None and self._again > 0
        self._end = self._position = behind.end() - 1 if behind and resumes else len(self._buffer)
        self._again -= len(self._buffer) - self._end
        self._begin = None
        del self._open[self._level :]
        return line._replace(reason="an incomplete value", ended=ended)

    def _value(self, begin: int, end: int) -> Iterator[Line]:
        yield from self._gap(begin)
        yield self._line(begin, end)
        self._end = end

    def _gap(self, until: int) -> Iterator[Line]:
        """What stands between values, if it is more than blanks and commas."""
        between = self._buffer[self._end : until]
        rest = between.lstrip(_BETWEEN)
        if rest and not self._skipping:
            line = self._line(self._end + len(between) - len(rest), until)
            yield line._replace(content=rest[:KEPT_ASIDE], reason="no JSON")

    def _line(self, begin: int, end: int) -> Line:
        self._number += self._buffer.count(b"\n", self._counted, begin)
        self._counted = max(begin, self._counted)
        return Line(self._number, self._offset + begin, self._buffer[begin:end])

    def _forget(self) -> Iterator[Line]:
        """Let go of what was taken up, so that the memory holds one value at most."""
        keep = self._end if self._begin is None else self._begin
        keep = self._position if self._skipping else min(keep, self._position)
        if len(self._buffer) - keep > LONGEST_LINE:
            line = self._line(keep, keep + KEPT_ASIDE)
            yield line._replace(reason="a value longer than 64 MiB")
            keep = self._position = self._end = len(self._buffer)
            self._begin, self._level, self._skipping = None, 0, False
            self._open.clear()
        self._number += self._buffer.count(b"\n", self._counted, keep)
        self._buffer = self._buffer[keep:]
        self._offset += keep
        self._counted = max(self._counted - keep, 0)
        self._position -= keep
        self._end = max(self._end - keep, 0)
        if self._begin is not None:
            self._begin -= keep
