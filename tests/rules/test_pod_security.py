"""Our verdict on a pod equals the real Pod Security admission's, control by control."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings

from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.codec import Codec
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.subjects import PodSubject
from soc2.rules.pod_security import CONTROLS, Level, breaches
from tests.rules.pod_strategies import PODS

pytestmark = pytest.mark.controlplane

# The words by which the admission's message names each control.
_REASONS = {
    "hostNamespaces": "host namespaces (",
    "privileged": "privileged (",
    "capabilities_baseline": "non-default capabilities (",
    "hostPathVolumes": "hostPath volumes (",
    "hostPorts": "hostPort (",
    "appArmorProfile": "forbidden AppArmor profile",
    "seLinuxOptions": "seLinuxOptions (",
    "procMount": "procMount (",
    "seccompProfile_baseline": "seccompProfile (",
    "sysctls": "forbidden sysctls (",
    "windowsHostProcess": "hostProcess (",
    "hostProbesAndHostLifecycle": "probe or lifecycle host (",
    "allowPrivilegeEscalation": "allowPrivilegeEscalation != false (",
    "runAsNonRoot": "runAsNonRoot != true (",
    "runAsUser": "runAsUser=0 (",
    "seccompProfile_restricted": "seccompProfile (",
    "capabilities_restricted": "unrestricted capabilities (",
    "restrictedVolumes": "restricted volume types (",
    "procMount_restricted": "procMount (",
}
# At restricted, upstream evaluates these instead of their baseline forms.
_OVERRIDDEN = {"capabilities_baseline", "hostPathVolumes", "seccompProfile_baseline", "procMount"}
_LEVELS: tuple[Level, ...] = ("baseline", "restricted")
_EXAMPLES = int(os.environ.get("SOC2_EXAMPLES", "300"))


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    connection = KubeConnection(control_plane.kubeconfig("tester", ("system:masters",)))
    for level in ("baseline", "restricted"):
        labels = {"pod-security.kubernetes.io/enforce": level}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": level, "labels": labels}}
        connection.request("POST", "/api/v1/namespaces", body=body)
        assert wait_until(lambda level=level: _has_service_account(connection, level), 20.0)  # type: ignore[misc]
    yield connection
    connection.close()


def _has_service_account(connection: KubeConnection, namespace: str) -> bool:
    try:
        connection.request("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
    except GatherError:
        return False
    return True


def test_every_control_is_known() -> None:
    assert set(CONTROLS) == set(_REASONS)


@settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize=_EXAMPLES == 300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(pod=PODS)
def test_our_verdict_is_the_real_admissions(api: KubeConnection, pod: dict[str, Any]) -> None:
    for level in _LEVELS:
        answer = api.try_create(f"/api/v1/namespaces/{level}/pods", {"apiVersion": "v1", "kind": "Pod", **pod})
        # The API server finds some pods contradictory before it asks admission.
        assume(answer.status in (201, 403))
        assert answer.status == 201 or "violates PodSecurity" in answer.reason, answer.reason
        theirs = {control for control, words in _REASONS.items() if words in answer.reason and _at(control, level)}
        ours = {item.control for item in breaches(_subject(pod), level)} - (_OVERRIDDEN if level == "restricted" else set())
        assert ours == theirs, answer.reason


def _at(control: str, level: Level) -> bool:
    """Tell whether the admission evaluates a control at a level."""
    if level == "baseline":
        return CONTROLS[control][0] == "baseline"
    return control not in _OVERRIDDEN


def _subject(pod: dict[str, Any]) -> PodSubject:
    decoded = Codec().decode(msgspec.json.encode(pod), Pod)
    return PodSubject(decoded.resource, decoded.metadata, decoded.spec)
