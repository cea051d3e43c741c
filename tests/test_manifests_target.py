"""``--target manifests`` as a user runs it: a gate before anything is deployed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, examine
from tests.test_usage import USAGE_ERROR, run

GOOD = """\
apiVersion: v1
kind: Pod
metadata: {name: good, namespace: web}
spec:
  containers: [{name: a, image: "r.example/a@sha256:%s"}]
""" % ("0" * 64)
BAD = """\
# a comment
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bad}
spec: {template: {spec: {hostNetwork: true, containers: [{name: a, image: a}]}}}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
"""
BROKEN = "apiVersion: v1\nkind: Service\nmetadata: {name: s\n"


def test_a_folder_is_judged_without_any_network(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "good.yaml").write_text(GOOD)
    (folder / "bad.yml").write_text(BAD)
    (folder / "README.md").write_text("no manifest")
    run = examine(tmp_path / "reports", "--target", "manifests", "--manifests", str(folder), env={"HTTPS_PROXY": "http://x:9"})
    assert run.exit_code == 1, run.output
    (check,) = [item for item in run.results["checks"] if item["id"] == "pod-host-namespaces"]
    assert check["outcome"] == "fail"
    (deviation,) = check["deviations"]
    resource = {"kind": "Deployment", "namespace": "default", "name": "bad", "file": f"{folder}/bad.yml", "line": 3}
    assert deviation["resource"] == resource
    assert (deviation["fields"]["level"], deviation["fields"]["control"]) == ("baseline", "hostNamespaces")
    assert run.results["run"]["manifests"] == {
        "files": 2,
        "objects": 2,
        "passed_over": {"Widget.example.com": 1},
        "broken": [],
    }
    assert run.outcome("anonymous-requests-refused") == "not_applicable"
    assert run.outcome("imdsv2-required") == "not_applicable"
    assert "passed over: 1 Widget.example.com" in run.output


def test_broken_documents_are_an_error_and_the_rest_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(f"{BAD}---\n{BROKEN}")
    run = examine(tmp_path / "reports", "--target", "manifests", "--manifests", str(path))
    assert run.exit_code == 10
    assert run.outcome("pod-host-namespaces") == "fail"
    assert run.outcome("exposed-services-approved") == "evidence_missing"
    assert f"{path}:15: not valid YAML: did not find expected ',' or '}}'" in run.output
    assert [entry["line"] for entry in run.results["run"]["manifests"]["broken"]] == [15]
    missing = sum(item["outcome"] == "evidence_missing" for item in run.results["checks"])
    assert f"evidence missing for {missing} check" in run.output


def test_standard_input_is_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--target", "manifests", "--manifests", "-", "--report-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, input=BAD, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stdout
    results = json.loads((tmp_path / "latest" / "results.json").read_text())
    assert results["run"]["manifests"]["objects"] == 1


def test_a_folder_without_manifests_is_a_mistake(tmp_path: Path) -> None:
    for given in (tmp_path / "missing", tmp_path):
        done = run("--target", "manifests", "--manifests", str(given))
        assert done.returncode == USAGE_ERROR
        assert str(given) in done.stderr
        assert "Traceback" not in done.stderr
    done = run("--target", "manifests")
    assert "--manifests DIR" in done.stderr
