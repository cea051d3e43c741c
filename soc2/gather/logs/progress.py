"""How far a store that is read by time has been read: the intervals that are settled, and the records seen elsewhere."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from soc2.errors import UsageError

# 96 bits: among a million ids of an overlap, two that are alike have a chance of 1 in 10^17.
_ID_BYTES = 12


class _Cursor(msgspec.Struct):
    settled: list[tuple[int, int]] = []
    seen: dict[str, int] = {}


class Progress:
    """Says what is left to read of a window, and which records were given before.

    Times are whole numbers in the store's own unit. An interval is settled when it was read to the end and no late
    record is to be expected in it; it is never read again. Outside of those, the ids of all records that were given are
    kept, so that reading the same time again gives only what is new.
    """

    def __init__(self, cursor: Any = None) -> None:
        try:
            kept = msgspec.convert(cursor or {}, _Cursor)
        except msgspec.ValidationError as error:
            raise UsageError(f"the kept position of a log store cannot be read: {error}", "remove it to read anew") from None
        self._settled = sorted(kept.settled)
        self._seen = dict(kept.seen)

    @property
    def cursor(self) -> dict[str, Any]:
        """Return what ``Progress`` takes up again."""
        return {"settled": [list(each) for each in self._settled], "seen": dict(sorted(self._seen.items()))}

    def unread(self, since: int, until: int) -> list[tuple[int, int]]:
        """Return the parts of [since, until) that are not settled, in order."""
        parts = []
        for start, end in self._settled:
            if end <= since or start >= until:
                continue
            if start > since:
                parts.append((since, start))
            since = max(since, end)
        return [*parts, (since, until)] if since < until else parts

    def is_new(self, identity: str, time: int) -> bool:
        """Note a record and return whether it was not given before."""
        digest = hashlib.blake2b(identity.encode(), digest_size=_ID_BYTES).hexdigest()
        if digest in self._seen:
            return False
        self._seen[digest] = time
        return True

    def settle(self, since: int, until: int) -> None:
        """Note that [since, until) was read to the end and that nothing late is to be expected in it."""
        if not self.unread(since, until):
            return
        merged: list[tuple[int, int]] = []
        for start, end in sorted([*self._settled, (since, until)]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self._settled = merged
        self._seen = {identity: time for identity, time in self._seen.items() if not since <= time < until}
