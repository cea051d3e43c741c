"""What ECR and Inspector tell of scans of images."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import field

from soc2.model.aws.base import CamelRecord


class RunningEcrImage(CamelRecord, frozen=True):
    """An image that runs and is in a registry of ECR."""

    registry_id: str = ""
    repository_name: str = ""
    digest: str = ""


class ImageId(msgspec.Struct, frozen=True, rename="camel"):
    image_digest: str = ""


class _Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""


class _Child(msgspec.Struct, frozen=True):
    digest: str = ""
    platform: _Platform = _Platform()


class _Index(msgspec.Struct, frozen=True):
    manifests: tuple[_Child, ...] = ()


_INDEX = msgspec.json.Decoder(_Index)


class EcrManifest(CamelRecord, frozen=True):
    """The manifest of an image as its registry keeps it."""

    image_id: ImageId = ImageId()
    image_manifest: str = ""

    @property
    def platforms(self) -> dict[str, str]:
        """Return the digests of the images that an index has, by platform (``linux/arm64``); those of an image are none."""
        try:
            children = _INDEX.decode(self.image_manifest or "{}").manifests
        except msgspec.DecodeError:
            return {}
        # Attestations stand in an index as images for a platform that there is not.
        real = (each for each in children if each.digest and each.platform.os not in ("", "unknown"))
        return {f"{each.platform.os}/{each.platform.architecture}": each.digest for each in real}


class ScanStatus(msgspec.Struct, frozen=True):
    status: str = ""
    description: str = ""


class Attribute(msgspec.Struct, frozen=True):
    key: str = ""
    value: str = ""


class BasicFinding(msgspec.Struct, frozen=True):
    """A finding of basic scanning, which tells nothing of fixes."""

    name: str = ""
    severity: str = ""
    attributes: tuple[Attribute, ...] = ()

    @property
    def package(self) -> str:
        return next((each.value for each in self.attributes if each.key == "package_name"), "")


class InspectorPackage(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    fixed_in_version: str = ""


class PackageVulnerability(msgspec.Struct, frozen=True, rename="camel"):
    vulnerability_id: str = ""
    vulnerable_packages: tuple[InspectorPackage, ...] = ()


class InspectorResource(msgspec.Struct, frozen=True):
    id: str = ""


class InspectorFinding(CamelRecord, frozen=True):
    severity: str = ""
    status: str = ""
    fix_available: str = ""
    exploit_available: str = ""
    first_observed_at: datetime | None = None
    package_vulnerability_details: PackageVulnerability = PackageVulnerability()
    resources: tuple[InspectorResource, ...] = field(default=())

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(each.id.rpartition("/")[2] for each in self.resources)


class ScanFindings(msgspec.Struct, frozen=True, rename="camel"):
    """Findings of basic scanning, and Inspector's as the registry repeats them: of images in other accounts or regions nothing
    else tells them."""

    image_scan_completed_at: datetime | None = None
    findings: tuple[BasicFinding, ...] = ()
    enhanced_findings: tuple[InspectorFinding, ...] = ()


class EcrScan(CamelRecord, frozen=True):
    """What ECR holds of the scan of an image; one that was never scanned is not ``configured``."""

    repository_name: str = ""
    image_id: ImageId = ImageId()
    image_scan_status: ScanStatus = ScanStatus()
    image_scan_findings: ScanFindings | None = None


class RepositoryFilter(msgspec.Struct, frozen=True, rename="camel"):
    filter: str = "*"
    filter_type: str = "WILDCARD"


class ScanningRule(msgspec.Struct, frozen=True, rename="camel"):
    scan_frequency: str = ""
    repository_filters: tuple[RepositoryFilter, ...] = ()


class ScanningConfiguration(msgspec.Struct, frozen=True, rename="camel"):
    scan_type: str = "BASIC"
    rules: tuple[ScanningRule, ...] = ()


class RegistryScanning(CamelRecord, frozen=True):
    """How a registry of ECR, which every region has, scans its repositories."""

    registry_id: str = ""
    scanning_configuration: ScanningConfiguration = ScanningConfiguration()


class InspectorState(msgspec.Struct, frozen=True):
    status: str = "DISABLED"


class InspectorResources(msgspec.Struct, frozen=True):
    ecr: InspectorState = InspectorState()


class InspectorAccount(CamelRecord, frozen=True):
    account_id: str = ""
    resource_state: InspectorResources = InspectorResources()


class CoverageStatus(msgspec.Struct, frozen=True, rename="camel"):
    status_code: str = ""
    reason: str = ""


class Coverage(CamelRecord, frozen=True):
    """An image that Inspector knows of: ``resource_id`` ends with its digest."""

    resource_id: str = ""
    scan_status: CoverageStatus = CoverageStatus()
    last_scanned_at: datetime | None = None

    @property
    def digest(self) -> str:
        return self.resource_id.rpartition("/")[2]
