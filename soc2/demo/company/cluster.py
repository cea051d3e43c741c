"""Loads the company's manifests into a cluster and waits until its workloads run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from soc2.demo.company import FOLDER
from soc2.demo.company.images import company_images, with_digests
from soc2.demo.company.scans import scan_reports
from soc2.demo.company.times import relative_time
from soc2.demo.company.weaknesses import WEAKNESSES, merge_patch, weaknesses
from soc2.demo.generated import filled, password
from soc2.demo.process import StartError, wait_until
from soc2.gather.kubernetes.connection import GatherError, KubeConnection

_DEPLOY = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
_RIGHTS = tuple(_DEPLOY / name for name in ("clusterrole.yaml", "writing-probes.yaml"))
_EXAMINER = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "soc2-auditor"}
_READY_SECONDS = 60.0
_ESTABLISHED_SECONDS = 20.0
_GENERATE = "northwind.example/generate"
_APPROVE = "northwind.example/approve"

_DEFINITION = "CustomResourceDefinition"

# What others need comes first; what is not named here comes last.
_ORDER = (
    _DEFINITION,
    "Namespace",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "NetworkPolicy",
    "Node",
    "Service",
)
_PATHS = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CertificateSigningRequest": "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "ValidatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "PeerAuthentication": "/apis/security.istio.io/v1/namespaces/{}/peerauthentications",
    "AuthorizationPolicy": "/apis/security.istio.io/v1/namespaces/{}/authorizationpolicies",
    "Application": "/apis/argoproj.io/v1alpha1/namespaces/{}/applications",
    "VulnerabilityReport": "/apis/aquasecurity.github.io/v1alpha1/namespaces/{}/vulnerabilityreports",
    "ConfigAuditReport": "/apis/aquasecurity.github.io/v1alpha1/namespaces/{}/configauditreports",
    "SbomReport": "/apis/aquasecurity.github.io/v1alpha1/namespaces/{}/sbomreports",
    "ExposedSecretReport": "/apis/aquasecurity.github.io/v1alpha1/namespaces/{}/exposedsecretreports",
    "Sidecar": "/apis/networking.istio.io/v1/namespaces/{}/sidecars",
    "ExternalSecret": "/apis/external-secrets.io/v1/namespaces/{}/externalsecrets",
    "ClusterSecretStore": "/apis/external-secrets.io/v1/clustersecretstores",
    "AdminNetworkPolicy": "/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies",
    "AlertReceiver": "/apis/alerts.northwind.example/v1/namespaces/{}/alertreceivers",
    "BaselineAdminNetworkPolicy": "/apis/policy.networking.k8s.io/v1alpha1/baselineadminnetworkpolicies",
}

Object = dict[str, Any]


class CompanyError(Exception):
    """A manifest, or a patch over one, is wrong."""


def objects(variant: str) -> list[Object]:
    """Return every object of a variant, ready to be applied. Raises CompanyError when a patch hits nothing."""
    found = [
        document
        for path in sorted((FOLDER / "kubernetes").glob("*.yaml"))
        if not path.match(WEAKNESSES)
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    found += _rights()
    if variant == "default":
        for weakness in weaknesses("kubernetes"):
            for patch in weakness.patch:
                _apply_patch(found, patch, weakness.id)
    images = company_images(variant)
    found += scan_reports(variant, images, datetime.now(UTC))
    return sorted((_with_times(filled(_with_secrets(with_digests(item, images)))) for item in found), key=_rank)


def _rights() -> list[Object]:
    """Return what the suite ships for its examiner, who is a user here and no ServiceAccount."""
    shipped = [item for path in _RIGHTS for item in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return [{**item, "subjects": [_EXAMINER]} if "subjects" in item else item for item in shipped]


def load(kubeconfig: Path, variant: str, progress: Callable[[str], None]) -> None:
    """Apply the company and wait until every workload is available. Raises StartError naming what is not."""
    connection = KubeConnection(kubeconfig)
    wanted = objects(variant)
    progress(f"loading {len(wanted)} objects of the company")
    with ThreadPoolExecutor(8) as pool:
        for rank in sorted({_rank(item) for item in wanted}):
            batch = [item for item in wanted if _rank(item) == rank]
            list(pool.map(lambda item: _apply(connection, item), batch))
            if rank == _ORDER.index(_DEFINITION):
                _wait(lambda: _not_established(connection), _ESTABLISHED_SECONDS, "these definitions were not established")
    _wait(lambda: _not_available(connection), _READY_SECONDS, "these workloads did not become available")
    # When KWOK begins with a node, it may take the addresses away that it has not seen yet.
    for node in (item for item in wanted if item["kind"] == "Node"):
        _apply(connection, node)
    connection.close()


def _wait(missing: Callable[[], list[str]], seconds: float, what: str) -> None:
    waiting: list[str] = []

    def arrived() -> bool:
        waiting[:] = missing()
        return not waiting

    if not wait_until(arrived, seconds):
        raise StartError(f"{what}: {', '.join(waiting)}")


def link_nodes(kubeconfig: Path, instances: Mapping[str, str]) -> None:
    """Tell every node which instance it is, as the cloud's controller does: the id is known once the instance is there."""
    connection = KubeConnection(kubeconfig)
    for item in msgspec.json.decode(connection.request("GET", "/api/v1/nodes").body)["items"]:
        name = item["metadata"]["name"]
        if name in instances:
            zone = item["metadata"]["labels"]["topology.kubernetes.io/zone"]
            patch = {"spec": {"providerID": f"aws:///{zone}/{instances[name]}"}}
            connection.request("PATCH", f"/api/v1/nodes/{name}", body=patch, content_type="application/merge-patch+json")
    connection.close()


def _rank(item: Object) -> int:
    kind = item["kind"]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _apply_patch(found: list[Object], patch: dict[str, Any], weakness: str) -> None:
    if "add" in patch:
        found.append(patch["add"])
        return
    wanted = patch.get("remove", patch)
    index = next((i for i, item in enumerate(found) if _is(item, wanted)), None)
    if index is None:
        raise CompanyError(f"weakness {weakness}: there is no {wanted['kind']} {wanted['name']}")
    if "remove" in patch:
        del found[index]
    elif "drop_rule" in patch:
        item = found[index]
        rules = [rule for rule in item["rules"] if patch["drop_rule"] not in rule["apiGroups"]]
        found[index] = {**item, "rules": rules}
    elif "container" in patch:
        found[index] = _with_container(found[index], patch["container"])
    else:
        found[index] = merge_patch(found[index], patch["merge"])


def _is(item: Object, wanted: dict[str, Any]) -> bool:
    metadata = item["metadata"]
    return bool(
        item["kind"] == wanted["kind"]
        and metadata["name"] == wanted["name"]
        and metadata.get("namespace") == wanted.get("namespace")
    )


def _with_container(item: Object, change: dict[str, Any]) -> Object:
    """Merge into the first container; environment variables are merged by name."""
    spec = item["spec"]["template"]["spec"]
    container = spec["containers"][0]
    added = [_with_value(entry) for entry in change.get("env", [])]
    kept = [entry for entry in container.get("env", []) if entry["name"] not in {new["name"] for new in added}]
    merged = merge_patch(container, {key: value for key, value in change.items() if key != "env"})
    if kept or added:
        merged["env"] = [*kept, *added]
    return merge_patch(item, {"spec": {"template": {"spec": {"containers": [merged]}}}})  # type: ignore[no-any-return]


def _with_value(entry: dict[str, Any]) -> dict[str, Any]:
    return {"name": entry["name"], "value": password()} if "generate" in entry else entry


def _with_secrets(item: Object) -> Object:
    """Give a Secret the values that its annotation asks for; none stands in the manifests."""
    names = item["metadata"].get("annotations", {}).get(_GENERATE)
    if item["kind"] != "Secret" or not names:
        return item
    return {**item, "stringData": {name: password() for name in names.split(",")}}


def _with_times(item: Object) -> Object:
    """Give a status the time before now that its ``refreshTime`` asks for."""
    refreshed = relative_time(str(item.get("status", {}).get("refreshTime", "")), datetime.now(UTC))
    if refreshed is None:
        return item
    return {**item, "status": {**item["status"], "refreshTime": f"{refreshed:%FT%TZ}"}}


def _apply(connection: KubeConnection, item: Object) -> None:
    metadata = item["metadata"]
    base = _PATHS[item["kind"]].format(metadata.get("namespace", ""))
    body = {key: value for key, value in item.items() if key != "status"}
    try:
        _server_side_apply(connection, f"{base}/{metadata['name']}", body)
        if "status" in item:
            path = f"{base}/{metadata['name']}/status"
            _server_side_apply(connection, path, {**body, "status": item["status"]})
        if _APPROVE in metadata.get("annotations", {}):
            _approve(connection, f"{base}/{metadata['name']}/approval")
    except GatherError as error:
        raise CompanyError(f"{item['kind']} {metadata['name']}: {error}") from None


def _approve(connection: KubeConnection, path: str) -> None:
    condition = {"type": "Approved", "status": "True", "reason": "OnCall", "message": "approved during the outage"}
    patch = {"status": {"conditions": [condition]}}
    connection.request("PATCH", path, body=patch, content_type="application/merge-patch+json")


def _server_side_apply(connection: KubeConnection, path: str, body: Object) -> None:
    query = {"fieldManager": "northwind", "force": "true"}
    connection.request("PATCH", path, query, body=body, content_type="application/apply-patch+yaml")


def _not_established(connection: KubeConnection) -> list[str]:
    """Return the definitions whose objects the API server does not take yet."""
    answer = msgspec.json.decode(connection.request("GET", _PATHS[_DEFINITION]).body)
    return [item["metadata"]["name"] for item in answer["items"] if not _is_served(connection, item)]


def _is_served(connection: KubeConnection, definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []  # null until the first
    if not any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
        return False
    # It is answered for a moment after that.
    spec = definition["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    return connection.ask(path, "northwind").status == 200


def _not_available(connection: KubeConnection) -> list[str]:
    missing = []
    for kind, ready, wanted in (
        ("deployments", "availableReplicas", "replicas"),
        ("statefulsets", "availableReplicas", "replicas"),
        ("daemonsets", "numberAvailable", "desiredNumberScheduled"),
    ):
        answer = msgspec.json.decode(connection.request("GET", f"/apis/apps/v1/{kind}").body)
        for item in answer["items"]:
            status = item["status"]
            asked = item["spec"].get("replicas", status.get(wanted)) or 0
            settled = status.get("observedGeneration", 0) >= item["metadata"]["generation"]
            if not settled or status.get(ready, 0) < asked or (kind == "daemonsets" and not asked):
                missing.append(f"{item['metadata']['namespace']}/{item['metadata']['name']}")
    return missing
