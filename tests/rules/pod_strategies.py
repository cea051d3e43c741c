"""Hypothesis strategies for pods: everything that Pod Security looks at, mostly valid for the API server."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object with those fields that are drawn as something other than None."""
    return st.fixed_dictionaries(fields).map(lambda drawn: {k: v for k, v in drawn.items() if v is not None})


SECCOMP = st.sampled_from(
    [{"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "a.json"}]
)
APPARMOR = st.sampled_from(
    [{"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "a"}]
)
SELINUX = record(
    type=optional(st.sampled_from(["container_t", "container_init_t", "container_engine_t", "spc_t"])),
    user=optional(st.sampled_from(["", "sysadm_u"])),
    role=optional(st.sampled_from(["", "sysadm_r"])),
    level=optional(st.just("s0")),
)
CAPABILITY = st.sampled_from(["NET_BIND_SERVICE", "CHOWN", "SYS_ADMIN", "NET_RAW", "KILL", "ALL"])
CAPABILITIES = record(
    add=optional(st.lists(CAPABILITY, max_size=2, unique=True)),
    drop=optional(st.lists(st.sampled_from(["ALL", "NET_RAW", "all"]), max_size=2, unique=True)),
)
HANDLER = record(httpGet=st.sampled_from([{"port": 80}, {"port": 80, "host": "10.0.0.1"}, {"port": 80, "host": ""}])) | record(
    tcpSocket=st.sampled_from([{"port": 80}, {"port": 80, "host": "example.com"}])
)


@st.composite
def security_context(draw: st.DrawFn) -> Json:
    context: Json = draw(
        record(
            privileged=optional(st.booleans()),
            allowPrivilegeEscalation=optional(st.booleans()),
            capabilities=optional(CAPABILITIES),
            runAsNonRoot=optional(st.booleans()),
            runAsUser=optional(st.sampled_from([0, 1000])),
            seccompProfile=optional(SECCOMP),
            appArmorProfile=optional(APPARMOR),
            seLinuxOptions=optional(SELINUX),
            procMount=optional(st.sampled_from(["Default", "Default", "Unmasked"])),
        )
    )
    # The API server refuses these contradictions before admission is asked.
    if context.get("privileged") or "SYS_ADMIN" in context.get("capabilities", {}).get("add", []):
        context.pop("allowPrivilegeEscalation", None)
    return context


@st.composite
def container(draw: st.DrawFn, name: str, *, probes: bool = True) -> Json:
    made: Json = {"name": name, "image": "registry.example/app"}
    made |= draw(record(securityContext=optional(security_context())))
    made |= draw(record(ports=optional(st.just([{"containerPort": 80}]) | st.just([{"containerPort": 81, "hostPort": 81}]))))
    if probes:
        made |= draw(
            record(
                livenessProbe=optional(HANDLER),
                readinessProbe=optional(HANDLER),
                lifecycle=optional(record(preStop=optional(HANDLER), postStart=optional(HANDLER))),
            )
        )
    return made


VOLUME: st.SearchStrategy[Json] = st.sampled_from(
    [
        {"emptyDir": {}},
        {},
        {"hostPath": {"path": "/var/log"}},
        {"configMap": {"name": "c"}},
        {"secret": {"secretName": "s"}},
        {"nfs": {"server": "nas", "path": "/"}},
        {"projected": {"sources": []}},
        {"csi": {"driver": "d.example"}},
        {"downwardAPI": {"items": []}},
        {"persistentVolumeClaim": {"claimName": "p"}},
        {"iscsi": {"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:storage", "lun": 0}},
        {"image": {"reference": "registry.example/data"}},
    ]
)
SYSCTLS = st.lists(
    st.sampled_from(["kernel.shm_rmid_forced", "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "kernel.msgmax"]),
    max_size=2,
    unique=True,
).map(lambda names: [{"name": name, "value": "1"} for name in names])
POD_CONTEXT = record(
    runAsNonRoot=optional(st.booleans()),
    runAsUser=optional(st.sampled_from([0, 1000])),
    seccompProfile=optional(SECCOMP),
    appArmorProfile=optional(APPARMOR),
    seLinuxOptions=optional(SELINUX),
    sysctls=optional(SYSCTLS),
)
WINDOWS_CONTEXT = record(runAsNonRoot=optional(st.booleans()))
ANNOTATIONS = st.sampled_from(
    [{}, {}, {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}, {"note": "unconfined"}]
)


def restricted_base() -> Json:
    """Return a pod that fulfils restricted, to be changed in few places: most drawn pods would break many controls at once."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "containers": [{"name": "app", "image": "registry.example/app", "securityContext": context}],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }


@st.composite
def linux_spec(draw: st.DrawFn) -> Json:
    if draw(st.booleans()):
        spec = restricted_base()
        # One or two changes to a pod that fulfils everything.
        if draw(st.booleans()):
            spec["containers"][0].setdefault("securityContext", {}).update(draw(security_context()))
            if spec["containers"][0]["securityContext"].get("privileged") or "SYS_ADMIN" in spec["containers"][0][
                "securityContext"
            ].get("capabilities", {}).get("add", []):
                spec["containers"][0]["securityContext"].pop("allowPrivilegeEscalation", None)
    else:
        spec = {"containers": [draw(container("app"))]}
        spec |= draw(record(securityContext=optional(POD_CONTEXT)))
    if draw(st.booleans()):
        restart = draw(record(restartPolicy=optional(st.just("Always"))))
        spec["initContainers"] = [draw(container("init", probes=False)) | restart]
    spec |= draw(
        record(
            hostPID=optional(st.booleans()),
            hostIPC=optional(st.booleans()),
            hostUsers=optional(st.booleans()),
            volumes=optional(
                st.lists(VOLUME, max_size=2).map(lambda kinds: [{"name": f"v{i}", **kind} for i, kind in enumerate(kinds)])
            ),
        )
    )
    if draw(st.integers(0, 9)) == 0 and not any("hostPort" in str(c) or "ports" in c for c in spec["containers"]):
        spec["hostNetwork"] = True
    if spec.get("hostUsers") is False:
        for field in ("hostPID", "hostIPC", "hostNetwork"):
            spec.pop(field, None)
    return spec


@st.composite
def windows_spec(draw: st.DrawFn) -> Json:
    host_process = draw(st.booleans())
    spec: Json = {
        "os": {"name": "windows"},
        "containers": [{"name": "app", "image": "registry.example/app"}],
        "securityContext": draw(WINDOWS_CONTEXT),
    }
    if host_process:
        spec["hostNetwork"] = True
        spec["securityContext"]["windowsOptions"] = {"hostProcess": True, "runAsUserName": "NT AUTHORITY\\SYSTEM"}
    return spec


PODS = st.fixed_dictionaries(
    {
        "metadata": st.builds(lambda notes: {"name": "drawn", "annotations": notes}, ANNOTATIONS),
        "spec": linux_spec() | linux_spec() | linux_spec() | windows_spec(),
    }
)
