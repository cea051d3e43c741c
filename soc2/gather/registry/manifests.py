"""Manifests, indexes and configurations of images, in Docker's form and in that of the Open Container Initiative."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec.inspect import StructType, Type, UnionType, VarTupleType, type_info

from soc2.gather.registry.client import ANSWER_SECONDS, RegistryClient
from soc2.gather.registry.failure import Deadline, PullError
from soc2.gather.registry.printable import printable
from soc2.model.image_reference import ImageReference, is_digest
from soc2.model.population import Cause

T = TypeVar("T")

_OCI, _DOCKER = "application/vnd.oci.image", "application/vnd.docker.distribution.manifest"
_INDEXES = (f"{_OCI}.index.v1+json", f"{_DOCKER}.list.v2+json")
_MANIFESTS = (f"{_OCI}.manifest.v1+json", f"{_DOCKER}.v2+json")
_ACCEPT = ", ".join((*_INDEXES, *_MANIFESTS))
# What registries take at most, and some more.
_MANIFEST_BYTES, _CONFIG_BYTES = 8 * 1024 * 1024, 16 * 1024 * 1024
_MOST_LAYERS = 1000
# Attestations stand in indexes beside the images that they are about.
_NO_PLATFORM = "unknown/unknown"
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm"}
# Of an index and of those that it leads to.
_MOST_MANIFESTS = 200


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    os: str = "linux"
    architecture: str = ""
    variant: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True):
    digest: str
    size: int
    media_type: str = msgspec.field(default="", name="mediaType")
    platform: Platform | None = None


class _Manifest(msgspec.Struct, frozen=True):
    schema_version: int = msgspec.field(default=0, name="schemaVersion")
    media_type: str = msgspec.field(default="", name="mediaType")
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None
    annotations: dict[str, str] | None = None


class HealthCheck(msgspec.Struct, frozen=True):
    test: tuple[str, ...] | None = msgspec.field(default=None, name="Test")


class ContainerConfig(msgspec.Struct, frozen=True):
    """What a container begins with, as far as it is looked at; ``on_build`` are steps for images that are built on it."""

    user: str | None = msgspec.field(default=None, name="User")
    env: tuple[str, ...] | None = msgspec.field(default=None, name="Env")
    command: tuple[str, ...] | None = msgspec.field(default=None, name="Cmd")
    entrypoint: tuple[str, ...] | None = msgspec.field(default=None, name="Entrypoint")
    labels: dict[str, str] | None = msgspec.field(default=None, name="Labels")
    health_check: HealthCheck | None = msgspec.field(default=None, name="Healthcheck")
    shell: tuple[str, ...] | None = msgspec.field(default=None, name="Shell")
    on_build: tuple[str, ...] | None = msgspec.field(default=None, name="OnBuild")


class Step(msgspec.Struct, frozen=True):
    """A step of the history of an image."""

    author: str | None = None
    created_by: str | None = None
    comment: str | None = None


class Configuration(msgspec.Struct, frozen=True):
    """``container_config`` is what builders of old left behind: the container of the last step."""

    author: str | None = None
    container_config: ContainerConfig | None = None
    os: str = "linux"
    architecture: str = ""
    variant: str | None = None
    config: ContainerConfig | None = None
    history: tuple[Step, ...] | None = None


@dataclass(frozen=True)
class Manifest:
    """The manifest of one platform's image, with its configuration."""

    platform: str
    layers: tuple[Descriptor, ...]
    configuration: Configuration
    annotations: dict[str, str]


def read_manifests(
    client: RegistryClient, reference: ImageReference, platforms: frozenset[str], deadline: Deadline
) -> Iterator[Manifest]:
    """Yield the manifests that a digest leads to: of an index, those of ``platforms`` (``linux/arm64``), or all of them when
    no platform is named. Raises PullError."""
    digests = {reference.digest: None}
    found = False
    # Indexes may lead to indexes; what two of them lead to is read once.
    for read, digest in enumerate(_growing(digests)):
        if read >= _MOST_MANIFESTS:
            raise PullError(Cause.TRUNCATED, f"{reference} leads to more than {_MOST_MANIFESTS} manifests")
        manifest = _manifest(client, reference.repository, digest, deadline)
        if manifest.manifests is None:
            found = True
            yield _image(client, reference.repository, manifest, deadline)
        else:
            digests.update((each.digest, None) for each in manifest.manifests if _is_wanted(each.platform, platforms))
    if not found:
        raise PullError(Cause.ABSENT, f"{reference} has no image for {', '.join(sorted(platforms)) or 'any platform'}")


def _growing(digests: dict[str, None]) -> Iterator[str]:
    """Yield the keys, also those that are added meanwhile."""
    read = 0
    while read < len(digests):
        yield from (added := list(digests)[read:])
        read += len(added)


def _is_wanted(platform: Platform | None, platforms: frozenset[str]) -> bool:
    """Tell whether a runtime may choose it. Nodes name no variant, and an index may call architectures as machines do."""
    if platform is None:
        return True
    base = f"{platform.os or 'linux'}/{_ALIASES.get(platform.architecture, platform.architecture)}"
    return base != _NO_PLATFORM and (not platforms or base in platforms)


def _manifest(client: RegistryClient, repository: str, digest: str, deadline: Deadline) -> _Manifest:
    body = verified(client, repository, f"manifests/{digest}", _ACCEPT, digest, _MANIFEST_BYTES, deadline)
    manifest = decoded(body, _Manifest, digest)
    if manifest.schema_version != 2 or (manifest.layers is None) == (manifest.manifests is None):
        what = "of the first schema, which names no configuration" if manifest.schema_version == 1 else "of an unknown kind"
        raise PullError(Cause.NOT_IMPLEMENTED, f"the manifest {digest} is {what}")
    if len(manifest.layers or ()) > _MOST_LAYERS:
        raise PullError(Cause.TRUNCATED, f"the manifest {digest} has more than {_MOST_LAYERS:,} layers")
    descriptors = (*(manifest.layers or ()), *(manifest.manifests or ()), *([manifest.config] if manifest.config else []))
    if any(not is_digest(each.digest) or each.size < 0 for each in descriptors):
        raise PullError(Cause.MALFORMED, f"the manifest {digest} names a digest or a size that is none")
    return manifest


def _image(client: RegistryClient, repository: str, manifest: _Manifest, deadline: Deadline) -> Manifest:
    assert manifest.layers is not None
    if manifest.config is None:
        raise PullError(Cause.MALFORMED, "the manifest names no configuration")
    digest = manifest.config.digest
    body = verified(client, repository, f"blobs/{digest}", "*/*", digest, _CONFIG_BYTES, deadline)
    configuration = decoded(body, Configuration, digest)
    platform = Platform(configuration.os, configuration.architecture, configuration.variant)
    return Manifest(str(platform), manifest.layers, configuration, manifest.annotations or {})


def verified(
    client: RegistryClient, repository: str, path: str, accept: str, digest: str, limit: int, deadline: Deadline
) -> bytes:
    """Return what is at a path, up to ``limit`` bytes, when it has the digest. Raises PullError."""
    deadline = deadline.sooner(ANSWER_SECONDS, f"an answer of {client.transport.name}")
    with client.get(repository, path, accept, deadline) as answer:
        body = answer.body(limit, deadline)
    algorithm, _, wanted = digest.partition(":")
    found = hashlib.new(algorithm, body).hexdigest()
    if found != wanted:
        raise PullError(Cause.MALFORMED, f"digest mismatch: {digest} was asked for, and {found[:12]}… came")
    return body


def decoded(body: bytes, kind: type[T], digest: str) -> T:
    """Decode JSON; ``digest`` names it in messages. Raises PullError, also for a key that differs from one that is read by its
    case only: runtimes take both for the same, so that something else would run than what is looked at."""
    try:
        found = msgspec.json.decode(body, type=kind)
        other = _alike(msgspec.json.decode(body), type_info(kind))
    except (msgspec.DecodeError, RecursionError) as error:
        raise PullError(Cause.MALFORMED, f"{digest} cannot be read: {error}") from None
    if other:
        raise PullError(Cause.MALFORMED, f"{digest} has a key {printable(other)!r}, which runtimes read by another case")
    return found


def _alike(value: object, kind: Type) -> str:
    """Return a key that is one of ``kind`` but for its case, or nothing."""
    if isinstance(kind, UnionType):
        return next((found for each in kind.types if (found := _alike(value, each))), "")
    if isinstance(value, list) and isinstance(kind, VarTupleType):
        return next((found for each in value if (found := _alike(each, kind.item_type))), "")
    if not isinstance(value, dict) or not isinstance(kind, StructType):
        return ""
    known = {field.encode_name: field.type for field in kind.fields}
    cases = {name.casefold() for name in known}
    for key, inner in value.items():
        if key not in known and key.casefold() in cases:
            return str(key)
        if key in known and (found := _alike(inner, known[key])):
            return found
    return ""
