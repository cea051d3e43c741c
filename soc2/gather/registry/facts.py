"""What is kept of a layer once it was read: a few facts, whatever its size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from soc2.model.image_content import MaliciousFile, PrivilegedFile, SecretFile

_WIDTH = 8
FILE, FOLDER, WHITEOUT, OPAQUE = "f", "d", "w", "o"


class LayerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of a layer. ``names`` are digests of everything that it has, in order, by which ``has`` tells what it puts
    into place, deletes (``WHITEOUT``) and empties (``OPAQUE``); ``links`` are hard links to files of layers below (path and
    target); ``users`` are the names and numbers of its ``etc/passwd``; ``faults`` are entries that cannot be as they are."""

    entries: int = 0
    unpacked: int = 0
    privileges: tuple[PrivilegedFile, ...] = ()
    malware: tuple[MaliciousFile, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    users: dict[str, int] | None = None
    faults: tuple[str, ...] = ()
    names: bytes = b""

    def has(self, kind: str, path: str) -> bool:
        """Tell whether the layer has a file, folder, whiteout or opaque folder at a path."""
        wanted = name_digest(kind, path)
        view = _Digests(self.names)
        at = bisect_left(view, wanted)
        return at < len(view) and view[at] == wanted

    def hides(self, path: str) -> bool:
        """Tell whether the layer deletes or replaces what layers below have at a path."""
        if any(self.has(kind, path) for kind in (FILE, FOLDER, WHITEOUT)):
            return True
        folders = path.split("/")[:-1]
        above = ["/".join(folders[:length]) for length in range(len(folders) + 1)]
        return any(self.has(OPAQUE, each) or (each and (self.has(WHITEOUT, each) or self.has(FILE, each))) for each in above)


class _Digests:
    """The digests as a sequence, without a copy of them."""

    def __init__(self, names: bytes) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names) // _WIDTH

    def __getitem__(self, index: int) -> bytes:
        return self._names[index * _WIDTH : (index + 1) * _WIDTH]


def name_digest(kind: str, path: str) -> bytes:
    """Return what stands for a path; two of them are alike by chance only (64 bits)."""
    return blake2b(f"{kind}{path}".encode("utf-8", "surrogateescape"), digest_size=_WIDTH).digest()


def name_index(digests: Iterable[bytes]) -> bytes:
    """Return what ``LayerFacts.names`` holds."""
    return b"".join(sorted(set(digests)))
