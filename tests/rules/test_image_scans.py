"""A scanner that is off gives no evidence, and one that passes an image over gives none of that image."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.catalog import all_checks
from soc2.model.aws.scanning import EcrManifest
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
    strange = f"registry.example/team/strange@sha256:{'f' * 64}"
    pods = [*MANY["pods"], _pod("six", "registry.example/team/app:1", ""), _pod("seven", strange, strange)]
    verdict = run_check(CHECKS["running-digests-scanned"], Case({**MANY, "pods": pods}))
    assert verdict.outcome is Outcome.EVIDENCE_MISSING
    assert "shop/six, container app" in verdict.reason
    # What is known of others is told all the same.
    assert [str(item.deviation.resource) for item in verdict.deviations] == [f"Image/{strange}"]


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


DAYS = st.one_of(st.none(), st.integers(-400, 60))
SCANS = st.lists(st.builds(Scan, st.just("Trivy"), DAYS.map(lambda days: days_ago(days))), max_size=4).map(tuple)


def days_ago(days: int | None) -> datetime | None:
    return None if days is None else NOW - timedelta(days=days)


@given(SCANS)
def test_the_newest_scan_decides(scans: tuple[Scan, ...]) -> None:
    image = ScannedImage("i@sha256:1", "a/b, container c", scans, ())
    lately = any(-1 <= (NOW - scan.at).days <= 7 for scan in scans if scan.at)
    assert (list(scanned(7, NOW)(image)) == []) == lately


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
    late = one.since is None or not -1 <= (NOW - one.since).days <= limit
    assert bool(list(in_time(LIMITS, 7, NOW)(image))) == (late and one.fixable is not False)


def test_what_is_yet_to_come_is_told_with_its_day() -> None:
    image = ScannedImage("i@sha256:1", "a/b, container c", (Scan("Trivy", datetime(2099, 1, 1, tzinfo=UTC)),), ())
    (deviation,) = scanned(7, NOW)(image)
    assert "is dated 2099-01-01, which is yet to come (Trivy)" in deviation.message


ECR = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api@sha256:{'b' * 64}"
RESOURCE = [{"id": f"arn:aws:ecr:eu-west-1:123456789012:repository/shop/api/sha256:{'b' * 64}"}]
COVERED = {
    "resourceId": RESOURCE[0]["id"],
    "scanStatus": {"statusCode": "ACTIVE", "reason": "SUCCESSFUL"},
    "lastScannedAt": "2026-06-01T00:00:00Z",
}


def overdue(**sources: list[dict[str, Any]]) -> list[str]:
    given = {
        "pods": [_pod("one", ECR, ECR)],
        "inspector status": [{"accountId": "123456789012", "resourceState": {"ecr": {"status": "ENABLED"}}}],
        "inspector coverage": [COVERED],
        **{name.replace("_", " "): items for name, items in sources.items()},
    }
    verdict = run_check(CHECKS["fixable-vulnerabilities-in-time"], Case(given))
    return [item.deviation.message for item in verdict.deviations]


def finding(**changes: Any) -> dict[str, Any]:
    return {
        "severity": "CRITICAL",
        "status": "ACTIVE",
        "fixAvailable": "YES",
        "exploitAvailable": "NO",
        "firstObservedAt": "2026-05-01T00:00:00Z",
        "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2026-1", "vulnerablePackages": [{"name": "zlib"}]},
        "resources": RESOURCE,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "is known for 31 days, the limit is 15 days; there is a fix (Inspector)"),
        ({"fixAvailable": "PARTIAL"}, "there is a fix"),
        ({"fixAvailable": "NO"}, ""),
        ({"fixAvailable": ""}, "whether there is a fix is not told"),
        ({"status": "SUPPRESSED"}, "(Inspector, suppressed there)"),
        ({"firstObservedAt": None}, "is known since a day that is not told"),
        ({"severity": "UNTRIAGED"}, ""),
        ({"severity": "MEDIUM", "exploitAvailable": "YES"}, "(medium) in zlib is known for 31 days and exploited"),
    ],
)
def test_findings_of_inspector_count_by_what_they_say(changes: dict[str, Any], words: str) -> None:
    # What is severe and exploited is listed twice.
    both = [finding(**changes)]
    told = overdue(inspector_findings=both, inspector_findings_with_exploits=both)
    assert [words in message for message in told] == [True] * bool(words)


@pytest.mark.parametrize(
    ("published", "words"),
    [
        ("2026-05-30T00:00:00Z", ""),
        ("2026-05-01T00:00:00Z", "is known for 31 days"),
        ("2026-05-01", "is known for 31 days"),
        ("2099-01-01T00:00:00Z", "is known since 2099-01-01, which is yet to come"),
        ("0001-01-01T00:00:00Z", "is known since a day that is not told"),
        ("", "is known since a day that is not told"),
        ("yesterday", "is known since a day that is not told"),
    ],
)
def test_what_trivy_reports_is_known_since_it_was_published(published: str, words: str) -> None:
    found = {"vulnerabilityID": "CVE-1", "severity": "CRITICAL", "fixedVersion": "2", "publishedDate": published}
    report = {
        "metadata": {"namespace": "shop", "name": "r"},
        "report": {
            "artifact": {"digest": f"sha256:{'b' * 64}"},
            "updateTimestamp": "2026-06-01T00:00:00Z",
            "vulnerabilities": [found],
        },
    }
    told = overdue(**{"vulnerabilityreports.aquasecurity.github.io": [report]})
    assert [words in message for message in told] == [True] * bool(words)


def test_what_basic_scanning_finds_is_not_renewed_with_every_scan() -> None:
    scan = {
        "imageId": {"imageDigest": f"sha256:{'b' * 64}"},
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindings": {
            "imageScanCompletedAt": "2026-06-01T00:00:00Z",
            "findings": [{"name": "CVE-2020-1", "severity": "CRITICAL"}],
        },
    }
    (message,) = overdue(ecr_image_scans=[scan])
    assert "is known since a day that is not told" in message


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ("FAILED", "ECR: FAILED"),
        ("PENDING", "ECR: PENDING"),
        ("IN_PROGRESS", "ECR: IN_PROGRESS"),
        ("UNSUPPORTED_IMAGE", "ECR: UNSUPPORTED_IMAGE"),
        ("SCAN_ELIGIBILITY_EXPIRED", "ECR: SCAN_ELIGIBILITY_EXPIRED"),
        ("LIMIT_EXCEEDED", "ECR: LIMIT_EXCEEDED"),
        ("ACTIVE", ""),
        ("COMPLETE", ""),
    ],
)
def test_a_scan_counts_when_it_was_made(status: str, problem: str) -> None:
    scan = {
        "imageId": {"imageDigest": f"sha256:{'b' * 64}"},
        "imageScanStatus": {"status": status},
        "imageScanFindings": {"imageScanCompletedAt": "2026-06-01T00:00:00Z"},
    }
    given = {"pods": [_pod("one", ECR, ECR)], "ecr image scans": [scan]}
    verdict = run_check(CHECKS["running-digests-scanned"], Case(given))
    assert [problem in item.deviation.message for item in verdict.deviations] == [True] * bool(problem)


LONG = "a-name-that-is-longer-than-the-63-signs-which-a-label-may-have-1"
KIND, NAME, CONTAINER = (f"trivy-operator.{part}" for part in ("resource.kind", "resource.name", "container.name"))


@pytest.mark.parametrize(
    ("owner", "labels", "report", "known"),
    [
        (("ReplicaSet", "web-1"), {KIND: "ReplicaSet", NAME: "web-1"}, {}, True),
        (("ReplicaSet", "web-1"), {KIND: "ReplicaSet", NAME: "web-1"}, {"server": "registry-1.docker.io"}, True),
        (("ReplicaSet", "web-2"), {KIND: "ReplicaSet", NAME: "web-1"}, {}, False),
        (("ReplicaSet", "web-1"), {KIND: "ReplicaSet", NAME: "web-1"}, {"tag": "v1"}, False),
        (("ReplicaSet", LONG), {KIND: "ReplicaSet", f"{NAME}-hash": "5f4b"}, {"owner": LONG}, True),
        (("Job", "report-29384950"), {KIND: "CronJob", NAME: "report"}, {}, True),
        (("Job", "report-more"), {KIND: "CronJob", NAME: "report"}, {}, False),
        (None, {KIND: "Pod", NAME: "one"}, {}, True),
        (("ReplicaSet", "web-1"), {KIND: "ReplicaSet", NAME: "web-1", CONTAINER: "sidecar"}, {}, False),
    ],
)
def test_reports_on_tags_belong_to_the_container(
    owner: tuple[str, str] | None, labels: dict[str, str], report: dict[str, str], known: bool
) -> None:
    pod = _pod("one", "acme/web:v2", f"docker.io/acme/web@sha256:{'d' * 64}")
    if owner:
        pod["metadata"]["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "uid": "u", "controller": True}]
    own = {"kind": labels[KIND], "name": report.get("owner", "x"), "controller": True}
    found = {
        "metadata": {"namespace": "shop", "name": "r", "labels": {CONTAINER: "app", **labels}, "ownerReferences": [own]},
        "report": {
            "registry": {"server": report.get("server", "index.docker.io")},
            "artifact": {"repository": "acme/web", "tag": report.get("tag", "v2")},
            "updateTimestamp": "2026-06-01T00:00:00Z",
        },
    }
    given = {"pods": [pod], "vulnerabilityreports.aquasecurity.github.io": [found]}
    assert (run_check(CHECKS["running-digests-scanned"], Case(given)).deviations == ()) is known


@pytest.mark.parametrize(
    ("kind", "rules", "own", "covered"),
    [
        ("ENHANCED", [("SCAN_ON_PUSH", "shop")], False, True),
        ("ENHANCED", [("CONTINUOUS_SCAN", "shop/*")], False, True),
        ("ENHANCED", [("CONTINUOUS_SCAN", "other")], True, False),
        ("ENHANCED", [("MANUAL", "*")], True, False),
        ("BASIC", [("SCAN_ON_PUSH", "*")], False, True),
        ("BASIC", [], True, True),
        ("BASIC", [], False, False),
    ],
)
def test_repositories_are_scanned_as_their_registry_says(
    kind: str, rules: list[tuple[str, str]], own: bool, covered: bool
) -> None:
    given: dict[str, list[Any]] = {
        "ecr repositories": [{"repositoryName": "shop/api", "imageScanningConfiguration": {"scanOnPush": own}}],
        "ecr registry scanning": [
            {
                "scanningConfiguration": {
                    "scanType": kind,
                    "rules": [
                        {"scanFrequency": often, "repositoryFilters": [{"filter": name, "filterType": "WILDCARD"}]}
                        for often, name in rules
                    ],
                }
            }
        ],
    }
    check = next(check for check in all_checks() if check.id == "ecr-scanned-on-push")
    assert (run_check(check, Case(given)).deviations == ()) is covered


CHILDREN = {"linux/amd64": f"sha256:{'1' * 64}", "linux/arm64": f"sha256:{'2' * 64}"}
INDEX = {
    "manifests": [
        *(
            {"digest": digest, "platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True))}
            for platform, digest in CHILDREN.items()
        ),
        # The statement of how it was built.
        {"digest": f"sha256:{'3' * 64}", "platform": {"os": "unknown", "architecture": "unknown"}},
    ]
}


@pytest.mark.parametrize(
    ("nodes", "covered", "missing"),
    [
        (["amd64"], ["linux/amd64"], 0),
        (["amd64", "arm64"], ["linux/amd64"], 1),
        (["amd64", "arm64"], ["linux/amd64", "linux/arm64"], 0),
        (["amd64"], ["linux/arm64"], 1),
        ([""], ["linux/amd64"], 1),
        (["s390x"], ["linux/amd64", "linux/arm64"], 1),
    ],
)
def test_an_index_is_scanned_by_the_images_that_run(nodes: list[str], covered: list[str], missing: int) -> None:
    pods = [_pod(f"on-{name}", ECR, ECR) for name in nodes]
    for pod, name in zip(pods, nodes, strict=True):
        pod["spec"]["nodeName"] = name
    arn = "arn:aws:ecr:eu-west-1:123456789012:repository/shop/api"
    sources = {
        "pods": pods,
        "nodes": [{"metadata": {"name": name}, "status": {"nodeInfo": {"architecture": name}}} for name in nodes],
        "ecr image manifests": [{"parentKey": f"sha256:{'b' * 64}", "imageManifest": json.dumps(INDEX)}],
        "inspector status": [{"accountId": "123456789012", "resourceState": {"ecr": {"status": "ENABLED"}}}],
        "inspector coverage": [{**COVERED, "resourceId": f"{arn}/{CHILDREN[platform]}"} for platform in covered],
    }
    assert len(run_check(CHECKS["running-digests-scanned"], Case(sources)).deviations) == missing


@pytest.mark.parametrize("text", ["", "{", "[]", '{"manifests": null}', '{"config": {}}', '{"manifests": [{}]}'])
def test_what_is_no_index_has_no_images(text: str) -> None:
    assert EcrManifest(image_manifest=text).platforms == {}
