"""The edges that a cluster's objects give to the graph of access."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from soc2.model.access.graph import AccessGraph
from soc2.model.access.primitives import Holding, SubjectRights
from soc2.model.access.rbac import MASTERS
from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.pods import Pod, PodSpec
from soc2.model.kubernetes.rbac import SecretMeta, ServiceAccount, Subject
from soc2.model.kubernetes.workloads import AnyWorkload

CLUSTER_ADMIN = "every right in the cluster"
ADMISSION_CONTROL = "control over admission"
ANY_NODE = "any node"
_ANY_USER = "any user"
_EVERY_ACCOUNT = "any ServiceAccount"
_EVERY_NAMESPACE = "any namespace"
_EVERY_SECRET = "Secrets of any namespace"
_PODS = "any running pod"

# Primitives that give everything at once, with what one does with them.
_TO_CLUSTER_ADMIN = frozenset(
    {
        "escalate-cluster-roles",
        "bind-in-cluster",
        "approve-certificates",
        "sign-certificates",
        "mutating-webhooks",
        "mutating-policies",
        "api-services",
        "aws-auth",
    }
)
_TO_ADMISSION = frozenset(
    {
        "validating-webhooks",
        "validating-policies",
        "mutating-webhooks",
        "mutating-policies",
        "namespace-labels",
        "custom-resource-definitions",
        "kyverno-policies",
        "gatekeeper-policies",
    }
)
_INTO_PODS = frozenset({"pods-exec", "pods-attach", "ephemeral-containers"})


def secrets_of(namespace: str) -> str:
    return f"Secrets of namespace {namespace}" if namespace else _EVERY_SECRET


def accounts_of(namespace: str) -> str:
    return f"any ServiceAccount of namespace {namespace}" if namespace else _EVERY_ACCOUNT


def admin_of(namespace: str) -> str:
    return f"every right in namespace {namespace}" if namespace else _EVERY_NAMESPACE


def pods_of(namespace: str) -> str:
    return f"any running pod of namespace {namespace}" if namespace else _PODS


def account(namespace: str, name: str) -> str:
    return str(Subject("ServiceAccount", name, namespace))


@dataclass(frozen=True)
class Start:
    """A workload, or a pod that no workload made: where an attacker may stand. ``labels`` are those of its pods."""

    resource: Resource
    namespace: str
    spec: PodSpec
    labels: dict[str, str]
    nodes: frozenset[str]

    @property
    def account(self) -> str:
        return account(self.namespace, self.spec.service_account_name or "default")


def starts_of(pods: Iterable[Pod], workloads: Iterable[AnyWorkload]) -> tuple[Start, ...]:
    """Return the workloads that nothing else made and the pods of no workload, with the nodes that they run on."""
    listed = {workload.metadata.uid: workload for workload in workloads if workload.metadata.uid}
    every = tuple(workloads)

    def made_by(metadata_owner: object) -> str | None:
        owners = getattr(metadata_owner, "owner_references", ())
        return next((owner.uid for owner in owners if owner.controller and owner.uid in listed), None)

    nodes: dict[str, set[str]] = {}
    alone = []
    for pod in pods:
        top = made_by(pod.metadata)
        while top is not None and (above := made_by(listed[top].metadata)) is not None:
            top = above
        if top is None:
            alone.append(Start(pod.resource, pod.namespace, pod.spec, pod.labels, frozenset({pod.spec.node_name} - {""})))
        elif pod.spec.node_name:
            nodes.setdefault(top, set()).add(pod.spec.node_name)
    made = [
        Start(
            item.resource,
            item.namespace,
            item.template.spec,
            item.template.metadata.labels or {},
            frozenset(nodes.get(item.metadata.uid, ())),
        )
        for item in every
        if made_by(item.metadata) is None
    ]
    return (*made, *alone)


def add_cluster(
    graph: AccessGraph,
    rights: Iterable[SubjectRights],
    starts: Iterable[Start],
    accounts: Iterable[ServiceAccount],
    secrets: Iterable[SecretMeta],
    namespaces: Iterable[Namespace],
) -> None:
    """Add everything that the objects of a cluster let somebody become or reach."""
    known = {item.name: item for item in namespaces}
    service_accounts = {(item.namespace, item.name): item for item in accounts}
    _add_hubs(graph, {*known, *(namespace for namespace, _ in service_accounts)}, service_accounts)
    rights = tuple(rights)
    groups = {str(item.subject) for item in rights if item.subject.kind == "Group"}
    for namespace, name in service_accounts:
        for group in ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"):
            if f"Group/{group}" in groups:
                graph.add(account(namespace, name), f"Group/{group}", "use the rights of its group")
    for item in rights:
        _add_rights(graph, item, known)
        if item.subject.kind == "User":
            graph.add(_ANY_USER, str(item.subject), "be impersonated")
            if "Group/system:authenticated" in groups:
                graph.add(str(item.subject), "Group/system:authenticated", "use the rights of its group")
    for start in starts:
        _add_start(graph, start, service_accounts)
    for secret in secrets:
        owner = secret.metadata.annotations.text("kubernetes.io/service-account.name")
        if secret.type == "kubernetes.io/service-account-token" and owner:
            graph.add(
                secrets_of(secret.namespace), account(secret.namespace, owner), f"take the token in Secret {secret.name}"
            )


def _add_hubs(graph: AccessGraph, namespaces: Iterable[str], accounts: Mapping[tuple[str, str], ServiceAccount]) -> None:
    for hub in (_EVERY_NAMESPACE, _EVERY_ACCOUNT, _EVERY_SECRET, ANY_NODE):
        graph.add(CLUSTER_ADMIN, hub, "do anything")
    graph.add(CLUSTER_ADMIN, ADMISSION_CONTROL, "do anything")
    graph.add(f"Group/{MASTERS}", CLUSTER_ADMIN, "pass every authorization")
    for namespace in sorted(namespaces):
        graph.add(_EVERY_NAMESPACE, admin_of(namespace), "choose one")
        graph.add(_EVERY_ACCOUNT, accounts_of(namespace), "choose one")
        graph.add(_EVERY_SECRET, secrets_of(namespace), "choose one")
        graph.add(_PODS, pods_of(namespace), "choose one")
        graph.add(admin_of(namespace), secrets_of(namespace), "read them")
        graph.add(admin_of(namespace), accounts_of(namespace), "run a pod as one")
    for namespace, name in accounts:
        graph.add(accounts_of(namespace), account(namespace, name), "choose one")


def _add_rights(graph: AccessGraph, item: SubjectRights, namespaces: Mapping[str, Namespace]) -> None:
    me = str(item.subject)
    for grant in item.everything_by:
        place = admin_of(grant.namespace) if grant.namespace else CLUSTER_ADMIN
        graph.add(me, place, f"do everything through {grant.resource}")
    makes_pods = any(holding.primitive.matter == "workloads" for holding in item.holdings)
    for holding in item.holdings:
        how = " and ".join(dict.fromkeys(f"{option} through {option.grant.resource}" for option in holding.via))
        for target in _targets(holding, namespaces, makes_pods=makes_pods):
            graph.add(me, target, how)


def _targets(holding: Holding, namespaces: Mapping[str, Namespace], *, makes_pods: bool) -> Iterable[str]:
    primitive, namespace = holding.primitive.id, holding.namespace
    names = holding.via[0].names
    if primitive in _TO_CLUSTER_ADMIN:
        yield CLUSTER_ADMIN
    if primitive in _TO_ADMISSION:
        yield ADMISSION_CONTROL
    if primitive in ("escalate-roles", "bind-in-namespace"):
        yield admin_of(namespace)
    elif primitive in ("service-account-tokens", "impersonate-service-accounts") and names and namespace:
        yield from (account(namespace, name) for name in names)
    elif primitive in ("service-account-tokens", "impersonate-service-accounts", "token-secrets"):
        yield accounts_of(namespace)
    elif primitive == "impersonate-users":
        yield from (f"User/{name}" for name in names) if names else (_ANY_USER,)
    elif primitive == "impersonate-groups":
        yield from (f"Group/{name}" for name in names) if names else (CLUSTER_ADMIN,)
    elif primitive == "read-secrets":
        yield secrets_of(namespace)
    elif primitive in _INTO_PODS:
        yield pods_of(namespace)
    elif primitive == "nodes-proxy" or (primitive == "host-path-volumes" and makes_pods):
        yield ANY_NODE
    elif holding.primitive.matter == "workloads":
        yield accounts_of(namespace)
        yield secrets_of(namespace)
        places = [namespaces[namespace]] if namespace in namespaces else [] if namespace else list(namespaces.values())
        if any(lets_through_to_the_node(place) for place in places):
            yield ANY_NODE


def lets_through_to_the_node(namespace: Namespace) -> bool:
    return namespace.labels.get("pod-security.kubernetes.io/enforce", "privileged") == "privileged"


def _add_start(graph: AccessGraph, start: Start, accounts: Mapping[tuple[str, str], ServiceAccount]) -> None:
    me = str(start.resource)
    graph.add(pods_of(start.namespace), me, "run commands in it")
    owner = accounts.get((start.namespace, start.spec.service_account_name or "default"))
    mounted = start.spec.automount_service_account_token
    if mounted is None:
        mounted = owner is None or owner.automount_service_account_token is not False
    if mounted:
        graph.add(me, start.account, "use the token mounted in it")
    for node in sorted(start.nodes):
        graph.add(ANY_NODE, f"Node/{node}", "choose one")
        if _reaches_its_node(start.spec):
            graph.add(me, f"Node/{node}", "leave its container")
        graph.add(f"Node/{node}", start.account, "take the tokens of the pods on it")


def _reaches_its_node(spec: PodSpec) -> bool:
    return (
        spec.host_pid
        or any(volume.kind == "hostPath" for volume in spec.volumes)
        or any(
            container.security_context is not None and container.security_context.privileged
            for _, container in spec.all_containers
        )
    )
