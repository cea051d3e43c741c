"""Facts of layers of earlier runs, by digest: what a layer holds never changes, but what is looked for does."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from soc2.gather.registry.facts import LayerFacts

# To be raised when the same layer gives other facts.
_VERSION = 2
_SEAL_BYTES = 32
_UNUSED_SECONDS = 90 * 86_400


def cache_folder() -> Path:
    """Return the folder of this user's facts of layers."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "soc2-controls" / "layers"


class KeptFacts:
    """Facts in ``folder``, found with the rules of ``key``. What cannot be read or written there is not kept: a layer is then
    read again, as it is when what is there was changed, was written for another layer, or others may write there. Facts with
    secrets are not kept, because their digests are keyed anew in every run."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder / hashlib.sha256(f"{_VERSION} {key}".encode()).hexdigest()[:16]
        self._trusted = False
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            for each in (folder, self._folder):
                each.mkdir(mode=0o700, exist_ok=True)
            self._trusted = all(map(_is_own, (folder, self._folder)))
            self._drop_unused()

    def get(self, digest: str) -> LayerFacts | None:
        if not self._trusted:
            return None
        path = self._path(digest)
        try:
            content = path.read_bytes()
            seal, packed = content[:_SEAL_BYTES], content[_SEAL_BYTES:]
            if seal != _seal(digest, packed):
                return None
            facts = msgspec.msgpack.decode(packed, type=LayerFacts)
            os.utime(path)
        except (OSError, msgspec.DecodeError):
            return None
        return facts

    def keep(self, digest: str, facts: LayerFacts) -> None:
        if facts.secrets or not self._trusted:
            return
        packed = msgspec.msgpack.encode(facts)
        with suppress(OSError), NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as part:
            part.write(_seal(digest, packed) + packed)
            part.close()
            Path(part.name).replace(self._path(digest))

    def _path(self, digest: str) -> Path:
        return self._folder / digest.replace(":", "-")

    def _drop_unused(self) -> None:
        for path in self._folder.parent.glob("*/*") if self._trusted else ():
            if path.is_file() and time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
                path.unlink(missing_ok=True)


def _seal(digest: str, packed: bytes) -> bytes:
    """Return what tells facts that were changed, and those of another layer."""
    return hashlib.sha256(digest.encode() + b"\0" + packed).digest()


def _is_own(folder: Path) -> bool:
    """Tell whether a folder is of the user of this process, who alone may write there."""
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022
