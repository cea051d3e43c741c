"""Resumes local logs where the last run stopped: renamed, copied, truncated or compressed, no record is lost or read twice.

A file is known again by its content: the first bytes, and the last ones before the place where reading stopped. Device and
inode only tell which of two copies is the log itself. What a run read counts only once the caller stored the new cursors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from soc2.gather.logs.content import CHUNK, Content
from soc2.gather.logs.framing import Part, files_of, is_document
from soc2.gather.logs.rotation import MARK, Cursor, LogFile, digest, look, matched
from soc2.gather.logs.unfinished import whole_lines

SETTLED: Final = 3600.0
"""Seconds. A log that was not written to for so long will not finish its last line."""
KEPT: Final = 30 * 86400.0
"""Seconds. A log that was not seen for so long is forgotten."""


@dataclass(frozen=True)
class NewPart:
    """A part of a file that no run has read. ``key`` is the key of its cursor, ``before`` the cursor it had."""

    path: Path
    origin: str
    part: Part
    key: str
    before: tuple[str, Cursor] | None


def read_new(
    paths: Sequence[Path], cursors: Mapping[str, Cursor], now: float
) -> tuple[tuple[NewPart, ...], dict[str, Cursor]]:
    """What is new in files and folders since the cursors were stored, and the cursors to store once it is kept; ``now`` is
    in seconds since 1970. A last line (or value) that is not whole is left for the next run, unless its file is settled.
    Raises UsageError for a path that is not there."""
    found = matched([file for path in files_of(paths) if (file := look(path)) is not None], cursors)
    kept = {key: cursor for key, cursor in cursors.items() if now - cursor.seen < KEPT}
    parts: list[NewPart] = []
    for file, key in found.known:
        before = cursors[key]
        kept.pop(key, None)
        cursor, part = _advance(file, before, now)
        cursor = cursor or before
        new_key = _keep(kept, cursor)
        if part is not None:
            parts.append(NewPart(file.path, str(file.path), part, new_key, (key, before)))
    for file in found.fresh:
        cursor, part = _advance(file, None, now)
        if cursor is not None and part is not None:
            parts.append(NewPart(file.path, str(file.path), part, _keep(kept, cursor), None))
    for file in found.copies:
        cursor, _ = _advance(file, None, now)
        if cursor is not None:
            _keep(kept, cursor)
    return tuple(parts), kept


def _keep(cursors: dict[str, Cursor], cursor: Cursor) -> str:
    """Add a cursor under a key of its own: a truncated log that begins as before has the place and the head of the old one."""
    key = cursor.key
    while key in cursors and cursors[key] != cursor:
        key += "+"
    cursors[key] = cursor
    return key


def confirmed(parts: Sequence[NewPart], cursors: Mapping[str, Cursor]) -> dict[str, Cursor]:
    """The cursors to store once the new parts are kept: without those of files that were rotated while they were read, so
    that the next run reads these parts again, under the name they have then."""
    kept = dict(cursors)
    for part in parts:
        file = look(part.path)
        same = file is not None and part.key in kept and file.continues(kept[part.key])
        if not same:
            kept.pop(part.key, None)
            if part.before is not None:
                kept[part.before[0]] = part.before[1]
    return kept


def _advance(file: LogFile, before: Cursor | None, now: float) -> tuple[Cursor | None, Part | None]:
    """The cursor behind what can be read of a file, and the part that is new."""
    start, lines = (before.offset, before.lines) if before else (0, 0)
    seen = msgspec.structs.replace(before, path=str(file.path), seen=now) if before else None
    if before and before.ended and file.unchanged(before):
        return seen, None
    settled = now - file.modified / 1e9 >= SETTLED
    total, end, newlines = _extent(file, start, settled)
    if end <= start:
        return seen, None
    marked = min(MARK, end)
    cursor = Cursor(
        path=str(file.path),
        device=file.device,
        inode=file.inode,
        size=file.size,
        modified=file.modified,
        offset=end,
        lines=lines + newlines,
        ended=end == total,
        marked=marked,
        head=digest(file.head[:marked]),
        tail=digest(b"".join(file.content(end - marked, end))),
        seen=now,
    )
    whole = start == 0 and end == total
    return cursor, Part() if whole else Part(start, lines + 1, end)


def _extent(file: LogFile, start: int, settled: bool) -> tuple[int, int, int]:
    """The bytes of content, the byte behind the last whole record, and the lines from ``start`` to there."""
    stored = None if file.plain else Content(file.path)
    content = file.content(start) if stored is None else stored.chunks(start)
    total, newlines, window = start, 0, b""
    for chunk in content:
        total += len(chunk)
        newlines += chunk.count(b"\n")
        window = (window + chunk)[-2 * CHUNK :]
    finished = settled or (stored is not None and stored.problem is None)
    if finished or not window:
        return total, total, newlines
    begin = total - len(window)
    if is_document(file.head):
        kept = len(window) if window.rstrip()[-1:] in (b"}", b"]") else 0
    else:
        kept = whole_lines(window)
    if not kept:
        # A line longer than the window is looked at again when it is whole.
        return total, start, 0
    return total, begin + kept, newlines - window.count(b"\n", kept)
