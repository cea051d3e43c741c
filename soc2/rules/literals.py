"""Rules on texts that look like secrets. They see fingerprints and features only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation, Resource
from soc2.model.fingerprint import Fingerprint
from soc2.model.kubernetes.cluster import ConfigMap
from soc2.model.kubernetes.subjects import PodSubject

_SECRET_NAME = re.compile(r"passw|passphrase|secret|token|credential|api.?key|private.?key|access.?key|signing.?key", re.I)
_NOT_SECRET_NAME = re.compile(r"(_|-|\.)(file|path|dir|name|url|uri|host|endpoint|ttl|expiry|id|arn)$", re.I)

# A word or two has less; random keys and generated passwords have more.
_RANDOM_BITS_PER_CHARACTER = 3.0
_SHORTEST_SECRET = 8


@dataclass(frozen=True, kw_only=True)
class LiteralSecret(Deviation):
    """``fingerprint`` tells equal values of one run apart from others without giving them away."""

    template: ClassVar[str] = "{place} holds what looks like a secret ({detector})"
    place: str
    detector: str
    fingerprint: str


def detector_of(name: str, value: Fingerprint) -> str | None:
    """Return what says that a value is a secret: its format, or its name and randomness together."""
    features = value.features
    if features.detectors:
        return ", ".join(features.detectors)
    named = _SECRET_NAME.search(name) and not _NOT_SECRET_NAME.search(name)
    random = features.entropy >= _RANDOM_BITS_PER_CHARACTER and len(features.classes) >= 2
    if named and random and features.length >= _SHORTEST_SECRET and not features.reference:
        return "name and randomness"
    return None


def _judge(resource: Resource, place: str, name: str, value: Fingerprint) -> Iterator[Deviation]:
    detector = detector_of(name, value)
    if detector is not None:
        yield LiteralSecret(resource=resource, place=place, detector=detector, fingerprint=value.features.digest)


def in_pod(subject: PodSubject) -> Iterator[Deviation]:
    """Environment, command, arguments and annotations hold no secret."""
    for where, container in subject.spec.all_containers:
        path = f"{where}[{container.name}]"
        for variable in container.env:
            if variable.value is not None:
                yield from _judge(subject.resource, f"{path}.env[{variable.name}]", variable.name, variable.value)
        for field, texts in (("command", container.command), ("args", container.args)):
            for index, text in enumerate(texts):
                yield from _judge(subject.resource, f"{path}.{field}[{index}]", "", text)
    for name, value in subject.metadata.annotations.items():
        # kubectl's copy of the manifest repeats what is judged above, with every other text around it.
        if isinstance(value, Fingerprint) and name != "kubectl.kubernetes.io/last-applied-configuration":
            yield from _judge(subject.resource, f"metadata.annotations[{name}]", name, value)


def in_config_map(config_map: ConfigMap) -> Iterator[Deviation]:
    """A ConfigMap holds no secret."""
    for name, value in (config_map.data or {}).items():
        yield from _judge(config_map.resource, f"data[{name}]", name, value)
