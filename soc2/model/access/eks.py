"""The edges between an EKS cluster and its account: who gets in, and which roles its pods and nodes get out with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from soc2.model.access.cloud import Asker, identity_of
from soc2.model.access.graph import AccessGraph
from soc2.model.access.iam import Decision, Document, Request, trusts
from soc2.model.access.inventory import CloudInventory, ClusterInventory
from soc2.model.access.kubernetes import CLUSTER_ADMIN, account, accounts_of, admin_of, secrets_of
from soc2.model.access.metadata_service import answers_its_host, answers_pods, may_connect
from soc2.model.aws.compute import EksCluster, Instance
from soc2.model.kubernetes.aws_auth import AuthMapping
from soc2.model.kubernetes.network import NetworkPolicy

_POD_IDENTITY = "pods.eks.amazonaws.com"
_MASTERS = "system:masters"

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


def add_eks(
    graph: AccessGraph,
    eks: EksCluster | None,
    cluster: ClusterInventory,
    cloud: CloudInventory,
    service_control: tuple[tuple[Document, ...], ...] = (),
) -> None:
    """Add what access entries, aws-auth, Pod Identity and the instances of nodes let somebody become."""
    _add_nodes(graph, cluster, cloud)
    if eks is None:
        return
    _add_pod_identities(graph, eks, cluster, cloud)
    if eks.access_config.authentication_mode != "CONFIG_MAP":
        _add_entries(graph, eks, cluster, cloud)
        _add_entry_makers(graph, eks, cloud, service_control)
    if eks.access_config.authentication_mode != "API":
        _add_mappings(graph, cluster.auth_mappings, cloud)


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
            for target in _policy_targets(policy, patterns, cluster.places):
                graph.add(one.principal_arn, target, f"use access policy {policy} of its access entry")


def _policy_targets(policy: str, patterns: Iterable[str], namespaces: Iterable[str]) -> Iterator[str]:
    """Yield what a policy gives; the empty pattern stands for the whole cluster."""
    places = sorted(namespaces)
    for pattern in patterns:
        for place in [name for name in places if fnmatchcase(name, pattern)] if pattern else [""]:
            if policy in _EVERYTHING:
                yield admin_of(place) if place else CLUSTER_ADMIN
            if policy in _RUN_PODS:
                yield accounts_of(place)
            if policy in _READ_SECRETS:
                yield secrets_of(place)


def _add_entry_makers(
    graph: AccessGraph, eks: EksCluster, cloud: CloudInventory, service_control: tuple[tuple[Document, ...], ...]
) -> None:
    entered = {entry.principal_arn for entry in cloud.entries if entry.cluster_name == eks.name}
    for one in cloud.principals:
        asker = Asker(one, service_control)
        associates = asker.may("eks:AssociateAccessPolicy", eks.arn)
        creates = "" if asker.arn in entered else asker.may("eks:CreateAccessEntry", eks.arn)
        if associates and creates is not None:
            words = f"{creates} and {associates}" if creates else associates
            graph.add(asker.arn, CLUSTER_ADMIN, f"{words} on cluster {eks.name}")


def _add_mappings(graph: AccessGraph, mappings: Iterable[AuthMapping], cloud: CloudInventory) -> None:
    by_arn = {_without_path(one.principal.arn): one.principal.arn for one in cloud.principals}
    for mapping in mappings:
        arn = by_arn.get(_without_path(mapping.arn), mapping.arn)
        if _MASTERS in mapping.groups:
            graph.add(arn, CLUSTER_ADMIN, f"be a member of {_MASTERS} by ConfigMap kube-system/aws-auth")
        _add_user(graph, arn, mapping.username, mapping.groups, "ConfigMap kube-system/aws-auth")


def _add_user(graph: AccessGraph, arn: str, username: str, groups: Iterable[str], by: str) -> None:
    # A name with a template in it is made for each session, and no binding names it.
    if username and "{{" not in username:
        graph.add(arn, f"User/{username}", f"be the user by {by}")
    for group in groups:
        graph.add(arn, f"Group/{group}", f"be a member of the group by {by}")


def _add_pod_identities(graph: AccessGraph, eks: EksCluster, cluster: ClusterInventory, cloud: CloudInventory) -> None:
    roles = {one.principal.arn: one.principal for one in cloud.principals if one.principal.role_name}
    associated: set[str] = set()
    for item in cloud.pod_identities:
        role = roles.get(item.role_arn)
        if item.cluster_name != eks.name or role is None:
            continue
        trusted = trusts(role.assume_role_policy_document, _POD_IDENTITY, Request("sts:AssumeRole", "*"))
        if trusted in (Decision.ALLOW, Decision.UNDECIDABLE):
            name = account(item.namespace, item.service_account)
            associated.add(name)
            graph.add(identity_of(name), role.arn, f"sts:AssumeRole by Pod Identity association {item.association_id}")
    for start in cluster.starts:
        if start.account in associated:
            graph.add(str(start.resource), identity_of(start.account), "use the credentials that Pod Identity gives it")


def _add_nodes(graph: AccessGraph, cluster: ClusterInventory, cloud: CloudInventory) -> None:
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
            if start.spec.host_network:
                if answers_its_host(instance):
                    graph.add(str(start.resource), role, f"{how}, on the host's network")
            elif (why := answers_pods(instance)) and may_connect(start.labels, policies.get(start.namespace, ())):
                graph.add(str(start.resource), role, f"{how}: {why}")


def _without_path(arn: str) -> str:
    """Return an ARN as aws-auth has it: ``…:role/team/deploy`` is ``…:role/deploy`` there."""
    kind, slash, path = arn.partition("/")
    return f"{kind}{slash}{path.rpartition('/')[2]}"
