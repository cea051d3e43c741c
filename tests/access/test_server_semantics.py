"""What the escalation primitives presume of the API server, tried on the real one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from tests.access.test_authorizer import RBAC

pytestmark = pytest.mark.controlplane

NAMESPACE = "semantics"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
JSON, MERGE, APPLY = "application/json", "application/merge-patch+json", "application/apply-patch+yaml"
SECRET = {"metadata": {"name": "kept"}, "stringData": {"word": "open"}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "aws-auth"}, "data": {}}
POWERFUL = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
TOKEN = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
VOLUME = {
    "metadata": {"name": "semantics"},
    "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/"}},
}
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_SERIAL = itertools.count()


@dataclass(frozen=True)
class Try:
    """A request of somebody with just these rules ("verbs resource group [name]"), in a namespace or the whole cluster."""

    rules: tuple[str, ...]
    method: str
    path: str
    body: Any = None
    content_type: str = JSON
    namespaced: bool = True


def rules_of(texts: tuple[str, ...]) -> list[dict[str, Any]]:
    found = []
    for verbs, resource, group, *names in (text.split(" ") for text in texts):
        rule = {"verbs": verbs.split(","), "apiGroups": ["" if group == "-" else group], "resources": [resource]}
        found.append({**rule, **({"resourceNames": names} if names else {})})
    return found


@pytest.fixture(scope="module")
def admin(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    connection = KubeConnection(control_plane.kubeconfig("tester", ("system:masters",)))
    connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": NAMESPACE}})
    connection.request("POST", f"{CORE}/serviceaccounts", body={"metadata": {"name": "robot"}})
    connection.request("POST", f"{CORE}/secrets", body=SECRET)
    role = {"metadata": {"name": "semantics-powerful", "labels": {"a": "b"}}, **POWERFUL}
    connection.request("POST", f"{RBAC}/clusterroles", body=role)
    connection.request("POST", f"{RBAC}/namespaces/{NAMESPACE}/roles", body={"metadata": {"name": "mine"}, "rules": []})
    yield connection
    connection.request("DELETE", f"{RBAC}/clusterroles/semantics-powerful")
    connection.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    connection.close()


def tried(admin: KubeConnection, control_plane: ControlPlane, attempt: Try) -> tuple[int, bytes]:
    """Give a new user the rules, let it ask, and return status and body of the answer."""
    name = f"semantics-{next(_SERIAL)}"
    place = f"{RBAC}/namespaces/{NAMESPACE}" if attempt.namespaced else RBAC
    role, binding = ("Role", "rolebindings") if attempt.namespaced else ("ClusterRole", "clusterrolebindings")
    user = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    sentinel = {"verbs": ["get"], "apiGroups": ["sentinel"], "resources": [name]}
    rules = [*rules_of(attempt.rules), sentinel]
    admin.request("POST", f"{place}/{role.lower()}s", body={"metadata": {"name": name}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name}
    admin.request("POST", f"{place}/{binding}", body={"metadata": {"name": name}, "roleRef": reference, "subjects": [user]})
    attributes = {"verb": "get", "group": "sentinel", "resource": name, "namespace": NAMESPACE if attempt.namespaced else ""}
    review = {"spec": {"user": name, "resourceAttributes": attributes}}

    def settled() -> bool:
        answer = admin.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)
        return bool(json.loads(answer.body)["status"]["allowed"])

    assert wait_until(settled, 20.0)
    mine = KubeConnection(control_plane.kubeconfig(name))
    try:
        answer = mine.request(
            attempt.method, attempt.path, {"fieldManager": name}, body=attempt.body, content_type=attempt.content_type
        )
        return answer.status, answer.body
    except GatherError as error:
        return error.status or 0, b""
    finally:
        mine.close()
        admin.request("DELETE", f"{place}/{binding}/{name}")
        admin.request("DELETE", f"{place}/{role.lower()}s/{name}")


ALLOWED, FORBIDDEN, INVALID = (200, 201), (403,), (422,)


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        # A rule with names does not allow to create by POST, and does by apply, which knows the name.
        (Try(("create configmaps - aws-auth",), "POST", f"{CORE}/configmaps", CONFIG), FORBIDDEN),
        (Try(("patch configmaps - aws-auth",), "PATCH", f"{CORE}/configmaps/aws-auth", CONFIG, APPLY), FORBIDDEN),
        (Try(("create,patch configmaps - aws-auth",), "PATCH", f"{CORE}/configmaps/aws-auth", CONFIG, APPLY), ALLOWED),
        # Who patches a Secret is shown it, and the list of what it deletes; a Secret does not change its type.
        (Try(("patch secrets -",), "PATCH", f"{CORE}/secrets/kept", {}, MERGE), ALLOWED),
        (
            Try(
                ("update secrets -",), "PUT", f"{CORE}/secrets/kept", {**SECRET, "type": "kubernetes.io/service-account-token"}
            ),
            INVALID,
        ),
        # Roles: escalate and bind need their write verb, and the write verb needs them.
        (
            Try(
                ("patch roles rbac.authorization.k8s.io",),
                "PATCH",
                f"{RBAC}/namespaces/{NAMESPACE}/roles/mine",
                POWERFUL,
                MERGE,
            ),
            FORBIDDEN,
        ),
        (
            Try(
                ("escalate roles rbac.authorization.k8s.io",),
                "PATCH",
                f"{RBAC}/namespaces/{NAMESPACE}/roles/mine",
                POWERFUL,
                MERGE,
            ),
            FORBIDDEN,
        ),
        (
            Try(
                ("escalate,patch roles rbac.authorization.k8s.io",),
                "PATCH",
                f"{RBAC}/namespaces/{NAMESPACE}/roles/mine",
                POWERFUL,
                MERGE,
            ),
            ALLOWED,
        ),
        # The labels of a ClusterRole change only for who has the rights that it gives.
        (
            Try(
                ("patch clusterroles rbac.authorization.k8s.io",),
                "PATCH",
                f"{RBAC}/clusterroles/semantics-powerful",
                {"metadata": {"labels": {"rbac.authorization.k8s.io/aggregate-to-view": "false"}}},
                MERGE,
                namespaced=False,
            ),
            FORBIDDEN,
        ),
        (Try(("create serviceaccounts/token - robot",), "POST", f"{CORE}/serviceaccounts/robot/token", TOKEN), ALLOWED),
        (Try(("create serviceaccounts/* -",), "POST", f"{CORE}/serviceaccounts/robot/token", TOKEN), FORBIDDEN),
        (Try(("create */token -",), "POST", f"{CORE}/serviceaccounts/robot/token", TOKEN), ALLOWED),
        # A namespace is changed by a right in itself; what belongs to no namespace is not.
        (
            Try(
                ("patch namespaces -",),
                "PATCH",
                f"/api/v1/namespaces/{NAMESPACE}",
                {"metadata": {"labels": {"a": "b"}}},
                MERGE,
            ),
            ALLOWED,
        ),
        (Try(("create persistentvolumes -",), "POST", "/api/v1/persistentvolumes", VOLUME), FORBIDDEN),
        (Try(("deletecollection configmaps - aws-auth",), "DELETE", f"{CORE}/configmaps"), FORBIDDEN),
    ],
)
def test_the_server_does_what_the_primitives_presume(
    attempt: Try, expected: tuple[int, ...], admin: KubeConnection, control_plane: ControlPlane
) -> None:
    assert tried(admin, control_plane, attempt)[0] in expected


@pytest.mark.parametrize(
    "attempt",
    [
        Try(("patch secrets -",), "PATCH", f"{CORE}/secrets/kept", {}, MERGE),
        Try(("deletecollection secrets -",), "DELETE", f"{CORE}/secrets"),
    ],
)
def test_who_changes_secrets_is_shown_them(attempt: Try, admin: KubeConnection, control_plane: ControlPlane) -> None:
    assert b"b3Blbg==" in tried(admin, control_plane, attempt)[1]
