"""Reads a tar archive as a stream: ustar, GNU and pax, with long names, extended attributes and sparse files.

Nothing is written anywhere, and nothing is kept of an archive but the entry that is read. As runtimes do when they unpack a
layer (Go's ``archive/tar``), names are taken from the root whether they are absolute or not, links and folders have no
content, GNU's names go before those of pax, and global headers of pax do not count.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from soc2.gather.registry.failure import PullError
from soc2.gather.registry.streams import PIECE, Stream
from soc2.model.population import Cause

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
# Names and attributes: Linux has names of 4 KiB and attributes of 64 KiB.
_LONGEST_HEADER = 1024 * 1024
_HEADER_ONLY = b"123456"
_SPARSE_ENTRIES = 1_000_000
_SPARSE_VERSIONS = ((b"0", b"0"), (b"0", b"1"), (b"1", b"0"))

REGULAR, HARD_LINK, SYMBOLIC_LINK, FOLDER = b"0", b"1", b"2", b"5"
_CAPABILITY = "SCHILY.xattr.security.capability"
_CAPABILITY_OF_BSDTAR = "LIBARCHIVE.xattr.security.capability"


@dataclass(slots=True)
class Entry:
    """One member. ``path`` and, for links, ``target`` are as they were written, and ``size`` is what follows in the archive.
    ``kind`` is the type flag, ``0`` for every kind of regular file."""

    path: str
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    target: str = ""
    capability: bytes = b""
    sparse_map: bool = False


class Archive:
    """Iterate over it for the entries; ``content`` gives the pieces of the current one's. Raises PullError when it is not
    well formed, or has more than ``limit`` entries."""

    def __init__(self, stream: Stream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._piece = b""
        self._at = 0
        self._left = 0  # of the current entry's content
        self._padding = 0
        self.entries = 0

    def __iter__(self) -> Iterator[Entry]:
        records: dict[str, bytes] = {}
        names: dict[str, bytes] = {}
        while (header := self._header()) is not None:
            kind = header[156:157]
            self._begin(_number(header[124:136]))
            if kind in (b"L", b"K"):
                names["path" if kind == b"L" else "linkpath"] = self._extended().partition(b"\0")[0]
                continue
            if kind == b"x":
                records = dict(_records(self._extended()))
                continue
            if kind == b"g":
                # Runtimes take nothing from those and forget what stood before, so nothing may be hidden by them.
                self._extended()
                records, names = {}, {}
                continue
            self.entries += 1
            if self.entries > self._limit:
                raise PullError(Cause.TRUNCATED, f"it has more than {self._limit:,} entries")
            yield self._entry(header, {**records, **names})
            records, names = {}, {}
            self._skip()

    def content(self) -> Iterator[bytes]:
        """Yield what the current entry holds; the holes of sparse files are left out."""
        while self._left:
            piece = self._some(self._left)
            self._left -= len(piece)
            yield piece

    def all_content(self) -> bytes:
        """Return what the current entry holds, which has to be small."""
        pieces = list(self.content())
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def drain(self) -> None:
        """Read what stands behind the end of the archive."""
        self._piece = b""
        while self._stream.read(PIECE):
            pass

    def _begin(self, size: int) -> None:
        if size < 0:
            raise PullError(Cause.MALFORMED, "an entry of the archive has a negative size")
        self._left = size
        self._padding = -size % _BLOCK

    def _skip(self) -> None:
        for _ in self.content():
            pass
        if self._padding:
            self._take(self._padding)
            self._padding = 0

    def _header(self) -> bytes | None:
        """Return the next header, or None at the end: two blocks of zeros, or no more blocks."""
        if self._at == len(self._piece) and not self._fill():
            return None
        block = self._take(_BLOCK)
        if block == _ZEROS:
            if (self._at < len(self._piece) or self._fill()) and self._take(_BLOCK) != _ZEROS:
                raise PullError(Cause.MALFORMED, "the archive goes on behind its end")
            return None
        if sum(block) - sum(block[148:156]) + 256 != (found := _number(block[148:156])) and found != _signed(block):
            raise PullError(Cause.MALFORMED, "the checksum of an entry's header is wrong, so it is no archive or a broken one")
        return block

    def _extended(self) -> bytes:
        if self._left > _LONGEST_HEADER:
            raise PullError(Cause.MALFORMED, f"the header of an entry has {self._left:,} bytes")
        data = self.all_content()
        self._skip()
        return data

    def _entry(self, header: bytes, extended: dict[str, bytes]) -> Entry:
        kind = header[156:157]
        name = _text(header[:100])
        if header[257:263] == b"ustar\0" and (prefix := _text(header[345:500])):
            name = prefix + b"/" + name
        entry = Entry(
            path=_decoded(name),
            kind=kind if kind in _HEADER_ONLY else REGULAR,
            mode=_number(header[100:108]) & 0o7777,
            uid=_number(header[108:116]),
            gid=_number(header[116:124]),
            size=0,
            target=_decoded(_text(header[157:257])),
        )
        if extended:
            self._extend(entry, extended)
        if kind == b"\0" and entry.path.endswith("/"):
            entry.kind = FOLDER
        if entry.kind != REGULAR:
            self._begin(0)
        elif kind == b"S":
            self._skip_sparse_headers(header)
        elif entry.sparse_map:
            self._skip_sparse_map()
        entry.size = self._left
        return entry

    def _extend(self, entry: Entry, extended: dict[str, bytes]) -> None:
        version = (extended.get("GNU.sparse.major"), extended.get("GNU.sparse.minor"))
        sparse = version in _SPARSE_VERSIONS or "GNU.sparse.map" in extended
        if path := (extended.get("GNU.sparse.name") if sparse else None) or extended.get("path"):
            entry.path = _decoded(path)
        if target := extended.get("linkpath"):
            entry.target = _decoded(target)
        if size := extended.get("size"):
            self._begin(_decimal(size))
        if uid := extended.get("uid"):
            entry.uid = _decimal(uid)
        if gid := extended.get("gid"):
            entry.gid = _decimal(gid)
        entry.capability = extended.get(_CAPABILITY) or _from_base64(extended.get(_CAPABILITY_OF_BSDTAR, b""))
        entry.sparse_map = version == (b"1", b"0")

    def _skip_sparse_headers(self, header: bytes) -> None:
        """Pass over the blocks that tell where the holes are (GNU's own format); they stand before the content."""
        more = header[482:483]
        while more not in (b"", b"\0"):
            more = self._take(_BLOCK)[504:505]

    def _skip_sparse_map(self) -> None:
        """Pass over the lines that tell where the holes are (format 1.0); they are a part of the content."""
        text = bytearray()
        wanted = 1
        while text.count(b"\n") < wanted:
            if self._left < _BLOCK or len(text) > _LONGEST_HEADER:
                raise PullError(Cause.MALFORMED, "the map of a sparse file is not complete")
            text += self._take(_BLOCK)
            self._left -= _BLOCK
            if wanted == 1 and b"\n" in text:
                wanted += 2 * _decimal(bytes(text.partition(b"\n")[0]))
                if wanted > _SPARSE_ENTRIES:
                    raise PullError(Cause.MALFORMED, "the map of a sparse file is not complete")

    def _take(self, size: int) -> bytes:
        """Return exactly so many of the next bytes."""
        end = self._at + size
        if end <= len(self._piece):
            taken = self._piece[self._at : end]
            self._at = end
            return taken
        parts = []
        while size:
            parts.append(self._some(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        """Return the next bytes, one at least."""
        if self._at == len(self._piece) and not self._fill():
            raise PullError(Cause.TRUNCATED, "the archive ends within an entry", again=True)
        some = self._piece[self._at : self._at + most]
        self._at += len(some)
        return some

    def _fill(self) -> bool:
        self._piece, self._at = self._stream.read(PIECE), 0
        return bool(self._piece)


def _records(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the records of a pax header: ``length key=value``, the length counting all of it and the line feed."""
    while data:
        digits, space, _ = data[:20].partition(b" ")
        length = _decimal(digits) if space else 0
        record = data[len(digits) + 1 : length]
        if length <= len(digits) + 1 or length > len(data) or not record.endswith(b"\n"):
            raise PullError(Cause.MALFORMED, "a pax header of the archive cannot be read")
        key, equals, value = record[:-1].partition(b"=")
        if not equals:
            raise PullError(Cause.MALFORMED, "a pax header of the archive cannot be read")
        yield _decoded(key), value
        data = data[length:]


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _from_base64(value: bytes) -> bytes:
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4))
    except binascii.Error:
        return value


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 18:
        raise PullError(Cause.MALFORMED, "a header of the archive has no number where one belongs")
    return int(digits)


def _number(field: bytes) -> int:
    """Read a number: octal digits, or, when the first bit is set, binary with its sign."""
    if field[:1] >= b"\x80":
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big") if field[0] != 0xFF else -1
    try:
        return int(_text(field.strip(b" \0")) or b"0", 8)
    except ValueError:
        raise PullError(Cause.MALFORMED, "a header of the archive has no number where one belongs") from None


def _signed(block: bytes) -> int:
    """Return the checksum as old archivers make it, of bytes with a sign."""
    return sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256
