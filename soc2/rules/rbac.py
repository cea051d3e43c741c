"""Rules on who holds which rights in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.access.primitives import Matter, SubjectRights, is_everything
from soc2.model.deviation import Deviation
from soc2.model.kubernetes.debugging import NamespaceWays
from soc2.model.kubernetes.joins import BoundAccounts, Grant
from soc2.model.kubernetes.rbac import ClusterRole, Role, SecretMeta, Subject

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
_SHOWN = 5
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


@dataclass(frozen=True, kw_only=True)
class UnknownAdmin(Deviation):
    template: ClassVar[str] = "{subject} has every right {where} through role {role} and is not a declared administrator"
    subject: str
    role: str
    where: str


@dataclass(frozen=True, kw_only=True)
class UndeclaredPower(Deviation):
    """``primitive`` is the id of what the rights can be turned into; ``powers`` and ``roles`` are those it needs."""

    template: ClassVar[str] = "{subject} may {gives} {where} ({powers} through {roles}) and is not declared for it"
    subject: str
    primitive: str
    gives: str
    powers: str
    roles: str
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


@dataclass(frozen=True, kw_only=True)
class OrphanBinding(Deviation):
    template: ClassVar[str] = "it names {missing}, which does not exist: whoever makes it takes part in the binding"
    missing: str


def _where(namespace: str) -> str:
    return f"in namespace {namespace}" if namespace else "in the whole cluster"


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
                    yield UnknownAdmin(
                        resource=grant.resource, subject=str(subject), role=grant.role, where=_where(grant.namespace)
                    )

    return rule


@dataclass(frozen=True, kw_only=True)
class WayOpen(Deviation):
    template: ClassVar[str] = "nothing refuses {what} ({subresource}) here, and {holders} may do it without being declared"
    what: str
    subresource: str
    holders: str


def ways_guarded(declared: Iterable[str]) -> Callable[[NamespaceWays], Iterator[Deviation]]:
    """Return the rule that an admission policy refuses each way into running containers, or that none but declared subjects
    have the right; Kubernetes' own components are left out where they have it by its own roles."""
    patterns = tuple(declared)

    def rule(record: NamespaceWays) -> Iterator[Deviation]:
        for here in record.ways:
            if here.policies:
                continue
            holders = [str(each.subject) for each in here.holders if not _may(each, here.way.primitive, patterns)]
            if holders:
                shown = ", ".join(sorted(holders)[:_SHOWN]) + f" and {len(holders) - _SHOWN} more" * (len(holders) > _SHOWN)
                yield WayOpen(resource=record.resource, what=here.way.what, subresource=here.way.subresource, holders=shown)

    return rule


def _may(rights: SubjectRights, primitive: str, patterns: tuple[str, ...]) -> bool:
    if _declared(rights.subject, patterns):
        return True
    via = [option for holding in rights.holdings if holding.primitive.id == primitive for option in holding.via]
    return _of_the_control_plane(rights.subject) and all(option.grant.role.startswith("system:") for option in via)


def primitives_limited(matter: Matter, declared: Iterable[str]) -> Callable[[SubjectRights], Iterator[Deviation]]:
    """Return the rule that only declared subjects hold the primitives of a matter.

    Whoever has every right is the matter of ``admins_known`` and not repeated here. What the control plane holds by
    Kubernetes' own roles (``system:…``) is left out; what somebody gave it besides is not.
    """
    patterns = tuple(declared)

    def rule(rights: SubjectRights) -> Iterator[Deviation]:
        if _declared(rights.subject, patterns):
            return
        own = _of_the_control_plane(rights.subject)
        for holding in rights.holdings:
            if own and all(option.grant.role.startswith("system:") for option in holding.via):
                continue
            if holding.primitive.matter != matter or {"", holding.namespace} & rights.everything_in:
                continue
            yield UndeclaredPower(
                resource=holding.via[0].grant.resource,
                subject=str(rights.subject),
                primitive=holding.primitive.id,
                gives=holding.primitive.gives,
                powers=" and ".join(dict.fromkeys(str(option) for option in holding.via)),
                roles=", ".join(dict.fromkeys(option.grant.role for option in holding.via)),
                where=_where(holding.namespace),
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


def no_orphans(record: BoundAccounts) -> Iterator[Deviation]:
    """Everything that a binding names exists: its role, and its ServiceAccounts."""
    if not record.grant.role_exists:
        yield OrphanBinding(resource=record.resource, missing=f"role {record.grant.role}")
    for subject in record.missing:
        yield OrphanBinding(resource=record.resource, missing=str(subject))
