"""Whether scanners are switched on, for what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from soc2.model.aws.compute import Repository
from soc2.model.aws.scanning import InspectorAccount, RegistryScanning
from soc2.model.deviation import Resource
from soc2.model.kubernetes.scan_reports import VulnerabilityReport

_MANUAL = "MANUAL"


@dataclass(frozen=True)
class ScannerState:
    """A scanner, and why it does not scan; ``problem`` is empty when it does. Of one that is seen by its reports only,
    ``newest`` is when the last one was made."""

    resource: Resource
    problem: str
    newest: datetime | None = None


def trivy_state(reports: Iterable[VulnerabilityReport]) -> ScannerState:
    """Return that of Trivy Operator, which is on while it reports anything: what it reported stays when it is gone."""
    newest = max((at for at in (report.scanned_at for report in reports) if at), default=None)
    return ScannerState(Resource("Scanner", "trivy"), "" if newest else "there is no report of it", newest)


def cloud_states(
    repositories: Iterable[Repository],
    registries: Iterable[RegistryScanning],
    accounts: Iterable[InspectorAccount],
    *,
    inspector_declared: bool,
) -> Iterator[ScannerState]:
    """Yield those of the account, in each region that has a repository: of its registry and, where that leaves scanning to
    Inspector or Inspector is declared, of Inspector."""
    by_region: dict[str, list[Repository]] = {}
    for repository in repositories:
        by_region.setdefault(repository.source_region, []).append(repository)
    inspector = {account.source_region: account.resource_state.ecr.status for account in accounts}
    for registry in registries:
        region = registry.source_region
        if region not in by_region:
            continue
        own = registry.scanning_configuration
        left = sorted(each.repository_name for each in by_region[region] if not _is_scanned(each, registry))
        problem = f"{own.scan_type} scanning leaves out {', '.join(left)}" if left else ""
        yield ScannerState(Resource("AWS::ECR::Registry", region), problem)
        enhanced = own.scan_type == "ENHANCED"
        if enhanced or inspector_declared:
            status = inspector.get(region, "DISABLED")
            who = "the registry relies on it" if enhanced else "it is declared"
            off = "" if status == "ENABLED" else f"{who}, and it is {status} for images"
            yield ScannerState(Resource("AWS::InspectorV2::Account", region), off)


@dataclass(frozen=True)
class RegisteredRepository:
    """A repository, and whether the settings of its registry, or its own where they count, have its images scanned."""

    repository: Repository
    scanned: bool

    @property
    def resource(self) -> Resource:
        return self.repository.resource


def registered_repositories(
    repositories: Iterable[Repository], registries: Iterable[RegistryScanning]
) -> Iterator[RegisteredRepository]:
    by_region = {registry.source_region: registry for registry in registries}
    for repository in repositories:
        registry = by_region.get(repository.source_region, RegistryScanning())
        yield RegisteredRepository(repository, _is_scanned(repository, registry))


def _is_scanned(repository: Repository, registry: RegistryScanning) -> bool:
    own = registry.scanning_configuration
    # Without a rule for it, a repository of basic scanning decides by itself.
    if own.scan_type == "BASIC" and repository.image_scanning_configuration.get("scanOnPush"):
        return True
    return any(
        rule.scan_frequency != _MANUAL
        and any(fnmatchcase(repository.repository_name, _pattern(each.filter)) for each in rule.repository_filters)
        for rule in own.rules
    )


def _pattern(text: str) -> str:
    """Return a filter as a pattern; one without a wildcard matches wherever it stands in a name."""
    return text if "*" in text else f"*{text}*"
