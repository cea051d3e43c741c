"""What every Kubernetes object has."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from soc2.model.deviation import Resource
from soc2.model.fingerprint import Annotations


class Record(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of all Kubernetes records: immutable, fields named as in the API."""


class OwnerReference(Record, frozen=True):
    kind: str
    name: str
    uid: str = ""
    controller: bool = False


class Origin(Record, frozen=True):
    """Where an object was read from, when that is a file: its path, and the line (from 1) on which it begins."""

    file: str
    line: int


class Metadata(Record, frozen=True):
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: Annotations = Annotations()
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    generation: int = 0
    origin: Origin | None = None


class KubeObject(Record, frozen=True):
    """A top-level object. Subclasses set KIND."""

    KIND: ClassVar[str] = ""

    metadata: Metadata = Metadata()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def labels(self) -> dict[str, str]:
        return self.metadata.labels or {}

    @property
    def resource(self) -> Resource:
        origin = self.metadata.origin
        place = (origin.file, origin.line) if origin else (None, None)
        return Resource(self.KIND, self.metadata.name or self.metadata.generate_name, self.metadata.namespace, *place)


class LabelSelectorRequirement(Record, frozen=True):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Record, frozen=True):
    """An empty selector selects everything; an absent one (None where it is optional) selects nothing."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()

    @property
    def selects_everything(self) -> bool:
        return not self.match_labels and not self.match_expressions

    def matches(self, labels: dict[str, str]) -> bool:
        """Tell whether the selector selects an object with these labels, by Kubernetes' own rules."""
        wanted = self.match_labels or {}
        return all(labels.get(key) == value for key, value in wanted.items()) and all(
            _requirement_holds(requirement, labels) for requirement in self.match_expressions
        )


def _requirement_holds(requirement: LabelSelectorRequirement, labels: dict[str, str]) -> bool:
    present = requirement.key in labels
    match requirement.operator:
        case "In":
            return present and labels[requirement.key] in requirement.values
        case "NotIn":
            return not present or labels[requirement.key] not in requirement.values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
    raise ValueError(f"unknown label selector operator {requirement.operator!r}")
