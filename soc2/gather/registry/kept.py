"""Facts of layers of earlier runs, by digest: what a layer holds never changes, but what is looked for does."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from soc2.gather.registry.facts import LayerFacts

_UNUSED_SECONDS = 90 * 86_400
_SEAL = 32
_FOLDER = re.compile(r"[0-9a-f]{16}")
_FILE = re.compile(r"sha(?:256|512)-[0-9a-f]{64,128}|tmp\w+\.part")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_PACKAGE = Path(__file__).parents[2]
_LOOKING = ("gather/registry/*.py", "detectors/secrets/*.py", "model/image_content.py", "data/secret_words.toml")


def cache_folder() -> Path:
    """Return the folder of this user's facts of layers."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "soc2-controls" / "layers"


class KeptFacts:
    """Facts in ``folder``, found with the rules of ``key`` and by the code that there is now. What cannot be read or written
    there, was altered, or lies where others may write, is not kept: a layer is then read again. Facts with secrets are not
    kept, because their digests are keyed anew in every run."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder / hashlib.sha256(f"{_code()} {key}".encode()).hexdigest()[:16]
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            # Parents that mkdir makes by itself may be open to a group.
            for each in (folder, self._folder):
                each.mkdir(mode=0o700, exist_ok=True)
        self._own = all(_is_own(each) for each in (folder, self._folder))
        if self._own:
            with suppress(OSError):
                _drop_unused(folder)

    def get(self, digest: str) -> LayerFacts | None:
        if not self._own:
            return None
        path = self._path(digest)
        try:
            content = path.read_bytes()
            if content[:_SEAL] != _seal(digest, content[_SEAL:]):
                return None
            facts = msgspec.msgpack.decode(content[_SEAL:], type=LayerFacts)
            os.utime(path)
        except (OSError, msgspec.DecodeError):
            return None
        return facts

    def keep(self, digest: str, facts: LayerFacts) -> None:
        if facts.secrets or not self._own:
            return
        content = msgspec.msgpack.encode(facts)
        with suppress(OSError), NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as part:
            try:
                part.write(_seal(digest, content) + content)
                part.close()
                Path(part.name).replace(self._path(digest))
            except OSError:
                Path(part.name).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / digest.replace(":", "-")


@cache
def _code() -> str:
    """Return what changes with the code and the words that layers are looked at with."""
    files = sorted(file for pattern in _LOOKING for file in _PACKAGE.glob(pattern))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _seal(digest: str, content: bytes) -> bytes:
    """Return what tells that facts are whole, and of this layer."""
    return hashlib.sha256(digest.encode() + b"\0" + content).digest()


def _is_own(folder: Path) -> bool:
    """Tell whether nobody else may have written what lies in a folder."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE


def _drop_unused(folder: Path) -> None:
    for below in folder.iterdir():
        # Nothing but what was kept here, wherever the folder leads.
        if not _FOLDER.fullmatch(below.name) or below.is_symlink() or not below.is_dir():
            continue
        for path in below.iterdir():
            if _FILE.fullmatch(path.name) and time.time() - path.lstat().st_mtime > _UNUSED_SECONDS:
                path.unlink(missing_ok=True)
