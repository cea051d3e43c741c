"""Hypothesis strategies for pods: everything that Pod Security looks at, nearly all of it valid for the API server.

Half of the pods begin from one that fulfils restricted and are changed in few places: freely drawn pods break so many
controls at once that a mistake about one of them would rarely show.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def rarely(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 5).flatmap(lambda drawn: st.none() if drawn else strategy)


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object with those fields that are drawn as something other than None."""
    return st.fixed_dictionaries(fields).map(lambda drawn: {k: v for k, v in drawn.items() if v is not None})


def seldom_empty(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.integers(0, 9).flatmap(lambda drawn: record(**fields) if drawn else st.just({}))


def few(values: list[Any], most: int = 2) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True)


SECCOMP = st.sampled_from(
    [{"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "a.json"}]
)
APPARMOR = st.sampled_from(
    [{"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "a"}]
)
# What versions of the standards treat differently stands in lists more than once.
SELINUX_TYPES = ["", "container_t", "container_init_t", "container_kvm_t", *["container_engine_t"] * 4, "spc_t", "CONTAINER_T"]
SELINUX = record(
    type=optional(st.sampled_from(SELINUX_TYPES)),
    user=rarely(st.sampled_from(["", "sysadm_u"])),
    role=rarely(st.sampled_from(["", "sysadm_r"])),
    level=optional(st.just("s0")),
)
DEFAULT = ["DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP", "SETGID", "SETPCAP", "SETUID"]
COMMON = ["NET_BIND_SERVICE", "AUDIT_WRITE", "CHOWN", "KILL", "MKNOD", "SYS_CHROOT", "NET_RAW", "SYS_ADMIN", "ALL"]
ODD = ["CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN", "chown", "net_bind_service", ""]
ADDED = few([*DEFAULT, *COMMON, *ODD])
CAPABILITIES = record(add=optional(ADDED), drop=optional(few(["ALL", "NET_RAW", "all", "CAP_ALL", "*"])) | st.just(["ALL"]))
ADDRESS = st.fixed_dictionaries({"port": st.just(80)}, optional={"host": st.sampled_from(["", "10.0.0.1", "example.com"])})
CONNECTION = st.builds(lambda kind, address: {kind: address}, st.sampled_from(["httpGet", "tcpSocket"]), ADDRESS)
COMMAND = {"exec": {"command": ["true"]}}
PROBE = CONNECTION | st.sampled_from([COMMAND, {"grpc": {"port": 80}}, {"grpc": {"port": 80, "service": "s"}}])
HOOK = CONNECTION | st.sampled_from([COMMAND, {"sleep": {"seconds": 1}}])
USER = st.sampled_from([0, 1000])
HARMLESS_WINDOWS = st.sampled_from([{}, {"hostProcess": False}, {"runAsUserName": "ContainerUser"}])
CAREFUL: Json = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
CAREFUL_POD: Json = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@st.composite
def security_context(draw: st.DrawFn, *, user_namespace: bool) -> Json:
    # The API server lets nobody unmask /proc on the host's user namespace.
    masks = ["Default", "Unmasked"] if user_namespace else ["Default"]
    context: Json = draw(
        seldom_empty(
            privileged=rarely(st.booleans()),
            allowPrivilegeEscalation=optional(st.booleans()),
            capabilities=optional(CAPABILITIES),
            runAsNonRoot=optional(st.booleans()),
            runAsUser=optional(USER),
            seccompProfile=optional(SECCOMP),
            appArmorProfile=rarely(APPARMOR),
            seLinuxOptions=optional(SELINUX),
            procMount=optional(st.sampled_from(masks)),
            windowsOptions=rarely(HARMLESS_WINDOWS),
        )
    )
    _resolve(context)
    return context


def _resolve(context: Json) -> None:
    """Take out what the API server refuses as a contradiction before admission is asked."""
    if context.get("privileged") or "CAP_SYS_ADMIN" in context.get("capabilities", {}).get("add", []):
        context.pop("allowPrivilegeEscalation", None)


@st.composite
def changed(draw: st.DrawFn, whole: Json, fields: st.SearchStrategy[Json]) -> Json:
    """What fulfils restricted, with at most two fields drawn anew."""
    drawn = draw(fields)
    names = draw(few(sorted(drawn))) if drawn else []
    made = whole | {name: drawn[name] for name in names}
    _resolve(made)
    return made


@st.composite
def container(draw: st.DrawFn, name: str, port: int, *, user_namespace: bool, careful: bool, probes: bool) -> Json:
    context = security_context(user_namespace=user_namespace)
    made: Json = {"name": name, "image": "registry.example/app"}
    made |= draw(record(securityContext=changed(CAREFUL, context) if careful else optional(context)))
    taken = st.sampled_from([{}, {"hostPort": 0}, {"hostPort": port}, {"protocol": "UDP"}])
    made |= draw(record(ports=rarely(st.builds(lambda extra: [{"containerPort": port, **extra}], taken))))
    if probes:
        made |= draw(
            record(
                livenessProbe=optional(PROBE),
                readinessProbe=optional(PROBE),
                startupProbe=optional(PROBE),
                lifecycle=rarely(record(preStop=optional(HOOK), postStart=optional(HOOK))),
            )
        )
    return made


_CLAIM = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
VOLUME_SOURCES: list[Json] = [
    {},
    {"awsElasticBlockStore": {"volumeID": "vol-1"}},
    {"azureDisk": {"diskName": "d", "diskURI": "/subscriptions/x", "kind": "Managed"}},
    {"azureFile": {"secretName": "s", "shareName": "x"}},
    {"cephfs": {"monitors": ["10.0.0.1"]}},
    {"cinder": {"volumeID": "v"}},
    {"configMap": {"name": "c"}},
    {"csi": {"driver": "d.example"}},
    {"downwardAPI": {"items": []}},
    {"emptyDir": {}},
    {"ephemeral": {"volumeClaimTemplate": _CLAIM}},
    {"fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0}},
    {"flexVolume": {"driver": "example/d"}},
    {"flocker": {"datasetName": "d"}},
    {"gcePersistentDisk": {"pdName": "p"}},
    {"gitRepo": {"repository": "https://git.example/r"}},
    {"glusterfs": {"endpoints": "e", "path": "p"}},
    {"hostPath": {"path": "/var/log"}},
    {"image": {"reference": "registry.example/data"}},
    {"iscsi": {"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:storage", "lun": 0}},
    {"nfs": {"server": "nas", "path": "/"}},
    {"persistentVolumeClaim": {"claimName": "p"}},
    {"photonPersistentDisk": {"pdID": "p"}},
    {"portworxVolume": {"volumeID": "v"}},
    {"projected": {"sources": []}},
    {"quobyte": {"registry": "registry.example:7861", "volume": "v"}},
    {"rbd": {"monitors": ["10.0.0.1"], "image": "i"}},
    {"scaleIO": {"gateway": "https://g.example", "system": "s", "secretRef": {"name": "s"}, "volumeName": "v"}},
    {"secret": {"secretName": "s"}},
    {"storageos": {"volumeName": "v"}},
    {"vsphereVolume": {"volumePath": "[store] v"}},
]
VOLUMES = st.lists(st.sampled_from(VOLUME_SOURCES), max_size=2).map(
    lambda kinds: [{"name": f"v{i}", **kind} for i, kind in enumerate(kinds)]
)
SYSCTL_NAMES = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    *["net.ipv4.ip_local_reserved_ports"] * 4,
    *["net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout"] * 2,
    *["net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"] * 2,
    *["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"] * 2,
    "net/ipv4/tcp_syncookies",
    "kernel.msgmax",
]
SYSCTLS = few(SYSCTL_NAMES).map(lambda names: [{"name": name, "value": "1"} for name in names])
POD_CONTEXT = seldom_empty(
    runAsNonRoot=optional(st.booleans()),
    runAsUser=optional(USER),
    seccompProfile=optional(SECCOMP),
    appArmorProfile=rarely(APPARMOR),
    seLinuxOptions=optional(SELINUX),
    sysctls=SYSCTLS,
    windowsOptions=rarely(HARMLESS_WINDOWS),
)


@st.composite
def linux_spec(draw: st.DrawFn) -> Json:
    careful = draw(st.booleans())
    host_users = draw(optional(st.booleans()))
    alike = {"user_namespace": host_users is False, "careful": careful}
    spec: Json = {"containers": [draw(container("app", 8000, probes=True, **alike))]}
    if draw(st.integers(0, 3)) == 0:
        spec["containers"].append(draw(container("second", 8001, probes=True, **alike)))
    kind = draw(st.sampled_from(["none", "none", "init", "sidecar"]))
    if kind == "init":
        spec["initContainers"] = [draw(container("init", 8002, probes=False, **alike))]
    if kind == "sidecar":
        spec["initContainers"] = [draw(container("init", 8002, probes=True, **alike)) | {"restartPolicy": "Always"}]
    if careful:
        spec["securityContext"] = draw(changed(CAREFUL_POD, POD_CONTEXT))
    else:
        spec |= draw(record(securityContext=optional(POD_CONTEXT)))
    spec |= draw(record(volumes=rarely(VOLUMES) if careful else optional(VOLUMES), os=rarely(st.just({"name": "linux"}))))
    if host_users is not None:
        spec["hostUsers"] = host_users
    if host_users is not False:
        spec |= draw(record(**{name: rarely(st.booleans()) for name in ("hostPID", "hostIPC", "hostNetwork")}))
    if "os" in spec:
        for part in (spec, *spec["containers"], *spec.get("initContainers", [])):
            part.get("securityContext", {}).pop("windowsOptions", None)
    return spec


@st.composite
def windows_spec(draw: st.DrawFn) -> Json:
    """A pod for Windows: either all of its containers are processes of the host, or none is."""
    host_process = draw(st.booleans())
    by_pod = draw(st.booleans())
    options = {"hostProcess": True, "runAsUserName": "NT AUTHORITY\\SYSTEM"} if host_process else draw(HARMLESS_WINDOWS)
    spec: Json = {"os": {"name": "windows"}, "containers": [], "hostNetwork": host_process}
    for name in ("app", "second")[: draw(st.integers(1, 2))]:
        own = draw(record(runAsNonRoot=optional(st.booleans()))) | ({} if by_pod else {"windowsOptions": options})
        spec["containers"].append({"name": name, "image": "registry.example/app", "securityContext": own})
    spec["securityContext"] = draw(record(runAsNonRoot=optional(st.booleans()))) | (
        {"windowsOptions": options} if by_pod else {}
    )
    return spec | draw(record(volumes=rarely(VOLUMES)))


_OLD_APPARMOR = ("unconfined", "runtime/default", "localhost/a", "")
_OLD_SECCOMP = ("unconfined", "runtime/default", "docker/default", "localhost/a")


@st.composite
def old_annotations(draw: st.DrawFn, spec: Json) -> Json:
    """The older annotations, where no field of the same place says otherwise: the API server compares them."""
    found: Json = draw(st.sampled_from([{}, {"note": "unconfined"}]))
    domain = "seccomp.security.alpha.kubernetes.io"
    windows = spec.get("os", {}).get("name") == "windows"
    if draw(st.integers(0, 3)) or windows:
        return found
    for each in (*spec["containers"], *spec.get("initContainers", [])):
        context = each.get("securityContext", {})
        if "appArmorProfile" not in context and draw(st.booleans()):
            found[f"container.apparmor.security.beta.kubernetes.io/{each['name']}"] = draw(st.sampled_from(_OLD_APPARMOR))
        if "seccompProfile" not in context and draw(st.booleans()):
            found[f"container.{domain}/{each['name']}"] = draw(st.sampled_from(_OLD_SECCOMP))
    if "seccompProfile" not in spec.get("securityContext", {}) and draw(st.booleans()):
        found[f"{domain}/pod"] = draw(st.sampled_from(_OLD_SECCOMP))
    return found


@st.composite
def pods(draw: st.DrawFn) -> Json:
    spec = draw(windows_spec() if draw(st.integers(0, 7)) == 0 else linux_spec())
    return {"metadata": {"name": "drawn", "annotations": draw(old_annotations(spec))}, "spec": spec}


PODS = pods()


@st.composite
def ephemeral_containers(draw: st.DrawFn, *, user_namespace: bool, windows: bool) -> list[Json]:
    """Containers for debugging, of which the API server takes neither ports nor probes."""
    if windows:
        context = record(runAsNonRoot=optional(st.booleans()), windowsOptions=optional(HARMLESS_WINDOWS))
    else:
        context = security_context(user_namespace=user_namespace)
        context |= changed(CAREFUL, context)
    made = record(securityContext=optional(context), targetContainerName=optional(st.just("app")))
    names = ("debug", "more")[: draw(st.integers(1, 2))]
    return [{"name": name, "image": "registry.example/debug", **draw(made)} for name in names]
