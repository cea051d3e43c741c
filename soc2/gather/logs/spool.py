"""Files of the spool folder: JSON by line, compressed while it is written, under names that say where it came from."""

from __future__ import annotations

import hashlib
import re
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import zstandard

DELAYS = 10_000
"""How many ingest delays are kept of one reading: enough for a 99.9th percentile."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")
_NAME_LENGTH = 80


def spool_name(*parts: str) -> str:
    """Return a file name without an extension: readable, safe, and its own for each list of parts."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return f"{_UNSAFE.sub('-', '-'.join(parts)).strip('-.')[-_NAME_LENGTH:]}-{digest}"


class JsonLines:
    """A zstd file of one JSON object a line, made on the first ``write``. Use it as a context manager.

    A file that is there already is kept: what an earlier reading left may not be taken in yet.
    """

    def __init__(self, folder: Path, name: str) -> None:
        numbered = (folder / f"{name}-{number}.ndjson.zst" for number in count(1))
        self.path = next(path for path in numbered if not path.exists())
        self.lines = 0
        self._encoder = msgspec.json.Encoder()
        self._file: Any = None

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, record: object) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = zstandard.open(self.path, "wb", cctx=zstandard.ZstdCompressor(level=1))
        self._file.write(self._encoder.encode(record) + b"\n")
        self.lines += 1


class Delays:
    """Keeps every k-th of the delays it is told, k growing with their number, so that at most ``DELAYS`` are kept."""

    def __init__(self) -> None:
        self._kept: list[float] = []
        self._every = 1
        self._told = 0

    def tell(self, seconds: float) -> None:
        if self._told % self._every == 0:
            self._kept.append(seconds)
            if len(self._kept) > DELAYS:
                self._kept = self._kept[::2]
                self._every *= 2
        self._told += 1

    @property
    def kept(self) -> tuple[float, ...]:
        return tuple(self._kept)
