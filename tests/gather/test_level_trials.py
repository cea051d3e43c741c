"""What guards namespaces without a Pod Security level, against the real admission: policies count by what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from fixtures.populations.kubernetes import _broken_controls
from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.level_trials import _try_level
from soc2.gather.kubernetes.pod_search import altered
from soc2.gather.kubernetes.probes import UNKNOWN_IMAGE, pod_of, refused_by_policy
from soc2.model.population import Cause
from soc2.model.probes import LevelProbe

pytestmark = pytest.mark.controlplane

_REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
_VARIABLES = {
    "all": "object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])",
    "own": "variables.all.filter(c, has(c.securityContext)).map(c, c.securityContext)",
    "pod": "has(object.spec.securityContext) ? [object.spec.securityContext] : []",
}
_THREE_POINTS = (
    "variables.own.all(c, !has(c.privileged) || !c.privileged)",
    "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath))",
    "!has(object.spec.hostNetwork) || !object.spec.hostNetwork",
)
_OTHER_POINTS = (
    "!has(object.spec.hostPID) || !object.spec.hostPID",
    "!has(object.spec.hostIPC) || !object.spec.hostIPC",
    "variables.all.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort)))",
    "variables.own.all(c, !has(c.capabilities) || !has(c.capabilities.add))",
    "variables.own.all(c, !has(c.seccompProfile) || c.seccompProfile.type != 'Unconfined')",
    "variables.pod.all(c, !has(c.seccompProfile) || c.seccompProfile.type != 'Unconfined')",
    "variables.own.all(c, !has(c.appArmorProfile) && !has(c.seLinuxOptions))",
    "variables.pod.all(c, !has(c.sysctls))",
    "variables.all.all(c, !has(c.lifecycle) && !has(c.livenessProbe))",
)
_POLICIES = {
    "three-points": _THREE_POINTS,
    "every-point": (*_THREE_POINTS, *_OTHER_POINTS),
    "no-privileged": ("has(object.metadata.labels) && 'team' in object.metadata.labels",),
}


def _policy(name: str, expressions: tuple[str, ...]) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    return {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "variables": [{"name": key, "expression": value} for key, value in _VARIABLES.items()],
            "validations": [{"expression": expression} for expression in expressions],
        },
    }


def _binding(name: str) -> dict[str, Any]:
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    return {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": only}}


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    """A namespace for each policy, which is bound to it alone; one with a policy and no binding; and one with nothing."""
    connection = KubeConnection(control_plane.kubeconfig("tester", ("system:masters",)))
    for name in (*_POLICIES, "unbound", "bare"):
        connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
    policies = {**_POLICIES, "unbound": _THREE_POINTS}
    for name, expressions in policies.items():
        connection.request("POST", f"{_REGISTRATION}/validatingadmissionpolicies", body=_policy(name, expressions))
    for name in _POLICIES:
        connection.request("POST", f"{_REGISTRATION}/validatingadmissionpolicybindings", body=_binding(name))

    def refused(name: str) -> bool:
        on_host_network = altered(pod_of(UNKNOWN_IMAGE), [0])
        return refused_by_policy(connection.try_create(f"/api/v1/namespaces/{name}/pods", on_host_network))

    def admitted(name: str) -> bool:
        return connection.try_create(f"/api/v1/namespaces/{name}/pods", pod_of(UNKNOWN_IMAGE)).status == 201

    for name in ("unbound", "bare"):
        assert wait_until(partial(admitted, name), 20.0)
    for name in _POLICIES:
        assert wait_until(partial(refused, name), 20.0)
    yield connection
    for name in policies:
        connection.request("DELETE", f"{_REGISTRATION}/validatingadmissionpolicies/{name}")
    connection.close()


def tried(api: KubeConnection, namespace: str) -> LevelProbe:
    return _try_level(api, _broken_controls, UNKNOWN_IMAGE, "latest", namespace)


def test_policies_that_refuse_all_of_baseline_are_seen_to(api: KubeConnection) -> None:
    probe = tried(api, "every-point")
    assert probe.admitted == ()
    assert probe.refused > 15


def test_what_policies_leave_open_is_found(api: KubeConnection) -> None:
    probe = tried(api, "three-points")
    assert probe.refused > 0
    assert probe.admitted == ("hostNamespaces",)


@pytest.mark.parametrize("namespace", ["bare", "unbound"])
def test_a_policy_that_is_only_there_refuses_nothing(api: KubeConnection, namespace: str) -> None:
    assert tried(api, namespace) == LevelProbe(namespace, 0, ("hostNamespaces",))


def test_a_policy_that_refuses_every_pod_for_something_else_tells_nothing(api: KubeConnection) -> None:
    with pytest.raises(GatherError) as caught:
        tried(api, "no-privileged")
    assert caught.value.problem.cause is Cause.INCONCLUSIVE


def test_who_may_not_create_pods_learns_nothing(control_plane: ControlPlane, api: KubeConnection) -> None:
    assert api
    nobody = KubeConnection(control_plane.kubeconfig("nobody", ()))
    with pytest.raises(GatherError) as caught:
        tried(nobody, "bare")
    assert caught.value.problem.cause is Cause.DENIED
    nobody.close()
