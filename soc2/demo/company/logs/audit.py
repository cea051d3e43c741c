"""The Kubernetes audit log of an ordinary day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from soc2.demo.company.logs.scene import (
    ACCOUNT,
    AGENTS,
    BASTION,
    NODES,
    OFFICE,
    WORKLOADS,
    Day,
    Event,
    Workload,
    made_id,
    node,
    pod,
    pod_address,
    pod_id,
    stamp,
    workload,
)

STREAM = "kube-apiserver-audit-5f1d2c3b4a5968778695a4b3c2d1e0f0"
CONTROL_PLANE = "10.20.15.1"

_GROUPS = {
    "deployments": "apps",
    "replicasets": "apps",
    "jobs": "batch",
    "cronjobs": "batch",
    "leases": "coordination.k8s.io",
    "endpointslices": "discovery.k8s.io",
    "ingresses": "networking.k8s.io",
    "certificates": "cert-manager.io",
    "subjectaccessreviews": "authorization.k8s.io",
    "tokenreviews": "authentication.k8s.io",
}


def event(
    time: datetime,
    dice: random.Random,
    user: dict[str, Any],
    address: str,
    verb: str,
    resource: str,
    *,
    namespace: str = "",
    name: str = "",
    code: int = 200,
    agent: str = "kubectl/v1.36.3 (linux/amd64)",
    request: dict[str, Any] | None = None,
    allowed_by: str = "",
) -> Event:
    """Return one audit event; ``resource`` may have a subresource after a slash."""
    plain, _, subresource = resource.partition("/")
    group = "rbac.authorization.k8s.io" if plain.endswith(("roles", "bindings")) else _GROUPS.get(plain, "")
    reference = {
        "resource": plain,
        "namespace": namespace,
        "name": name,
        "apiGroup": group,
        "apiVersion": "v1",
        "subresource": subresource,
    }
    base = f"/apis/{group}/v1" if group else "/api/v1"
    path = (f"/namespaces/{namespace}" if namespace else "") + f"/{plain}" + (f"/{name}" if name else "")
    status: dict[str, Any] = {"metadata": {}, "code": code}
    if code >= 400:
        status |= {"status": "Failure", "reason": "Forbidden" if code == 403 else "NotFound"}
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request" if request else "Metadata",
        "auditID": made_id(dice),
        "stage": "ResponseComplete",
        "requestURI": base + path + (f"/{subresource}" if subresource else ""),
        "verb": verb,
        "user": user,
        "sourceIPs": [address],
        "userAgent": agent,
        "objectRef": {key: value for key, value in reference.items() if value},
        "responseStatus": status,
        **({"requestObject": request} if request else {}),
        "requestReceivedTimestamp": stamp(time, micro=True),
        "stageTimestamp": stamp(time + timedelta(milliseconds=dice.randrange(1, 40)), micro=True),
        "annotations": {
            "authorization.k8s.io/decision": "forbid" if code == 403 else "allow",
            "authorization.k8s.io/reason": "" if code == 403 else allowed_by,
        },
    }
    return Event(time, STREAM, record)


def account(of: Workload, on: str) -> dict[str, Any]:
    """Return the user that a workload's pod is."""
    return {
        "username": of.username,
        "uid": made_id(random.Random(of.username)),  # noqa: S311
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{of.namespace}", "system:authenticated"],
        "extra": {
            "authentication.kubernetes.io/credential-id": [f"JTI={made_id(random.Random(f'token {of.username} {on}'))}"],  # noqa: S311
            "authentication.kubernetes.io/node-name": [on],
            "authentication.kubernetes.io/pod-name": [pod(of, on)],
            "authentication.kubernetes.io/pod-uid": [pod_id(of, on)],
        },
    }


def person(role: str, name: str, *groups: str) -> dict[str, Any]:
    """Return the user that a person is, who comes by an IAM role."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"
    return {
        "username": arn,
        "uid": f"aws-iam-authenticator:{ACCOUNT}:AROA{role.upper().replace('-', '')[:16]:A<16}",
        "groups": [*groups, "system:authenticated"],
        "extra": {"arn": [arn], "sessionName": [name]},
    }


def system(name: str) -> dict[str, Any]:
    return {"username": name, "groups": ["system:authenticated"]}


def kubelet(on: str) -> dict[str, Any]:
    return {"username": f"system:node:{on}", "groups": ["system:nodes", "system:authenticated"]}


ALICE = person("nn-admin", "alice", "platform-admins")
BOB = person("nn-developer", "bob", "team-notes")
CAROL = person("nn-developer", "carol", "team-billing")
PIPELINE = person("nn-deploy", "CodeBuild", "deployers")

# What each workload asks, how often in an hour: verb, resource, namespace, name.
_ROUTINE: dict[tuple[str, str], tuple[float, tuple[tuple[str, str, str, str], ...]]] = {
    ("platform", "ingress"): (
        3,
        (
            ("list", "ingresses", "", ""),
            ("watch", "endpointslices", "", ""),
            ("update", "leases", "platform", "ingress-leader"),
        ),
    ),
    ("platform", "external-dns"): (3, (("list", "ingresses", "", ""), ("list", "services", "", ""))),
    ("platform", "cert-manager"): (
        2,
        (
            ("list", "certificates", "", ""),
            ("get", "secrets", "platform", "web-tls"),
            ("get", "secrets", "platform", "api-tls"),
        ),
    ),
    ("platform", "metrics"): (3, (("list", "nodes", "", ""), ("list", "pods", "", ""))),
    ("node-agents", "log-agent"): (2, (("watch", "pods", "", ""), ("list", "namespaces", "", ""))),
    ("node-agents", "runtime-sensor"): (1, (("watch", "pods", "", ""),)),
    ("payments", "api"): (1, (("get", "configmaps", "payments", "api-settings"),)),
    ("notes", "api"): (1, (("get", "configmaps", "notes", "api-settings"),)),
}
_OF_PEOPLE = (
    (ALICE, OFFICE, 3, ("pods", "pods/log", "deployments", "nodes", "jobs"), ("platform", "notes", "payments", "storefront")),
    (BOB, OFFICE, 2, ("pods", "pods/log", "deployments"), ("notes",)),
    (CAROL, OFFICE, 2, ("pods", "pods/log", "deployments"), ("payments",)),
)


def quiet(day: Day) -> Iterator[Event]:
    """Yield the audit events of a day without anything out of the ordinary, in no particular order."""
    for (namespace, name), (each_hour, asked) in _ROUTINE.items():
        of = workload(namespace, name)
        for on in of.nodes:
            dice = day.dice(f"audit {namespace}/{name} {on}")
            agent = f"{name}/v2.4.1 (linux/amd64)"
            for number, time in enumerate(day.times(dice, each_hour * (1 if len(of.nodes) < 3 else 0.5))):
                verb, resource, place, which = asked[number % len(asked)]
                address = node(on).address if of in AGENTS else pod_address(of, on)
                yield event(
                    time,
                    dice,
                    account(of, on),
                    address,
                    verb,
                    resource,
                    namespace=place,
                    name=which,
                    agent=agent,
                    allowed_by="RBAC: allowed by ClusterRoleBinding",
                )
    yield from _nodes(day)
    yield from _controllers(day)
    yield from _people(day)


def _nodes(day: Day) -> Iterator[Event]:
    for each in NODES:
        dice = day.dice(f"audit {each.name}")
        here = [of for of in WORKLOADS if each.name in of.nodes]
        agent = "kubelet/v1.36.3 (linux/amd64)"
        for number, time in enumerate(day.times(dice, 4)):
            of = here[number % len(here)]
            if number % 4 == 0:
                yield event(
                    time,
                    dice,
                    kubelet(each.name),
                    each.address,
                    "create",
                    "serviceaccounts/token",
                    namespace=of.namespace,
                    name=of.account,
                    code=201,
                    agent=agent,
                )
            elif number % 4 == 1:
                yield event(
                    time,
                    dice,
                    kubelet(each.name),
                    each.address,
                    "get",
                    "pods",
                    namespace=of.namespace,
                    name=pod(of, each.name),
                    agent=agent,
                )
            else:
                yield event(time, dice, kubelet(each.name), each.address, "patch", "nodes/status", name=each.name, agent=agent)


def _controllers(day: Day) -> Iterator[Event]:
    dice = day.dice("audit controllers")
    agent = "kube-controller-manager/v1.36.3 (linux/amd64)"
    jobs = (
        ("payments", "reconcile"),
        ("accounts", "key-rotation"),
        ("notifications", "digest"),
        ("analytics", "warehouse-loader"),
    )
    for number, time in enumerate(day.times(dice, 4)):
        namespace, name = jobs[number % len(jobs)]
        job = f"{name}-{int(time.timestamp()) // 60}"
        by = system("system:serviceaccount:kube-system:cronjob-controller")
        yield event(time, dice, by, CONTROL_PLANE, "create", "jobs", namespace=namespace, name=job, code=201, agent=agent)
        by = system("system:serviceaccount:kube-system:job-controller")
        later = time + timedelta(seconds=1)
        if later < day.end:
            yield event(
                later, dice, by, CONTROL_PLANE, "create", "pods", namespace=namespace, name=f"{job}-x", code=201, agent=agent
            )


def _people(day: Day) -> Iterator[Event]:
    for who, address, each_hour, resources, namespaces in _OF_PEOPLE:
        dice = day.dice(f"audit {who['username']}")
        for time in day.working(dice, each_hour):
            resource, namespace = dice.choice(resources), dice.choice(namespaces)
            name = ""
            if "/" in resource:
                of = dice.choice([one for one in WORKLOADS if one.namespace == namespace])
                name = pod(of, of.nodes[0])
            verb = "get" if name else "list"
            namespace = "" if resource == "nodes" else namespace
            yield event(time, dice, who, address, verb, resource, namespace=namespace, name=name, allowed_by="RBAC: allowed")
    dice = day.dice("audit pipeline")
    for time in day.working(dice, 0.5):
        of = dice.choice([one for one in WORKLOADS if one.namespace in ("notes", "storefront", "accounts")])
        request = {"spec": {"template": {"metadata": {"annotations": {"released": stamp(time)}}}}}
        yield event(
            time,
            dice,
            PIPELINE,
            BASTION,
            "patch",
            "deployments",
            namespace=of.namespace,
            name=of.name,
            agent="helm/v3.19.0",
            request=request,
            allowed_by="RBAC: allowed",
        )
