"""RBAC objects, ServiceAccounts and what is known of Secrets."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record


class PolicyRule(Record, frozen=True):
    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = field(default=(), name="nonResourceURLs")


class AggregationRule(Record, frozen=True):
    cluster_role_selectors: tuple[LabelSelector, ...] = ()


class Role(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Role"

    rules: tuple[PolicyRule, ...] | None = None


class ClusterRole(KubeObject, frozen=True):
    KIND: ClassVar[str] = "ClusterRole"

    rules: tuple[PolicyRule, ...] | None = None
    aggregation_rule: AggregationRule | None = None


class Subject(Record, frozen=True):
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


class RoleRef(Record, frozen=True):
    kind: str
    name: str


class RoleBinding(KubeObject, frozen=True):
    KIND: ClassVar[str] = "RoleBinding"

    subjects: tuple[Subject, ...] | None = None
    role_ref: RoleRef = RoleRef("", "")


class ClusterRoleBinding(KubeObject, frozen=True):
    KIND: ClassVar[str] = "ClusterRoleBinding"

    subjects: tuple[Subject, ...] | None = None
    role_ref: RoleRef = RoleRef("", "")


class ServiceAccount(KubeObject, frozen=True):
    KIND: ClassVar[str] = "ServiceAccount"

    automount_service_account_token: bool | None = None


class SecretMeta(KubeObject, frozen=True):
    """A Secret as the server's Table form tells it: never its data. ``keys`` is the number of keys."""

    KIND: ClassVar[str] = "Secret"

    type: str = ""
    keys: int = 0
