"""What is out of the ordinary in the cluster, as its logs tell it. Each function yields the names of logs and their events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from soc2.demo.company.logs import audit, containers, sensors
from soc2.demo.company.logs.scene import OFFICE, Event, pod, pod_address, workload

Told = Iterator[tuple[str, Event]]

_AUDIT, _FALCO, _CONTAINERS = "kubernetes-audit", "falco", "containers"
_UNUSUAL = "Go-http-client/2.0"
_NAMESPACES = ("accounts", "analytics", "notes", "notifications", "payments", "storefront")


def denied_spike(time: datetime, dice: random.Random) -> Told:
    """The dashboards' ServiceAccount is refused, again and again: somebody in the pod finds out what it may do."""
    of, on = workload("analytics", "dashboards"), "node-2"
    who, address = audit.account(of, on), pod_address(of, on)
    asked = [
        (verb, resource)
        for resource in ("pods", "configmaps", "deployments", "nodes")
        for verb in ("list", "create", "delete")
    ]
    for number in range(60):
        verb, resource = asked[number % len(asked)]
        namespace = "" if resource == "nodes" else ("payments", "accounts", "notes")[number % 3]
        at = time + timedelta(seconds=3 * number)
        yield _AUDIT, audit.event(at, dice, who, address, verb, resource, namespace=namespace, code=403, agent=_UNUSUAL)


def secrets_enumerated(time: datetime, dice: random.Random) -> Told:
    """cert-manager's token lists the Secrets of every namespace."""
    of, on = workload("platform", "cert-manager"), "node-2"
    who, address = audit.account(of, on), pod_address(of, on)
    for number, namespace in enumerate(
        ("", "accounts", "analytics", "notes", "notifications", "payments", "storefront", "platform")
    ):
        at = time + timedelta(seconds=2 * number)
        yield (
            _AUDIT,
            audit.event(at, dice, who, address, "list", "secrets", namespace=namespace, agent=_UNUSUAL, allowed_by="RBAC"),
        )
    for number in range(12):
        at, name = time + timedelta(seconds=20 + number), f"credentials-{number}"
        place = _NAMESPACES[number % len(_NAMESPACES)]
        yield (
            _AUDIT,
            audit.event(
                at, dice, who, address, "get", "secrets", namespace=place, name=name, agent=_UNUSUAL, allowed_by="RBAC"
            ),
        )


def exec_at_night(time: datetime, dice: random.Random) -> Told:
    """Bob opens a shell in a pod of payments."""
    of, on = workload("payments", "api"), "node-4"
    request = {"kind": "PodExecOptions", "command": ["sh"], "stdin": True, "tty": True, "container": "api"}
    yield (
        _AUDIT,
        audit.event(
            time,
            dice,
            audit.BOB,
            OFFICE,
            "create",
            "pods/exec",
            namespace="payments",
            name=pod(of, on),
            code=101,
            request=request,
            allowed_by="RBAC",
        ),
    )
    at = time + timedelta(seconds=1)
    output = f"A shell was spawned in a container with an attached terminal (container={of.name} pod={pod(of, on)})"
    fields = sensors.process(of, on, "sh", "runc") | {"proc.tty": 34816}
    yield _FALCO, sensors.falco(at, on, "Terminal shell in container", "Notice", output, fields, "container", "shell", "T1059")


def webhook_deleted(time: datetime, dice: random.Random) -> Told:
    """Alice deletes the webhook that verifies images."""
    yield (
        _AUDIT,
        audit.event(
            time,
            dice,
            audit.ALICE,
            OFFICE,
            "delete",
            "validatingwebhookconfigurations",
            name="image-policy",
            allowed_by="RBAC",
        ),
    )


def pod_security_weakened(time: datetime, dice: random.Random) -> Told:
    """Alice takes the Pod Security label off a namespace."""
    request = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    yield (
        _AUDIT,
        audit.event(
            time,
            dice,
            audit.ALICE,
            OFFICE,
            "patch",
            "namespaces",
            namespace="analytics",
            name="analytics",
            request=request,
            allowed_by="RBAC",
        ),
    )


def rbac_changed_by_hand(time: datetime, dice: random.Random) -> Told:
    """Alice gives external-dns every right there is."""
    request = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "external-dns-quick-fix"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "platform", "name": "external-dns"}],
    }
    yield (
        _AUDIT,
        audit.event(
            time,
            dice,
            audit.ALICE,
            OFFICE,
            "create",
            "clusterrolebindings",
            name="external-dns-quick-fix",
            code=201,
            request=request,
            allowed_by="RBAC",
        ),
    )


def miner_in_container(time: datetime, dice: random.Random) -> Told:
    """A miner runs in the thumbnails of attachments, and says so."""
    of, on = workload("notes", "attachments"), "node-4"
    command = "/tmp/.x/xmrig -o stratum+tcp://pool.example:3333 -u 48northwind --donate-level 1"  # noqa: S108
    output = f"Possible miner running (command={command} container={of.name})"
    fields = sensors.process(of, on, command)
    name = "Detect crypto miners using the Stratum protocol"
    yield _FALCO, sensors.falco(time, on, name, "Critical", output, fields, "process", "mitre_impact", "T1496")
    line = f"[{time:%Y-%m-%d %H:%M:%S}.{dice.randrange(1000):03d}]  net      use pool pool.example:3333  stratum+tcp://pool.example:3333"
    yield _CONTAINERS, containers.event(time + timedelta(seconds=4), of, on, line)
