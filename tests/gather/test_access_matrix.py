"""The access matrix, asked of the real authorizer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.kubernetes.access_matrix import _ask, _declared, _search
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.model.probes import MatrixProbe
from soc2.system import MatrixEntry

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/matrix"
DEVS = "Group/matrix-devs"
ENTRY = MatrixEntry(subject=DEVS, verbs=("get", "list"), resources=("pods", "deployments.apps"), namespaces=("mat*",))

pytestmark = pytest.mark.controlplane


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    connection = KubeConnection(control_plane.kubeconfig("tester", ("system:masters",)))
    connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "matrix"}})
    rules = [
        {"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods", "deployments"]},
        {"verbs": ["delete"], "apiGroups": ["batch"], "resources": ["jobs"]},
    ]
    connection.request("POST", f"{RBAC}/roles", body={"metadata": {"name": "dev"}, "rules": rules})
    subjects = [{"kind": "Group", "name": "matrix-devs", "apiGroup": "rbac.authorization.k8s.io"}]
    reference = {"kind": "Role", "name": "dev", "apiGroup": "rbac.authorization.k8s.io"}
    body = {"metadata": {"name": "dev"}, "subjects": subjects, "roleRef": reference}
    connection.request("POST", f"{RBAC}/rolebindings", body=body)
    assert wait_until(lambda: _ask(connection, DEVS, "get", "pods", "matrix", True).allowed, 20.0)
    yield connection
    connection.close()


def test_what_is_declared_is_asked(api: KubeConnection) -> None:
    places = ("matrix", "other")
    answers = [_ask(api, *question) for question in _declared(ENTRY, places)]
    assert len(answers) == 4
    assert all(answer.allowed and answer.namespace == "matrix" for answer in answers)


def test_what_is_allowed_beyond_the_matrix_is_found(api: KubeConnection) -> None:
    found = [probe for probe in _search(api, DEVS, (ENTRY,), ("matrix",), 1, 2000, 60.0) if probe.allowed]
    assert found == [MatrixProbe(DEVS, "delete", "jobs.batch", "matrix", expected=False, allowed=True)]


def test_nothing_is_found_when_the_matrix_tells_everything(api: KubeConnection) -> None:
    jobs = MatrixEntry(subject=DEVS, verbs=("delete",), resources=("jobs.batch",), namespaces=("matrix",))
    asked = _search(api, DEVS, (ENTRY, jobs), ("matrix",), 1, 200, 60.0)
    assert len(asked) > 50
    assert not any(probe.allowed for probe in asked)
