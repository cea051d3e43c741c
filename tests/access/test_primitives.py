"""Each escalation primitive: rules that give it, and rules that nearly do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.codec import Codec
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.kubernetes.facts import default_cluster_roles
from soc2.model.access.primitives import BY_ID, PRIMITIVES, rights_of_subjects
from soc2.model.kubernetes.joins import cluster_role_rules, grants
from soc2.model.kubernetes.rbac import ClusterRole, ClusterRoleBinding, RoleBinding
from tests.access.test_authorizer import listed

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "primitives.yaml").read_text(encoding="utf-8"))
EACH = [
    pytest.param(primitive, expected, case, id=f"{primitive}-{'allowed' if expected else 'nearly'}-{index}")
    for primitive, cases in CASES.items()
    for expected, name in ((True, "allowed"), (False, "nearly"))
    for index, case in enumerate(cases[name])
]


def held(case: dict[str, Any]) -> set[str]:
    """Return the primitives that a user holds to whom a role with the case's rules is bound."""
    rules = [
        {
            "verbs": verbs.split(","),
            "apiGroups": ["" if group == "-" else group],
            "resources": [resource],
            **({"resourceNames": names} if names else {}),
        }
        for verbs, resource, group, *names in (rule.split(" ") for rule in case["rules"])
    ]
    role = Codec().decode(msgspec.json.encode({"metadata": {"name": "role"}, "rules": rules}), ClusterRole)
    subjects = [{"kind": "User", "name": "eve"}]
    body = {"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "role"}, "subjects": subjects}
    namespaced, everywhere = [], []
    if case.get("namespace"):
        body["metadata"]["namespace"] = case["namespace"]  # type: ignore[index]
        namespaced = [Codec().decode(msgspec.json.encode(body), RoleBinding)]
    else:
        everywhere = [Codec().decode(msgspec.json.encode(body), ClusterRoleBinding)]
    roles = (*default_cluster_roles(), role)
    (rights,) = rights_of_subjects(grants((), roles, namespaced, everywhere), cluster_role_rules(roles), case.get("minor"))
    return {holding.primitive.id for holding in rights.holdings}


@pytest.mark.parametrize(("primitive", "expected", "case"), EACH)
def test_a_primitive_is_held_only_by_who_can_use_it(primitive: str, expected: bool, case: dict[str, Any]) -> None:
    assert (primitive in held(case)) == expected


def test_every_primitive_has_both_kinds_of_cases() -> None:
    assert set(CASES) == set(BY_ID)
    assert all(cases["allowed"] and cases["nearly"] for cases in CASES.values())
    assert len(PRIMITIVES) == len(BY_ID)


@pytest.mark.controlplane
def test_the_roles_presumed_for_manifests_are_those_of_a_new_cluster(control_plane: ControlPlane) -> None:
    api = KubeConnection(control_plane.kubeconfig("tester", ("system:masters",)))
    presumed = {role.name: (role.labels, role.rules or ()) for role in default_cluster_roles()}

    def as_presumed() -> bool:
        found = {role.name: (role.labels, role.rules or ()) for role in listed(api, ClusterRole, "clusterroles")}
        return all(found.get(name) == role for name, role in presumed.items())

    assert wait_until(as_presumed, 20.0)
    api.close()
