"""Takes up the lines and values of one log: joins what its runtime split, recognises the records, keeps the rest aside."""

from __future__ import annotations

import re
from typing import Any

from soc2.gather.logs import container
from soc2.gather.logs.content import LONGEST_LINE, Line
from soc2.gather.logs.documents import values_in
from soc2.gather.logs.envelopes import is_empty
from soc2.gather.logs.recognition import Recogniser
from soc2.gather.logs.records import Unreadable, decode
from soc2.gather.logs.sink import Sink
from soc2.gather.logs.times import utc
from soc2.gather.logs.where import Where

_JSON = (b"{", b"[")
# What json-seq and server-sent events put before a value.
_PREFIXES = (b"\x1e", b"d")
_PREFIX = re.compile(rb"\x1e|data: (?=\{)")
_DOCKER_PART = 16 << 10
"""Bytes. Docker splits longer lines into parts of this size, of which all but the last have no newline."""


class Framer:
    """Frames the lines of one log into a sink. ``where`` is what the log's name tells of its container."""

    def __init__(self, sink: Sink, recogniser: Recogniser, where: Where) -> None:
        self._sink = sink
        self._recogniser = recogniser
        self._where = where
        self._logged = True
        self._open: dict[str, tuple[int, list[str], str]] = {}

    def line(self, line: Line) -> None:
        """Take up one line of the log."""
        if line.reason is not None:
            self._sink.malformed(line, line.reason)
            return
        content = line.content
        start = content if content[:1] in _JSON else content.lstrip(b" \t\r\0\x0b\x0c")
        if not start:
            return
        if start[:1] in _JSON or (start[:1] in _PREFIXES and _PREFIX.match(start)):
            self._json(line, (start if start[:1] in _JSON else _PREFIX.sub(b"", start, count=1)).strip())
            return
        text = content.decode("utf-8", "replace").removesuffix("\r")
        found = container.CRI.match(text) if text[:1] == "2" else None
        if found:
            self._cri(line.number, found)
            return
        text = text.strip()
        records = self._recogniser.text(text, self._where)
        if records:
            self._sink.take(records, line.number)
        elif not self._recogniser.ignored(text):
            self._sink.malformed(line, "no known form" if line.ended else "an incomplete last line")

    def value(self, line: Line) -> None:
        """Take up one value of a JSON document; its place is where it begins."""
        if line.reason is not None:
            self._sink.malformed(line, line.reason)
        elif not self._take(line.number, line.content):
            self._sink.malformed(line, "no known form")

    def finish(self) -> None:
        """Take up lines of containers whose rest is not there."""
        for key in list(self._open):
            self._close(key)

    def _json(self, line: Line, content: bytes) -> None:
        if self._take(line.number, content):
            return
        several = list(values_in(content.rstrip(b",")))
        if len(several) > 1 or content[-1:] == b",":
            for offset, part in several:
                self.value(Line(line.number, line.offset + offset, part))
        elif not self._recogniser.ignored(content.decode("utf-8", "replace")):
            text = content.decode("utf-8", "replace")
            records = self._recogniser.text(text, self._where)
            if records:
                self._sink.take(records, line.number)
            else:
                self._sink.malformed(line, "no known form" if line.ended else "an incomplete last line")

    def _take(self, number: int, content: bytes) -> bool:
        """Take up a JSON value; false if it is none, or of no known form."""
        fast = self._recogniser.as_last(content) if self._logged else None
        if fast is not None:
            self._sink.take([fast], number)
            return True
        try:
            value = decode(content)
        except Unreadable:
            return False
        if isinstance(value, dict) and self._docker(number, value):
            return True
        raw = content.decode("utf-8", "replace") if b"\n" not in content else None
        records = self._recogniser.value(value, self._where, raw=raw)
        self._logged = len(records) == 1 and isinstance(records[0].value, bytes)
        self._sink.take(records, number)
        return bool(records) or is_empty(value)

    def _docker(self, number: int, value: dict[str, Any]) -> bool:
        """Whether a value is a line, or a part of one, of Docker's json-file."""
        if not value.keys() <= {"log", "stream", "time", "attrs"} or not isinstance(value.get("log"), str):
            return False
        stream, text = str(value.get("stream", "stdout")), value["log"]
        whole = text.endswith("\n") or len(text.encode("utf-8", "replace")) < _DOCKER_PART
        self._part(number, stream, text.removesuffix("\n").removesuffix("\r"), str(value.get("time", "")), whole)
        return True

    def _cri(self, number: int, found: re.Match[str]) -> None:
        time, stream, flag, message = found.groups()
        if flag == "F" and not self._open:
            self._emit(number, stream, message or "", time)
        else:
            self._part(number, stream, message or "", time, flag == "F")

    def _part(self, number: int, stream: str, text: str, time: str, last: bool) -> None:
        first, parts, began = self._open.pop(stream, (number, [], time))
        parts.append(text)
        self._open[stream] = (first, parts, began)
        if last or sum(map(len, parts)) > LONGEST_LINE:
            self._close(stream)

    def _close(self, stream: str) -> None:
        first, parts, time = self._open.pop(stream)
        self._emit(first, stream, "".join(parts), time)

    def _emit(self, number: int, stream: str, message: str, time: str) -> None:
        where = {**self._where, "time": utc(time), "stream": stream}
        self._sink.take(self._recogniser.message(message, where), number)
