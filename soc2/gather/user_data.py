"""User data of machines: base64 of a script, of cloud-init's YAML, of gzip, or of a MIME archive of all of them."""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import zlib
from collections.abc import Iterator
from typing import Any

from soc2.detectors.secrets.encoded import as_utf8

_LONGEST = 8 << 20
_DEEPEST = 4
_GZIP = b"\x1f\x8b"


class BrokenGzip(TypeError):
    """Bytes begin as gzip does, and are none, or not all of one."""


def user_data_texts(value: Any) -> Iterator[tuple[str, str]]:
    """Yield (name of the part, text). Raises TypeError for what is no base64, or too long or too deep to look into."""
    if value in (None, ""):
        return
    try:
        data = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise TypeError("Expected base64") from None
    yield from _texts(data, "", 0)


def _texts(data: bytes, part: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        raise TypeError(f"nested more than {_DEEPEST} archives deep")
    if data.startswith(_GZIP):
        yield from _texts(unzipped(data), part, depth + 1)
    elif data[:4096].lstrip().lower().startswith((b"content-type: multipart", b"mime-version:")):
        yield from _parts(data, part, depth)
    else:
        yield part, as_utf8(data).decode("utf-8", "replace")


def _parts(data: bytes, outer: str, depth: int) -> Iterator[tuple[str, str]]:
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    for number, inner in enumerate((each for each in message.walk() if not each.is_multipart()), 1):
        payload = inner.get_payload(decode=True)
        name = " ".join(filter(None, (outer, f"part {number}")))
        yield from _texts(payload if isinstance(payload, bytes) else b"", name, depth + 1)


def unzipped(data: bytes, longest: int = _LONGEST) -> bytes:
    """Return what gzip holds, and other bytes as they are. Raises BrokenGzip, or TypeError for more than ``longest`` bytes."""
    parts, length = [], 0
    while data.startswith(_GZIP):
        inflate = zlib.decompressobj(wbits=31)
        try:
            # One byte more tells what is too long from what just fits.
            parts.append(inflate.decompress(data, longest - length + 1))
        except zlib.error:
            raise BrokenGzip("Expected gzip") from None
        length += len(parts[-1])
        if length > longest:
            raise TypeError(f"more than {longest >> 20} MB when unpacked")
        if not inflate.eof:
            raise BrokenGzip("Expected all of a gzip")
        # One may follow another.
        data = inflate.unused_data
    return b"".join(parts) if parts else data
