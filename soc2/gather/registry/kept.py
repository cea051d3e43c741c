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
_VERSION = 1
_UNUSED_SECONDS = 90 * 86_400


def cache_folder() -> Path:
    """Return the folder of this user's facts of layers."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "soc2-controls" / "layers"


class KeptFacts:
    """Facts in ``folder``, found with the rules of ``key``. What cannot be read or written there is not kept: a layer is then
    read again. Facts with secrets are not kept, because their digests are keyed anew in every run."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder / hashlib.sha256(f"{_VERSION} {key}".encode()).hexdigest()[:16]
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._drop_unused(folder)

    def get(self, digest: str) -> LayerFacts | None:
        path = self._path(digest)
        try:
            facts = msgspec.msgpack.decode(path.read_bytes(), type=LayerFacts)
            os.utime(path)
        except (OSError, msgspec.DecodeError):
            return None
        return facts

    def keep(self, digest: str, facts: LayerFacts) -> None:
        if facts.secrets:
            return
        with suppress(OSError), NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as part:
            part.write(msgspec.msgpack.encode(facts))
            part.close()
            Path(part.name).replace(self._path(digest))

    def _path(self, digest: str) -> Path:
        return self._folder / digest.replace(":", "-")

    def _drop_unused(self, folder: Path) -> None:
        for path in folder.glob("*/*"):
            if path.is_file() and time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
                path.unlink(missing_ok=True)
