"""What is kept of a layer once it was read: a few facts, whatever its size."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b

import msgspec

from soc2.model.image_content import MaliciousFile, PrivilegedFile, SecretFile

_WIDTH = 8
FILE, FOLDER, WHITEOUT, OPAQUE = "f", "d", "w", "o"


class LayerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of a layer. ``names`` are digests of everything that it has, in order, by which ``has`` tells
    what it puts into place, deletes (``WHITEOUT``) and empties (``OPAQUE``); ``links`` are hard links to files of layers below
    (path and target); ``users`` are the names and numbers of its ``etc/passwd``,
    None when it has none or that cannot be read; ``faults`` are entries that cannot be as they are."""

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
        names = memoryview(self.names).cast("Q")
        at = bisect_left(names, wanted)
        return at < len(names) and names[at] == wanted

    def hides(self, path: str) -> bool:
        """Tell whether the layer deletes or replaces what layers below have at a path."""
        if any(self.has(kind, path) for kind in (FILE, FOLDER, WHITEOUT)):
            return True
        folders = path.split("/")[:-1]
        above = ["/".join(folders[:length]) for length in range(len(folders) + 1)]
        return any(self.has(OPAQUE, each) or (each and (self.has(WHITEOUT, each) or self.has(FILE, each))) for each in above)


def name_digest(kind: str, path: str) -> int:
    """Return what stands for a path; two of them are alike by chance only (64 bits)."""
    digest = blake2b(f"{kind}{path}".encode("utf-8", "surrogateescape"), digest_size=_WIDTH).digest()
    return int.from_bytes(digest, "big")


def name_index(digests: array[int]) -> bytes:
    """Return what ``LayerFacts.names`` holds."""
    return array("Q", sorted(digests)).tobytes()
