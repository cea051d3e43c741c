"""Everything that paths of access are made of: the objects of the cluster, and those of the account."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from soc2.model.access.kubernetes import Start, starts_of
from soc2.model.access.primitives import SubjectRights, rights_of_subjects
from soc2.model.aws.compute import AccessEntryDetail, EksCluster, EntryPolicies, Instance, PodIdentity
from soc2.model.aws.iam import AuthorizationDetails
from soc2.model.aws.joins import PrincipalPolicies, principal_policies
from soc2.model.kubernetes.aws_auth import AuthMapping
from soc2.model.kubernetes.cluster import Namespace, Node, ServerVersion
from soc2.model.kubernetes.joins import cluster_role_rules, grants
from soc2.model.kubernetes.network import NetworkPolicy
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.rbac import ClusterRole, ClusterRoleBinding, Role, RoleBinding, SecretMeta, ServiceAccount
from soc2.model.kubernetes.workloads import AnyWorkload


@dataclass(frozen=True)
class ClusterInventory:
    """The objects of a cluster. ``cluster_roles`` has the default ones too, where manifests take them for granted."""

    roles: tuple[Role, ...] = ()
    cluster_roles: tuple[ClusterRole, ...] = ()
    role_bindings: tuple[RoleBinding, ...] = ()
    cluster_role_bindings: tuple[ClusterRoleBinding, ...] = ()
    version: tuple[ServerVersion, ...] = ()
    accounts: tuple[ServiceAccount, ...] = ()
    secrets: tuple[SecretMeta, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    nodes: tuple[Node, ...] = ()
    network_policies: tuple[NetworkPolicy, ...] = ()
    auth_mappings: tuple[AuthMapping, ...] = ()
    pods: tuple[Pod, ...] = ()
    workloads: tuple[AnyWorkload, ...] = ()

    @cached_property
    def rights(self) -> tuple[SubjectRights, ...]:
        bound = grants(self.roles, self.cluster_roles, self.role_bindings, self.cluster_role_bindings)
        minor = self.version[0].minor_number if self.version else None
        return tuple(rights_of_subjects(bound, cluster_role_rules(self.cluster_roles), minor))

    @cached_property
    def starts(self) -> tuple[Start, ...]:
        return starts_of(self.pods, self.workloads)

    @cached_property
    def places(self) -> frozenset[str]:
        """Return the names of all namespaces, those that only their objects tell of among them."""
        of_accounts, of_secrets = (item.namespace for item in self.accounts), (item.namespace for item in self.secrets)
        return frozenset((*of_accounts, *of_secrets, *(item.name for item in self.namespaces)))


@dataclass(frozen=True)
class CloudInventory:
    """The identities of an account, and how its EKS clusters and instances use them."""

    details: tuple[AuthorizationDetails, ...] = ()
    eks_clusters: tuple[EksCluster, ...] = ()
    entries: tuple[AccessEntryDetail, ...] = ()
    entry_policies: tuple[EntryPolicies, ...] = ()
    pod_identities: tuple[PodIdentity, ...] = ()
    instances: tuple[Instance, ...] = ()

    @cached_property
    def principals(self) -> tuple[PrincipalPolicies, ...]:
        return tuple(principal_policies(self.details))
