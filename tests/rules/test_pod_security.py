"""Our verdict on a pod equals the real Pod Security admission's: control by control, container by container, and in every
version of the standards."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.codec import Codec
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.subjects import LATEST_STANDARDS, PodSubject
from soc2.rules.pod_security import CONTROLS, Level, breaches
from tests.rules.pod_strategies import (
    CAREFUL,
    CAREFUL_POD,
    COMMON,
    DEFAULT,
    ODD,
    PODS,
    SELINUX_TYPES,
    SYSCTL_NAMES,
    VOLUME_SOURCES,
    Json,
    ephemeral_containers,
)

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
# From a version on, upstream evaluates at restricted the second in place of the first.
_REPLACED = {
    "hostPathVolumes": ("restrictedVolumes", 0),
    "seccompProfile_baseline": ("seccompProfile_restricted", 19),
    "capabilities_baseline": ("capabilities_restricted", 22),
    "procMount": ("procMount_restricted", 35),
}
_CODEC = Codec()
_HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow]
_LEVELS: tuple[Level, ...] = ("baseline", "restricted")
# The versions that changed a control, and the first of those that no release has yet.
_CHANGES = (8, 19, 22, 23, 25, 27, 29, 31, 32, 34, 35, LATEST_STANDARDS + 1)
_VERSIONS = sorted({version for change in _CHANGES for version in (change - 1, change)})
# The newest always, and both sides of a change; together the examples come to all of them.
_SOME_VERSIONS = st.sampled_from(_CHANGES).map(lambda change: sorted({LATEST_STANDARDS, change - 1, change}))
_NAMED_CONTAINERS = re.compile(r'\bcontainers? ("[^"]*"(?:, "[^"]*")*)')

_DEBUGGED: dict[str, Json] = {
    "by-pod": {"containers": [{"name": "app", "securityContext": CAREFUL}], "securityContext": CAREFUL_POD},
    "by-container": {"containers": [{"name": "app", "securityContext": {**CAREFUL, **CAREFUL_POD}}]},
    "own-users": {"containers": [{"name": "app", "securityContext": CAREFUL}], "hostUsers": False},
    "windows": {"containers": [{"name": "app"}], "os": {"name": "windows"}, "securityContext": {"runAsNonRoot": True}},
}


def _namespace(level: Level, version: int) -> str:
    return f"{level}-{version}"


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    """A namespace for each level and version, with the pods of ``_DEBUGGED`` in it."""
    connection = KubeConnection(control_plane.kubeconfig("tester", ("system:masters",)))
    places = list(itertools.product(_LEVELS, _VERSIONS))
    for place in places:
        connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": _namespace(*place)}})
    for level, version in places:
        name = _namespace(level, version)
        assert wait_until(lambda name=name: _has_service_account(connection, name), 20.0)  # type: ignore[misc]
        for pod, spec in _DEBUGGED.items():
            connection.request("POST", f"/api/v1/namespaces/{name}/pods", body=_with_images({"name": pod}, spec))
        # Only now, because not all of these pods fulfil all versions.
        label = "pod-security.kubernetes.io/enforce"
        labels = {label: level, f"{label}-version": "latest" if version == LATEST_STANDARDS else f"v1.{version}"}
        merge = "application/merge-patch+json"
        body = {"metadata": {"labels": labels}}
        connection.request("PATCH", f"/api/v1/namespaces/{name}", body=body, content_type=merge)
    yield connection
    connection.close()


def _with_images(metadata: Json, spec: Json) -> Json:
    containers = [{"image": "registry.example/app", **container} for container in spec["containers"]]
    return {"metadata": metadata, "spec": {**spec, "containers": containers}}


def _has_service_account(connection: KubeConnection, namespace: str) -> bool:
    try:
        connection.request("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
    except GatherError:
        return False
    return True


def test_every_control_is_known() -> None:
    assert set(CONTROLS) == set(_REASONS)


def _careful(context: Json | None = None, pod_context: Json | None = None, container: Json | None = None, **spec: Any) -> Json:
    """A pod that fulfils restricted but for what is given; a None takes a field out."""
    own = {name: value for name, value in {**CAREFUL, **(context or {})}.items() if value is not None}
    whole = {name: value for name, value in {**CAREFUL_POD, **(pod_context or {})}.items() if value is not None}
    containers = [{"name": "app", "securityContext": own, **(container or {})}]
    return {"containers": containers, "securityContext": whole, **spec}


def _sysctl(name: str) -> Json:
    return _careful(pod_context={"sysctls": [{"name": name, "value": "1"}]})


# A pod for each change of each control: what the version before says of it is different.
_CHANGED: list[tuple[int, Json]] = [
    (8, _careful({"allowPrivilegeEscalation": None})),
    (19, _careful(pod_context={"seccompProfile": {"type": "Unconfined"}})),
    (19, _careful(pod_context={"seccompProfile": None})),
    (22, _careful({"capabilities": {"add": ["CHOWN"], "drop": ["ALL"]}})),
    (23, _careful({"runAsUser": 0})),
    (25, {"os": {"name": "windows"}, "containers": [{"name": "app"}], "securityContext": {"runAsNonRoot": True}}),
    (27, _sysctl("net.ipv4.ip_local_reserved_ports")),
    (29, _sysctl("net.ipv4.tcp_fin_timeout")),
    (29, _sysctl("net.ipv4.tcp_keepalive_time")),
    (29, _sysctl("net.ipv4.tcp_keepalive_intvl")),
    (29, _sysctl("net.ipv4.tcp_keepalive_probes")),
    (31, _careful({"seLinuxOptions": {"type": "container_engine_t"}})),
    (32, _sysctl("net.ipv4.tcp_rmem")),
    (32, _sysctl("net.ipv4.tcp_wmem")),
    (34, _careful(container={"startupProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}})),
    (35, _careful({"procMount": "Unmasked"}, hostUsers=False)),
    (35, _careful({"runAsUser": 0}, hostUsers=False)),
    (35, _careful(pod_context={"runAsNonRoot": None}, hostUsers=False)),
]


@pytest.mark.parametrize(("change", "spec"), _CHANGED)
def test_every_change_is_at_its_version(api: KubeConnection, change: int, spec: Json) -> None:
    pod = _with_images({"name": "changed"}, spec)
    for level, version in itertools.product(_LEVELS, _VERSIONS):
        answer = api.try_create(f"/api/v1/namespaces/{_namespace(level, version)}/pods", pod)
        _compare(pod, level, version, answer.status, answer.reason)
    before, after = (
        [{item.control for item in breaches(_subject(pod, version), level)} for level in _LEVELS]
        for version in (change - 1, change)
    )
    assert before != after


_EVERY_VALUE: list[Json] = [
    *(_careful(volumes=[{"name": "v", **source}]) for source in VOLUME_SOURCES),
    *(_careful({"capabilities": {"add": [name], "drop": ["ALL"]}}) for name in sorted({*COMMON, *ODD, *DEFAULT})),
    *(_careful({"seLinuxOptions": {"type": name}}) for name in sorted(set(SELINUX_TYPES))),
    *(_sysctl(name) for name in sorted(set(SYSCTL_NAMES))),
]


@pytest.mark.parametrize("spec", _EVERY_VALUE)
def test_every_value_is_judged_by_itself(api: KubeConnection, spec: Json) -> None:
    pod = _with_images({"name": "single"}, spec)
    if "CAP_SYS_ADMIN" in str(spec):
        del pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
    for level in _LEVELS:
        answer = api.try_create(f"/api/v1/namespaces/{_namespace(level, LATEST_STANDARDS)}/pods", pod)
        _compare(pod, level, LATEST_STANDARDS, answer.status, answer.reason)


@settings(suppress_health_check=_HEALTH)
@given(pod=PODS, versions=_SOME_VERSIONS)
def test_our_verdict_is_the_real_admissions(api: KubeConnection, pod: Json, versions: list[int]) -> None:
    for level, version in itertools.product(_LEVELS, versions):
        answer = api.try_create(f"/api/v1/namespaces/{_namespace(level, version)}/pods", pod)
        _assume_valid(answer.status)
        _compare(pod, level, version, answer.status, answer.reason)


@settings(suppress_health_check=_HEALTH)
@given(data=st.data(), name=st.sampled_from(sorted(_DEBUGGED)), versions=_SOME_VERSIONS)
def test_our_verdict_on_ephemeral_containers_is_the_real_admissions(
    api: KubeConnection, data: st.DataObject, name: str, versions: list[int]
) -> None:
    added = data.draw(ephemeral_containers(user_namespace=name == "own-users", windows=name == "windows"))
    pod = _with_images({"name": name}, {**_DEBUGGED[name], "ephemeralContainers": added})
    for level, version in itertools.product(_LEVELS, versions):
        status, reason = _debug(api, _namespace(level, version), name, added)
        _assume_valid(status)
        _compare(pod, level, version, status, reason)


def _assume_valid(status: int) -> None:
    """Leave out what the API server finds contradictory before it asks admission."""
    event("refused as invalid" if status == 422 else "judged")
    assume(status != 422)


def _debug(api: KubeConnection, namespace: str, name: str, containers: list[Json]) -> tuple[int, str]:
    """Add ephemeral containers to a pod by dry-run: the API server takes them in no other way."""
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/ephemeralcontainers"
    body = {"spec": {"ephemeralContainers": containers}}
    try:
        api.request("PATCH", path, {"dryRun": "All"}, body=body, content_type="application/strategic-merge-patch+json")
    except GatherError as error:
        return error.status, error.problem.detail
    return 200, ""


def _compare(pod: Json, level: Level, version: int, status: int, reason: str) -> None:
    assert status in (200, 201) or (status == 403 and "violates PodSecurity" in reason), reason
    replaced = {first for first, (_, since) in _REPLACED.items() if level == "restricted" and version >= since}
    absent = replaced | {second for first, (second, _) in _REPLACED.items() if first not in replaced}
    theirs = {control: words for control, words in _REASONS.items() if words in reason and control not in absent}
    found = [item for item in breaches(_subject(pod, version), level) if item.control not in replaced]
    assert {item.control for item in found} == set(theirs), reason
    for control, words in theirs.items():
        ours = {item.container for item in found if item.control == control}
        assert _containers(reason, words) <= ours, (control, reason)


def _containers(reason: str, words: str) -> set[str]:
    """Return the containers that the part of the message about a control names."""
    start = reason.index(words) + len(words)
    ends = [reason.find(f", {other}", start) for other in _REASONS.values()]
    part = reason[start : min((end for end in ends if end >= 0), default=len(reason))]
    return {name for names in _NAMED_CONTAINERS.findall(part) for name in re.findall(r'"([^"]*)"', names)}


def _subject(pod: Json, version: int) -> PodSubject:
    decoded = _CODEC.decode(msgspec.json.encode(pod), Pod)
    return PodSubject(decoded.resource, decoded.metadata, decoded.spec, version)
