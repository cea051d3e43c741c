"""Reports of Trivy Operator: what it found in the image of a container of a workload. No text that it quotes is read."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from msgspec import field

from soc2.model.kubernetes.meta import KubeObject, Record

_LABELS = "trivy-operator"


class Artifact(Record, frozen=True):
    """The image that was scanned. ``digest`` is that of the reference or, for a tag, of the image's configuration."""

    repository: str = ""
    tag: str = ""
    digest: str = ""


class ReportRegistry(Record, frozen=True):
    server: str = ""


class TrivyVulnerability(Record, frozen=True):
    vulnerability_id: str = field(default="", name="vulnerabilityID")
    severity: str = ""
    resource: str = ""
    installed_version: str = ""
    fixed_version: str = ""
    published_date: str = ""


class ExposedSecret(Record, frozen=True):
    target: str = ""
    rule_id: str = field(default="", name="ruleID")
    severity: str = ""


class AuditedCheck(Record, frozen=True):
    """A check of a workload's configuration, which it passed or not."""

    check_id: str = field(default="", name="checkID")
    title: str = ""
    severity: str = ""
    success: bool = False


class Components(Record, frozen=True):
    """An inventory, of which only counts how many components it names."""

    components: tuple[Record, ...] = ()


class ScanReport(Record, frozen=True):
    artifact: Artifact = Artifact()
    registry: ReportRegistry = ReportRegistry()
    update_timestamp: datetime | None = None
    vulnerabilities: tuple[TrivyVulnerability, ...] = ()
    secrets: tuple[ExposedSecret, ...] = ()
    checks: tuple[AuditedCheck, ...] = ()
    components: Components = Components()


class TrivyReport(KubeObject, frozen=True):
    """A report of any kind about the image of a container."""

    report: ScanReport = ScanReport()

    @property
    def container(self) -> str:
        return self.labels.get(f"{_LABELS}.container.name", "")

    @property
    def owner(self) -> tuple[str, str]:
        """Return kind and name of what the container belongs to: a ReplicaSet, a StatefulSet, a Pod."""
        made_by = next((each for each in self.metadata.owner_references if each.controller), None)
        # A name that is too long for a label stands there as a hash only.
        name = self.labels.get(f"{_LABELS}.resource.name") or (made_by.name if made_by else "")
        return self.labels.get(f"{_LABELS}.resource.kind") or (made_by.kind if made_by else ""), name

    @property
    def scanned_at(self) -> datetime | None:
        return self.report.update_timestamp or self.metadata.creation_timestamp


class VulnerabilityReport(TrivyReport, frozen=True):
    KIND: ClassVar[str] = "VulnerabilityReport"


class ExposedSecretReport(TrivyReport, frozen=True):
    KIND: ClassVar[str] = "ExposedSecretReport"


class ConfigAuditReport(TrivyReport, frozen=True):
    KIND: ClassVar[str] = "ConfigAuditReport"


class SbomReport(TrivyReport, frozen=True):
    """The inventory (software bill of materials) of an image."""

    KIND: ClassVar[str] = "SbomReport"
