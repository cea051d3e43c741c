"""RBAC objects, ServiceAccounts and what is known of Secrets."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record


class PolicyRule(Record):
    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = field(default=(), name="nonResourceURLs")


class AggregationRule(Record):
    cluster_role_selectors: tuple[LabelSelector, ...] = ()


class Role(KubeObject):
    KIND: ClassVar[str] = "Role"

    rules: tuple[PolicyRule, ...] | None = None


class ClusterRole(KubeObject):
    KIND: ClassVar[str] = "ClusterRole"

    rules: tuple[PolicyRule, ...] | None = None
    aggregation_rule: AggregationRule | None = None


class Subject(Record):
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


class RoleRef(Record):
    kind: str
    name: str


class RoleBinding(KubeObject):
    KIND: ClassVar[str] = "RoleBinding"

    subjects: tuple[Subject, ...] | None = None
    role_ref: RoleRef = RoleRef("", "")


class ClusterRoleBinding(KubeObject):
    KIND: ClassVar[str] = "ClusterRoleBinding"

    subjects: tuple[Subject, ...] | None = None
    role_ref: RoleRef = RoleRef("", "")


class ServiceAccount(KubeObject):
    KIND: ClassVar[str] = "ServiceAccount"

    automount_service_account_token: bool | None = None


class SecretMeta(KubeObject):
    """A Secret as the server's Table form tells it: never its data. ``keys`` is the number of keys."""

    KIND: ClassVar[str] = "Secret"

    type: str = ""
    keys: int = 0
