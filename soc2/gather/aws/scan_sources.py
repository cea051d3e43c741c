"""What ECR and Inspector are asked about scans of images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from soc2.gather.aws.calls import AwsDetail, AwsList
from soc2.gather.kubernetes.sources import NODES, PODS
from soc2.gather.registry.ecr import ecr_region
from soc2.gather.source import Gatherer, Listing
from soc2.model.aws import scanning
from soc2.model.kubernetes.image_uses import running_digests

_ACCOUNT = re.compile(r"^\d{12}")
_ECR_IMAGES = [{"comparison": "EQUALS", "value": "AWS_ECR_CONTAINER_IMAGE"}]


@dataclass(frozen=True)
class RunningEcrImages:
    """The images that pods in scope run and that are in registries of ECR."""

    name: str = "running images of ecr"

    def gather(self, gatherer: Gatherer) -> Listing[scanning.RunningEcrImage]:
        pods, nodes = gatherer.get(PODS), gatherer.get(NODES)
        exempt = gatherer.system.aws.absent or pods.exempt
        if exempt:
            return Listing((), (), exempt)
        in_scope = [pod for pod in pods.items if gatherer.system.in_scope(pod.namespace)]
        wanted = sorted({each.reference for each in running_digests(in_scope, nodes.items) if each.reference})
        found = (
            scanning.RunningEcrImage(
                source_region=region,
                registry_id=account[0],
                repository_name=reference.repository,
                digest=reference.digest,
            )
            for reference in wanted
            if (region := ecr_region(reference.registry)) and (account := _ACCOUNT.match(reference.registry))
        )
        return Listing(tuple(found), (*pods.statuses, *nodes.statuses))


RUNNING_ECR_IMAGES = RunningEcrImages()
ECR_MANIFESTS = AwsDetail(
    "ecr image manifests",
    "ecr",
    "batch_get_image",
    "images",
    scanning.EcrManifest,
    RUNNING_ECR_IMAGES,
    lambda image: image.digest,
    lambda image: {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageIds": [{"imageDigest": image.digest}],
    },
    frozenset({"RepositoryNotFoundException"}),
)


@dataclass(frozen=True)
class ScannableEcrImages:
    """The images that pods run and, of those that are an index, the images that it has: an index is never scanned itself."""

    name: str = "scannable images of ecr"

    def gather(self, gatherer: Gatherer) -> Listing[scanning.RunningEcrImage]:
        running, manifests = gatherer.get(RUNNING_ECR_IMAGES), gatherer.get(ECR_MANIFESTS)
        if running.exempt:
            return Listing((), (), running.exempt)
        children = {each.parent_key: each.platforms.values() for each in manifests.items}
        found = (
            msgspec.structs.replace(image, digest=digest)
            for image in running.items
            for digest in children.get(image.digest) or (image.digest,)
        )
        return Listing(tuple(dict.fromkeys(found)), manifests.statuses)


SCANNABLE_ECR_IMAGES = ScannableEcrImages()
ECR_SCANS = AwsDetail(
    "ecr image scans",
    "ecr",
    "describe_image_scan_findings",
    "",
    scanning.EcrScan,
    SCANNABLE_ECR_IMAGES,
    lambda image: image.digest,
    lambda image: {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageId": {"imageDigest": image.digest},
    },
    # What ECR does not have was not scanned by it either, nor what it cannot scan.
    frozenset(
        {
            "ScanNotFoundException",
            "ImageNotFoundException",
            "RepositoryNotFoundException",
            "UnsupportedImageTypeException",
            "ImageArchivedException",
        }
    ),
)
REGISTRY_SCANNING = AwsList(
    "ecr registry scanning", "ecr", "get_registry_scanning_configuration", "", scanning.RegistryScanning
)
INSPECTOR_ACCOUNTS = AwsList(
    "inspector status",
    "inspector2",
    "batch_get_account_status",
    "accounts",
    scanning.InspectorAccount,
    failures="failedAccounts",
)


def _where_on(parameters: dict[str, Any]) -> Any:
    """Return what Inspector is asked only where it looks at images: elsewhere it refuses to answer."""
    return lambda account: parameters if account.resource_state.ecr.status == "ENABLED" else None


INSPECTOR_COVERAGE = AwsDetail(
    "inspector coverage",
    "inspector2",
    "list_coverage",
    "coveredResources",
    scanning.Coverage,
    INSPECTOR_ACCOUNTS,
    lambda account: account.account_id,
    _where_on({"filterCriteria": {"resourceType": _ECR_IMAGES}}),
)


def _findings(name: str, which: dict[str, Any]) -> AwsDetail[scanning.InspectorAccount, scanning.InspectorFinding]:
    """Return findings on images that are there; nobody answers for what is suppressed, so it counts."""
    there = [{"comparison": "EQUALS", "value": value} for value in ("ACTIVE", "SUPPRESSED")]
    return AwsDetail(
        name,
        "inspector2",
        "list_findings",
        "findings",
        scanning.InspectorFinding,
        INSPECTOR_ACCOUNTS,
        lambda account: account.account_id,
        _where_on({"filterCriteria": {"resourceType": _ECR_IMAGES, "findingStatus": there, **which}}),
    )


INSPECTOR_FINDINGS = _findings(
    "inspector findings", {"severity": [{"comparison": "EQUALS", "value": value} for value in ("CRITICAL", "HIGH")]}
)
# Criteria on different fields have to be met together, so that these are asked for by themselves.
INSPECTOR_EXPLOITED = _findings(
    "inspector findings with exploits", {"exploitAvailable": [{"comparison": "EQUALS", "value": "YES"}]}
)
