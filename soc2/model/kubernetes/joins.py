"""Records that join several Kubernetes objects, so that a rule can judge one of them by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.deviation import Resource
from soc2.model.kubernetes.admission import (
    MatchCondition,
    MatchResources,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
)
from soc2.model.kubernetes.cluster import Namespace, Node
from soc2.model.kubernetes.meta import LabelSelector
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.rbac import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    Role,
    RoleBinding,
    ServiceAccount,
    Subject,
)
from soc2.model.kubernetes.workloads import DaemonSet, Deployment, PodDisruptionBudget, StatefulSet
from soc2.model.probes import LevelProbe


@dataclass(frozen=True)
class GuardedNamespace:
    """A namespace with the dry-runs that were made in it; None when it was not tried."""

    namespace: Namespace
    trial: LevelProbe | None

    @property
    def resource(self) -> Resource:
        return self.namespace.resource


def guarded_namespaces(namespaces: Iterable[Namespace], trials: Iterable[LevelProbe]) -> Iterator[GuardedNamespace]:
    by_name = {trial.namespace: trial for trial in trials}
    return (GuardedNamespace(namespace, by_name.get(namespace.name)) for namespace in namespaces)


@dataclass(frozen=True)
class Grant:
    """A binding with the rules of the role it names. ``namespace`` is empty when it holds everywhere; ``role_exists``
    is false when the role is not there (the binding then grants nothing, until somebody makes it)."""

    resource: Resource
    role: str
    namespace: str
    subjects: tuple[Subject, ...]
    rules: tuple[PolicyRule, ...]
    role_exists: bool


def grants(
    roles: Iterable[Role],
    cluster_roles: Iterable[ClusterRole],
    role_bindings: Iterable[RoleBinding],
    cluster_role_bindings: Iterable[ClusterRoleBinding],
) -> Iterator[Grant]:
    """Join every binding with its role; aggregated ClusterRoles have the rules of those they select."""
    rules = {("ClusterRole", "", name): given for name, given in cluster_role_rules(cluster_roles).items()}
    rules |= {("Role", role.namespace, role.name): role.rules or () for role in roles}
    bindings: list[RoleBinding | ClusterRoleBinding] = [*role_bindings, *cluster_role_bindings]
    for binding in bindings:
        reference = binding.role_ref
        key = (reference.kind, binding.namespace if reference.kind == "Role" else "", reference.name)
        yield Grant(
            binding.resource,
            reference.name,
            binding.namespace,
            binding.subjects or (),
            rules.get(key, ()),
            key in rules,
        )


@dataclass(frozen=True)
class BoundAccounts:
    """A binding with those of its ServiceAccounts that do not exist: whoever makes one of that name has its rights."""

    grant: Grant
    missing: tuple[Subject, ...]

    @property
    def resource(self) -> Resource:
        return self.grant.resource


def bound_accounts(grants: Iterable[Grant], accounts: Iterable[ServiceAccount]) -> Iterator[BoundAccounts]:
    existing = {(item.namespace, item.name) for item in accounts}
    for grant in grants:
        missing = (
            subject
            for subject in grant.subjects
            if subject.kind == "ServiceAccount" and (subject.namespace or grant.namespace, subject.name) not in existing
        )
        yield BoundAccounts(grant, tuple(missing))


def with_presumed(listed: tuple[ClusterRole, ...], presumed: tuple[ClusterRole, ...]) -> tuple[ClusterRole, ...]:
    """Add the roles that every cluster has to those that were listed, which win."""
    names = {role.name for role in listed}
    return (*listed, *(role for role in presumed if role.name not in names))


def cluster_role_rules(cluster_roles: Iterable[ClusterRole]) -> dict[str, tuple[PolicyRule, ...]]:
    """Return the rules of every ClusterRole by its name, those that it takes over by aggregation among them.

    A controller fills them in on a running cluster, and nobody in a manifest; so they are worked out here, again and
    again until nothing is added, because an aggregated role may be selected itself.
    """
    roles = tuple(cluster_roles)
    rules = {role.name: tuple(role.rules or ()) for role in roles}
    taken = {
        role.name: [other.name for other in roles if other.name != role.name and _selected(role, other)]
        for role in roles
        if role.aggregation_rule
    }
    changed = bool(taken)
    while changed:
        changed = False
        for name, others in taken.items():
            missing = {rule: None for other in others for rule in rules[other] if rule not in rules[name]}
            if missing:
                rules[name] = (*rules[name], *missing)
                changed = True
    return rules


def _selected(role: ClusterRole, other: ClusterRole) -> bool:
    selectors = role.aggregation_rule.cluster_role_selectors if role.aggregation_rule else ()
    return any(selector.matches(other.labels) for selector in selectors)


@dataclass(frozen=True)
class BoundPolicy:
    """An admission policy with its bindings: without one it does nothing."""

    policy: ValidatingAdmissionPolicy
    bindings: tuple[ValidatingAdmissionPolicyBinding, ...]

    @property
    def resource(self) -> Resource:
        return self.policy.resource


def bound_policies(
    policies: Iterable[ValidatingAdmissionPolicy], bindings: Iterable[ValidatingAdmissionPolicyBinding]
) -> Iterator[BoundPolicy]:
    by_policy: dict[str, list[ValidatingAdmissionPolicyBinding]] = {}
    for binding in bindings:
        by_policy.setdefault(binding.spec.policy_name, []).append(binding)
    for policy in policies:
        yield BoundPolicy(policy, tuple(by_policy.get(policy.name, ())))


@dataclass(frozen=True)
class AdmissionScope:
    """A webhook or policy (``name``) with what it does not look at, each as a short name and its detail."""

    resource: Resource
    name: str
    left_out: tuple[tuple[str, str], ...]


def admission_scopes(
    webhooks: Iterable[ValidatingWebhookConfiguration],
    policies: Iterable[ValidatingAdmissionPolicy],
    bindings: Iterable[ValidatingAdmissionPolicyBinding],
    namespaces: Iterable[Namespace],
) -> Iterator[AdmissionScope]:
    """Evaluate the selectors of webhooks and enforced policies on the namespaces; conditions in CEL are shown as they are.

    A policy looks at a namespace when it and any of its bindings that deny do.
    """
    every = tuple(namespaces)
    for configuration in webhooks:
        for webhook in configuration.webhooks:
            matched = MatchResources(webhook.namespace_selector, webhook.object_selector)
            left_out = (*_unseen(every, [(matched,)]), *_narrowed([matched]), *_conditions(webhook.match_conditions))
            yield AdmissionScope(configuration.resource, webhook.name, left_out)
    for record in bound_policies(policies, bindings):
        spec = record.policy.spec
        denying = [item for item in record.bindings if "Deny" in item.spec.validation_actions]
        if not denying:
            continue
        own = spec.match_constraints or MatchResources()
        chains = [(own, item.spec.match_resources or MatchResources()) for item in denying]
        # What only one of several bindings leaves out, another may look at: nobody can tell from the selectors.
        only = denying[0] if len(denying) == 1 else None
        bound = [chains[0][1]] if only else []
        left_out = (
            *_unseen(every, chains),
            *_narrowed([own, *bound]),
            *(_bound_to(only) if only else ()),
            *_conditions(spec.match_conditions),
        )
        yield AdmissionScope(record.resource, record.policy.name, left_out)


def _unseen(namespaces: tuple[Namespace, ...], chains: Iterable[tuple[MatchResources, ...]]) -> Iterator[tuple[str, str]]:
    chains = tuple(chains)
    for namespace in namespaces:
        # The API server sets this label on every namespace.
        labels = {**namespace.labels, "kubernetes.io/metadata.name": namespace.name}
        if not any(all(_selects(each.namespace_selector, labels) for each in chain) for chain in chains):
            yield f"namespace {namespace.name}", "its labels are not selected"


def _selects(selector: LabelSelector | None, labels: dict[str, str]) -> bool:
    return selector is None or selector.matches(labels)


def _narrowed(matched: Iterable[MatchResources]) -> Iterator[tuple[str, str]]:
    for each in matched:
        if each.object_selector and not each.object_selector.selects_everything:
            yield "objects by label", f"only those that {_selector_words(each.object_selector)}"
        if names := sorted({name for rule in each.resource_rules for name in rule.resource_names}):
            yield "objects by name", f"only {', '.join(names)}"
        for rule in each.exclude_resource_rules:
            groups = ", ".join(f"{resource}.{group}".rstrip(".") for group in rule.api_groups for resource in rule.resources)
            yield f"resources {groups}", f"on {', '.join(rule.operations)}"


def _bound_to(binding: ValidatingAdmissionPolicyBinding) -> Iterator[tuple[str, str]]:
    """Yield by what a binding narrows its policy: rules of its own, and parameters without which nothing is checked."""
    rules = binding.spec.match_resources.resource_rules if binding.spec.match_resources else ()
    if rules:
        words = (f"{', '.join(rule.operations)} of {', '.join(rule.resources)}" for rule in rules)
        yield "other requests", f"its binding {binding.name} is for {' and '.join(words)} only"
    if binding.spec.param_ref and binding.spec.param_ref.parameter_not_found_action == "Allow":
        yield "missing parameters", f"its binding {binding.name} lets everything pass without them"


def _selector_words(selector: LabelSelector) -> str:
    equal = [f"{key}={value}" for key, value in (selector.match_labels or {}).items()]
    return " and ".join([*equal, *(f"{e.key} {e.operator} {','.join(e.values)}".rstrip() for e in selector.match_expressions)])


def _conditions(conditions: Iterable[MatchCondition]) -> Iterator[tuple[str, str]]:
    for condition in conditions:
        yield f"condition {condition.name}", f"only where {condition.expression}"


@dataclass(frozen=True)
class NodeAgents:
    """A node with the DaemonSets (``namespace/name``) that have a ready pod on it."""

    node: Node
    running: frozenset[str]

    @property
    def resource(self) -> Resource:
        return self.node.resource


def node_agents(nodes: Iterable[Node], daemon_sets: Iterable[DaemonSet], pods: Iterable[Pod]) -> Iterator[NodeAgents]:
    names = {item.metadata.uid: f"{item.namespace}/{item.name}" for item in daemon_sets}
    running: dict[str, set[str]] = {}
    for pod in pods:
        for owner in pod.metadata.owner_references:
            if owner.controller and owner.uid in names and pod.status.ready:
                running.setdefault(pod.spec.node_name, set()).add(names[owner.uid])
    for node in nodes:
        yield NodeAgents(node, frozenset(running.get(node.name, ())))


@dataclass(frozen=True)
class ClusterNodes:
    """All nodes of the cluster, as one item: some questions are about them together."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def resource(self) -> Resource:
        return Resource("Cluster", self.name)


@dataclass(frozen=True)
class ReplicatedWorkload:
    """A Deployment or StatefulSet with the disruption budgets that select its pods."""

    workload: Deployment | StatefulSet
    budgets: tuple[PodDisruptionBudget, ...]

    @property
    def resource(self) -> Resource:
        return self.workload.resource


def replicated_workloads(
    workloads: Iterable[Deployment | StatefulSet], budgets: Iterable[PodDisruptionBudget]
) -> Iterator[ReplicatedWorkload]:
    every = tuple(budgets)
    for workload in workloads:
        labels = workload.template.metadata.labels or {}
        selecting = tuple(
            budget
            for budget in every
            if budget.namespace == workload.namespace
            and budget.spec.selector is not None
            and budget.spec.selector.matches(labels)
        )
        yield ReplicatedWorkload(workload, selecting)
