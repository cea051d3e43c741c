"""Rules on RBAC grants. Wildcards follow the real authorizer: ``*`` for a resource covers subresources too,
``*/name`` one subresource of all, and ``pods/*`` nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.joins import Grant
from soc2.model.kubernetes.rbac import ClusterRole, PolicyRule, Role, SecretMeta, Subject

_RBAC = "rbac.authorization.k8s.io"
_EVERYONE = frozenset({"system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"})

# What Kubernetes itself grants to everyone (its RBAC documentation, "Default roles and role bindings").
_GRANTED_TO_EVERYONE = frozenset(
    {
        "system:basic-user",
        "system:discovery",
        "system:public-info-viewer",
        "system:service-account-issuer-discovery",
    }
)
# Default roles of Kubernetes 1.36 that have a wildcard.
_DEFAULT_WILDCARD_ROLES = frozenset(
    {
        "cluster-admin",
        "system:kube-controller-manager",
        "system:kubelet-api-admin",
        "system:controller:disruption-controller",
        "system:controller:generic-garbage-collector",
        "system:controller:horizontal-pod-autoscaler",
        "system:controller:namespace-controller",
        "system:controller:resourcequota-controller",
    }
)


@dataclass(frozen=True)
class Power:
    """Verbs on a resource (``resource`` or ``resource/subresource``) of an API group, any of which gives the power."""

    group: str
    resource: str
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'/'.join(self.verbs)} {self.resource}" + (f".{self.group}" if self.group else "")


_WRITES = ("create", "update", "patch")

ESCALATION_POWERS = (
    Power(_RBAC, "roles", ("escalate",)),
    Power(_RBAC, "clusterroles", ("escalate", "bind")),
    Power("", "users", ("impersonate",)),
    Power("", "groups", ("impersonate",)),
    Power("", "serviceaccounts", ("impersonate",)),
    Power("", "serviceaccounts/token", ("create",)),
    Power("", "nodes/proxy", ("get", "create")),
    Power("certificates.k8s.io", "certificatesigningrequests/approval", ("update", "patch")),
    Power("certificates.k8s.io", "signers", ("approve", "sign")),
    Power("admissionregistration.k8s.io", "validatingwebhookconfigurations", (*_WRITES, "delete")),
    Power("admissionregistration.k8s.io", "mutatingwebhookconfigurations", _WRITES),
    Power("admissionregistration.k8s.io", "validatingadmissionpolicies", ("update", "patch", "delete")),
    Power("admissionregistration.k8s.io", "validatingadmissionpolicybindings", ("update", "patch", "delete")),
    Power("", "namespaces", ("update", "patch")),
    Power("", "persistentvolumes", ("create",)),
)
SECRET_READING = (Power("", "secrets", ("get", "list", "watch")),)
EXECUTION = (
    Power("", "pods/exec", ("create", "get")),
    Power("", "pods/attach", ("create", "get")),
    Power("", "pods/ephemeralcontainers", ("update", "patch")),
)


def allows(rule: PolicyRule, group: str, resource: str, verb: str) -> bool:
    """Tell whether a rule allows a verb on all objects of a resource, as the RBAC authorizer reads it."""
    subresource = resource.partition("/")[2]
    resources = {resource, "*"} | ({f"*/{subresource}"} if subresource else set())
    return (
        bool({verb, "*"} & set(rule.verbs))
        and bool({group, "*"} & set(rule.api_groups))
        and bool(resources & set(rule.resources))
    )


def is_everything(rules: Iterable[PolicyRule]) -> bool:
    """Tell whether rules give every verb on every resource."""
    return any("*" in rule.verbs and "*" in rule.api_groups and "*" in rule.resources for rule in rules)


@dataclass(frozen=True, kw_only=True)
class UnknownAdmin(Deviation):
    template: ClassVar[str] = "{subject} has every right {where} through role {role} and is not a declared administrator"
    subject: str
    role: str
    where: str


@dataclass(frozen=True, kw_only=True)
class UndeclaredPower(Deviation):
    template: ClassVar[str] = "{subject} may {power} {where} through role {role} and is not declared for it"
    subject: str
    power: str
    role: str
    where: str


@dataclass(frozen=True, kw_only=True)
class GrantedToEveryone(Deviation):
    template: ClassVar[str] = "{subject} holds role {role}: whoever reaches the API server has its rights"
    subject: str
    role: str


@dataclass(frozen=True, kw_only=True)
class Wildcard(Deviation):
    template: ClassVar[str] = "rule {index} has a wildcard in {field}"
    index: int
    field: str


@dataclass(frozen=True, kw_only=True)
class LongLivedToken(Deviation):
    template: ClassVar[str] = "a ServiceAccount token without expiry is stored as a Secret"


def _where(grant: Grant) -> str:
    return f"in namespace {grant.namespace}" if grant.namespace else "in the whole cluster"


def _declared(subject: Subject, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(str(subject), pattern) for pattern in patterns)


def _of_the_control_plane(subject: Subject) -> bool:
    """Tell whether a subject belongs to Kubernetes itself; the names of everyone's groups do not."""
    if subject.kind == "ServiceAccount":
        return subject.namespace == "kube-system"
    return subject.name.startswith("system:") and not subject.name.startswith(tuple(_EVERYONE))


def admins_known(declared: Iterable[str]) -> Callable[[Grant], Iterator[Deviation]]:
    """Return the rule that only declared subjects have every right; ``system:masters`` is Kubernetes' own."""
    patterns = ("Group/system:masters", *declared)

    def rule(grant: Grant) -> Iterator[Deviation]:
        if is_everything(grant.rules) or (grant.role == "cluster-admin" and not grant.namespace):
            for subject in grant.subjects:
                if not _declared(subject, patterns):
                    yield UnknownAdmin(resource=grant.resource, subject=str(subject), role=grant.role, where=_where(grant))

    return rule


def power_limited(powers: Iterable[Power], declared: Iterable[str]) -> Callable[[Grant], Iterator[Deviation]]:
    """Return the rule that only declared subjects have any of the powers.

    Whoever has every right is the matter of ``admins_known`` and not repeated here.
    """
    wanted, patterns = tuple(powers), tuple(declared)

    def rule(grant: Grant) -> Iterator[Deviation]:
        if is_everything(grant.rules):
            return
        held = [
            power
            for power in wanted
            if any(allows(entry, power.group, power.resource, verb) for entry in grant.rules for verb in power.verbs)
        ]
        for subject in grant.subjects:
            if _of_the_control_plane(subject) or _declared(subject, patterns):
                continue
            for power in held:
                yield UndeclaredPower(
                    resource=grant.resource,
                    subject=str(subject),
                    power=str(power),
                    role=grant.role,
                    where=_where(grant),
                )

    return rule


def not_for_everyone(grant: Grant) -> Iterator[Deviation]:
    """Nothing beyond Kubernetes' own defaults is granted to anonymous or to all authenticated callers."""
    if not grant.namespace and grant.role in _GRANTED_TO_EVERYONE:
        return
    for subject in grant.subjects:
        if subject.kind in ("User", "Group") and subject.name in _EVERYONE:
            yield GrantedToEveryone(resource=grant.resource, subject=str(subject), role=grant.role)


def no_wildcards(role: Role | ClusterRole) -> Iterator[Deviation]:
    """A role names its verbs and resources."""
    if isinstance(role, ClusterRole) and role.name in _DEFAULT_WILDCARD_ROLES:
        return
    for index, entry in enumerate(role.rules or ()):
        for field, values in (("verbs", entry.verbs), ("resources", entry.resources)):
            if any(value == "*" or value.startswith("*/") for value in values):
                yield Wildcard(resource=role.resource, index=index, field=field)


def no_long_lived_token(secret: SecretMeta) -> Iterator[Deviation]:
    """ServiceAccounts use bound tokens that expire."""
    if secret.type == "kubernetes.io/service-account-token":
        yield LongLivedToken(resource=secret.resource)
