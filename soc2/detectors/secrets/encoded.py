"""Base64: texts that it hides."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import zlib

_LONGEST_ENCODED = 1_500_000
_LONGEST_UNPACKED = 8 << 20
_MOST_PACKED = 24
_GZIP = "H4sI"
# PNG, JPEG, GIF, WebP, PDF, ZIP, WOFF, TrueType, OpenType, WebAssembly, xz, zstd, bzip2, 7z, certificates (DER).
_FILES = (
    "iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "JVBERi0", "UEsDB", "d09GM", "d09GR", "AAEAAAA", "T1RUTwA", "AGFzbQ",
    "/Td6WFo", "KLUv/", "QlpoO", "N3q8ryc",
)  # fmt: skip
_HEAD = 256
_SHORTEST_WIDE = 16
# Encodings with their marks, and which of how many bytes are zero in texts in ASCII.
_WIDE = (
    ("utf-32-le", codecs.BOM_UTF32_LE, ((1, 4), (2, 4), (3, 4))),
    ("utf-32-be", codecs.BOM_UTF32_BE, ((0, 4), (1, 4), (2, 4))),
    ("utf-16-le", codecs.BOM_UTF16_LE, ((1, 2),)),
    ("utf-16-be", codecs.BOM_UTF16_BE, ((0, 2),)),
)
_PRINTABLE = bytes([9, 10, 13, *range(32, 127)])
_STANDARD = str.maketrans("-_", "+/")
_BASE64 = re.compile(r"^[A-Za-z0-9+/_-]+={0,2}$")


def decoded_text(value: str, shortest: int = 8) -> str | None:
    """Return the text that base64 hides, one character for each byte, or None when it hides none, or more than 1 MB."""
    if not shortest <= len(value) <= _LONGEST_ENCODED or not _BASE64.match(value[:64]):
        return None
    whole = value.rstrip("=").translate(_STANDARD)
    # The first bytes tell of nearly everything else that it is no text.
    head = decoded_bytes(whole[: min(24, len(whole) - len(whole) % 4 or 24)])
    if head is None or not _is_text(head, whole=False):
        return None
    data = decoded_bytes(whole)
    return data.decode("latin-1") if data and _is_text(data, whole=True) else None


def unpacked_text(value: str) -> str | None:
    """Return the beginning of the text that gzip in base64 hides, one character for each byte; the empty text when it hides
    something else, or None when it is no gzip. It is at most 8 MB, and 24 times as long as what is packed: no text shrinks
    to less, and what is made to take time does."""
    if not value.startswith(_GZIP):
        return None
    whole = value.rstrip("=").translate(_STANDARD)
    data = decoded_bytes(whole[: len(whole) - (len(whole) % 4 == 1)])
    if not data:
        return ""
    try:
        text = zlib.decompressobj(wbits=31).decompress(data, min(_LONGEST_UNPACKED, _MOST_PACKED * len(data)))
    except zlib.error:
        return ""
    return text.decode("latin-1") if _is_text(text, whole=False) else ""


def as_utf8(data: bytes) -> bytes:
    """Return texts in UTF-16 and UTF-32 as UTF-8, and all other bytes as they are. Marks at the beginning are not needed, and
    not believed where the rest has no zeros, as other encodings of what is written in ASCII have not."""
    head = data[:_HEAD]
    if b"\0" not in head:
        return data
    for encoding, mark, zeros in _WIDE:
        if head.startswith(mark) or (len(head) >= _SHORTEST_WIDE and all(not any(head[at::step]) for at, step in zeros)):
            return data.removeprefix(mark).decode(encoding, "replace").encode("utf-8", "replace")
    return data


def is_file(value: str) -> bool:
    """Tell whether base64 hides a file of a well-known kind: an image, a font, an archive, a document."""
    return value.startswith(_FILES)


def decoded_bytes(value: str) -> bytes | None:
    """Return what base64 of either alphabet, with or without padding, says; None when it is none."""
    whole = value.rstrip("=").translate(_STANDARD)
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_text(data: bytes, *, whole: bool) -> bool:
    others = data.translate(None, _PRINTABLE)
    if not others:
        return True
    # Letters of other scripts are pairs of bytes in UTF-8.
    if min(others) < 128 or len(others) > len(data) * 0.4:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return not whole and len(others) <= len(data) * 0.2
    return True
