"""Escalation primitives: rights that can be turned into more rights, and what each of them needs to be effective.

Sources: the Kubernetes documentation ("RBAC Good Practices", "Using RBAC Authorization" on bind, escalate and impersonate,
"Certificate Signing Requests", "Pod Security Admission") and the documentation of each add-on for its own resources.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from soc2.model.access.rbac import resource_matches
from soc2.model.deviation import Resource
from soc2.model.kubernetes.joins import Grant
from soc2.model.kubernetes.rbac import PolicyRule, Subject

RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_CSR = "certificates.k8s.io"
_AUTHENTICATION = "authentication.k8s.io"

Matter = Literal["escalation", "secrets", "execution", "workloads"]
"""Which declaration of the owner says who may hold a primitive."""

# With these the object's name is not known when the request is authorized, so a rule with resourceNames never allows them.
NAMELESS = frozenset({"create", "deletecollection"})


@dataclass(frozen=True)
class Power:
    """Verbs on a resource (``resource`` or ``resource/subresource``) of an API group, any of which gives the power.

    ``before`` is the first minor version of Kubernetes in which it no longer does.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    before: int | None = None


Need = tuple[Power, ...]
"""Powers any of which will do."""


@dataclass(frozen=True)
class Primitive:
    """A right that gives more than it says. It is effective where every one of its needs is met.

    ``names`` are the only object names that matter for its first need (empty: any); ``namespace`` is the only
    namespace in which it means something; ``cluster`` says that the resource belongs to no namespace, so that a
    RoleBinding cannot grant it.
    """

    id: str
    gives: str
    needs: tuple[Need, ...]
    matter: Matter = "escalation"
    cluster: bool = False
    namespace: str = ""
    names: tuple[str, ...] = ()


def _one(group: str, resource: str, *verbs: str) -> Need:
    return (Power(group, resource, verbs),)


def _any(group: str, resources: Iterable[str], *verbs: str) -> Need:
    return tuple(Power(group, resource, verbs) for resource in resources)


_WRITE = ("create", "update", "patch")
_CHANGE = ("update", "patch")
_WEAKEN = ("update", "patch", "delete", "deletecollection")
_ANY_WRITE = ("create", "update", "patch", "delete", "deletecollection")
_IMPERSONATED: Need = (*_one("", "users", "impersonate"), *_one("", "serviceaccounts", "impersonate"))

# The server answers a patch with the whole object, and the deletion of a collection with what was in it.
_READS_SECRETS: Need = (*_one("", "secrets", "get", "list", "watch"), *_one("", "secrets", "patch", "deletecollection"))

PRIMITIVES: tuple[Primitive, ...] = (
    Primitive(
        "escalate-roles",
        "give a Role rights that it does not have itself",
        (_one(RBAC, "roles", "escalate"), _one(RBAC, "roles", *_WRITE)),
    ),
    Primitive(
        "escalate-cluster-roles",
        "give a ClusterRole rights that it does not have itself",
        (_one(RBAC, "clusterroles", "escalate"), _one(RBAC, "clusterroles", *_WRITE)),
        cluster=True,
    ),
    Primitive(
        "bind-in-namespace",
        "bind roles with rights that it does not have itself in a namespace",
        (_any(RBAC, ("roles", "clusterroles"), "bind"), _one(RBAC, "rolebindings", *_WRITE)),
    ),
    Primitive(
        "bind-in-cluster",
        "bind ClusterRoles with rights that it does not have itself in the whole cluster",
        (_one(RBAC, "clusterroles", "bind"), _one(RBAC, "clusterrolebindings", *_WRITE)),
        cluster=True,
    ),
    Primitive(
        "aggregation-labels",
        "hand rights on to whoever holds an aggregated role, by the labels of ClusterRoles",
        (_one(RBAC, "clusterroles", *_CHANGE),),
        cluster=True,
    ),
    Primitive("impersonate-users", "act as another user", (_one("", "users", "impersonate"),), cluster=True),
    Primitive(
        "impersonate-groups",
        "act as a member of any group",
        (_one("", "groups", "impersonate"), _IMPERSONATED),
        cluster=True,
    ),
    Primitive("impersonate-service-accounts", "act as another ServiceAccount", (_one("", "serviceaccounts", "impersonate"),)),
    Primitive(
        "impersonate-uids",
        "act under another user's id",
        (_one(_AUTHENTICATION, "uids", "impersonate"), _IMPERSONATED),
        cluster=True,
    ),
    Primitive(
        "impersonate-extra",
        "act with another user's extra fields, such as scopes",
        (_one(_AUTHENTICATION, "userextras/*", "impersonate"), _IMPERSONATED),
        cluster=True,
    ),
    Primitive(
        "service-account-tokens", "make tokens of other ServiceAccounts", (_one("", "serviceaccounts/token", "create"),)
    ),
    Primitive(
        "token-secrets",
        "have a token of any ServiceAccount written into a Secret and read it",
        # A Secret never changes its type, so only a new one can become the token's.
        (_one("", "secrets", "create"), _READS_SECRETS),
    ),
    Primitive(
        "nodes-proxy",
        "run commands in every pod through the kubelets",
        (_one("", "nodes/proxy", "get", "create"),),
        cluster=True,
    ),
    Primitive(
        "approve-certificates",
        "issue itself a client certificate under another name",
        (
            _one(_CSR, "signers", "approve"),
            _one(_CSR, "certificatesigningrequests/approval", *_CHANGE),
            _one(_CSR, "certificatesigningrequests", "create"),
        ),
        cluster=True,
        names=("kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/*"),
    ),
    Primitive(
        "sign-certificates",
        "sign client certificates in the signer's place",
        (_one(_CSR, "signers", "sign"), _one(_CSR, "certificatesigningrequests/status", *_CHANGE)),
        cluster=True,
        names=("kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/*"),
    ),
    Primitive(
        "validating-webhooks",
        "read what is sent to the API server, or stop it from being checked",
        (_one(_ADMISSION, "validatingwebhookconfigurations", *_ANY_WRITE),),
        cluster=True,
    ),
    Primitive(
        "mutating-webhooks",
        "change what others send to the API server",
        (_one(_ADMISSION, "mutatingwebhookconfigurations", *_ANY_WRITE),),
        cluster=True,
    ),
    Primitive(
        "validating-policies",
        "weaken or remove admission policies",
        (_any(_ADMISSION, ("validatingadmissionpolicies", "validatingadmissionpolicybindings"), *_WEAKEN),),
        cluster=True,
    ),
    Primitive(
        "mutating-policies",
        "change what others send to the API server by policy",
        (_any(_ADMISSION, ("mutatingadmissionpolicies", "mutatingadmissionpolicybindings"), *_ANY_WRITE),),
        cluster=True,
    ),
    Primitive(
        "namespace-labels", "label a namespace so that Pod Security no longer holds", (_one("", "namespaces", *_CHANGE),)
    ),
    Primitive(
        "host-path-volumes",
        "mount any path of a node through a PersistentVolume",
        (_one("", "persistentvolumes", "create"),),
        cluster=True,
    ),
    Primitive(
        "nodes",
        "change labels, taints or status of nodes and so where pods run",
        (_any("", ("nodes", "nodes/status"), *_CHANGE),),
        cluster=True,
    ),
    Primitive(
        "evict-to-node",
        "drive pods to nodes of its choice",
        (
            (*_one("", "pods/eviction", "create"), *_one("", "pods", "delete", "deletecollection")),
            _any("", ("nodes", "nodes/status"), *_CHANGE),
        ),
        cluster=True,
    ),
    Primitive(
        "aws-auth",
        "map AWS roles to groups of the cluster, system:masters among them",
        (_one("", "configmaps", *_WRITE),),
        namespace="kube-system",
        names=("aws-auth",),
    ),
    Primitive(
        "api-services",
        "answer for an API group in the API server's place",
        (_one("apiregistration.k8s.io", "apiservices", *_WRITE),),
        cluster=True,
    ),
    Primitive(
        "custom-resource-definitions",
        "remove or change the resources that policies are written in",
        (_one("apiextensions.k8s.io", "customresourcedefinitions", *_WEAKEN),),
        cluster=True,
    ),
    Primitive(
        "kyverno-policies",
        "weaken policies of Kyverno or make exceptions from them",
        (
            (
                # These may change or make objects with the rights of Kyverno.
                *_any("kyverno.io", ("clusterpolicies", "policies"), *_ANY_WRITE),
                *_any("policies.kyverno.io", ("mutatingpolicies", "generatingpolicies"), *_ANY_WRITE),
                *_any("kyverno.io", ("policyexceptions",), *_WRITE),
                *_any("policies.kyverno.io", ("validatingpolicies", "imagevalidatingpolicies"), *_WEAKEN),
                *_any("policies.kyverno.io", ("policyexceptions",), *_WRITE),
            ),
        ),
    ),
    Primitive(
        "gatekeeper-policies",
        "weaken policies of Gatekeeper",
        (
            (
                *_any("templates.gatekeeper.sh", ("constrainttemplates",), *_WEAKEN),
                *_any("constraints.gatekeeper.sh", ("*",), *_WEAKEN),
                *_any("config.gatekeeper.sh", ("configs",), *_ANY_WRITE),
                *_any("mutations.gatekeeper.sh", ("assign", "assignmetadata", "modifyset", "assignimage"), *_WRITE),
            ),
        ),
    ),
    Primitive(
        "external-secrets",
        "fetch secrets with the rights of the External Secrets controller",
        (
            (
                *_any("external-secrets.io", ("externalsecrets", "clusterexternalsecrets"), *_WRITE),
                *_any("external-secrets.io", ("secretstores", "clustersecretstores", "pushsecrets"), *_WRITE),
            ),
        ),
    ),
    Primitive(
        "gitops",
        "deploy anything with the rights of a GitOps controller",
        (
            (
                *_any("argoproj.io", ("applications", "applicationsets", "appprojects"), *_WRITE),
                *_any("kustomize.toolkit.fluxcd.io", ("kustomizations",), *_WRITE),
                *_any("helm.toolkit.fluxcd.io", ("helmreleases",), *_WRITE),
                *_any(
                    "source.toolkit.fluxcd.io", ("gitrepositories", "ocirepositories", "buckets", "helmrepositories"), *_WRITE
                ),
            ),
        ),
    ),
    Primitive("read-secrets", "read Secrets", (_READS_SECRETS,), "secrets"),
    Primitive(
        "pods-exec",
        "run commands in pods",
        ((Power("", "pods/exec", ("create",)), Power("", "pods/exec", ("get",), 35)),),
        "execution",
    ),
    Primitive(
        "pods-attach",
        "attach to the processes of pods",
        ((Power("", "pods/attach", ("create",)), Power("", "pods/attach", ("get",), 35)),),
        "execution",
    ),
    Primitive(
        "pods-portforward",
        "reach the ports of pods past network policies",
        ((Power("", "pods/portforward", ("create",)), Power("", "pods/portforward", ("get",), 35)),),
        "execution",
    ),
    Primitive(
        "ephemeral-containers",
        "add containers to running pods",
        (_one("", "pods/ephemeralcontainers", *_CHANGE),),
        "execution",
    ),
    Primitive(
        "pods",
        "run pods as any ServiceAccount of the namespace, or change what they run",
        (_one("", "pods", *_WRITE),),
        "workloads",
    ),
    *(
        Primitive(
            resource,
            f"run pods as any ServiceAccount of the namespace through {resource}",
            (_one(group, resource, *_WRITE),),
            "workloads",
        )
        for group, resource in (
            ("", "replicationcontrollers"),
            ("apps", "deployments"),
            ("apps", "replicasets"),
            ("apps", "statefulsets"),
            ("apps", "daemonsets"),
            ("batch", "jobs"),
            ("batch", "cronjobs"),
        )
    ),
)
BY_ID = {primitive.id: primitive for primitive in PRIMITIVES}


@dataclass(frozen=True)
class Held:
    """A power that a binding gives: by which of its verbs, and the objects (``names``) it is limited to; None for all."""

    grant: Grant
    power: Power
    verbs: tuple[str, ...]
    names: tuple[str, ...] | None = None

    def __str__(self) -> str:
        resource = self.power.resource + (f".{self.power.group}" if self.power.group else "")
        named = f" named {', '.join(self.names)}" if self.names else ""
        return f"{'/'.join(self.verbs)} {resource}{named}"


@dataclass(frozen=True)
class Holding:
    """A primitive that a subject holds, where (``namespace`` is empty for the whole cluster), and by which bindings."""

    primitive: Primitive
    namespace: str
    via: tuple[Held, ...]


@dataclass(frozen=True)
class SubjectRights:
    """A subject that bindings name, the bindings that give it every right somewhere, and the primitives that it holds."""

    subject: Subject
    everything_by: tuple[Grant, ...]
    holdings: tuple[Holding, ...]

    @property
    def everything_in(self) -> frozenset[str]:
        """Return the namespaces in which it has every right; the empty name stands for the whole cluster."""
        return frozenset(grant.namespace for grant in self.everything_by)

    @property
    def resource(self) -> Resource:
        """Return the subject; a subject has no document of its own, so its place is that of a binding that counts."""
        bindings = (*self.everything_by, *(option.grant for holding in self.holdings for option in holding.via))
        place = (bindings[0].resource.file, bindings[0].resource.line) if bindings else (None, None)
        return Resource(self.subject.kind, self.subject.name, self.subject.namespace, *place)


@cache
def _powers() -> dict[Power, None]:
    return {power: None for primitive in PRIMITIVES for need in primitive.needs for power in need}


@cache
def _given(
    rules: tuple[PolicyRule, ...], minor: int | None
) -> tuple[tuple[Power, tuple[str, ...], tuple[str, ...] | None], ...]:
    """Return the powers that rules give, each with its verbs and the names it is limited to (None: all objects)."""
    found: dict[Power, tuple[frozenset[str], tuple[str, ...] | None]] = {}
    for rule in rules:
        for power in _powers():
            if power.before is not None and minor is not None and minor >= power.before:
                continue
            if not _touches(rule, power):
                continue
            verbs = frozenset(verb for verb in power.verbs if "*" in rule.verbs or verb in rule.verbs)
            if rule.resource_names and "/" not in power.resource:
                verbs -= NAMELESS
            if verbs:
                verbs_before, names_before = found.get(power, (frozenset(), ()))
                unlimited = not rule.resource_names or names_before is None
                found[power] = verbs | verbs_before, None if unlimited else (*(names_before or ()), *rule.resource_names)
    return tuple(
        (power, tuple(verb for verb in power.verbs if verb in verbs), names) for power, (verbs, names) in found.items()
    )


def _touches(rule: PolicyRule, power: Power) -> bool:
    if not ("*" in rule.api_groups or power.group in rule.api_groups):
        return False
    if power.resource == "*":
        return bool(rule.resources)
    if power.resource.endswith("/*"):
        # Any subresource will do: the keys of extra fields are not known beforehand.
        prefixes = (power.resource[:-1], "*/")
        return any(resource == "*" or resource.startswith(prefixes) for resource in rule.resources)
    return resource_matches(rule, power.resource)


def is_everything(rules: Iterable[PolicyRule]) -> bool:
    """Tell whether rules give every verb on every resource."""
    return any(
        "*" in rule.verbs and "*" in rule.api_groups and "*" in rule.resources and not rule.resource_names for rule in rules
    )


def gives_nothing_more(rules: tuple[PolicyRule, ...]) -> bool:
    """Tell whether rules hold no power that any primitive needs, so that binding them escalates nothing."""
    return not _given(rules, None)


def holdings(grants: Iterable[Grant], minor: int | None = None, harmless_roles: Collection[str] = ()) -> Iterator[Holding]:
    """Yield the primitives that these bindings together give to whoever holds them all.

    ``minor`` is the server's minor version (None: unknown, so every verb counts that ever did); ``harmless_roles`` are
    roles that may be bound freely.
    """
    held: dict[Power, list[Held]] = {}
    for grant in grants:
        for power, verbs, names in _given(grant.rules, minor):
            held.setdefault(power, []).append(Held(grant, power, verbs, names))
    for primitive in PRIMITIVES:
        yield from _holdings_of(primitive, held, harmless_roles)


def _holdings_of(primitive: Primitive, held: dict[Power, list[Held]], harmless: Collection[str]) -> Iterator[Holding]:
    options = [
        [option for power in need for option in held.get(power, ()) if index or _matters(primitive, option, harmless)]
        for index, need in enumerate(primitive.needs)
    ]
    if not all(options):
        return
    everywhere = [next((option for option in need if not option.grant.namespace), None) for need in options]
    found = [option for option in everywhere if option is not None]
    if len(found) == len(options):
        yield Holding(primitive, "", tuple(found))
        return
    if primitive.cluster:
        return
    for namespace in sorted({option.grant.namespace for need in options for option in need} - {""}):
        if primitive.namespace not in ("", namespace):
            continue
        via = [next((option for option in need if option.grant.namespace in ("", namespace)), None) for need in options]
        if all(via):
            yield Holding(primitive, namespace, tuple(option for option in via if option))


def _matters(primitive: Primitive, option: Held, harmless: Collection[str]) -> bool:
    """Tell whether a power that is limited to names reaches an object that makes the primitive."""
    if option.names is None:
        return True
    if primitive.matter == "secrets":
        # Naming the Secrets is how the right to read them is meant to be limited.
        return False
    if primitive.id.startswith("bind-"):
        return not all(name in harmless for name in option.names)
    return not primitive.names or any(name in primitive.names for name in option.names)


def rights_of_subjects(
    grants: Iterable[Grant], cluster_roles: dict[str, tuple[PolicyRule, ...]], minor: int | None = None
) -> Iterator[SubjectRights]:
    """Yield every subject that a binding names with what it holds.

    Everybody holds what the groups hold that it is known to be in; what comes from a group alone is said of that group only.
    """
    own: dict[Subject, list[Grant]] = {}
    for grant in grants:
        for subject in grant.subjects:
            own.setdefault(_placed(subject, grant.namespace), []).append(grant)
    harmless = frozenset(name for name, rules in cluster_roles.items() if gives_nothing_more(rules))
    for subject, direct in own.items():
        inherited = [grant for group in _groups(subject) for grant in own.get(group, ())]
        every = tuple(grant for grant in direct if is_everything(grant.rules))
        found = [
            holding
            for holding in holdings([*direct, *inherited], minor, harmless)
            if any(option.grant in direct for option in holding.via)
        ]
        yield SubjectRights(subject, every, tuple(found))


def _placed(subject: Subject, namespace: str) -> Subject:
    if subject.kind == "ServiceAccount" and not subject.namespace and namespace:
        return Subject(subject.kind, subject.name, namespace)
    return subject


def _groups(subject: Subject) -> tuple[Subject, ...]:
    names: tuple[str, ...] = ("system:authenticated",)
    if subject.kind == "ServiceAccount":
        names = ("system:serviceaccounts", f"system:serviceaccounts:{subject.namespace}", *names)
    elif subject.name in ("system:anonymous", "system:unauthenticated"):
        names = ("system:unauthenticated",)
    elif subject.name.startswith("system:serviceaccounts:"):
        names = ("system:serviceaccounts", *names)
    return tuple(group for group in (Subject("Group", name) for name in names) if group != subject)
