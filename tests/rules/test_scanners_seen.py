"""What the registry repeats of Inspector, reports on tags that were moved, and scanners that are gone."""

from __future__ import annotations

from typing import Any

import pytest

from soc2.catalog import all_checks
from soc2.judge import Verdict
from tests.case import Case, run_check

CHECKS = {check.id: check for check in all_checks()}
FIRST, SECOND, CONFIGURATION = (f"sha256:{digit * 64}" for digit in "123")
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api"
IMAGE = f"{REPOSITORY}@{FIRST}"


def pod(name: str, image: str = IMAGE, runs: str = IMAGE) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "ownerReferences": [{"kind": "ReplicaSet", "name": "api-1", "uid": "u", "controller": True}],
        },
        "spec": {"containers": [{"name": "app", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "app", "image": image, "imageID": runs}]},
    }


def scan(digest: str, status: str = "COMPLETE", **findings: Any) -> dict[str, Any]:
    return {
        "imageId": {"imageDigest": digest},
        "imageScanStatus": {"status": status},
        "imageScanFindings": {"imageScanCompletedAt": "2026-06-01T00:00:00Z", **findings},
    }


def verdict(check: str, pods: list[dict[str, Any]], sources: dict[str, Any], **system: Any) -> Verdict:
    return run_check(CHECKS[check], Case({"pods": pods, **sources}, system))


LATE = {
    "severity": "CRITICAL",
    "status": "ACTIVE",
    "fixAvailable": "YES",
    "firstObservedAt": "2026-01-01T00:00:00Z",
    "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2026-9", "vulnerablePackages": [{"name": "zlib"}]},
}


@pytest.mark.parametrize(("status", "told"), [("ACTIVE", 1), ("SUPPRESSED", 1), ("CLOSED", 0)])
@pytest.mark.parametrize("by_inspector", [False, True])
def test_what_the_registry_repeats_of_inspector_counts_once(status: str, told: int, by_inspector: bool) -> None:
    own = [{**LATE, "resources": [{"id": f"arn:aws:ecr:eu-west-1:123456789012:repository/shop/api/{FIRST}"}]}]
    found = verdict(
        "fixable-vulnerabilities-in-time",
        [pod("p0")],
        {
            "ecr image scans": [scan(FIRST, "ACTIVE", enhancedFindings=[{**LATE, "status": status}])],
            "inspector status": [{"accountId": "123456789012", "resourceState": {"ecr": {"status": "ENABLED"}}}],
            "inspector findings": own if by_inspector else [],
        },
    )
    wanted = 1 if by_inspector else told
    assert [item.deviation.fields["vulnerability"] for item in found.deviations] == ["CVE-2026-9"] * wanted


def report(**changes: Any) -> dict[str, Any]:
    labels = {"resource.kind": "ReplicaSet", "resource.name": "api-1", "container.name": "app"}
    return {
        "metadata": {
            "name": "r",
            "namespace": "shop",
            "labels": {f"trivy-operator.{name}": value for name, value in labels.items()},
        },
        "report": {
            "registry": {"server": "registry.example"},
            "artifact": {"repository": "team/api", "tag": "v1", "digest": CONFIGURATION},
            "updateTimestamp": "2026-06-01T00:00:00Z",
            **changes,
        },
    }


@pytest.mark.parametrize(("second", "passed_over"), [(FIRST, 0), (SECOND, 2)])
def test_a_report_on_a_tag_that_was_moved_is_about_none_of_its_images(second: str, passed_over: int) -> None:
    named = "registry.example/team/api:v1"
    pods = [pod("a", image=named, runs=f"{named}@{FIRST}"), pod("b", image=named, runs=f"{named}@{second}")]
    found = verdict("running-digests-scanned", pods, {"vulnerabilityreports.aquasecurity.github.io": [report()]})
    words = "Trivy: it scanned the tag v1, under which the pods of ReplicaSet api-1 run several images"
    assert [words in item.deviation.message for item in found.deviations] == [True] * passed_over


@pytest.mark.parametrize(("second", "passed_over"), [(FIRST, 0), (SECOND, 2)])
def test_jobs_of_one_cron_job_share_its_report(second: str, passed_over: int) -> None:
    named = "registry.example/team/api:v1"
    pods = [pod("a", image=named, runs=f"{named}@{FIRST}"), pod("b", image=named, runs=f"{named}@{second}")]
    for number, each in enumerate(pods):
        each["metadata"]["ownerReferences"] = [{"kind": "Job", "name": f"api-{number}", "uid": "u", "controller": True}]
    own = report()
    own["metadata"]["labels"] |= {"trivy-operator.resource.kind": "CronJob", "trivy-operator.resource.name": "api"}
    found = verdict("running-digests-scanned", pods, {"vulnerabilityreports.aquasecurity.github.io": [own]})
    assert len(found.deviations) == passed_over


REPOSITORIES = [{"repositoryName": "shop/api", "imageScanningConfiguration": {"scanOnPush": True}}]
BASIC = [{"registryId": "1", "scanningConfiguration": {"scanType": "BASIC"}}]


@pytest.mark.parametrize(
    ("scanner", "sources", "problems"),
    [
        ("trivy", {"vulnerabilityreports.aquasecurity.github.io": [report()]}, []),
        (
            "trivy",
            {"vulnerabilityreports.aquasecurity.github.io": [report(updateTimestamp="2026-01-01T00:00:00Z")]},
            ["its newest report is 151 days old, the limit is 7"],
        ),
        (
            "trivy",
            {"vulnerabilityreports.aquasecurity.github.io": [report(updateTimestamp="2027-01-01T00:00:00Z")]},
            ["its newest report is dated 2027-01-01, which is yet to come, the limit is 7"],
        ),
        ("ecr", {"ecr repositories": REPOSITORIES, "ecr registry scanning": BASIC}, []),
        (
            "inspector",
            {"ecr repositories": REPOSITORIES, "ecr registry scanning": BASIC},
            ["it is declared, and it is DISABLED for images"],
        ),
    ],
)
def test_a_declared_scanner_is_on_while_it_scans(scanner: str, sources: dict[str, Any], problems: list[str]) -> None:
    found = verdict("scanners-switched-on", [], sources, images={"scanners": [scanner]})
    assert [item.deviation.fields["problem"] for item in found.deviations] == problems


@pytest.mark.parametrize(
    ("scanners", "reports", "passed_over"),
    [
        ([], [report(secrets=[])], []),
        (["trivy"], [report(secrets=[])], ["shop/b, container app"]),
        (["trivy"], [report(secrets=[]), report(artifact={"digest": SECOND})], []),
    ],
)
def test_a_declared_scanner_looks_for_secrets_in_every_image(
    scanners: list[str], reports: list[dict[str, Any]], passed_over: list[str]
) -> None:
    named = "registry.example/team/api:v1"
    pods = [pod("a", image=named, runs=f"{named}@{FIRST}"), pod("b", image=f"{REPOSITORY}@{SECOND}", runs="")]
    sources = {"exposedsecretreports.aquasecurity.github.io": reports}
    found = verdict("exposed-secrets-resolved", pods, sources, images={"scanners": scanners})
    assert [item.deviation.fields["place"] for item in found.deviations] == passed_over
