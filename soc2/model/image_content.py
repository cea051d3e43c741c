"""What is in the images that run: who they run as, and which of their files are privileged, malicious or hold secrets.

Layers are told by their digests (``sha256:…``), files by their path from the root of the image (``etc/passwd``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from soc2.model.deviation import Resource


class FoundSecret(msgspec.Struct, frozen=True):
    """A secret in a text, without its value: which detector found it, its keyed digest, and the line (from 1)."""

    detector: str
    fingerprint: str
    line: int = 1


class SecretFinder(Protocol):
    """Finds secrets; used by several threads."""

    def in_value(self, name: str, text: str) -> Iterable[FoundSecret]:
        """Look into a text that a name is given to: a variable, a label; empty for one without a name."""
        ...

    def in_file(self, content: bytes, name: str) -> Iterable[FoundSecret]:
        """Look into a file, or, with an empty name, into a part of one."""
        ...


class PrivilegedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that gives rights to whoever runs it: permission bits as in ``chmod``, its owner, and its capabilities."""

    path: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    capabilities: tuple[str, ...] = ()

    @property
    def rights(self) -> str:
        """Return what it gives, in words: ``setuid 0, cap_net_raw``; empty for nothing, as to the kernel nobody can run a file
        without any execute bit, and setgid without that of the group stands for a lock."""
        if not self.mode & 0o111:
            return ""
        setuid = [f"setuid {self.uid}"] * bool(self.mode & 0o4000)
        setgid = [f"setgid {self.gid}"] * (self.mode & 0o2010 == 0o2010)
        return ", ".join([*setuid, *setgid, *self.capabilities])


class MaliciousFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a rule matches: the rule's name, and what its ``description`` says."""

    path: str
    rule: str
    description: str = ""


class SecretFile(msgspec.Struct, frozen=True, kw_only=True):
    """A secret in a file."""

    path: str
    secret: FoundSecret


@dataclass(frozen=True, kw_only=True)
class LayerFile:
    """Where a finding is: the layer, the path, and the later layer that deletes or replaces the file (empty: none)."""

    layer: str
    path: str
    deleted_by: str = ""


@dataclass(frozen=True, kw_only=True)
class ImageMalware:
    file: LayerFile
    rule: str
    description: str


@dataclass(frozen=True, kw_only=True)
class ImageSecret:
    """A secret in an image. ``file`` is None when it stands in the configuration or in the history, which ``place`` then
    tells: ``environment variable API_KEY``, ``history, step 3``."""

    place: str
    file: LayerFile | None
    secret: FoundSecret


@dataclass(frozen=True, kw_only=True)
class ImagePrivilege:
    """A privileged file that is there when a container starts: no later layer deletes or replaces it."""

    file: LayerFile
    privilege: PrivilegedFile


@dataclass(frozen=True, kw_only=True)
class ImageContent:
    """What one platform's image holds. ``name`` is ``registry/repository@digest`` as it runs; ``user`` is the configuration's;
    ``uid`` is the number it stands for, None when that is not known; ``complete`` tells that all of its layers were read."""

    name: str
    platform: str
    user: str
    uid: int | None
    layers: tuple[str, ...] = ()
    privileges: tuple[ImagePrivilege, ...] = ()
    malware: tuple[ImageMalware, ...] = ()
    secrets: tuple[ImageSecret, ...] = ()
    complete: bool = True

    @property
    def resource(self) -> Resource:
        return Resource("Image", self.name)

    @property
    def hides_user(self) -> bool:
        """Tell whether it was read to its end and still does not say which number its user is; Windows has no numbers."""
        return self.complete and self.uid is None and not self.platform.startswith("windows")


@dataclass(frozen=True, kw_only=True)
class ImageUse:
    """A container that runs an image; ``as_image_user`` tells that nothing in its pod says or forbids another user than the
    image's."""

    image: str
    pod: str
    container: str
    as_image_user: bool


@dataclass(frozen=True)
class RunningImage:
    """An image with the containers that run it."""

    content: ImageContent
    uses: tuple[ImageUse, ...]

    @property
    def resource(self) -> Resource:
        return self.content.resource


def running_images(contents: Iterable[ImageContent], uses: Iterable[ImageUse]) -> Iterator[RunningImage]:
    """Join images with the containers that run them."""
    by_image: dict[str, list[ImageUse]] = {}
    for use in uses:
        by_image.setdefault(use.image, []).append(use)
    for content in contents:
        yield RunningImage(content, tuple(by_image.get(content.name, ())))
