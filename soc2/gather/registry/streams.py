"""Streams of bytes: a blob that is verified while it is read, and what is packed in it, both in pieces of bounded size."""

from __future__ import annotations

import hashlib
import zlib
from typing import IO, Protocol, cast

import zstandard

from soc2.gather.registry.failure import Deadline, PullError
from soc2.gather.registry.zstd_frames import Frames
from soc2.model.population import Cause

PIECE = 256 * 1024
"""How many bytes are asked for at a time."""
# Who packs with a window beyond that wants more memory than the whole reading of a layer may take.
_ZSTD_WINDOW = 32 * 1024 * 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_OTHER = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_LONGEST_MAGIC = 6
_GZIP_HEADER = 31
_CUT = "it ends before what is packed in it does"


class Stream(Protocol):
    """Gives its bytes in pieces of at most ``size``; an empty piece is the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class VerifiedBlob:
    """A blob that has to have a digest and a size. ``seen`` counts its bytes. ``read`` raises PullError as soon as it is
    longer than it should be, and at its end when it is shorter or has another digest."""

    def __init__(self, raw: Stream, digest: str, size: int, deadline: Deadline) -> None:
        self._raw, self._digest, self._size, self._deadline = raw, digest, size, deadline
        self._hash = hashlib.new(digest.partition(":")[0])
        self.seen = 0
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        if self._ended:
            return b""
        del size  # whoever reads takes pieces of any size up to this one
        _ = self._deadline.left
        piece = self._raw.read(PIECE)
        if piece:
            self.seen += len(piece)
            self._hash.update(piece)
            if self.seen > self._size:
                raise PullError(
                    Cause.MALFORMED, f"{self._digest} is longer than the {self._size:,} bytes that its manifest says"
                )
            return piece
        self._ended = True
        if self.seen < self._size:
            what = f"{self._digest} ends after {self.seen:,} of {self._size:,} bytes"
            raise PullError(Cause.TRUNCATED, what, again=True)
        found = self._hash.hexdigest()
        if found != self._digest.partition(":")[2]:
            raise PullError(Cause.MALFORMED, f"digest mismatch: {self._digest} was asked for, and {found[:12]}… came")
        return b""

    def drain(self) -> None:
        """Read it to its end, so that its digest is known to be right."""
        while self.read():
            pass


class Unpacked:
    """The archive in a blob, which may be packed by gzip or zstd: told by how it begins, as runtimes do. Raises PullError when
    it cannot be unpacked, or is longer than ``limit`` bytes."""

    def __init__(self, packed: Stream, limit: int, deadline: Deadline) -> None:
        start = b""
        while len(start) < _LONGEST_MAGIC and (piece := packed.read(PIECE)):
            start += piece
        for magic, name in _OTHER.items():
            if start.startswith(magic):
                raise PullError(Cause.NOT_IMPLEMENTED, f"it is packed by {name}")
        source = _Prefixed(start, packed)
        self._inner: Stream = source
        self._deadline = deadline
        if start.startswith(_GZIP):
            self._inner = _Gunzip(source)
        elif start.startswith(_ZSTD) or start[1:4] == _ZSTD_SKIPPABLE:
            unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
            # It needs no more of a file than this.
            packed_frames = _Frames(source)
            self._inner = unpacker.stream_reader(cast("IO[bytes]", packed_frames), read_size=PIECE, read_across_frames=True)
        self._limit = limit
        self.seen = 0

    def read(self, size: int = PIECE, /) -> bytes:
        # A few bytes may unpack to what takes hours to be looked at.
        _ = self._deadline.left
        try:
            piece = self._inner.read(size)
        except (zlib.error, zstandard.ZstdError) as error:
            raise PullError(Cause.MALFORMED, f"it cannot be unpacked: {error}") from None
        self.seen += len(piece)
        if self.seen > self._limit:
            raise PullError(Cause.TRUNCATED, f"it is longer than {self._limit:,} bytes when it is unpacked")
        return piece


class _Prefixed:
    """A stream of which the first piece was read already."""

    def __init__(self, start: bytes, rest: Stream) -> None:
        self._start, self._rest = start, rest

    def read(self, size: int = -1, /) -> bytes:
        if not self._start:
            return self._rest.read(size)
        wanted = len(self._start) if size < 0 else size
        piece, self._start = self._start[:wanted], self._start[wanted:]
        return piece


class _Frames:
    """Raises PullError when its last frame is not whole."""

    def __init__(self, packed: Stream) -> None:
        self._packed, self._frames = packed, Frames()

    def read(self, size: int = -1, /) -> bytes:
        piece = self._packed.read(size)
        self._frames.show(piece)
        if not piece and not self._frames.whole:
            raise PullError(Cause.TRUNCATED, _CUT, again=True)
        return piece


class _Gunzip:
    """The members of a gzip file one after the other, in pieces: what one unpacks to may be a thousand times as long."""

    def __init__(self, packed: Stream) -> None:
        self._packed = packed
        self._member = zlib.decompressobj(_GZIP_HEADER)
        self._input = b""
        self._begun = False

    def read(self, size: int = PIECE, /) -> bytes:
        while True:
            if not self._input:
                self._input = self._packed.read(PIECE)
                if not self._input:
                    if self._begun:
                        raise PullError(Cause.TRUNCATED, _CUT, again=True)
                    return b""
            if not self._begun and not (rest := self._input.lstrip(b"\0")):
                # Zeros after the last member fill up a block.
                self._input = rest
                continue
            self._begun = True
            piece = self._member.decompress(self._input, size)
            self._input = self._member.unconsumed_tail
            if self._member.eof:
                self._input = self._member.unused_data
                self._member, self._begun = zlib.decompressobj(_GZIP_HEADER), False
            if piece:
                return piece
