"""What a line, or a value of a JSON document, holds: records of known kinds, however they are wrapped."""

from __future__ import annotations

from typing import Any

import msgspec

from soc2.gather.logs.records import AS_LOGGED, Record, Unreadable, as_logged, decode, kind_of
from soc2.model.logs import LogKind

_DEPTH = 8


class Recogniser:
    """Tells the records of one file, line by line; remembers what the last line was, since the next is likely the same."""

    def __init__(self, hint: LogKind | None, origin: str) -> None:
        self._hint = hint
        self._origin = origin
        self._last: LogKind | None = None

    def records(self, text: bytes) -> list[Record]:
        """The records in a line or value, which has no blanks around it; none if it has no known form."""
        if self._last is not None and as_logged(text, self._last):
            return [Record(self._last, text)]
        if text[:1] in (b"{", b"["):
            try:
                value = decode(text)
            except Unreadable:
                return []
            found = self._value(value, _DEPTH)
            self._last = found[0].kind if found and found[0].kind in AS_LOGGED else None
            return found
        return []

    def _value(self, value: Any, depth: int) -> list[Record]:
        if not depth:
            return []
        if isinstance(value, list):
            return [record for item in value for record in self._value(item, depth - 1)]
        if not isinstance(value, dict):
            return []
        kind = kind_of(value)
        if kind is not None:
            return [Record(kind, msgspec.json.encode(value))]
        for name in ("Records", "Events", "items"):
            if isinstance(value.get(name), list):
                return self._value(value[name], depth - 1)
        return []
