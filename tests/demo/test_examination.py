"""The real control modules against the real servers: both variants of the company, and an identity without rights."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from soc2.catalog import all_checks
from soc2.demo.aws.front import AUDITOR_ACCESS_KEY
from soc2.demo.company import FOLDER
from soc2.demo.company.weaknesses import all_weaknesses
from soc2.demo.environment import Environment
from soc2.demo.run import compare
from soc2.gather.aws.permissions import permissions
from tests.conftest import ROOT, Examined, examine

pytestmark = pytest.mark.controlplane

_READS = {"get", "list", "watch"}
_REVIEWS = {"subjectaccessreviews", "selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}


def test_the_default_company_shows_exactly_what_was_planted(default_run: Examined) -> None:
    expected = [entry for weakness in all_weaknesses() for entry in weakness.expected]
    assert compare(default_run.results, expected) == []
    assert default_run.exit_code == 10
    wanted = {"pass", "fail", "waived", "not_applicable", "evidence_missing", "probe_disabled", "manual"}
    assert default_run.outcomes == wanted


def test_the_compliant_company_has_no_failure_and_no_error(compliant_run: Examined) -> None:
    assert compare(compliant_run.results, []) == []
    assert compliant_run.exit_code == 0
    assert compliant_run.outcomes == {"pass", "not_applicable", "not_occurred", "probe_disabled", "manual"}


def test_without_rights_nothing_passes_that_needs_any(denied_run: Examined) -> None:
    assert denied_run.exit_code == 10
    # What a person has to show is asked of nobody.
    assert denied_run.outcomes == {"evidence_missing", "probe_disabled", "manual", "pass"}
    # Every caller may ask the API server where it answers.
    assert {item["id"] for item in denied_run.results["checks"] if item["outcome"] == "pass"} == {"api-server-not-public"}
    deviating = {item["id"] for item in denied_run.results["checks"] if item["deviations"]}
    # To connect to an endpoint takes no rights.
    assert deviating == {
        "old-tls-refused",
        "plain-http-refused",
        "endpoint-certificates-valid",
        "etcd-requires-certificates",
    }


@pytest.mark.parametrize("run", ["default_run", "compliant_run", "denied_run"])
def test_results_fit_their_schema(run: str, request: pytest.FixtureRequest) -> None:
    examined: Examined = request.getfixturevalue(run)
    schema = json.loads(resources.files("soc2").joinpath("data/results.schema.json").read_text())
    jsonschema.validate(examined.results, schema)
    ran = {item["id"] for item in examined.results["checks"]} | {item["id"] for item in examined.results["not_run"]}
    assert ran == {check.id for check in all_checks()}
    assert sum(examined.results["totals"].values()) == len(examined.results["checks"])


def test_evidence_is_what_its_digest_says(default_run: Examined) -> None:
    sources = [source for item in default_run.results["checks"] for source in item["population"]["sources"]]
    kept = {source["evidence"]: source["sha256"] for source in sources if source["evidence"]}
    assert len(kept) > 40
    for path, digest in kept.items():
        content = gzip.decompress((default_run.folder / path).read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest
    calls = [json.loads(line) for line in (default_run.folder / "evidence" / "calls.jsonl").read_text().splitlines()]
    assert {call["identity"] for call in calls} == {
        "soc2-auditor",
        "arn:aws:sts::123456789012:user/moto",
        "the caller",
        "the declared credentials of each registry",
    }
    assert all(call["started"] <= call["finished"] for call in calls)


def test_no_secret_is_written_anywhere(default_run: Examined, default_demo: Environment) -> None:
    """The planted password and the token of the ServiceAccount Secret stay out of everything a run leaves."""
    from soc2.gather.kubernetes.connection import KubeConnection

    connection = KubeConnection(default_demo.admin_kubeconfig)
    deployment = json.loads(connection.request("GET", "/apis/apps/v1/namespaces/notifications/deployments/mailer").body)
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    planted = next(entry["value"] for entry in environment if entry["name"] == "SMTP_PASSWORD")
    texts = [
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in default_run.folder.rglob("*")
        if path.is_file()
    ]
    assert len(planted) == 32
    assert not any(planted.encode() in text for text in texts)
    assert planted not in default_run.output


def test_the_examiner_only_reads_reviews_and_tries(default_run: Examined, default_demo: Environment) -> None:
    """The audit log of the API server itself tells what the suite did."""
    assert default_run.results
    events = [json.loads(line) for line in default_demo.audit_log.read_text().splitlines()]
    own = [event for event in events if event["user"].get("username") == "soc2-auditor"]
    assert len(own) > 100
    for event in own:
        resource = event.get("objectRef", {}).get("resource", "")
        dry_run = "dryRun=All" in event["requestURI"]
        assert event["verb"] in _READS or resource in _REVIEWS or dry_run, event["requestURI"]
    tried = [event for event in own if event["verb"] == "create" and event["objectRef"]["resource"] == "pods"]
    assert len(tried) >= 14


def test_every_shipped_right_in_the_cluster_is_used(default_run: Examined, default_demo: Environment) -> None:
    """The default run has no denied source (it reports what was planted and nothing else), so the rights are enough."""
    assert default_run.results
    events = [json.loads(line) for line in default_demo.audit_log.read_text().splitlines()]
    # The canary asks for what it may not have.
    references = [
        (event["objectRef"], event["verb"])
        for event in events
        if event["user"].get("username") == "soc2-auditor"
        and "objectRef" in event
        and not event["userAgent"].startswith("soc2-canary/")
    ]
    used = {(item.get("apiGroup", ""), item["resource"], verb) for item, verb in references}
    granted = _granted(next(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "clusterrole.yaml").read_text())))
    auditor = yaml.safe_load_all((FOLDER / "kubernetes" / "auditor.yaml").read_text())
    of_company = set().union(*(_granted(role) for role in auditor if role and role["kind"] == "ClusterRole"))
    assert granted == used - of_company - {("authentication.k8s.io", "selfsubjectreviews", "create")}


def _granted(role: Any) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_examiner_only_reads_the_account(default_run: Examined, default_demo: Environment) -> None:
    assert default_run.results
    requests = [json.loads(line) for line in default_demo.aws_access_log.read_text().splitlines()]
    # Besides, what happens in the company is shipped to its logs.
    operations = {entry["operation"] for entry in requests if entry["access_key"] == AUDITOR_ACCESS_KEY}
    reading = re.compile(r"^(Get|BatchGet|List|Describe|Filter|Generate|Simulate)")
    assert len(operations) > 20
    assert {name for name in operations if not reading.match(name)} == set()


def test_every_shipped_right_in_the_account_is_used(default_run: Examined, default_demo: Environment) -> None:
    """The front service lets the examiner do only what the shipped policy and that of its logs allow, and the run has no
    denied source."""
    assert default_run.results
    requests = [json.loads(line) for line in default_demo.aws_access_log.read_text().splitlines()]
    own = [entry for entry in requests if entry["access_key"] == AUDITOR_ACCESS_KEY]
    used = {name for entry in own for name in permissions(entry["service"], entry["operation"])}
    policy = json.loads((ROOT / "deploy" / "aws" / "policy.json").read_text())
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    of_logs = json.loads((FOLDER / "aws" / "log-policy.json").read_text())["Statement"]
    reading = {action for each in of_logs for action in each["Action"]}
    # The registry of the company is none of ECR's.
    pulling = {"ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"}
    assert allowed - pulling == used - reading - {"sts:GetCallerIdentity"}


def test_no_call_is_made_twice(default_run: Examined) -> None:
    lines = (default_run.folder / "evidence" / "calls.jsonl").read_text().splitlines()
    calls = [json.loads(line) for line in lines]
    keys = [(call["operation"], call["source"], json.dumps(call["parameters"], sort_keys=True)) for call in calls]
    assert len(keys) == len(set(keys))


def test_junit_agrees_with_the_results(default_run: Examined) -> None:
    suite = ElementTree.parse(default_run.folder / "junit.xml").getroot().find("testsuite")  # noqa: S314
    assert suite is not None
    totals = default_run.results["totals"]
    assert int(suite.get("failures", "0")) == totals["fail"]
    assert int(suite.get("errors", "0")) == totals["evidence_missing"] + totals["tool_error"]
    assert int(suite.get("skipped", "0")) == sum(
        totals[name] for name in ("not_applicable", "waived", "probe_disabled", "manual")
    )


class _Blob(HTMLParser):
    """Reads the data that pytest-html keeps in an attribute of its page."""

    def __init__(self) -> None:
        super().__init__()
        self.blob: dict[str, object] = {}
        self.external: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if blob := values.get("data-jsonblob"):
            self.blob = json.loads(blob)
        if tag in ("script", "link", "img") and (source := values.get("src") or values.get("href")):
            self.external.append(source)


def test_the_page_has_a_row_per_check_and_needs_nothing_else(default_run: Examined) -> None:
    page = _Blob()
    page.feed((default_run.folder / "report.html").read_text())
    tests = page.blob["tests"]
    assert isinstance(tests, dict)
    assert len(tests) == len(default_run.results["checks"])
    assert page.external == []


def test_only_what_is_needed_is_asked(default_demo: Environment, tmp_path: Path) -> None:
    run = examine(tmp_path, "--target", "demo", "tests_controls/test_c1_1_confidentiality.py", "-k", "namespaces")
    assert default_demo
    calls = [json.loads(line) for line in (run.folder / "evidence" / "calls.jsonl").read_text().splitlines()]
    assert [call["source"] for call in calls] == ["namespaces"]
    assert [item["id"] for item in run.results["checks"]] == ["namespaces-classified"]
    assert len(run.results["not_run"]) == len(all_checks()) - 1
