"""Rules on secrets that are written down where everybody may read them. They see what detectors found, never the value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from soc2.model.deviation import Deviation, Resource
from soc2.model.fingerprint import Annotations, Finding
from soc2.model.kubernetes.cluster import ConfigMap
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.kubernetes.pods import Container, Handler, PodSpec
from soc2.model.kubernetes.subjects import PodSubject


@dataclass(frozen=True, kw_only=True)
class LiteralSecret(Deviation):
    """``fingerprint`` tells equal values of one run apart from others without giving them away."""

    template: ClassVar[str] = "{place} holds what looks like a secret ({detector})"
    place: str
    detector: str
    fingerprint: str


class Searched(Protocol):
    """A record of what was searched for secrets; each finding says where in the resource it stands."""

    @property
    def resource(self) -> Resource: ...

    @property
    def findings(self) -> tuple[Finding, ...]: ...


def in_content(record: Searched) -> Iterator[Deviation]:
    """What was searched holds no secret."""
    for found in record.findings:
        yield LiteralSecret(
            resource=record.resource, place=found.place, detector=found.detector, fingerprint=found.fingerprint
        )


def in_pod(subject: PodSubject) -> Iterator[Deviation]:
    """Environment, command, arguments, probes, options of volumes and annotations hold no secret."""
    told = list(_in_spec(subject.spec))
    template = "spec.template.metadata" if subject.workload else "metadata"
    told += _in_annotations(template, subject.metadata.annotations, told)
    if subject.workload:
        told += _in_annotations("metadata", subject.workload.annotations, told)
    for place, found in told:
        yield _literal(subject.resource, place, found)


def _in_spec(spec: PodSpec) -> Iterator[tuple[str, Finding]]:
    for where, container in spec.all_containers:
        for place, found in _in_container(container):
            yield f"{where}[{container.name}].{place}", found
    for volume in spec.volumes:
        for found in volume.content.findings:
            yield f"volumes[{volume.name}].{volume.kind}", found


def _in_annotations(place: str, annotations: Annotations, told: list[tuple[str, Finding]]) -> list[tuple[str, Finding]]:
    found = annotations.findings([finding for _, finding in told])
    return [(f"{place}.annotations[{name}]", finding) for name, finding in found]


def in_config_map(config_map: ConfigMap) -> Iterator[Deviation]:
    """A ConfigMap holds no secret, neither in its texts nor in its binary data."""
    entries = (("data", config_map.data), ("binaryData", config_map.binary_data))
    told = [(place, found) for place, content in entries for found in content.findings]
    told += _in_annotations("metadata", config_map.metadata.annotations, told)
    for place, found in told:
        yield _literal(config_map.resource, place, found)


def in_annotations(record: KubeObject) -> Iterator[Deviation]:
    """No annotation of an object holds a secret."""
    for place, found in _in_annotations("metadata", record.metadata.annotations, []):
        yield _literal(record.resource, place, found)


def _in_container(container: Container) -> Iterator[tuple[str, Finding]]:
    for variable in container.env:
        for found in variable.value.findings if variable.value else ():
            yield f"env[{variable.name}]", found
    for place, texts in (("command", container.command), ("args", container.args)):
        for found in texts.findings:
            yield place, found
    for place, handler in _handlers(container):
        for found in handler.exec.findings:
            yield f"{place}.exec", found
        for found in handler.http_get.http_headers.findings if handler.http_get else ():
            yield f"{place}.httpGet.httpHeaders", found


def _handlers(container: Container) -> Iterator[tuple[str, Handler]]:
    hooks = container.lifecycle
    every = {
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
        "startupProbe": container.startup_probe,
        "lifecycle.postStart": hooks.post_start if hooks else None,
        "lifecycle.preStop": hooks.pre_stop if hooks else None,
    }
    yield from ((place, handler) for place, handler in every.items() if handler)


def _literal(resource: Resource, place: str, found: Finding) -> Deviation:
    inner = found.place if found.place[:1] in ("[", "") else f".{found.place}"
    inner = f" {found.place}" if found.place.startswith("line ") else inner
    return LiteralSecret(resource=resource, place=f"{place}{inner}", detector=found.detector, fingerprint=found.fingerprint)
