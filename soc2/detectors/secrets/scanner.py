"""The scanner: finds secrets and tells of each where it stands, what found it, and a keyed fingerprint; never the value."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from soc2.detectors.secrets.encoded import as_utf8
from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.text import in_text, in_value
from soc2.detectors.secrets.trees import texts
from soc2.model.fingerprint import Finding

# Private keys in DER: PKCS #8 (RSA, EC, Ed25519), PKCS #1 and SEC 1.
_DER_KEY = re.compile(
    rb"\x30(?:\x82..|\x81.|.)\x02\x01(?:\x00(?:\x30.\x06.(?:\x2a\x86\x48|\x2b\x65)|\x02(?:\x82..|\x81.)\x00)|\x01\x04[\x20\x30\x42])",
    re.S,
)
_PIECE = 4 << 20
_LONGEST_CACHED = 512
_LONGEST_NAMED_FILE = 400


class Scanner:
    """Makes findings under one key. The key lives in memory only and ends with the run: equal secrets of one run have
    equal fingerprints, and nobody without the key can test a guess. Scanners may be used by several threads."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        # Replicas of a workload share their environment, so most texts come again.
        self._cached = lru_cache(maxsize=65_536)(self._in_value)

    def digest(self, text: str) -> str:
        """Return the keyed fingerprint of a text: HMAC-SHA-256, cut to 16 hex digits."""
        return self._digest(text.encode("utf-8", "surrogatepass"))

    def value(self, name: str, text: str) -> tuple[Finding, ...]:
        """Return what is found in a text that a name is given to. The place is the line in texts of several lines."""
        return (self._cached if len(text) <= _LONGEST_CACHED else self._in_value)(name, text)

    def tree(self, value: Any, name: str = "") -> tuple[Finding, ...]:
        """Return what is found in a JSON value, lists of arguments among them. Raises TypeError if nested too deeply."""
        findings: dict[Finding, None] = {}
        known: set[str] = set()
        places: set[str] = set()
        for each in texts(value, name):
            for found in self._once_more(each.without(places)) if each.again else self.value(each.name, each.text):
                if not (each.again and found.fingerprint in known):
                    known.add(found.fingerprint)
                    places.add(each.place)
                    findings[replace(found, place=" ".join(filter(None, (each.place, found.place))))] = None
        return tuple(findings)

    def scan(self, data: bytes, name: str) -> list[Finding]:
        """Return what is found in the bytes of a file; of those that are no text, only known formats.

        ``name`` is the file's path: what a file called ``db_password`` holds is a password. Time grows with the length
        only; memory is a few times the piece of 4 MiB that is looked at.
        """
        data = as_utf8(data)
        if _DER_KEY.match(data):
            return [Finding("Private Key (DER)", self._digest(data), "")]
        named = PurePosixPath(name).name
        if len(data) <= _LONGEST_NAMED_FILE and data.count(b"\n") <= 1 and b"\0" not in data:
            return list(self._found(in_value(named, data.decode("latin-1").strip()), ""))
        found: list[Finding] = []
        line = 1
        for piece in _pieces(data):
            text = piece.decode("latin-1")
            found.extend(self._found(in_text(text, bare=False, file=True), text, line))
            line += text.count("\n")
        return found

    def passage(self, data: bytes) -> list[Finding]:
        """Return what is found in a part of a file, which has no name of its own."""
        text = data.decode("latin-1")
        return list(self._found(in_text(text, bare=False, file=True), text))

    def _in_value(self, name: str, text: str) -> tuple[Finding, ...]:
        plain = _latin(text)
        return tuple(self._found(in_value(name, plain), plain))

    def _once_more(self, text: str) -> tuple[Finding, ...]:
        return tuple(self._found(in_text(_latin(text), bare=False), ""))

    def _found(self, hits: Iterable[Hit], text: str, line: int = 1) -> Iterator[Finding]:
        at, several = 0, "\n" in text.strip()
        for hit in hits:
            line += text.count("\n", at, hit.start)
            at = hit.start
            fingerprint = self._digest(hit.value.encode("latin-1", "replace"))
            yield Finding(hit.detector, fingerprint, f"line {line}" if several or line > 1 else "")

    def _digest(self, data: bytes) -> str:
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()[:16]


def _latin(text: str) -> str:
    """Return a text with one character for each byte of its UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield pieces that end with a line where there is one."""
    start = 0
    while start < len(data):
        end = start + _PIECE
        if end < len(data):
            end = data.rfind(b"\n", start + _PIECE // 2, end) + 1 or end
        yield data[start:end]
        start = end
