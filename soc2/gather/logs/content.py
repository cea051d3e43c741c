"""The bytes of a log file, decompressed as they stream: plain, gzip and zstd, told by their first bytes."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

CHUNK: Final = 1 << 20
LONGEST_LINE: Final = 64 << 20
"""Bytes. A longer line is malformed, so that no file can fill the memory."""
KEPT_ASIDE: Final = 1 << 16
"""Bytes of a malformed line that are kept."""

_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
# A store that compresses what was sent to it compressed gives two layers; more are a trap.
_LAYERS = 3
# Bytes that are decompressed at once: a block of 4 bytes can stand for 128 KiB, so these for 64 MiB at most.
_ZSTD_STEP = 1 << 11


class Line(NamedTuple):
    """One line without its end: ``number`` from 1, ``offset`` in bytes of the uncompressed content. ``ended`` is false
    for a last line without a newline. With ``reason`` it is no line that could be read, and ``content`` its beginning."""

    number: int
    offset: int
    content: bytes
    ended: bool = True
    reason: str | None = None


class Content:
    """A file's uncompressed bytes, readable once.

    ``compression`` is ``gzip``, ``zstd`` or None; ``plain`` tells whether the bytes are the file's own, but for one layer
    of compression (no byte order mark, no UTF-16, no second layer). ``problem`` says, once all was read, why the content
    broke off. Reading raises OSError when the file cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self.compression: str | None = None
        self.plain = True
        self.problem: str | None = None
        chunks: Iterator[bytes] = _read(path)
        for layer in range(_LAYERS):
            first, chunks = _peek(chunks, 4)
            if first.startswith(_GZIP):
                kind, chunks = "gzip", self._gunzip(chunks)
            elif first.startswith(_ZSTD):
                kind, chunks = "zstd", self._unzstd(chunks)
            else:
                break
            self.plain = layer == 0
            self.compression = self.compression or kind
        self._chunks = self._as_utf8(chunks)

    def head(self, size: int) -> bytes:
        """The first bytes, which later reads give again; fewer than ``size`` only where the content ends before."""
        first, self._chunks = _peek(self._chunks, size)
        return first[:size]

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from ``start`` to ``end``, in pieces of about a megabyte."""
        position = 0
        for chunk in self._chunks:
            first = max(start - position, 0)
            last = len(chunk) if end is None else min(end - position, len(chunk))
            position += len(chunk)
            if last > first:
                yield chunk[first:last]
            if end is not None and position >= end:
                return

    def lines(self, number: int = 1, start: int = 0, end: int | None = None) -> Iterator[Line]:
        """The lines from the byte ``start``, whose line has the given number, to the byte ``end``. Where the content broke
        off, the last one has the ``problem`` for a reason."""
        offset = start
        rest: list[bytes] = []
        held = 0
        for chunk in self.chunks(start, end):
            first, newline, others = chunk.partition(b"\n")
            held += len(first)
            if held <= LONGEST_LINE or not rest:
                rest.append(first)
            if not newline:
                continue
            yield self._line(number, offset, rest, held, True)
            offset += held + 1
            number += 1
            *whole, last = others.split(b"\n")
            for piece in whole:
                yield Line(number, offset, piece)
                offset += len(piece) + 1
                number += 1
            rest, held = [last], len(last)
        if held or self.problem:
            yield self._line(number, offset, rest or [b""], held, False)

    def _line(self, number: int, offset: int, pieces: list[bytes], length: int, ended: bool) -> Line:
        if length > LONGEST_LINE:
            return Line(number, offset, pieces[0][:KEPT_ASIDE], ended, "a line longer than 64 MiB")
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return Line(number, offset, content, ended, None if ended else self.problem)

    def _as_utf8(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        first, chunks = _peek(chunks, 3)
        if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self.plain = False
            return _peek((text.encode() for text in codecs.iterdecode(chunks, "utf-16", "replace")), 1)[1]
        if first.startswith(codecs.BOM_UTF8):
            self.plain = False
            return chain((first[3:],), _after(chunks, len(first)))
        return chunks

    def _gunzip(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """All members of a gzip file."""
        decoder = zlib.decompressobj(wbits=31)
        started = False
        for chunk in chunks:
            data, more = chunk, False
            while data or more:
                if decoder.eof:
                    data = data.lstrip(b"\0")  # padding, as tapes and block devices leave it
                    decoder, started = zlib.decompressobj(wbits=31), False
                    if not data:
                        break
                started = True
                try:
                    piece = decoder.decompress(data, CHUNK)
                except zlib.error as error:
                    self.problem = self.problem or f"broken gzip: {error}"
                    return
                data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
                more = len(piece) == CHUNK and not decoder.eof
                if piece:
                    yield piece
        if started and not decoder.eof:
            self.problem = self.problem or "truncated gzip"

    def _unzstd(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """All frames of a zstd file."""
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        decoder = decompressor.decompressobj()
        started = False
        held: list[bytes] = []
        for chunk in chunks:
            for first in range(0, len(chunk), _ZSTD_STEP):
                data = chunk[first : first + _ZSTD_STEP]
                while data:
                    if decoder.eof:
                        decoder, started = decompressor.decompressobj(), False
                    started = True
                    try:
                        held.append(decoder.decompress(data))
                    except zstandard.ZstdError as error:
                        self.problem = self.problem or f"broken zstd: {error}"
                        yield b"".join(held)
                        return
                    data = decoder.unused_data if decoder.eof else b""
                if sum(map(len, held)) >= CHUNK or len(held) > CHUNK // _ZSTD_STEP:
                    yield b"".join(held)
                    held = []
        if held:
            yield b"".join(held)
        if started and not decoder.eof:
            self.problem = self.problem or "truncated zstd"


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _peek(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """At least the first ``size`` bytes if there are so many, and all pieces."""
    held: list[bytes] = []
    length = 0
    while length < size and (chunk := next(chunks, None)) is not None:
        held.append(chunk)
        length += len(chunk)
    return b"".join(held), chain(held, chunks)


def _after(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
        else:
            yield chunk[count:]
            count = 0
