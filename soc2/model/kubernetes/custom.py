"""Custom resources: the definitions of their kinds, and the objects, of whose contents only the findings are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from soc2.model.deviation import Resource
from soc2.model.fingerprint import Finding, Literals
from soc2.model.kubernetes.meta import KubeObject, Record


class CustomNames(Record, frozen=True):
    plural: str = ""
    kind: str = ""


class CustomVersion(Record, frozen=True):
    name: str = ""
    served: bool = False
    storage: bool = False


class DefinitionSpec(Record, frozen=True):
    group: str = ""
    names: CustomNames = CustomNames()
    scope: str = ""
    versions: tuple[CustomVersion, ...] = ()


class CustomResourceDefinition(KubeObject, frozen=True):
    KIND: ClassVar[str] = "CustomResourceDefinition"

    spec: DefinitionSpec = DefinitionSpec()

    @property
    def path(self) -> str | None:
        """Return the path of the list of its objects, in the version that is stored if that is served; None if none is."""
        served = sorted((each for each in self.spec.versions if each.served), key=lambda each: not each.storage)
        return f"/apis/{self.spec.group}/{served[0].name}/{self.spec.names.plural}" if served else None


class CustomResource(KubeObject, frozen=True):
    """An object of any kind that a definition added. ``content`` is all of it but metadata and status."""

    api_version: str = ""
    kind: str = ""
    content: Literals = Literals()

    @property
    def resource(self) -> Resource:
        group = self.api_version.rpartition("/")[0]
        return replace(super().resource, kind=f"{self.kind}.{group}" if group else self.kind)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.content.findings + tuple(
            Finding(found.detector, found.fingerprint, f"metadata.annotations[{name}] {found.place}".rstrip())
            for name, found in self.metadata.annotations.findings(self.content.findings)
        )
