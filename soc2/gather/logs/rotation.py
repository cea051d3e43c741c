"""Which files are which logs: known again by their content after they were renamed, copied or compressed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from soc2.errors import UsageError
from soc2.gather.logs.content import CHUNK, Content

MARK: Final = 4096
"""Bytes at the beginning, and before the place where reading stopped, that make a file known again."""

# What rotation adds to a name: numbers, days, times, and the compression.
_ROTATION = re.compile(r"(?:[.-]\d{4,}[\dT.-]*(?=\.|$)|[.-]\d+(?=\.|$)|\.(?:gz|zst|old|bak)$)")


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a log was read: to ``offset`` (bytes of the uncompressed content), which is behind ``lines`` lines.

    ``ended`` tells whether the content ended there. ``head`` and ``tail`` are SHA-256 of the first ``marked`` bytes and of the
    last ones before the offset. ``size`` (bytes), ``modified`` (nanoseconds), ``device`` and ``inode`` are the file's when it
    was last seen, at ``seen`` (seconds since 1970).
    """

    path: str
    device: int
    inode: int
    size: int
    modified: int
    offset: int
    lines: int
    ended: bool
    marked: int
    head: str
    tail: str
    seen: float

    @property
    def key(self) -> str:
        """What it is stored under."""
        return f"{self.device}:{self.inode}:{self.head[:16]}"


@dataclass(frozen=True)
class LogFile:
    """A file as it was when it was looked at. ``plain`` tells whether its bytes are the content."""

    path: Path
    device: int
    inode: int
    size: int
    modified: int
    head: bytes
    plain: bool

    @property
    def family(self) -> str:
        """What the names of a log and of its rotated files have in common."""
        return _ROTATION.sub("", self.path.name)

    def content(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The content from one byte to another, no further than it was when the file was looked at; nothing if the file is
        gone."""
        try:
            yield from self._plain(start, end) if self.plain else Content(self.path).chunks(start, end)
        except FileNotFoundError:
            return

    def unchanged(self, cursor: Cursor) -> bool:
        """Whether nobody wrote to the file since the cursor was made."""
        now = (self.device, self.inode, self.size, self.modified)
        return now == (cursor.device, cursor.inode, cursor.size, cursor.modified)

    def continues(self, cursor: Cursor) -> bool:
        """Whether the file begins with what was read up to the cursor."""
        if digest(self.head[: cursor.marked]) != cursor.head:
            return False
        if self.unchanged(cursor):
            return True
        span = b"".join(self.content(cursor.offset - cursor.marked, cursor.offset))
        return len(span) == cursor.marked and digest(span) == cursor.tail

    def copies(self, other: LogFile) -> bool:
        """Whether one of the two files is the beginning of the other."""
        shorter = min(len(self.head), len(other.head))
        if self.head[:shorter] != other.head[:shorter]:
            return False
        first, second = self.content(), other.content()
        left = right = b""
        while True:
            left = left or next(first, b"")
            right = right or next(second, b"")
            if not left or not right:
                return True
            length = min(len(left), len(right))
            if left[:length] != right[:length]:
                return False
            left, right = left[length:], right[length:]

    def longer(self, other: LogFile) -> bool:
        """Whether the file has more content than the other."""
        return sum(map(len, self.content())) > sum(map(len, other.content()))

    def _plain(self, start: int, end: int | None) -> Iterator[bytes]:
        left = (self.size if end is None else min(end, self.size)) - start
        with self.path.open("rb") as opened:
            opened.seek(start)
            while left > 0 and (chunk := opened.read(min(left, CHUNK))):
                left -= len(chunk)
                yield chunk


@dataclass(frozen=True)
class Matched:
    """Files with the key of their cursor, files that no run has read, and copies of files among these."""

    known: tuple[tuple[LogFile, str], ...]
    fresh: tuple[LogFile, ...]
    copies: tuple[LogFile, ...]


def digest(content: bytes) -> str:
    """The SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def look(path: Path) -> LogFile | None:
    """A file as it is now; None if it is gone. Raises UsageError if it cannot be read."""
    try:
        stat = path.stat()
        content = Content(path)
        head = content.head(MARK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"the log cannot be read: {error.strerror or error}", "let this user read it", path) from error
    plain = content.compression is None and content.plain
    return LogFile(path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, head, plain)


def matched(files: Iterable[LogFile], cursors: Mapping[str, Cursor]) -> Matched:
    """Tell files that go on from a cursor, new ones, and copies of either. Of copies, the one whose device and inode the
    cursor has is the log; else the longest."""
    places: dict[tuple[int, int], list[str]] = {}
    families: dict[str, list[str]] = {}
    for key, cursor in cursors.items():
        places.setdefault((cursor.device, cursor.inode), []).append(key)
        families.setdefault(_ROTATION.sub("", Path(cursor.path).name), []).append(key)
    known: dict[str, LogFile] = {}
    moved: list[LogFile] = []
    for file in files:
        stayed = _furthest(file, places.get((file.device, file.inode), ()), cursors)
        if stayed is None:
            moved.append(file)
        else:
            known[stayed] = file
    staying = set(known)
    unknown: list[LogFile] = []
    copies: list[LogFile] = []
    for file in moved:
        found = _furthest(file, families.get(file.family, ()), cursors)
        if found is None or (found in known and not file.copies(known[found])):
            unknown.append(file)
        elif found not in known:
            known[found] = file
        elif found not in staying and file.longer(known[found]):
            copies.append(known[found])
            known[found] = file
        else:
            copies.append(file)
    fresh = _without_copies(unknown, copies)
    return Matched(tuple((file, key) for key, file in known.items()), tuple(fresh), tuple(copies))


def _furthest(file: LogFile, keys: Iterable[str], cursors: Mapping[str, Cursor]) -> str | None:
    """The key of the cursor that the file goes on from; of several, of the one that is furthest."""
    found = (key for key in keys if file.continues(cursors[key]))
    return max(found, key=lambda key: cursors[key].offset, default=None)


def _without_copies(files: list[LogFile], copies: list[LogFile]) -> list[LogFile]:
    """Files of which none is a copy, or the beginning of a copy, of another one of the same log; the copies are added."""
    families: dict[str, list[LogFile]] = {}
    for file in sorted(files, key=lambda file: not file.plain):
        kept = families.setdefault(file.family, [])
        twin = next((other for other in kept if file.copies(other)), None)
        if twin is None:
            kept.append(file)
        elif file.longer(twin):
            kept[kept.index(twin)] = file
            copies.append(twin)
        else:
            copies.append(file)
    return sorted((file for kept in families.values() for file in kept), key=files.index)
