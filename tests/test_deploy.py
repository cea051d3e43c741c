"""What is shipped for nightly runs is real: applied to the real control plane, with the rights it needs and no more."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from policy_sentry.querying.actions import get_action_data

from fixtures.population import DECLARED
from fixtures.rights import cloud_permissions, cloud_policy, cluster_role, declared_sources, kubernetes_rights
from soc2.catalog import Check, all_checks
from soc2.demo.company.cluster import _PATHS
from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.aws import edge_sources
from soc2.gather.aws import sources as aws_sources
from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.kubernetes.lists import KubeList, SecretTable
from soc2.system import load_system
from tests.conftest import examine

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))


@pytest.mark.controlplane
def test_the_nightly_run_is_accepted_and_its_identity_may_only_look(control_plane: ControlPlane) -> None:
    admin = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    paths = {**_PATHS, "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims"}
    applied = []
    for item in [*documents("clusterrole.yaml"), *documents("nightly.yaml")]:
        path = paths[item["kind"]].format(item["metadata"].get("namespace", ""))
        query = {"fieldManager": "test", "force": "true"}
        name = item["metadata"]["name"]
        admin.request("PATCH", f"{path}/{name}", query, body=item, content_type="application/apply-patch+yaml")
        applied.append(item["kind"])
    assert applied.count("CronJob") == 1

    def may(verb: str, group: str, resource: str) -> bool:
        attributes = {"verb": verb, "group": group, "resource": resource}
        user = "system:serviceaccount:soc2:soc2-auditor"
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes},
        }
        answer = admin.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=body)
        return bool(json.loads(answer.body)["status"]["allowed"])

    lists = [item for item in vars(sources).values() if isinstance(item, KubeList | SecretTable)]
    assert len(lists) > 20
    for source in lists:
        group = source.path.split("/")[2] if source.path.startswith("/apis/") else ""
        assert may("list", group, source.path.rpartition("/")[2]), source.name
    for verb, group, resource in (("delete", "", "pods"), ("get", "", "secrets"), ("update", "apps", "deployments")):
        assert not may(verb, group, resource)
    admin.close()


@pytest.mark.controlplane
def test_the_right_to_list_secrets_can_be_dropped(control_plane: ControlPlane, tmp_path: Path) -> None:
    """What needs it then says evidence missing, and nothing else changes its mind."""
    admin = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    (role,) = [item for item in documents("clusterrole.yaml") if item["kind"] == "ClusterRole"]
    rules = [{**rule, "resources": [name for name in rule["resources"] if name != "secrets"]} for rule in role["rules"]]
    group = "rbac.authorization.k8s.io"
    for user, given in (("sees-secrets", role["rules"]), ("sees-no-secrets", rules)):
        admin.request("POST", _PATHS["ClusterRole"], body={**role, "metadata": {"name": user}, "rules": given})
        subjects = [{"kind": "User", "name": user, "apiGroup": group}]
        reference = {"kind": "ClusterRole", "name": user, "apiGroup": group}
        binding = {"metadata": {"name": user}, "subjects": subjects, "roleRef": reference}
        admin.request("POST", _PATHS["ClusterRoleBinding"], body=binding)
    # Until its ServiceAccount is made, a namespace takes no pod at all, and the probes of the first run learn nothing.
    assert wait_until(lambda: _have_service_accounts(admin), 20.0)
    admin.close()
    system = tmp_path / "system.toml"
    system.write_text('[system]\nname = "t"\nowner = "t"\n[aws]\nabsent = "the test has none"\n[search]\nexamples = 20\n')
    outcomes = {}
    for user in ("sees-secrets", "sees-no-secrets"):
        kubeconfig = control_plane.kubeconfig(user, ())
        run = examine(tmp_path / user, "--target", "live", "--system", str(system), "--kubeconfig", str(kubeconfig))
        outcomes[user] = {item["id"]: (item["outcome"], item["reason"]) for item in run.results["checks"]}
    need = {name for name, declared in DECLARED.items() if sources.SECRETS in declared.sources}
    missing = {check.id for check in all_checks() if need & set(inspect.signature(_function(check)).parameters)}
    blind = outcomes["sees-no-secrets"]
    no_logs = {name for name, (outcome, _) in outcomes["sees-secrets"].items() if outcome == "evidence_missing"}
    named = {
        name
        for name, (outcome, reason) in blind.items()
        if outcome == "evidence_missing" and "secrets" in reason and name not in no_logs
    }
    out_of_scope = {name for name, (outcome, _) in blind.items() if outcome == "not_applicable"}
    assert named == missing - out_of_scope
    assert "no-long-lived-tokens" in named
    judged = {name: outcome for name, (outcome, _) in outcomes["sees-secrets"].items() if name not in missing}
    assert judged == {name: outcome for name, (outcome, _) in blind.items() if name not in missing}


def _have_service_accounts(admin: KubeConnection) -> bool:
    namespaces = json.loads(admin.request("GET", "/api/v1/namespaces").body)["items"]
    accounts = json.loads(admin.request("GET", "/api/v1/serviceaccounts").body)["items"]
    ready = {item["metadata"]["namespace"] for item in accounts if item["metadata"]["name"] == "default"}
    return {item["metadata"]["name"] for item in namespaces} <= ready


@pytest.mark.controlplane
def test_the_pod_of_the_nightly_run_fulfils_restricted(control_plane: ControlPlane) -> None:
    admin = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    (cron,) = [item for item in documents("nightly.yaml") if item["kind"] == "CronJob"]
    spec = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nightly-pod", "labels": labels}}
    admin.request("POST", "/api/v1/namespaces", body=body)
    spec = {**spec, "serviceAccountName": "default"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}

    def answered() -> bool:
        # Until its ServiceAccount is made, a namespace takes no pod at all.
        return "serviceaccount" not in admin.try_create("/api/v1/namespaces/nightly-pod/pods", pod).reason

    assert wait_until(answered, 20.0)
    answer = admin.try_create("/api/v1/namespaces/nightly-pod/pods", pod)
    assert answer.status == 201, answer.reason
    admin.close()


def test_its_description_is_valid(tmp_path: Path) -> None:
    (config,) = [item for item in documents("nightly.yaml") if item["kind"] == "ConfigMap"]
    (tmp_path / "system.toml").write_text(config["data"]["system.toml"])
    assert load_system(tmp_path / "system.toml").target.in_cluster


def test_the_cloud_policy_allows_what_is_asked_and_no_more() -> None:
    policy = json.loads((DEPLOY / "aws" / "policy.json").read_text())
    assert policy == cloud_policy(cloud_permissions(declared_sources()))


def test_every_action_of_the_cloud_policy_exists() -> None:
    """By policy_sentry's copy of the Service Authorization Reference."""
    statements = json.loads((DEPLOY / "aws" / "policy.json").read_text())["Statement"]
    actions = [action for statement in statements for action in statement["Action"]]
    assert [action for action in actions if not get_action_data(*action.split(":"))] == []


def test_the_cluster_role_allows_what_is_asked_and_no_more() -> None:
    (role,) = [item for item in documents("clusterrole.yaml") if item["kind"] == "ClusterRole"]
    assert role == cluster_role(kubernetes_rights(declared_sources()))
    resources = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert not resources & {"nodes/proxy", "pods/exec", "*"}
    assert {rule["verbs"][0] for rule in role["rules"]} == {"list", "create"}


def test_every_source_belongs_to_a_check() -> None:
    declared = set(declared_sources())
    every = {
        item for module in (sources, aws_sources, edge_sources) for item in vars(module).values() if hasattr(item, "gather")
    }
    used = {name for name in DECLARED if any(name in inspect.signature(_function(check)).parameters for check in all_checks())}
    assert {item.name for item in every if not isinstance(item, type)} <= {item.name for item in declared}
    assert used == set(DECLARED)


def _function(check: Check) -> Any:
    return getattr(importlib.import_module(f"tests_controls.{check.module}"), check.function)


def test_the_workflows_are_yaml_and_use_the_exit_codes() -> None:
    nightly = yaml.safe_load((DEPLOY / "github" / "nightly.yml").read_text())
    gate = yaml.safe_load((DEPLOY / "github" / "pull-request.yml").read_text())
    steps = "\n".join(step.get("run", "") for step in nightly["jobs"]["examine"]["steps"])
    assert all(code in steps for code in ("0)", "1)", "10)"))
    assert any("--criteria" in step.get("run", "") for step in gate["jobs"]["gate"]["steps"])
    assert any("--target manifests" in step.get("run", "") for step in gate["jobs"]["manifests"]["steps"])
