"""A scanner that is off gives no evidence, and one that passes an image over gives none of that image."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.catalog import all_checks
from soc2.model.image_scans import SEVERE, Scan, ScannedImage, Vulnerability
from soc2.model.outcome import Outcome
from soc2.rules.image_scans import in_time, scanned
from tests.case import Case, read_case, run_check

CHECKS = {check.id: check for check in all_checks()}
NOW = datetime(2026, 6, 1, tzinfo=UTC)
LIMITS = {"critical": 15, "high": 30}
MANY = read_case("running-digests-scanned", "compliant").sources
SOURCES = {
    "trivy": ["vulnerabilityreports.aquasecurity.github.io"],
    "ecr": ["ecr image scans"],
    "inspector": ["inspector status", "inspector coverage", "inspector findings"],
}


def judged(check: str, *off: str, scanners: tuple[str, ...] = ()) -> tuple[Outcome, str]:
    """Judge the compliant case with some scanners off, and some declared."""
    left = {name: items for name, items in MANY.items() if name not in [each for scanner in off for each in SOURCES[scanner]]}
    verdict = run_check(CHECKS[check], Case(left, {"images": {"scanners": list(scanners)}}))
    return verdict.outcome, verdict.reason


@pytest.mark.parametrize("check", ["running-digests-scanned", "fixable-vulnerabilities-in-time"])
def test_with_every_scanner_off_there_is_no_evidence(check: str) -> None:
    outcome, reason = judged(check, *SOURCES)
    assert outcome is Outcome.EVIDENCE_MISSING
    assert "no scanner is on" in reason


@pytest.mark.parametrize("scanner", SOURCES)
@pytest.mark.parametrize("check", ["running-digests-scanned", "fixable-vulnerabilities-in-time"])
def test_a_declared_scanner_that_is_off_is_missing_evidence_whatever_others_say(check: str, scanner: str) -> None:
    assert judged(check, scanner, scanners=tuple(SOURCES))[0] is Outcome.EVIDENCE_MISSING
    assert judged(check, scanner)[0] is Outcome.FAIL


def test_inspector_that_is_disabled_is_off() -> None:
    disabled = {**MANY, "inspector status": [{"accountId": "1", "resourceState": {"ecr": {"status": "SUSPENDED"}}}]}
    system = {"images": {"scanners": ["inspector"]}}
    assert run_check(CHECKS["running-digests-scanned"], Case(disabled, system)).outcome is Outcome.EVIDENCE_MISSING


def test_what_an_undeclared_scanner_says_does_not_count() -> None:
    assert judged("running-digests-scanned", scanners=("trivy",))[0] is Outcome.FAIL


def test_what_enhanced_scanning_of_ecr_finds_counts_for_ecr_too() -> None:
    late = [{**item, "firstObservedAt": "2026-01-01T00:00:00Z"} for item in MANY["inspector findings"]]
    verdict = run_check(
        CHECKS["fixable-vulnerabilities-in-time"],
        Case({**MANY, "inspector findings": late}, {"images": {"scanners": ["ecr"]}}),
    )
    assert "CVE-2026-3" in [item.deviation.fields.get("vulnerability") for item in verdict.deviations]


def test_a_container_whose_digest_is_not_told_is_missing_evidence() -> None:
    pods = [*MANY["pods"], _pod("six", "registry.example/team/app:1", "")]
    verdict = run_check(CHECKS["running-digests-scanned"], Case({**MANY, "pods": pods}))
    assert verdict.outcome is Outcome.EVIDENCE_MISSING
    assert "shop/six, container app" in verdict.reason


def _pod(name: str, image: str, image_id: str) -> dict[str, Any]:
    status = {"name": "app", "image": image, "imageID": image_id}
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


def test_no_exposed_secrets_of_a_declared_scanner_need_its_reports() -> None:
    check = CHECKS["exposed-secrets-resolved"]
    assert run_check(check, Case(system={"images": {"scanners": ["trivy"]}})).outcome is Outcome.EVIDENCE_MISSING
    assert run_check(check, Case()).outcome is Outcome.NOT_APPLICABLE


DAYS = st.one_of(st.none(), st.integers(0, 60))
SCANS = st.lists(st.builds(Scan, st.just("Trivy"), DAYS.map(lambda days: days_ago(days))), max_size=4).map(tuple)


def days_ago(days: int | None) -> datetime | None:
    return None if days is None else NOW - timedelta(days=days)


@given(SCANS)
def test_the_newest_scan_decides(scans: tuple[Scan, ...]) -> None:
    image = ScannedImage("i@sha256:1", "a/b, container c", scans, ())
    newest = min(((NOW - scan.at).days for scan in scans if scan.at), default=None)
    assert (list(scanned(7, NOW)(image)) == []) == (newest is not None and newest <= 7)


VULNERABILITIES = st.builds(
    Vulnerability,
    st.just("CVE-1"),
    st.sampled_from(SEVERE),
    st.just("p"),
    st.just("Trivy"),
    DAYS.map(lambda days: days_ago(days)),
    st.sampled_from([True, False, None]),
    st.just(""),
    st.booleans(),
)


@given(VULNERABILITIES)
def test_what_can_be_fixed_is_overdue_after_the_limit_of_its_severity(one: Vulnerability) -> None:
    image = ScannedImage("i@sha256:1", "a/b, container c", (Scan("Trivy", NOW),), (one,))
    limit = 15 if one.exploited or one.severity == "critical" else 30
    late = one.since is None or (NOW - one.since).days > limit
    assert bool(list(in_time(LIMITS, 7, NOW)(image))) == (late and one.fixable is not False)
