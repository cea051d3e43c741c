"""The Pod Security Standards, control by control, in every version that Kubernetes 1.36 can enforce.

Rules bear the names of upstream's checks, and every deviation tells the level and the id of the control. A subject says by
its ``standards`` which version it is held to, as the minor number of the Kubernetes release. Source of the allowed values
and of their versions: the Pod Security Standards of the Kubernetes documentation and the evaluator of
k8s.io/pod-security-admission 0.36; the suite's tests compare the verdicts with the real admission, version by version.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.pods import Container, Handler, SeLinuxOptions, WindowsOptions
from soc2.model.kubernetes.subjects import PodSubject

Level = Literal["baseline", "restricted"]


@dataclass(frozen=True, kw_only=True)
class PodSecurityDeviation(Deviation):
    """``control`` is upstream's id of the control; ``container`` is empty when the field is the pod's own."""

    template: ClassVar[str] = "{field} is {value}, which {level} ({control}) does not allow"

    level: Level
    control: str
    container: str
    field: str
    value: str

    @property
    def message(self) -> str:
        where = f"container {self.container}: " if self.container else ""
        return where + super().message


_NEVER = math.inf

Finding = tuple[str, str, Any]
Rule = Callable[[PodSubject], Iterator[PodSecurityDeviation]]


@dataclass(frozen=True)
class Control:
    """A control of a level; ``since`` is the first version of the standards that has it."""

    level: Level
    since: int
    rule: Rule


CONTROLS: dict[str, Control] = {}
"""Every control by its id. Restricted contains baseline."""


def _control(control: str, level: Level, since: int = 0) -> Callable[[Callable[[PodSubject], Iterable[Finding]]], Rule]:
    """Make a rule of a function that yields (container, field, value) for everything forbidden."""

    def declare(find: Callable[[PodSubject], Iterable[Finding]]) -> Rule:
        def rule(subject: PodSubject) -> Iterator[PodSecurityDeviation]:
            for container, field, value in find(subject) if subject.standards >= since else ():
                yield PodSecurityDeviation(
                    resource=subject.resource,
                    level=level,
                    control=control,
                    container=container,
                    field=field,
                    value="not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value),
                )

        rule.__doc__ = find.__doc__
        rule.__name__ = find.__name__
        CONTROLS[control] = Control(level, since, rule)
        return rule

    return declare


def breaches(subject: PodSubject, level: Level) -> list[PodSecurityDeviation]:
    """Return every deviation of a pod from a level."""
    levels = ("baseline",) if level == "baseline" else ("baseline", "restricted")
    return [found for control in CONTROLS.values() if control.level in levels for found in control.rule(subject)]


def _each(subject: PodSubject) -> Iterator[tuple[str, str, Container]]:
    """Yield name, path of the security context and record of every container."""
    for where, container in subject.spec.all_containers:
        yield container.name, f"{where}[{container.name}].securityContext", container


def _exempt_as_windows(subject: PodSubject) -> bool:
    """Tell whether the controls that mean nothing on Windows leave the pod alone: since 1.25."""
    os = subject.spec.os
    return subject.standards >= 25 and os is not None and os.name == "windows"


def _relaxed_by_user_namespace(subject: PodSubject) -> bool:
    """Tell whether the pod may do more because root inside is nobody outside: since 1.35."""
    return subject.standards >= 35 and subject.spec.host_users is False


@_control("hostNamespaces", "baseline")
def host_namespaces(subject: PodSubject) -> Iterable[Finding]:
    """The host's network, process and IPC namespaces stay closed."""
    spec = subject.spec
    for field, value in (("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)):
        if value:
            yield "", f"spec.{field}", value


@_control("privileged", "baseline")
def privileged(subject: PodSubject) -> Iterable[Finding]:
    """No container is privileged."""
    for name, path, container in _each(subject):
        if container.security_context and container.security_context.privileged:
            yield name, f"{path}.privileged", True


_BASELINE_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)


@_control("capabilities_baseline", "baseline")
def capabilities_baseline(subject: PodSubject) -> Iterable[Finding]:
    """Only the capabilities that container runtimes give by default may be added."""
    for name, path, container in _each(subject):
        added = _added(container)
        forbidden = [capability for capability in added if capability not in _BASELINE_CAPABILITIES]
        if forbidden:
            yield name, f"{path}.capabilities.add", ", ".join(forbidden)


@_control("hostPathVolumes", "baseline")
def host_path_volumes(subject: PodSubject) -> Iterable[Finding]:
    """No volume mounts a path of the node."""
    for volume in subject.spec.volumes:
        if volume.kind == "hostPath":
            yield "", f"spec.volumes[{volume.name}].hostPath", volume.path


@_control("hostPorts", "baseline")
def host_ports(subject: PodSubject) -> Iterable[Finding]:
    """No container takes a port of the node. On the host's network every container port is one, whether said or not."""
    on_host = subject.spec.host_network
    for where, container in subject.spec.all_containers:
        taken = [port.host_port or (port.container_port if on_host else 0) for port in container.ports]
        ports = [str(port) for port in taken if port]
        if ports:
            yield container.name, f"{where}[{container.name}].ports.hostPort", ", ".join(ports)


@_control("appArmorProfile", "baseline")
def app_armor_profile(subject: PodSubject) -> Iterable[Finding]:
    """AppArmor is not switched off, neither by field nor by the older annotation."""
    allowed = ("RuntimeDefault", "Localhost")
    context = subject.spec.security_context
    if context and context.app_armor_profile and context.app_armor_profile.type not in allowed:
        yield "", "spec.securityContext.appArmorProfile.type", context.app_armor_profile.type
    for name, path, container in _each(subject):
        profile = container.security_context.app_armor_profile if container.security_context else None
        if profile and profile.type not in allowed:
            yield name, f"{path}.appArmorProfile.type", profile.type
    prefix = "container.apparmor.security.beta.kubernetes.io/"
    for annotation in subject.metadata.annotations:
        value = subject.metadata.annotations.text(annotation) or ""
        fine = value in ("", "runtime/default") or value.startswith("localhost/")
        if annotation.startswith(prefix) and not fine:
            yield annotation.removeprefix(prefix), f"metadata.annotations[{annotation}]", value


# Each with the version that brought it.
_SELINUX_TYPES = {"": 0, "container_t": 0, "container_init_t": 0, "container_kvm_t": 0, "container_engine_t": 31}


def _bad_selinux(options: SeLinuxOptions | None, standards: int) -> Iterator[tuple[str, str]]:
    if options is None:
        return
    if standards < _SELINUX_TYPES.get(options.type, _NEVER):
        yield "type", options.type
    if options.user:
        yield "user", options.user
    if options.role:
        yield "role", options.role


@_control("seLinuxOptions", "baseline")
def selinux_options(subject: PodSubject) -> Iterable[Finding]:
    """SELinux types are those for containers; user and role are not set."""
    context = subject.spec.security_context
    for field, value in _bad_selinux(context.se_linux_options if context else None, subject.standards):
        yield "", f"spec.securityContext.seLinuxOptions.{field}", value
    for name, path, container in _each(subject):
        own = container.security_context
        for field, value in _bad_selinux(own.se_linux_options if own else None, subject.standards):
            yield name, f"{path}.seLinuxOptions.{field}", value


def _unmasked_proc(subject: PodSubject) -> Iterator[Finding]:
    for name, path, container in _each(subject):
        mount = container.security_context.proc_mount if container.security_context else None
        if mount is not None and mount != "Default":
            yield name, f"{path}.procMount", mount


@_control("procMount", "baseline")
def proc_mount(subject: PodSubject) -> Iterable[Finding]:
    """The masks over /proc stay, unless (since 1.35) the pod has a user namespace of its own."""
    return () if _relaxed_by_user_namespace(subject) else _unmasked_proc(subject)


@_control("procMount_restricted", "restricted", since=35)
def proc_mount_restricted(subject: PodSubject) -> Iterable[Finding]:
    """The masks over /proc stay."""
    return _unmasked_proc(subject)


_SECCOMP_TYPES = ("RuntimeDefault", "Localhost")


def _bad_seccomp(subject: PodSubject) -> Iterator[Finding]:
    context = subject.spec.security_context
    if context and context.seccomp_profile and context.seccomp_profile.type not in _SECCOMP_TYPES:
        yield "", "spec.securityContext.seccompProfile.type", context.seccomp_profile.type
    for name, path, container in _each(subject):
        profile = container.security_context.seccomp_profile if container.security_context else None
        if profile and profile.type not in _SECCOMP_TYPES:
            yield name, f"{path}.seccompProfile.type", profile.type


@_control("seccompProfile_baseline", "baseline")
def seccomp_baseline(subject: PodSubject) -> Iterable[Finding]:
    """Seccomp is not switched off: by the fields, or before 1.19 by the annotations that they replaced."""
    return _bad_seccomp(subject) if subject.standards >= 19 else _bad_seccomp_annotations(subject)


def _bad_seccomp_annotations(subject: PodSubject) -> Iterator[Finding]:
    domain = "seccomp.security.alpha.kubernetes.io"
    names = {f"{domain}/pod": ""}
    names |= {f"container.{domain}/{container.name}": container.name for _, container in subject.spec.all_containers}
    for annotation, container in names.items():
        value = subject.metadata.annotations.text(annotation)
        if value is not None and value not in ("runtime/default", "docker/default") and not value.startswith("localhost/"):
            yield container, f"metadata.annotations[{annotation}]", value


@_control("seccompProfile_restricted", "restricted", since=19)
def seccomp_restricted(subject: PodSubject) -> Iterable[Finding]:
    """Every container has a seccomp profile, of its own or of the pod (Linux only)."""
    if _exempt_as_windows(subject):
        return
    yield from _bad_seccomp(subject)
    context = subject.spec.security_context
    pod_profile = context.seccomp_profile if context else None
    if pod_profile and pod_profile.type in _SECCOMP_TYPES:
        return
    for name, path, container in _each(subject):
        if container.security_context is None or container.security_context.seccomp_profile is None:
            yield name, f"{path}.seccompProfile.type", None


_SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}


@_control("sysctls", "baseline")
def sysctls(subject: PodSubject) -> Iterable[Finding]:
    """Only sysctls that are separate for each pod and known as safe are set."""
    context = subject.spec.security_context
    for sysctl in context.sysctls if context else ():
        if subject.standards < _SYSCTLS.get(sysctl.name, _NEVER):
            yield "", "spec.securityContext.sysctls", sysctl.name


def _host_process(options: WindowsOptions | None) -> bool:
    return options is not None and options.host_process is True


@_control("windowsHostProcess", "baseline")
def windows_host_process(subject: PodSubject) -> Iterable[Finding]:
    """No Windows container runs as a process of the host."""
    context = subject.spec.security_context
    if _host_process(context.windows_options if context else None):
        yield "", "spec.securityContext.windowsOptions.hostProcess", True
    for name, path, container in _each(subject):
        if _host_process(container.security_context.windows_options if container.security_context else None):
            yield name, f"{path}.windowsOptions.hostProcess", True


def _handlers(container: Container) -> Iterator[tuple[str, Handler | None]]:
    yield "livenessProbe", container.liveness_probe
    yield "readinessProbe", container.readiness_probe
    yield "startupProbe", container.startup_probe
    if container.lifecycle:
        yield "lifecycle.postStart", container.lifecycle.post_start
        yield "lifecycle.preStop", container.lifecycle.pre_stop


@_control("hostProbesAndHostLifecycle", "baseline", since=34)
def host_probes(subject: PodSubject) -> Iterable[Finding]:
    """Probes and lifecycle hooks connect to the pod itself: another host would make the node a way around policies."""
    for where, container in subject.spec.all_containers:
        for field, handler in _handlers(container):
            if handler is None:
                continue
            for kind, target in (("httpGet", handler.http_get), ("tcpSocket", handler.tcp_socket)):
                if target is not None and target.host:
                    yield container.name, f"{where}[{container.name}].{field}.{kind}.host", target.host


@_control("allowPrivilegeEscalation", "restricted", since=8)
def privilege_escalation(subject: PodSubject) -> Iterable[Finding]:
    """No process may gain more privileges than its parent (Linux only)."""
    if _exempt_as_windows(subject):
        return
    for name, path, container in _each(subject):
        allowed = container.security_context.allow_privilege_escalation if container.security_context else None
        if allowed is not False:
            yield name, f"{path}.allowPrivilegeEscalation", allowed


@_control("runAsNonRoot", "restricted")
def run_as_non_root(subject: PodSubject) -> Iterable[Finding]:
    """Every container is bound not to run as root, unless (since 1.35) the pod has a user namespace of its own."""
    if _relaxed_by_user_namespace(subject):
        return
    pod_value = subject.spec.security_context.run_as_non_root if subject.spec.security_context else None
    if pod_value is False:
        yield "", "spec.securityContext.runAsNonRoot", False
    for name, path, container in _each(subject):
        own = container.security_context.run_as_non_root if container.security_context else None
        if own is False or (own is None and pod_value is not True):
            yield name, f"{path}.runAsNonRoot", own


@_control("runAsUser", "restricted", since=23)
def run_as_user(subject: PodSubject) -> Iterable[Finding]:
    """No user id is 0, unless (since 1.35) the pod has a user namespace of its own."""
    if _relaxed_by_user_namespace(subject):
        return
    context = subject.spec.security_context
    if context and context.run_as_user == 0:
        yield "", "spec.securityContext.runAsUser", 0
    for name, path, container in _each(subject):
        if container.security_context and container.security_context.run_as_user == 0:
            yield name, f"{path}.runAsUser", 0


def _added(container: Container) -> tuple[str, ...]:
    context = container.security_context
    return context.capabilities.add if context and context.capabilities else ()


@_control("capabilities_restricted", "restricted", since=22)
def capabilities_restricted(subject: PodSubject) -> Iterable[Finding]:
    """Every container drops ALL capabilities and adds none but NET_BIND_SERVICE (Linux only)."""
    if _exempt_as_windows(subject):
        return
    for name, path, container in _each(subject):
        context = container.security_context
        dropped = context.capabilities.drop if context and context.capabilities else ()
        if "ALL" not in dropped:
            yield name, f"{path}.capabilities.drop", ", ".join(dropped) or None
        forbidden = [capability for capability in _added(container) if capability != "NET_BIND_SERVICE"]
        if forbidden:
            yield name, f"{path}.capabilities.add", ", ".join(forbidden)


_RESTRICTED_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)


@_control("restrictedVolumes", "restricted")
def restricted_volumes(subject: PodSubject) -> Iterable[Finding]:
    """Volumes are of the kinds that hold no door to the node or to shared storage."""
    for volume in subject.spec.volumes:
        if volume.kind not in _RESTRICTED_VOLUMES:
            yield "", f"spec.volumes[{volume.name}]", volume.kind
