"""References to images, as pods and runtimes write them: ``[registry[:port]/]repository[:tag][@digest]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HUB = "docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HOST = re.compile(r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")
_REPOSITORY = re.compile(r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"^\w[\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(r"^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})\Z")
# What runtimes put before the reference (the Docker Engine).
_SCHEMES = ("docker-pullable://", "docker://")
_LONGEST = 4096


@dataclass(frozen=True, order=True)
class ImageReference:
    """``registry`` is a host with or without a port, ``docker.io`` for those that name none; ``tag`` and ``digest`` are
    empty when they are not named."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self.tag and ':'}{self.tag}{self.digest and '@'}{self.digest}"

    @property
    def by_digest(self) -> ImageReference:
        """Return it without the tag, which a digest makes void."""
        return ImageReference(self.registry, self.repository, digest=self.digest)


def parse_reference(text: str) -> ImageReference:
    """Read a reference. Raises ValueError with what is wrong."""
    if len(text) > _LONGEST:
        raise ValueError("the reference of an image is too long")
    for scheme in _SCHEMES:
        text = text.removeprefix(scheme)
    name, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise ValueError(f"{text!r} has no digest that is known (sha256 or sha512)")
    if is_digest(name):
        raise ValueError(f"{text!r} names no repository")
    registry, path = _split(name)
    repository, colon, tag = path.partition(":")
    if colon and not _TAG.match(tag):
        raise ValueError(f"{text!r} has no valid tag")
    if not _REPOSITORY.match(repository):
        raise ValueError(f"{text!r} is no reference of an image")
    registry = registry_name(registry)
    if registry == _HUB and "/" not in repository:
        repository = f"library/{repository}"
    return ImageReference(registry, repository, tag, digest)


def registry_name(text: str) -> str:
    """Return a registry as references are shown with it. Raises ValueError when it is none."""
    if not _HOST.match(text):
        raise ValueError(f"{text!r} is no name of a registry")
    return _HUB if text.lower() in _HUB_NAMES else text.lower()


def is_digest(text: str) -> bool:
    """Tell whether a text is a digest of a kind that can be verified."""
    return bool(_DIGEST.match(text))


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return _HUB, name
