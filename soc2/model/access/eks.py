"""The edges between an EKS cluster and its account: who gets in, and which roles its pods and nodes get out with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from soc2.model.access.cloud import ACCOUNT_ADMIN, Asker, identity_of
from soc2.model.access.graph import AccessGraph
from soc2.model.access.iam import Decision, Document, Request, trusts
from soc2.model.access.inventory import CloudInventory, ClusterInventory
from soc2.model.access.kubernetes import (
    ANY_NODE,
    CLUSTER_ADMIN,
    account,
    accounts_of,
    admin_of,
    lets_through_to_the_node,
    pods_of,
    secrets_of,
)
from soc2.model.access.metadata_service import answers_its_host, answers_pods, may_connect
from soc2.model.access.rbac import MASTERS
from soc2.model.aws.base import account_in
from soc2.model.aws.compute import EksCluster, Instance, PodIdentity
from soc2.model.kubernetes.aws_auth import AuthMapping
from soc2.model.kubernetes.network import NetworkPolicy

_POD_IDENTITY = "pods.eks.amazonaws.com"

# Types of access entries that let the instances of a role join as nodes.
_NODE_TYPES = frozenset({"EC2_LINUX", "EC2_WINDOWS", "EC2", "HYBRID_LINUX"})
_NODES = "system:nodes"
_VARIABLE = re.compile(r"\{\{\w+\}\}")

# What access policies of EKS give that leads further ("Review access policy permissions" in the EKS user guide). Those that
# only read what is no Secret, and those for the components of AWS itself, give nothing that does.
_EVERYTHING = frozenset({"AmazonEKSClusterAdminPolicy"})
_RUN_PODS = frozenset({"AmazonEKSAdminPolicy", "AmazonEKSEditPolicy"})
_READ_SECRETS = frozenset({"AmazonEKSAdminViewPolicy", "AmazonEKSSecretReaderPolicy"}) | _RUN_PODS


def cluster_in_scope(clusters: Iterable[EksCluster], name: str) -> EksCluster | None:
    """Return the EKS cluster that is examined: the one of that name or ARN, or the only one there is.

    Raises LookupError when there are several, none of that name.
    """
    every = tuple(clusters)
    named = [item for item in every if name and name in (item.name, item.arn)]
    if named or len(every) <= 1:
        return (named or every or (None,))[0]
    raise LookupError(f"none of {len(every)} EKS clusters is named {name!r}")


def let_in(cluster: ClusterInventory, cloud: CloudInventory) -> tuple[str, ...]:
    """Return the ARNs of all principals that clusters map, of other accounts too."""
    return tuple(
        dict.fromkeys((*(item.principal_arn for item in cloud.entries), *(item.arn for item in cluster.auth_mappings)))
    )


def add_eks(
    graph: AccessGraph,
    eks: EksCluster | None,
    cluster: ClusterInventory,
    cloud: CloudInventory,
    service_control: tuple[tuple[Document, ...], ...] = (),
) -> None:
    """Add what access entries, aws-auth, Pod Identity and instances of nodes let somebody become; after ``add_cluster``."""
    _add_nodes(graph, cluster, cloud, _node_roles(eks, cluster, cloud))
    if eks is None:
        return
    _add_pod_identities(graph, eks, cluster, cloud)
    if eks.access_config.authentication_mode != "CONFIG_MAP":
        _add_entries(graph, eks, cluster, cloud)
        _add_entry_makers(graph, eks, cloud, service_control)
    if eks.access_config.authentication_mode != "API":
        _add_mappings(graph, cluster.auth_mappings, cloud)
        _add_map_writers(graph, eks, cloud)
        graph.add(admin_of("kube-system"), CLUSTER_ADMIN, f"map itself to {MASTERS} in ConfigMap aws-auth")
    # Whoever does everything in the account can change how the cluster authenticates, too.
    graph.add(ACCOUNT_ADMIN, CLUSTER_ADMIN, f"make an access entry of cluster {eks.name}")


def _node_roles(eks: EksCluster | None, cluster: ClusterInventory, cloud: CloudInventory) -> frozenset[str]:
    """Return the roles, by ARNs without their paths, whose instances join the cluster as nodes."""
    name = eks.name if eks else ""
    entered = (item.principal_arn for item in cloud.entries if item.cluster_name == name and item.type in _NODE_TYPES)
    mapped = (item.arn for item in cluster.auth_mappings if _NODES in item.groups)
    return frozenset(_without_path(arn) for arn in (*entered, *mapped))


def _add_entries(graph: AccessGraph, eks: EksCluster, cluster: ClusterInventory, cloud: CloudInventory) -> None:
    for entry in cloud.entries:
        if entry.cluster_name == eks.name:
            _add_user(graph, entry.principal_arn, entry.username, entry.kubernetes_groups, "access entry")
    for one in cloud.entry_policies:
        if one.cluster_name != eks.name:
            continue
        for associated in one.associated_access_policies:
            policy = associated.policy_arn.rpartition("/")[2]
            scope = associated.access_scope
            patterns = ("",) if scope.type == "cluster" else scope.namespaces
            for target in _policy_targets(policy, patterns, cluster):
                graph.add(one.principal_arn, target, f"use access policy {policy} of its access entry")


def _policy_targets(policy: str, patterns: Iterable[str], cluster: ClusterInventory) -> Iterator[str]:
    """Yield what a policy gives; the empty pattern stands for the whole cluster."""
    open_to_nodes = {item.name for item in cluster.namespaces if lets_through_to_the_node(item)}
    for pattern in patterns:
        covered = [name for name in sorted(cluster.places) if fnmatchcase(name, pattern or "*")]
        for place in covered if pattern else [""]:
            if policy in _EVERYTHING:
                yield admin_of(place) if place else CLUSTER_ADMIN
            if policy in _RUN_PODS:
                yield accounts_of(place)
                yield pods_of(place)
            if policy in _READ_SECRETS:
                yield secrets_of(place)
        if policy in _RUN_PODS and open_to_nodes.intersection(covered):
            yield ANY_NODE


def _add_entry_makers(
    graph: AccessGraph, eks: EksCluster, cloud: CloudInventory, service_control: tuple[tuple[Document, ...], ...]
) -> None:
    entered = {entry.principal_arn for entry in cloud.entries if entry.cluster_name == eks.name}
    for one in cloud.principals:
        asker = Asker(one, service_control)
        # The entry is what a policy is associated with; the last part of its ARN is made when it is.
        of_principal = f"{asker.arn.rpartition(':')[2].partition('/')[0]}/{account_in(asker.arn)}/{one.principal.name}/id"
        entry = f"{eks.arn.replace(':cluster/', ':access-entry/')}/{of_principal}"
        associates = asker.may("eks:AssociateAccessPolicy", entry)
        creates = "" if asker.arn in entered else asker.may("eks:CreateAccessEntry", eks.arn)
        if associates and creates is not None:
            words = f"{creates} and {associates}" if creates else associates
            graph.add(asker.arn, CLUSTER_ADMIN, f"{words} on cluster {eks.name}")


def _add_mappings(graph: AccessGraph, mappings: Iterable[AuthMapping], cloud: CloudInventory) -> None:
    by_arn = {_without_path(one.principal.arn): one.principal.arn for one in cloud.principals}
    for mapping in mappings:
        arn = by_arn.get(_without_path(mapping.arn), mapping.arn)
        _add_user(graph, arn, mapping.username, mapping.groups, "ConfigMap kube-system/aws-auth")


def _add_map_writers(graph: AccessGraph, eks: EksCluster, cloud: CloudInventory) -> None:
    """Both policies that run pods write ConfigMaps too, aws-auth among them."""
    for one in cloud.entry_policies if eks.access_config.authentication_mode != "CONFIG_MAP" else ():
        for associated in one.associated_access_policies:
            policy, scope = associated.policy_arn.rpartition("/")[2], associated.access_scope
            covered = scope.type == "cluster" or any(fnmatchcase("kube-system", place) for place in scope.namespaces)
            if one.cluster_name == eks.name and policy in _RUN_PODS and covered:
                graph.add(one.principal_arn, CLUSTER_ADMIN, f"write ConfigMap aws-auth by access policy {policy}")


def _add_user(graph: AccessGraph, arn: str, username: str, groups: Iterable[str], by: str) -> None:
    if username and not username.startswith("system:node:"):
        # Whoever takes a role names the session, so a name with a variable in it may be any that fits.
        pattern = re.compile("User/" + ".*".join(re.escape(part) for part in _VARIABLE.split(username)))
        for user in graph.names("User/"):
            if pattern.fullmatch(user):
                graph.add(arn, user, f"be the user by {by}")
    for group in (*groups, "system:authenticated"):
        if f"Group/{group}" in graph:
            graph.add(arn, f"Group/{group}", f"be a member of the group by {by}")


def _add_pod_identities(graph: AccessGraph, eks: EksCluster, cluster: ClusterInventory, cloud: CloudInventory) -> None:
    roles = {one.principal.arn: one.principal for one in cloud.principals if one.principal.role_name}
    associated: set[str] = set()
    for item in cloud.pod_identities:
        role = roles.get(item.role_arn)
        if item.cluster_name != eks.name or role is None or not _lets_pods_in(role.assume_role_policy_document, eks, item):
            continue
        name = account(item.namespace, item.service_account)
        associated.add(name)
        graph.add(identity_of(name), role.arn, f"sts:AssumeRole by Pod Identity association {item.association_id}")
    for start in cluster.starts:
        if start.account in associated:
            graph.add(str(start.resource), identity_of(start.account), "use the credentials that Pod Identity gives it")


def _lets_pods_in(trust: Document | None, eks: EksCluster, item: PodIdentity) -> bool:
    """Tell whether EKS may assume a role for these pods; what cannot be decided counts as yes.

    EKS tags the session with what the pod is, and so needs sts:TagSession, unless the association says not to.
    """
    context = {
        "aws:sourceaccount": account_in(eks.arn),
        "aws:sourcearn": eks.arn,
        "aws:requesttag/eks-cluster-arn": eks.arn,
        "aws:requesttag/eks-cluster-name": eks.name,
        "aws:requesttag/kubernetes-namespace": item.namespace,
        "aws:requesttag/kubernetes-service-account": item.service_account,
    }
    known = {key: value for key, value in context.items() if value}
    actions = ("sts:AssumeRole",) if item.disable_session_tags else ("sts:AssumeRole", "sts:TagSession")
    decisions = (trusts(trust, _POD_IDENTITY, Request(action, item.role_arn, known)) for action in actions)
    return all(decision in (Decision.ALLOW, Decision.UNDECIDABLE) for decision in decisions)


def _add_nodes(graph: AccessGraph, cluster: ClusterInventory, cloud: CloudInventory, node_roles: frozenset[str]) -> None:
    instances = {item.instance_id: item for item in cloud.instances}
    roles = {profile.arn: one.principal.arn for one in cloud.principals for profile in one.principal.instance_profile_list}
    known: dict[str, tuple[Instance, str]] = {}
    for node in cluster.nodes:
        instance = instances.get(node.spec.provider_id.rpartition("/")[2])
        profile = instance.iam_instance_profile if instance else None
        role = roles.get(profile.arn) if profile else None
        if instance and role:
            known[node.name] = instance, role
            if answers_its_host(instance):
                graph.add(f"Node/{node.name}", role, "ask the metadata service of its instance")
    policies: dict[str, list[NetworkPolicy]] = {}
    for policy in cluster.network_policies:
        policies.setdefault(policy.namespace, []).append(policy)
    for start in cluster.starts:
        for name in sorted(start.nodes & known.keys()):
            instance, role = known[name]
            how = f"ask the metadata service of node {name}"
            if start.spec.host_network and answers_its_host(instance):
                how += ", on the host's network"
            elif (why := answers_pods(instance)) and may_connect(start.labels, policies.get(start.namespace, ())):
                how += f": {why}"
            else:
                continue
            graph.add(str(start.resource), role, how)
            if _without_path(role) in node_roles:
                graph.add(str(start.resource), f"Node/{name}", f"{how}, and be its kubelet")


def _without_path(arn: str) -> str:
    """Return an ARN as aws-auth has it: ``…:role/team/deploy`` is ``…:role/deploy`` there."""
    kind, slash, path = arn.partition("/")
    return f"{kind}{slash}{path.rpartition('/')[2]}"
