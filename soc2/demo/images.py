"""Makes small images: layers as archives, a configuration and a manifest, all named by their digests."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import zstandard

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CAPABILITY = "SCHILY.xattr.security.capability"


@dataclass(frozen=True, kw_only=True)
class File:
    """An entry of a layer; ``kind`` is a type flag of tar, ``attributes`` are records of pax."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def capable(path: str, content: bytes, *numbers: int) -> File:
    """Return a program with file capabilities, by their numbers, as ``setcap …=ep`` gives them."""
    sets = sum(1 << number for number in numbers)
    words = b"".join((sets >> shift & 0xFFFFFFFF).to_bytes(4, "little") + bytes(4) for shift in (0, 32))
    value = b"\x01\x00\x00\x02" + words
    return File(path=path, content=content, mode=0o755, attributes={_CAPABILITY: value.decode("utf-8", "surrogateescape")})


def deleted(path: str) -> File:
    """Return the whiteout of a path of a layer below."""
    folder, slash, name = path.rpartition("/")
    return File(path=f"{folder}{slash}.wh.{name}")


def archive(files: Iterable[File]) -> bytes:
    """Return a tar archive; equal files make equal bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.type, entry.mode, entry.uid, entry.gid, entry.linkname = (
                file.kind,
                file.mode,
                file.uid,
                file.gid,
                file.target,
            )
            entry.size = len(file.content)
            entry.pax_headers = dict(file.attributes)
            tar.addfile(entry, io.BytesIO(file.content))
    return packed.getvalue()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Image:
    """``manifest`` is the manifest's or the index's JSON; ``blobs`` and ``manifests`` are all that it leads to, by digest."""

    manifest: bytes
    media_type: str
    blobs: Mapping[str, bytes]
    manifests: Mapping[str, tuple[bytes, str]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


_PACKINGS = {"gzip": lambda data: gzip.compress(data, 6, mtime=0), "zstd": zstandard.compress, "": bytes}


def image(
    layers: Sequence[Iterable[File] | bytes],
    config: Mapping[str, Any] | None = None,
    *,
    packing: str = "gzip",
    history: Sequence[str] = (),
    architecture: str = "amd64",
) -> Image:
    """Make an image of layers, each of files or, as it is, of bytes; ``config`` is what a container begins with."""
    packed = [each if isinstance(each, bytes) else _PACKINGS[packing](archive(each)) for each in layers]
    configuration = {
        "os": "linux",
        "architecture": architecture,
        "config": dict(config or {}),
        "rootfs": {"type": "layers", "diff_ids": [digest_of(each) for each in packed]},
        "history": [{"created_by": step} for step in history],
    }
    encoded = msgspec.json.encode(configuration)
    media_type = _LAYER + (f"+{packing}" if packing else "")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(_CONFIG, encoded),
        "layers": [_descriptor(media_type, each) for each in packed],
    }
    return Image(msgspec.json.encode(manifest), OCI_MANIFEST, {digest_of(each): each for each in (encoded, *packed)})


def index(images: Mapping[str, Image]) -> Image:
    """Make an index of images by platform (``linux/arm64``)."""
    entries = []
    for platform, each in images.items():
        system, _, architecture = platform.partition("/")
        described = {"os": system, "architecture": architecture}
        entries.append({**_descriptor(each.media_type, each.manifest), "platform": described})
    manifest = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Image(
        msgspec.json.encode(manifest),
        OCI_INDEX,
        {digest: blob for each in images.values() for digest, blob in each.blobs.items()},
        {each.digest: (each.manifest, each.media_type) for each in images.values()},
    )


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
