"""Pods: the specification that decides what a container may do, and the status that tells what really runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from msgspec import field

from soc2.model.fingerprint import Literals
from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Metadata, Record


class Capabilities(Record, frozen=True):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SeLinuxOptions(Record, frozen=True):
    type: str = ""
    user: str = ""
    role: str = ""
    level: str = ""


class Profile(Record, frozen=True):
    """A seccomp or AppArmor profile."""

    type: str = ""
    localhost_profile: str | None = None


class WindowsOptions(Record, frozen=True):
    host_process: bool | None = None
    run_as_user_name: str | None = None


class Sysctl(Record, frozen=True):
    name: str


class PodSecurityContext(Record, frozen=True):
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    fs_group: int | None = None
    seccomp_profile: Profile | None = None
    app_armor_profile: Profile | None = None
    se_linux_options: SeLinuxOptions | None = None
    sysctls: tuple[Sysctl, ...] = ()
    windows_options: WindowsOptions | None = None


class SecurityContext(Record, frozen=True):
    privileged: bool | None = None
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    capabilities: Capabilities | None = None
    proc_mount: str | None = None
    seccomp_profile: Profile | None = None
    app_armor_profile: Profile | None = None
    se_linux_options: SeLinuxOptions | None = None
    windows_options: WindowsOptions | None = None


class SecretKeySelector(Record, frozen=True):
    name: str = ""
    key: str = ""


class EnvVarSource(Record, frozen=True):
    secret_key_ref: SecretKeySelector | None = None
    config_map_key_ref: SecretKeySelector | None = None


class EnvVar:
    """An environment variable. A class of its own because what its value may be is told by its name."""

    __slots__ = ("name", "value", "value_from")

    def __init__(self, name: str, value: Literals | None = None, value_from: EnvVarSource | None = None) -> None:
        self.name = name
        self.value = value
        self.value_from = value_from

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnvVar) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((self.name, self.value, self.value_from))

    def __repr__(self) -> str:
        return f"EnvVar({self.name!r})"

    def as_dict(self) -> dict[str, Any]:
        every = {"name": self.name, "value": self.value, "valueFrom": self.value_from}
        return {key: value for key, value in every.items() if value is not None}


class ContainerPort(Record, frozen=True):
    container_port: int = 0
    host_port: int = 0
    host_ip: str = field(default="", name="hostIP")
    name: str = ""
    protocol: str = "TCP"


class HttpGet(Record, frozen=True):
    host: str = ""
    scheme: str = "HTTP"
    http_headers: Literals = Literals()


class TcpSocket(Record, frozen=True):
    host: str = ""


class Handler(Record, frozen=True):
    """A probe or a lifecycle hook; of what it runs or sends, only the secrets in it are kept."""

    exec: Literals = Literals()

    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None


class Lifecycle(Record, frozen=True):
    post_start: Handler | None = None
    pre_stop: Handler | None = None


class Resources(Record, frozen=True):
    """Quantities as the API writes them, for example ``500m`` and ``1Gi``."""

    limits: dict[str, str | int | float] | None = None
    requests: dict[str, str | int | float] | None = None


class VolumeMount(Record, frozen=True):
    name: str
    mount_path: str = ""
    read_only: bool = False


class Container(Record, frozen=True):
    name: str
    image: str = ""
    command: Literals = Literals()
    args: Literals = Literals()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    security_context: SecurityContext | None = None
    liveness_probe: Handler | None = None
    readiness_probe: Handler | None = None
    startup_probe: Handler | None = None
    lifecycle: Lifecycle | None = None
    restart_policy: str | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()


class Volume:
    """A volume: its name, the name of its source field (``hostPath``, ``secret`` …) and what the rules need of it.

    A class of its own because the source is told by which of some thirty fields is set, and two of them
    (``flexVolume`` options, ``csi`` attributes) may carry secrets: ``content`` is what was found in these.
    """

    __slots__ = ("content", "kind", "name", "path", "reference")

    def __init__(
        self,
        name: str,
        kind: str,
        path: str | None = None,
        reference: str | None = None,
        content: Literals = Literals(),  # noqa: B008 - nothing can be added to it
    ) -> None:
        self.name = name
        self.kind = kind
        self.path = path
        self.reference = reference
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Volume) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.path, self.reference, self.content))

    def __repr__(self) -> str:
        return f"Volume({self.name!r}, {self.kind!r})"

    def as_dict(self) -> dict[str, Any]:
        known = {"name": self.name, "kind": self.kind, "path": self.path, "reference": self.reference}
        return {**known, "content": self.content} if self.content.findings else known


class Toleration(Record, frozen=True):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class TopologySpreadConstraint(Record, frozen=True):
    topology_key: str = ""
    when_unsatisfiable: str = ""
    max_skew: int = 1


class PodAffinityTerm(Record, frozen=True):
    topology_key: str = ""
    label_selector: LabelSelector | None = None


class WeightedPodAffinityTerm(Record, frozen=True):
    pod_affinity_term: PodAffinityTerm = PodAffinityTerm()


class PodAntiAffinity(Record, frozen=True):
    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class Affinity(Record, frozen=True):
    pod_anti_affinity: PodAntiAffinity | None = None


class OperatingSystem(Record, frozen=True):
    name: str = ""


class PodSpec(Record, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_ipc: bool = field(default=False, name="hostIPC")
    host_users: bool | None = None
    share_process_namespace: bool | None = None
    os: OperatingSystem | None = None
    node_name: str = ""
    security_context: PodSecurityContext | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    affinity: Affinity | None = None
    priority_class_name: str = ""
    runtime_class_name: str | None = None

    @property
    def all_containers(self) -> tuple[tuple[str, Container], ...]:
        """Return every container with the name of the list it stands in."""
        return (
            *(("initContainers", container) for container in self.init_containers),
            *(("containers", container) for container in self.containers),
            *(("ephemeralContainers", container) for container in self.ephemeral_containers),
        )


class Terminated(Record, frozen=True):
    finished_at: datetime | None = None


class Waiting(Record, frozen=True):
    reason: str = ""


class ContainerState(Record, frozen=True):
    terminated: Terminated | None = None
    waiting: Waiting | None = None


class ContainerStatus(Record, frozen=True):
    name: str = ""
    image: str = ""
    image_id: str = field(default="", name="imageID")
    ready: bool = False
    state: ContainerState = ContainerState()


class PodCondition(Record, frozen=True):
    type: str = ""
    status: str = ""


class Address(Record, frozen=True):
    ip: str = ""


class PodStatus(Record, frozen=True):
    phase: str = ""
    host_ip: str = field(default="", name="hostIP")
    pod_ip: str = field(default="", name="podIP")
    pod_ips: tuple[Address, ...] = field(default=(), name="podIPs")
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    start_time: datetime | None = None

    @property
    def ready(self) -> bool:
        return any(condition.type == "Ready" and condition.status == "True" for condition in self.conditions)

    @property
    def finished_at(self) -> datetime | None:
        """Return when the last of its containers ended; None where that is not told."""
        ended = [each.state.terminated for each in self.container_statuses]
        return max((each.finished_at for each in ended if each and each.finished_at), default=None)


class Pod(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Pod"

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplate(Record, frozen=True):
    """The pod template inside a workload."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()
