"""Writes what one log file becomes into the spool folder: framed records by kind, and what could not be read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import msgspec

from soc2.detect.schema import ID, LINE, SCHEMAS
from soc2.gather.logs.content import KEPT_ASIDE, Line
from soc2.gather.logs.records import Record
from soc2.gather.logs.segments import Framed, Malformed, Segment
from soc2.model.logs import LogKind

_encode = msgspec.json.Encoder().encode
_LINE, _ID = LINE.encode(), ID.encode()
_BUFFER = 1 << 18
# Kinds whose records only their place tells apart: several of one line need an id of their own.
_PLACED = frozenset(kind for kind, schema in SCHEMAS.items() if schema.identity is None)


class Sink:
    """Takes up the records and the malformed lines of one origin; ``name`` tells its spool files from others'."""

    def __init__(self, origin: str, spool: Path, name: str) -> None:
        self.origin = origin
        self._spool = spool
        self._digest = _digest(f"{origin}\0{name}")
        self._files: dict[LogKind, IO[bytes]] = {}
        self._aside: IO[bytes] | None = None
        self._malformed: list[Malformed] = []

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in (*self._files.values(), *([self._aside] if self._aside else [])):
            file.close()

    def take(self, records: list[Record], line: int) -> None:
        """Write the records that one line gave."""
        if len(records) == 1:
            record = records[0]
            file = self._files.get(record.kind) or self._open(record.kind)
            file.write(_frame(record.value, line, record.id))
            return
        seen: set[str] = set()
        for index, record in enumerate(records):
            identity = record.id
            if record.kind in _PLACED:
                if identity is None or identity in seen:
                    identity = f"{identity or _digest(self.origin)}:{line}:{index}"
                seen.add(identity)
            file = self._files.get(record.kind) or self._open(record.kind)
            file.write(_frame(record.value, line, identity))

    def malformed(self, line: Line, reason: str) -> None:
        """Count a line that is no record, and keep its beginning aside."""
        self._malformed.append(Malformed(self.origin, line.number, line.offset, reason))
        if self._aside is None:
            self._aside = _created(self._spool / "malformed" / f"{self._digest}.ndjson")
        content = line.content[:KEPT_ASIDE].decode("utf-8", "backslashreplace")
        entry = {"origin": self.origin, "line": line.number, "offset": line.offset, "reason": reason, "content": content}
        self._aside.write(_encode_any(entry) + b"\n")

    def framed(self) -> Framed:
        """What there is, once the sink is closed."""
        segments = tuple(Segment(kind, Path(self._files[kind].name), self.origin, True) for kind in sorted(self._files))
        return Framed(segments, tuple(self._malformed))

    @property
    def empty(self) -> bool:
        """Whether no record was taken up."""
        return not self._files

    def _open(self, kind: LogKind) -> IO[bytes]:
        file = self._files[kind] = _created(self._spool / "framed" / f"{self._digest}-{kind}.ndjson")
        return file


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]


def _created(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb", buffering=_BUFFER)


def _frame(value: bytes | dict[str, Any], line: int, identity: str | None) -> bytes:
    encoded = value if isinstance(value, bytes) else _encode_any(value)
    if identity is None:
        return b'{"%b":%d,%b\n' % (_LINE, line, encoded[1:])
    return b'{"%b":%d,"%b":%b,%b\n' % (_LINE, line, _ID, _encode_any(identity), encoded[1:])


def _encode_any(value: Any) -> bytes:
    try:
        return _encode(value)
    except (OverflowError, UnicodeEncodeError, TypeError, msgspec.MsgspecError):
        # Integers beyond 64 bits, and halves of surrogate pairs, which DuckDB would not read.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
        return text.encode("utf-8", "replace")
