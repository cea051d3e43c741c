"""Rules on what scanners say of images, and on the scanners themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from soc2.model.age import age, within
from soc2.model.deviation import Deviation
from soc2.model.image_scans import SEVERE, ReportedImage, ScannedImage, Vulnerability
from soc2.model.kubernetes.scan_reports import ConfigAuditReport, ExposedSecretReport, TrivyReport
from soc2.model.scanners import ScannerState


@dataclass(frozen=True, kw_only=True)
class NotScannedLately(Deviation):
    template: ClassVar[str] = "{problem}; it runs in {place}"
    problem: str
    place: str


@dataclass(frozen=True, kw_only=True)
class Overdue(Deviation):
    template: ClassVar[str] = (
        "{vulnerability} ({severity}) in {package} is known {how_long}{exploited}, the limit is {limit} days; {fix} "
        "({scanner}); it runs in {place}"
    )
    vulnerability: str
    severity: str
    package: str
    how_long: str
    limit: int
    exploited: str
    fix: str
    scanner: str
    place: str


@dataclass(frozen=True, kw_only=True)
class SecretExposed(Deviation):
    template: ClassVar[str] = "{target} in the image {image} holds a secret ({rule}, {severity})"
    target: str
    image: str
    rule: str
    severity: str


@dataclass(frozen=True, kw_only=True)
class ReportOld(Deviation):
    template: ClassVar[str] = "the report {age}, the limit is {limit} days"
    age: str
    limit: int


@dataclass(frozen=True, kw_only=True)
class Misconfigured(Deviation):
    template: ClassVar[str] = "the scanner reports {check} ({severity}): {title}"
    check: str
    severity: str
    title: str


@dataclass(frozen=True, kw_only=True)
class NoInventory(Deviation):
    template: ClassVar[str] = "{problem}; it runs in {place}"
    problem: str
    place: str


@dataclass(frozen=True, kw_only=True)
class ScannerOff(Deviation):
    template: ClassVar[str] = "it does not scan: {problem}"
    problem: str


def scanned(max_days: int, as_of: datetime) -> Callable[[ScannedImage], Iterator[Deviation]]:
    """Return the rule that a scanner looked at the image within the limit."""

    def rule(image: ScannedImage) -> Iterator[Deviation]:
        if any(within(scan.at, max_days, as_of) for scan in image.scans):
            return
        if image.last and image.last.at:
            problem = f"the last scan {age(image.last.at, as_of)} ({image.last.scanner}), the limit is {max_days}"
        else:
            told = "; ".join(f"{scan.scanner}: {scan.problem}" for scan in image.scans)
            problem = f"no scanner looked at it ({told})" if told else "no scanner knows it"
        yield NotScannedLately(resource=image.resource, problem=problem, place=image.place)

    return rule


def in_time(limits: Mapping[str, int], max_days: int, as_of: datetime) -> Callable[[ScannedImage], Iterator[Deviation]]:
    """Return the rule that severe vulnerabilities with a fix are gone within the limit, in days by severity. One that is known
    to be exploited has the limit of critical ones. An image that was not scanned for ``max_days`` has unknown ones."""
    known = scanned(max_days, as_of)

    def rule(image: ScannedImage) -> Iterator[Deviation]:
        yield from known(image)
        for each in image.vulnerabilities:
            limit = limits["critical" if each.exploited else each.severity]
            # Of what is known since a day that is not told, nobody can say that it is in time.
            if each.fixable is False or within(each.since, limit, as_of):
                continue
            yield Overdue(
                resource=image.resource,
                vulnerability=each.name,
                severity=each.severity,
                package=each.package or "a package that is not told",
                how_long=_how_long(each.since, as_of),
                limit=limit,
                exploited=" and exploited" if each.exploited else "",
                fix=_fix(each),
                scanner=each.scanner,
                place=image.place,
            )

    return rule


def _how_long(since: datetime | None, as_of: datetime) -> str:
    if since is None:
        return "since a day that is not told"
    days = (as_of - since).days
    return f"for {days} days" if days >= 0 else f"since {since:%Y-%m-%d}, which is yet to come"


def _fix(vulnerability: Vulnerability) -> str:
    if vulnerability.fixed_in:
        return f"fixed in {vulnerability.fixed_in}"
    return "there is a fix" if vulnerability.fixable else "whether there is a fix is not told"


def no_secrets_exposed(max_days: int, as_of: datetime) -> Callable[[ExposedSecretReport | ReportedImage], Iterator[Deviation]]:
    """Return the rule that a report of exposed secrets is not older than the limit, and empty, and that an image has one."""

    def rule(report: ExposedSecretReport | ReportedImage) -> Iterator[Deviation]:
        if isinstance(report, ReportedImage):
            if report.at is None:
                problem = "no report says whether it holds secrets"
                yield NotScannedLately(resource=report.resource, problem=problem, place=report.place)
            return
        yield from _fresh(report, max_days, as_of)
        artifact = report.report.artifact
        for secret in report.report.secrets:
            yield SecretExposed(
                resource=report.resource,
                target=secret.target or "a file",
                image=f"{artifact.repository}{artifact.tag and ':'}{artifact.tag}",
                rule=secret.rule_id,
                severity=secret.severity.lower(),
            )

    return rule


def configured_well(max_days: int, as_of: datetime) -> Callable[[ConfigAuditReport], Iterator[Deviation]]:
    """Return the rule that a report on a configuration is not older than the limit, and has no severe check that failed."""

    def rule(report: ConfigAuditReport) -> Iterator[Deviation]:
        yield from _fresh(report, max_days, as_of)
        for each in report.report.checks:
            severity = each.severity.lower()
            if not each.success and severity in SEVERE:
                yield Misconfigured(resource=report.resource, check=each.check_id, severity=severity, title=each.title)

    return rule


def inventoried(max_days: int, as_of: datetime) -> Callable[[ReportedImage], Iterator[Deviation]]:
    """Return the rule that an image has an inventory which is not older than the limit."""

    def rule(image: ReportedImage) -> Iterator[Deviation]:
        if image.at is None:
            yield NoInventory(resource=image.resource, problem="nothing lists what is in it", place=image.place)
        elif not within(image.at, max_days, as_of):
            problem = f"its inventory {age(image.at, as_of)}, the limit is {max_days}"
            yield NoInventory(resource=image.resource, problem=problem, place=image.place)

    return rule


def _fresh(report: TrivyReport, max_days: int, as_of: datetime) -> Iterator[Deviation]:
    at = report.scanned_at
    if not within(at, max_days, as_of):
        told = age(at, as_of) if at else "does not say of when it is"
        yield ReportOld(resource=report.resource, age=told, limit=max_days)


def switched_on(max_days: int, as_of: datetime) -> Callable[[ScannerState], Iterator[Deviation]]:
    """Return the rule that a scanner scans; one that is seen by its reports, that the newest is not older than the limit."""

    def rule(state: ScannerState) -> Iterator[Deviation]:
        problem = state.problem
        if state.newest and not within(state.newest, max_days, as_of):
            problem = f"its newest report {age(state.newest, as_of)}, the limit is {max_days}"
        if problem:
            yield ScannerOff(resource=state.resource, problem=problem)

    return rule
