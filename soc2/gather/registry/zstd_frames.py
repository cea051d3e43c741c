"""Where the frames of zstd end (RFC 8878, 3.1): its unpacker gives what there is, and says nothing of what is missing."""

from __future__ import annotations

from enum import Enum

_SKIPPABLE = b"\x2a\x4d\x18"
_RLE = 1


class _Part(Enum):
    MAGIC, LENGTH, DESCRIPTOR, BLOCK = range(4)


_LENGTHS = {_Part.MAGIC: 4, _Part.LENGTH: 4, _Part.DESCRIPTOR: 1, _Part.BLOCK: 3}


class Frames:
    """Is shown the bytes as they go by; ``whole`` tells whether they end with a frame."""

    def __init__(self) -> None:
        self._part = _Part.MAGIC
        self._head = b""
        self._skip = 0
        self._checksum = 0

    @property
    def whole(self) -> bool:
        return self._part is _Part.MAGIC and not self._skip and not self._head

    def show(self, piece: bytes) -> None:
        at = 0
        while at < len(piece):
            if self._skip:
                passed = min(self._skip, len(piece) - at)
                self._skip -= passed
                at += passed
                continue
            wanted = _LENGTHS[self._part] - len(self._head)
            self._head += piece[at : at + wanted]
            at += wanted
            if len(self._head) == _LENGTHS[self._part]:
                head, self._head = self._head, b""
                self._next(head)

    def _next(self, head: bytes) -> None:
        number = int.from_bytes(head, "little")
        match self._part:
            case _Part.MAGIC:
                self._part = _Part.LENGTH if head[1:] == _SKIPPABLE else _Part.DESCRIPTOR
            case _Part.LENGTH:
                self._skip, self._part = number, _Part.MAGIC
            case _Part.DESCRIPTOR:
                single = number >> 5 & 1
                self._skip = (1 - single) + (0, 1, 2, 4)[number & 3] + (single, 2, 4, 8)[number >> 6]
                self._checksum = 4 * (number >> 2 & 1)
                self._part = _Part.BLOCK
            case _Part.BLOCK:
                self._skip = 1 if number >> 1 & 3 == _RLE else number >> 3
                if number & 1:
                    self._skip += self._checksum
                    self._part = _Part.MAGIC
