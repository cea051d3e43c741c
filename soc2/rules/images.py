"""Rules on the images that containers name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.subjects import PodSubject

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")


@dataclass(frozen=True, kw_only=True)
class ForeignImage(Deviation):
    template: ClassVar[str] = "container {container}: image {image} comes from no allowed registry"
    container: str
    image: str


@dataclass(frozen=True, kw_only=True)
class ImageByTag(Deviation):
    template: ClassVar[str] = "container {container}: image {image} is not named by digest, so what runs can change"
    container: str
    image: str


def normalised(image: str) -> str:
    """Return an image reference with the registry and path that a runtime fills in (``nginx`` is on docker.io)."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def from_registries(allowed: Iterable[str]) -> Callable[[PodSubject], Iterator[Deviation]]:
    """Return the rule that images come from allowed registries: hosts, or hosts with a path."""
    prefixes = tuple(f"{registry.rstrip('/')}/" for registry in allowed)

    def rule(subject: PodSubject) -> Iterator[Deviation]:
        for _, container in subject.spec.all_containers:
            if not normalised(container.image).startswith(prefixes):
                yield ForeignImage(resource=subject.resource, container=container.name, image=container.image)

    return rule


def by_digest(subject: PodSubject) -> Iterator[Deviation]:
    """Images are named by digest."""
    for _, container in subject.spec.all_containers:
        if not _DIGEST.search(container.image):
            yield ImageByTag(resource=subject.resource, container=container.name, image=container.image)
