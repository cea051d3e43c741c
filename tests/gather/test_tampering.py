"""Who may weaken a control of the cluster, as an authorizer answers that is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from soc2.evidence import EvidenceStore
from soc2.gather.codec import Codec
from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.connection import Answer
from soc2.gather.kubernetes.tampering import ControlTampering
from soc2.gather.source import Gatherer, Listing
from soc2.model.access.controls import ControlPower, Way
from tests.gather.test_manifests import SYSTEM

_ADMISSION = "admissionregistration.k8s.io"


def role(name: str, verbs: list[str], group: str, resource: str, names: list[str] | None = None) -> dict[str, Any]:
    rule = {"verbs": verbs, "apiGroups": [group], "resources": [resource], **({"resourceNames": names} if names else {})}
    return {"metadata": {"name": name}, "rules": [rule]}


def bound(name: str, *subjects: tuple[str, str, str], namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    listed = [{"kind": kind, "name": subject, "namespace": place} for kind, subject, place in subjects]
    return {"metadata": metadata, "roleRef": {"kind": "ClusterRole", "name": name}, "subjects": listed}


def powers(
    folder: Path,
    roles: list[dict[str, Any]],
    everywhere: list[dict[str, Any]],
    inside: list[dict[str, Any]],
    also: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> dict[str, tuple[Way, ...]]:
    """Gather with an authorizer that allows what the roles say and what it knows ``also``."""

    def decoded(source: Any, items: list[dict[str, Any]]) -> tuple[Any, ...]:
        return tuple(Codec().decode(msgspec.json.encode(item), source.kind) for item in items)

    raw: dict[Any, list[dict[str, Any]]] = {
        sources.CLUSTER_ROLES: roles,
        sources.CLUSTER_ROLE_BINDINGS: everywhere,
        sources.ROLE_BINDINGS: inside,
        sources.NAMESPACES: [{"metadata": {"name": name}} for name in ("one", "two", "three")],
    }

    def request(_: str, __: str, body: dict[str, Any]) -> Answer:
        attributes = {"user": body["spec"]["user"], **body["spec"]["resourceAttributes"]}
        allowed = also(attributes) or any(covers(item, attributes) for item in (*everywhere, *inside))
        return Answer(200, json.dumps({"status": {"allowed": allowed}}).encode())

    def covers(binding: dict[str, Any], attributes: dict[str, Any]) -> bool:
        rules = [rule for item in roles if item["metadata"]["name"] == binding["roleRef"]["name"] for rule in item["rules"]]
        place = binding["metadata"].get("namespace", "")
        return (
            any(subject["name"] == attributes["user"].rpartition(":")[2] for subject in binding["subjects"])
            and place in ("", attributes["namespace"])
            and any(
                attributes["verb"] in rule["verbs"]
                and attributes["resource"] in rule["resources"]
                and attributes["group"] in rule["apiGroups"]
                and (not rule.get("resourceNames") or attributes.get("name") in rule["resourceNames"])
                for rule in rules
            )
        )

    connection = SimpleNamespace(request=request, identity="tester")
    gatherer = SimpleNamespace(
        system=SYSTEM,
        kubernetes=connection,
        evidence=EvidenceStore(folder),
        get=lambda source: Listing(decoded(source, raw.get(source, [])), ()),
    )
    listing = ControlTampering().gather(cast(Gatherer, gatherer))
    assert listing.statuses[-1].complete
    found: tuple[ControlPower, ...] = listing.items
    return {power.name: power.ways for power in found}


def test_ways_are_told_once_for_each_resource_and_by_namespace_only_where_they_are_limited(tmp_path: Path) -> None:
    roles = [
        role("hooks", ["patch", "delete"], _ADMISSION, "validatingwebhookconfigurations"),
        role("doors", ["create"], "networking.k8s.io", "networkpolicies"),
    ]
    eve, robot = ("User", "eve", ""), ("ServiceAccount", "robot", "one")
    inside = [bound("doors", robot, namespace=place) for place in ("one", "two")]
    found = powers(tmp_path, roles, [bound("hooks", eve), bound("doors", ("User", "amy", ""))], inside)
    assert found == {
        "User/eve": (Way("admission webhooks", "patch/delete validatingwebhookconfigurations"),),
        "User/amy": (Way("NetworkPolicies", "create networkpolicies"),),
        "ServiceAccount/one/robot": (Way("NetworkPolicies", "create networkpolicies in 2 namespaces"),),
    }


def test_a_right_to_one_object_by_its_name_counts(tmp_path: Path) -> None:
    roles = [role("one", ["patch", "deletecollection"], _ADMISSION, "validatingadmissionpolicies", ["images"])]
    found = powers(tmp_path, roles, [bound("one", ("User", "eve", ""))], [])
    assert Way("admission policies", "patch validatingadmissionpolicies named images") in found["User/eve"]


def test_what_only_the_authorizer_knows_is_found(tmp_path: Path) -> None:
    roles = [role("nothing", ["get"], "", "pods")]

    def by_webhook(attributes: dict[str, Any]) -> bool:
        wanted = ("hooked", "update", "clusterroles")
        return (attributes["user"], attributes["verb"], attributes["resource"]) == wanted

    found = powers(tmp_path, roles, [bound("nothing", ("User", "hooked", ""))], [], by_webhook)
    assert found == {"User/hooked": (Way("RBAC", "update clusterroles"),)}


def test_only_kubernetes_own_components_with_its_own_roles_are_left_out(tmp_path: Path) -> None:
    roles = [role("system:own", ["get"], "", "pods"), role("given", ["get"], "", "pods")]
    own = ("ServiceAccount", "job-controller", "kube-system")
    everywhere = [
        bound(
            "system:own",
            own,
            ("User", "system:kube-proxy", ""),
            ("Group", "system:nodes", ""),
            ("Group", "system:masters", ""),
        ),
        bound("given", ("ServiceAccount", "addon", "kube-system"), ("Group", "system:authenticated", "")),
    ]
    asked = set(powers(tmp_path, roles, everywhere, []))
    assert asked == {"Group/system:nodes", "ServiceAccount/kube-system/addon", "Group/system:authenticated"}
