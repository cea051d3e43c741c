"""What scanners say of the images that run: when each of them looked, and which vulnerabilities it found."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Generic, TypeVar

from soc2.model.aws.scanning import Coverage, EcrManifest, EcrScan, InspectorFinding
from soc2.model.deviation import Resource
from soc2.model.image_reference import parse_reference
from soc2.model.kubernetes.image_uses import RunningDigest
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.scan_reports import SbomReport, TrivyReport, VulnerabilityReport

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=TrivyReport)
Container = tuple[str, tuple[str, str], str]
"""A namespace, kind and name of the owner, and the name of a container."""

SEVERE = ("critical", "high")
"""The severities that have a limit, as all scanners name them."""
_SCANNED = ("COMPLETE", "ACTIVE")
_FIXABLE = {"YES": True, "PARTIAL": True, "NO": False}


@dataclass(frozen=True)
class Scan:
    """When a scanner last looked at an image; without a time it did not, and ``problem`` says why."""

    scanner: str
    at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True)
class Vulnerability:
    """A vulnerability that is severe or known to be exploited: since when it is known, and what fixes it; ``since`` and
    ``fixable`` are None when they are not told."""

    name: str
    severity: str
    package: str
    scanner: str
    since: datetime | None
    fixable: bool | None
    fixed_in: str = ""
    exploited: bool = False


@dataclass(frozen=True)
class ScannedImage:
    """An image that runs with what scanners say of it; ``place`` is one of the containers that run it."""

    image: str
    place: str
    scans: tuple[Scan, ...]
    vulnerabilities: tuple[Vulnerability, ...]

    @property
    def resource(self) -> Resource:
        return Resource("Image", self.image)

    @property
    def last(self) -> Scan | None:
        """Return the newest scan."""
        return max((each for each in self.scans if each.at), key=lambda each: each.at or _NEVER, default=None)


_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ScanEvidence:
    """All that the scanners that count gave."""

    reports: tuple[VulnerabilityReport, ...] = ()
    manifests: tuple[EcrManifest, ...] = ()
    ecr: tuple[EcrScan, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    findings: tuple[InspectorFinding, ...] = ()


@dataclass(frozen=True)
class ReportedImage:
    """An image that runs, with when the newest report on it was made; None when there is none."""

    image: str
    place: str
    at: datetime | None

    @property
    def resource(self) -> Resource:
        return Resource("Image", self.image)


@dataclass(frozen=True)
class _Reported(Generic[R]):
    """An image with the containers that run it, the reports on it, and those on a tag that may be about it or another."""

    image: str
    uses: tuple[RunningDigest, ...]
    reports: tuple[R, ...]
    unclear: tuple[R, ...]


def inventoried_images(digests: Iterable[RunningDigest], reports: Iterable[SbomReport]) -> Iterator[ReportedImage]:
    """Join every image that runs with its inventories that name any component."""
    return reported_images(digests, [report for report in reports if report.report.components.components])


def reported_images(digests: Iterable[RunningDigest], reports: Sequence[TrivyReport]) -> Iterator[ReportedImage]:
    """Join every image that runs with the reports on its digest, or on the very containers that run it."""
    for each in _reported(digests, reports):
        made = (report.scanned_at for report in each.reports)
        yield ReportedImage(each.image, each.uses[0].place, max((at for at in made if at), default=None))


def scanned_images(digests: Iterable[RunningDigest], evidence: ScanEvidence) -> Iterator[ScannedImage]:
    """Join every image that runs with what is said of its digest, or of the very containers that run it. An index is joined by
    the images that it has for the platforms on which it runs, each by itself."""
    indexes = {each.parent_key: each.platforms for each in evidence.manifests}
    ecr = _by(evidence.ecr, lambda scan: (scan.image_id.image_digest or scan.parent_key,))
    coverage = _by(evidence.coverage, lambda item: (item.digest,))
    findings = _by(evidence.findings, lambda finding: finding.digests)
    for each in _reported(digests, evidence.reports):
        running = each.image.partition("@")[2]
        for digest, place in _scannable(running, each.uses, indexes.get(running, {})).items():
            of_ecr, of_inspector = ecr.get(digest, ()), findings.get(digest, ())
            scans = (
                *(Scan("Trivy", report.scanned_at, "it does not say when") for report in each.reports),
                *(Scan("Trivy", None, _unclear(report)) for report in each.unclear),
                *map(_ecr_scan, of_ecr),
                *map(_inspector_scan, coverage.get(digest, ())),
            )
            told = (
                *chain(*map(_of_trivy, (*each.reports, *each.unclear))),
                *chain(*map(_of_ecr, of_ecr)),
                # What Inspector tells of an image itself, the registry only repeats.
                *map(_of_inspector, of_inspector or chain(*map(_repeated, of_ecr))),
            )
            severe = tuple(dict.fromkeys(one for one in told if one.severity in SEVERE or one.exploited))
            yield ScannedImage(each.image, place, tuple(dict.fromkeys(scans)), severe)


def _unclear(report: TrivyReport) -> str:
    kind, name = report.owner
    return f"it scanned the tag {report.report.artifact.tag}, under which the pods of {kind} {name} run several images"


def _scannable(running: str, uses: Iterable[RunningDigest], platforms: Mapping[str, str]) -> dict[str, str]:
    """Return the digests that scanners know a running one by, each with a place where it runs."""
    found: dict[str, str] = {}
    for use in uses:
        own = platforms.get(use.platform)
        # Of a node that does not tell its platform, any of them may run.
        for digest in [own] if own else platforms.values() if not use.platform and platforms else [running]:
            found.setdefault(digest, use.place)
    return found


def _reported(digests: Iterable[RunningDigest], reports: Sequence[R]) -> Iterator[_Reported[R]]:
    """Yield every image that runs with who runs it and the reports on it."""
    running: dict[str, list[RunningDigest]] = {}
    named: dict[tuple[Container, str], set[str]] = {}
    for digest in digests:
        if digest.reference:
            running.setdefault(str(digest.reference), []).append(digest)
            for key in _named(digest):
                named.setdefault(key, set()).add(digest.reference.digest)
    by_digest = _by(reports, lambda report: (report.report.artifact.digest,))
    by_container = _by(reports, lambda report: (_container_of(report),))
    for image, uses in sorted(running.items()):
        on_tag: dict[bool, list[R]] = {True: [], False: []}
        for use in uses:
            on_tag[all(len(named[key]) == 1 for key in _named(use))].extend(_same_image(by_container, use))
        own = (*by_digest.get(image.partition("@")[2], ()), *on_tag[True])
        yield _Reported(image, tuple(uses), own, tuple(on_tag[False]))


def _named(use: RunningDigest) -> tuple[tuple[Container, str], ...]:
    """Return a container of each that owns its pod, with the image as it is named there."""
    image = _image(use)
    return tuple(((use.pod.namespace, owner, use.container), image) for owner in _owners(use.pod))


def _image(use: RunningDigest) -> str:
    return next(each.image for _, each in use.pod.spec.all_containers if each.name == use.container)


def _by(items: Iterable[T], keys: Callable[[T], Iterable[K]]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for item in items:
        for key in keys(item):
            found.setdefault(key, []).append(item)
    return found


def _container_of(report: TrivyReport) -> Container:
    return report.namespace, report.owner, report.container


def _owners(pod: Pod) -> Iterator[tuple[str, str]]:
    """Yield kind and name of what a report on a container of the pod may name."""
    for each in pod.metadata.owner_references:
        if each.controller:
            yield each.kind, each.name
            # The Jobs of a CronJob are scanned by it, once for all; each has its name and a number.
            cron_job, _, number = each.name.rpartition("-")
            if each.kind == "Job" and number.isdigit():
                yield "CronJob", cron_job
    yield "Pod", pod.name


def _same_image(reports: Mapping[Container, list[R]], use: RunningDigest) -> Iterator[R]:
    """Yield the reports on the container itself, where they are about the image that the pod names: a report on a tag has no
    digest that a runtime tells."""
    named = _image(use)
    for owner in _owners(use.pod):
        for report in reports.get((use.pod.namespace, owner, use.container), ()):
            if _names(report, named):
                yield report


def _names(report: TrivyReport, image: str) -> bool:
    artifact = report.report.artifact
    try:
        wanted = parse_reference(image)
        server = f"{report.report.registry.server}/" if report.report.registry.server else ""
        found = parse_reference(f"{server}{artifact.repository}")
    except ValueError:
        return False
    same = (found.registry, found.repository) == (wanted.registry, wanted.repository)
    return same and not wanted.digest and artifact.tag == (wanted.tag or "latest")


def _ecr_scan(scan: EcrScan) -> Scan:
    status = scan.image_scan_status
    if not scan.configured:
        return Scan("ECR", None, "it was never scanned")
    if status.status not in _SCANNED:
        return Scan("ECR", None, f"{status.status or 'no status'} {status.description}".strip())
    return Scan("ECR", scan.image_scan_findings.image_scan_completed_at if scan.image_scan_findings else None, "no time")


def _inspector_scan(item: Coverage) -> Scan:
    status = item.scan_status
    if status.status_code != "ACTIVE":
        return Scan("Inspector", None, f"{status.status_code or 'no status'} {status.reason}".strip())
    return Scan("Inspector", item.last_scanned_at, "" if item.last_scanned_at else "it was not scanned yet")


def _of_trivy(report: VulnerabilityReport) -> Iterator[Vulnerability]:
    for each in report.report.vulnerabilities:
        yield Vulnerability(
            each.vulnerability_id,
            each.severity.lower(),
            each.resource,
            "Trivy",
            # A report is renewed every day, so that its own time tells nothing of how long anything is known.
            _day(each.published_date),
            bool(each.fixed_version),
            each.fixed_version,
        )


def _day(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    # The zero of Go's time, which programs write for none.
    if found.year == 1:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _of_ecr(scan: EcrScan) -> Iterator[Vulnerability]:
    """Yield what basic scanning found, which says neither since when it is known nor whether there is a fix."""
    for each in scan.image_scan_findings.findings if scan.image_scan_findings else ():
        yield Vulnerability(each.name, each.severity.lower(), each.package, "ECR", None, None)


def _repeated(scan: EcrScan) -> Iterator[InspectorFinding]:
    for each in scan.image_scan_findings.enhanced_findings if scan.image_scan_findings else ():
        if each.status != "CLOSED":
            yield each


def _of_inspector(finding: InspectorFinding) -> Vulnerability:
    details = finding.package_vulnerability_details
    packages = details.vulnerable_packages
    return Vulnerability(
        details.vulnerability_id,
        finding.severity.lower(),
        ", ".join(package.name for package in packages),
        "Inspector, suppressed there" if finding.status == "SUPPRESSED" else "Inspector",
        finding.first_observed_at,
        _FIXABLE.get(finding.fix_available),
        next((package.fixed_in_version for package in packages if package.fixed_in_version), ""),
        finding.exploit_available == "YES",
    )
