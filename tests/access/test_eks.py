"""Between an EKS cluster and its account: each way in and out, and what is nearly one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.kubernetes.aws_auth import mappings
from soc2.model.access.cloud import ACCOUNT_ADMIN, add_account, add_identities
from soc2.model.access.eks import add_eks, cluster_in_scope
from soc2.model.access.graph import AccessGraph
from soc2.model.access.inventory import CloudInventory, ClusterInventory
from soc2.model.access.kubernetes import CLUSTER_ADMIN, add_cluster, secrets_of
from soc2.model.access.metadata_service import may_connect
from soc2.model.aws.compute import (
    AccessConfig,
    AccessEntryDetail,
    AccessScope,
    AssociatedPolicy,
    EksCluster,
    EntryPolicies,
    Instance,
    MetadataOptions,
    PodIdentity,
    ProfileReference,
)
from soc2.model.aws.iam import AuthorizationDetails, InlinePolicy, InstanceProfile, Principal
from soc2.model.kubernetes.aws_auth import AuthMapping
from soc2.model.kubernetes.cluster import Namespace, Node, NodeSpec
from soc2.model.kubernetes.meta import LabelSelector, Metadata
from soc2.model.kubernetes.network import EgressRule, IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicySpec
from soc2.model.kubernetes.pods import Pod, PodSpec
from soc2.model.kubernetes.rbac import ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, ServiceAccount, Subject

ROLE = "arn:aws:iam::123456789012:role/team/deploy"
EKS = EksCluster(name="shop", arn="arn:aws:eks:eu-west-1:123456789012:cluster/shop")
IN_CLUSTER, EVERY_POD = AccessScope(), LabelSelector()
PROFILE = "arn:aws:iam::123456789012:instance-profile/node"


def allow(*actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


def trust(service: str, *actions: str, **more: Any) -> dict[str, Any]:
    chosen = list(actions) or ["sts:AssumeRole", "sts:TagSession"]
    return {"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": chosen, **more}]}


def cloud(*documents: Any, trusted: Any = None, **more: Any) -> CloudInventory:
    role = Principal(
        arn=ROLE,
        role_name="deploy",
        path="/team/",
        role_policy_list=tuple(InlinePolicy("p", document) for document in documents),
        assume_role_policy_document=trusted,
        instance_profile_list=(InstanceProfile(PROFILE),),
    )
    return CloudInventory(details=(AuthorizationDetails(role_detail_list=(role,)),), **more)


BINDING = ClusterRoleBinding(
    metadata=Metadata(name="b"),
    role_ref=RoleRef("ClusterRole", "all"),
    subjects=(Subject("Group", "ops"), Subject("User", "deployer")),
)
CLUSTER = ClusterInventory(
    cluster_roles=(
        ClusterRole(metadata=Metadata(name="all"), rules=(PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",)),)),
    ),
    cluster_role_bindings=(BINDING,),
    accounts=(ServiceAccount(metadata=Metadata(name="robot", namespace="shop")),),
    namespaces=(Namespace(metadata=Metadata(name="shop")), Namespace(metadata=Metadata(name="other"))),
    nodes=(Node(metadata=Metadata(name="node-1"), spec=NodeSpec(provider_id="aws:///eu-west-1a/i-1")),),
    pods=(
        Pod(
            metadata=Metadata(name="web", namespace="shop", labels={"app": "web"}),
            spec=PodSpec(service_account_name="robot", automount_service_account_token=False, node_name="node-1"),
        ),
    ),
)


def reached(
    start: str, target: str, cloud: CloudInventory, cluster: ClusterInventory = CLUSTER, eks: EksCluster | None = EKS
) -> str | None:
    """Return how the shortest path begins, or None when there is none."""
    graph = AccessGraph()
    add_cluster(graph, cluster.rights, cluster.starts, cluster.accounts, cluster.secrets, cluster.namespaces)
    add_account(graph, cloud.principals, ())
    add_identities(graph, cluster.starts, cluster.accounts, cloud.principals)
    add_eks(graph, eks, cluster, cloud)
    found = dict(graph.paths_to(target, [start] if start in graph else []))
    return found[start][0].how if start in found else None


def entry(policy: str = "", scope: AccessScope = IN_CLUSTER, cluster: str = "shop", **more: Any) -> dict[str, Any]:
    associated = (AssociatedPolicy(f"arn:aws:eks::aws:cluster-access-policy/{policy}", scope),) if policy else ()
    return {
        "entries": (AccessEntryDetail(cluster_name=cluster, principal_arn=ROLE, **more),),
        "entry_policies": (EntryPolicies(cluster_name=cluster, principal_arn=ROLE, associated_access_policies=associated),),
    }


IN_SHOP = AccessScope("namespace", ("sho*",))


@pytest.mark.parametrize(
    ("given", "target", "how"),
    [
        (
            entry("AmazonEKSClusterAdminPolicy"),
            CLUSTER_ADMIN,
            "use access policy AmazonEKSClusterAdminPolicy of its access entry",
        ),
        (entry("AmazonEKSClusterAdminPolicy", cluster="another"), CLUSTER_ADMIN, None),
        (entry("AmazonEKSClusterAdminPolicy", IN_SHOP), CLUSTER_ADMIN, None),
        (
            entry("AmazonEKSClusterAdminPolicy", IN_SHOP),
            secrets_of("shop"),
            "use access policy AmazonEKSClusterAdminPolicy of its access entry",
        ),
        (
            entry("AmazonEKSEditPolicy", IN_SHOP),
            secrets_of("shop"),
            "use access policy AmazonEKSEditPolicy of its access entry",
        ),
        (entry("AmazonEKSEditPolicy", IN_SHOP), secrets_of("other"), None),
        (entry("AmazonEKSEditPolicy"), secrets_of("other"), "use access policy AmazonEKSEditPolicy of its access entry"),
        (entry("AmazonEKSViewPolicy"), secrets_of("shop"), None),
        (
            entry("AmazonEKSAdminViewPolicy"),
            secrets_of("shop"),
            "use access policy AmazonEKSAdminViewPolicy of its access entry",
        ),
        (entry(kubernetes_groups=("ops",)), CLUSTER_ADMIN, "be a member of the group by access entry"),
        (entry(kubernetes_groups=("devs",)), CLUSTER_ADMIN, None),
        (entry(username="deployer"), CLUSTER_ADMIN, "be the user by access entry"),
        (entry(username="arn:aws:sts::123456789012:assumed-role/deploy/{{SessionName}}"), CLUSTER_ADMIN, None),
    ],
)
def test_access_entries(given: dict[str, Any], target: str, how: str | None) -> None:
    assert reached(ROLE, target, cloud(**given)) == how


def test_entries_count_only_where_the_cluster_takes_them() -> None:
    given = cloud(**entry("AmazonEKSClusterAdminPolicy"))
    old = EksCluster(name="shop", access_config=AccessConfig("CONFIG_MAP"))
    assert reached(ROLE, CLUSTER_ADMIN, given, eks=old) is None


@pytest.mark.parametrize(
    ("documents", "entered", "how"),
    [
        ((allow("eks:*"),), False, "eks:CreateAccessEntry and eks:AssociateAccessPolicy on cluster shop"),
        ((allow("eks:AssociateAccessPolicy"),), False, None),
        ((allow("eks:AssociateAccessPolicy"),), True, "eks:AssociateAccessPolicy on cluster shop"),
        ((allow("eks:CreateAccessEntry"),), True, None),
        ((allow("eks:*", resource="arn:aws:eks:eu-west-1:123456789012:cluster/other"),), False, None),
        ((allow("eks:*", resource="arn:aws:eks:eu-west-1:123456789012:cluster/shop"),), False, None),
        (
            (
                allow("eks:CreateAccessEntry", resource="arn:aws:eks:eu-west-1:123456789012:cluster/shop"),
                allow("eks:Associate*", resource="arn:aws:eks:eu-west-1:123456789012:access-entry/shop/*"),
            ),
            False,
            "eks:CreateAccessEntry and eks:AssociateAccessPolicy on cluster shop",
        ),
        ((allow("eks:*"), {"Statement": {"Effect": "Deny", "Action": "eks:Associate*", "Resource": "*"}}), False, None),
    ],
)
def test_who_may_make_access_entries(documents: tuple[Any, ...], entered: bool, how: str | None) -> None:
    assert reached(ROLE, CLUSTER_ADMIN, cloud(*documents, **(entry() if entered else {}))) == how


MASTERS = "be a member of the group by ConfigMap kube-system/aws-auth"


@pytest.mark.parametrize(
    ("mapping", "mode", "how"),
    [
        (AuthMapping("arn:aws:iam::123456789012:role/deploy", "x", ("system:masters",)), "API_AND_CONFIG_MAP", MASTERS),
        (AuthMapping("arn:aws:iam::123456789012:role/deploy", "x", ("system:masters",)), "CONFIG_MAP", MASTERS),
        (AuthMapping("arn:aws:iam::123456789012:role/deploy", "x", ("system:masters",)), "API", None),
        (AuthMapping("arn:aws:iam::123456789012:role/deploy", "x", ("system:nodes",)), "CONFIG_MAP", None),
        (AuthMapping("arn:aws:iam::210987654321:role/deploy", "x", ("system:masters",)), "CONFIG_MAP", None),
        (
            AuthMapping("arn:aws:iam::123456789012:role/deploy", "deployer"),
            "CONFIG_MAP",
            "be the user by ConfigMap kube-system/aws-auth",
        ),
    ],
)
def test_the_older_config_map(mapping: AuthMapping, mode: str, how: str | None) -> None:
    eks = EksCluster(name="shop", access_config=AccessConfig(mode))
    assert reached(ROLE, CLUSTER_ADMIN, cloud(), replace(CLUSTER, auth_mappings=(mapping,)), eks) == how


def identity(name: str = "robot", cluster: str = "shop", **more: Any) -> dict[str, Any]:
    item = PodIdentity(
        cluster_name=cluster, namespace="shop", service_account=name, role_arn=ROLE, association_id="a-1", **more
    )
    return {"pod_identities": (item,)}


def tagged(namespace: str) -> dict[str, Any]:
    return {"StringEquals": {"aws:RequestTag/kubernetes-namespace": namespace}}


GIVEN = "use the credentials that Pod Identity gives it"


@pytest.mark.parametrize(
    ("given", "trusted", "how"),
    [
        (identity(), trust("pods.eks.amazonaws.com"), GIVEN),
        (identity(), trust("ec2.amazonaws.com"), None),
        (identity(), trust("pods.eks.amazonaws.com", "sts:AssumeRole"), None),
        (identity(disable_session_tags=True), trust("pods.eks.amazonaws.com", "sts:AssumeRole"), GIVEN),
        (identity(), trust("pods.eks.amazonaws.com", Condition=tagged("shop")), GIVEN),
        (identity(), trust("pods.eks.amazonaws.com", Condition=tagged("other")), None),
        (identity(), None, None),
        (identity("another"), trust("pods.eks.amazonaws.com"), None),
        (identity(cluster="another"), trust("pods.eks.amazonaws.com"), None),
    ],
)
def test_pod_identity(given: dict[str, Any], trusted: Any, how: str | None) -> None:
    assert reached("Pod/shop/web", ROLE, cloud(trusted=trusted, **given)) == how


def instance(tokens: str = "required", hops: int = 1, endpoint: str = "enabled", profile: str = PROFILE) -> dict[str, Any]:
    options = MetadataOptions(tokens, hops, endpoint)
    return {
        "instances": (Instance(instance_id="i-1", iam_instance_profile=ProfileReference(profile), metadata_options=options),)
    }


def with_pod(**spec: Any) -> ClusterInventory:
    (pod,) = CLUSTER.pods
    fields = {"service_account_name": "robot", "automount_service_account_token": False, "node_name": "node-1", **spec}
    return replace(CLUSTER, pods=(Pod(metadata=pod.metadata, spec=PodSpec(**fields)),))


ASK = "ask the metadata service of node node-1"


@pytest.mark.parametrize(
    ("given", "spec", "how"),
    [
        (instance(), {}, None),
        (instance(hops=2), {}, f"{ASK}: its hop limit is 2"),
        (instance("optional"), {}, f"{ASK}: it needs no session token"),
        (instance("optional", endpoint="disabled"), {}, None),
        (instance(), {"host_network": True}, f"{ASK}, on the host's network"),
        (instance(endpoint="disabled"), {"host_network": True}, None),
        (instance(hops=2), {"node_name": "node-2"}, None),
        (instance(hops=2, profile="arn:aws:iam::123456789012:instance-profile/other"), {}, None),
        (instance(), {"host_pid": True}, "leave its container"),
    ],
)
def test_the_role_of_the_node(given: dict[str, Any], spec: dict[str, Any], how: str | None) -> None:
    assert reached("Pod/shop/web", ROLE, cloud(**given), with_pod(**spec)) == how


def policy(*rules: EgressRule, selector: LabelSelector = EVERY_POD, namespace: str = "shop") -> NetworkPolicy:
    spec = NetworkPolicySpec(pod_selector=selector, policy_types=("Egress",), egress=rules)
    return NetworkPolicy(metadata=Metadata(name="p", namespace=namespace), spec=spec)


def block(cidr: str, *beside: str) -> EgressRule:
    return EgressRule(to=(NetworkPolicyPeer(ip_block=IPBlock(cidr, beside)),))


@pytest.mark.parametrize(
    ("policies", "open_"),
    [
        ((), True),
        ((policy(),), False),
        ((policy(block("10.0.0.0/8")),), False),
        ((policy(block("0.0.0.0/0")),), True),
        ((policy(block("0.0.0.0/0", "169.254.169.254/32")),), False),
        ((policy(), policy(block("169.254.0.0/16"))), True),
        ((policy(EgressRule()),), True),
        ((policy(EgressRule(to=(NetworkPolicyPeer(namespace_selector=LabelSelector()),))),), False),
        ((policy(selector=LabelSelector(match_labels={"app": "other"})),), True),
        ((policy(selector=LabelSelector(match_labels={"app": "web"})),), False),
        ((policy(namespace="other"),), True),
    ],
)
def test_network_policies_cut_the_way_to_the_metadata_service(policies: tuple[NetworkPolicy, ...], open_: bool) -> None:
    found = reached("Pod/shop/web", ROLE, cloud(**instance(hops=2)), replace(CLUSTER, network_policies=policies))
    assert (found is not None) == open_


@given(st.lists(st.sampled_from(["10.0.0.0/8", "0.0.0.0/0", "169.254.169.254/32", "::/0", "nonsense"]), max_size=3))
def test_policies_only_add_up(cidrs: list[str]) -> None:
    """A further policy that selects the pod never closes what another one allows."""
    some = [policy(block(cidr)) for cidr in cidrs]
    if some and may_connect({}, some):
        assert may_connect({}, [*some, policy()])


@pytest.mark.parametrize(
    ("kind", "groups", "how"),
    [
        ("EC2_LINUX", (), f"{ASK}: its hop limit is 2, and be its kubelet"),
        ("STANDARD", (), None),
        ("STANDARD", ("system:nodes",), f"{ASK}: its hop limit is 2, and be its kubelet"),
    ],
)
def test_whoever_has_the_role_of_nodes_is_the_nodes_kubelet(kind: str, groups: tuple[str, ...], how: str | None) -> None:
    mappings = (AuthMapping("arn:aws:iam::123456789012:role/deploy", "system:node:{{EC2PrivateDNSName}}", groups),)
    given = cloud(**instance(hops=2), **entry(type=kind))
    assert reached("Pod/shop/web", "Node/node-1", given, replace(CLUSTER, auth_mappings=mappings)) == how


@pytest.mark.parametrize(
    ("username", "how"),
    [
        ("{{SessionName}}", "be the user by access entry"),
        ("deploy{{SessionName}}", "be the user by access entry"),
        ("ops:{{SessionName}}", None),
    ],
)
def test_whoever_takes_a_role_names_the_session(username: str, how: str | None) -> None:
    assert reached(ROLE, CLUSTER_ADMIN, cloud(**entry(username=username))) == how


def test_everybody_who_enters_is_authenticated() -> None:
    everybody = msgspec.structs.replace(BINDING, subjects=(Subject("Group", "system:authenticated"),))
    given = replace(CLUSTER, cluster_role_bindings=(everybody,))
    assert reached(ROLE, CLUSTER_ADMIN, cloud(**entry()), given) == "be a member of the group by access entry"


def test_who_runs_pods_reaches_nodes_where_privileged_pods_are_admitted() -> None:
    strict = {"pod-security.kubernetes.io/enforce": "restricted"}
    closed = replace(CLUSTER, namespaces=(Namespace(metadata=Metadata(name="shop", labels=strict)),))
    given = cloud(**entry("AmazonEKSEditPolicy", IN_SHOP))
    assert reached(ROLE, "Node/node-1", given) is not None
    assert reached(ROLE, "Node/node-1", given, closed) is None
    # Commands in a pod that shares the node's processes will do, too.
    assert reached(ROLE, "Node/node-1", given, replace(closed, pods=with_pod(host_pid=True).pods)) is not None


def test_whoever_does_everything_in_the_account_enters_the_cluster() -> None:
    given = cloud(allow("iam:PutRolePolicy"))
    assert reached(ROLE, CLUSTER_ADMIN, given) == "iam:PutRolePolicy on itself"
    assert reached(ROLE, CLUSTER_ADMIN, given, eks=None) is None


def test_a_chain_leads_from_a_pod_through_the_account_back_to_every_right() -> None:
    given = cloud(allow("eks:*"), trusted=trust("pods.eks.amazonaws.com"), **identity())
    assert reached("Pod/shop/web", CLUSTER_ADMIN, given) == GIVEN
    assert reached("Pod/shop/web", ACCOUNT_ADMIN, given) is None


@pytest.mark.parametrize(
    ("names", "wanted", "found"),
    [
        ((), "shop", None),
        (("shop",), "another", "shop"),
        (("shop", "other"), "shop", "shop"),
        (("shop", "other"), "arn:aws:eks:eu-west-1:1:cluster/other", "other"),
    ],
)
def test_the_cluster_in_scope(names: tuple[str, ...], wanted: str, found: str | None) -> None:
    clusters = [EksCluster(name=name, arn=f"arn:aws:eks:eu-west-1:1:cluster/{name}") for name in names]
    one = cluster_in_scope(clusters, wanted)
    assert (one.name if one else None) == found


def test_several_clusters_need_a_name() -> None:
    with pytest.raises(LookupError, match="none of 2 EKS clusters is named 'x'"):
        cluster_in_scope([EksCluster(name="a"), EksCluster(name="b")], "x")


def test_the_texts_of_aws_auth() -> None:
    roles = "- rolearn: arn:aws:iam::1:role/a\n  username: u\n  groups: [g]\n"
    users = "- {userarn: 'arn:aws:iam::1:user/b', username: b, groups: [system:masters]}\n"
    assert mappings({"mapRoles": roles, "mapUsers": users}) == [
        AuthMapping("arn:aws:iam::1:role/a", "u", ("g",)),
        AuthMapping("arn:aws:iam::1:user/b", "b", ("system:masters",)),
    ]
    assert mappings({}) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"mapRoles": "- a: ["}, "mapRoles, line 1"),
        ({"mapRoles": "a: b"}, "mapRoles is not a list"),
        ({"mapUsers": "- username: x"}, "mapUsers, entry 1: expected userarn"),
        ({"mapUsers": "- {userarn: a, groups: x}"}, "mapUsers, entry 1"),
        ({"mapRoles": "- just a text"}, "mapRoles, entry 1"),
    ],
)
def test_a_mistake_in_aws_auth_is_named(data: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match="kube-system/aws-auth") as error:
        mappings(data)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("policy", "places", "mode", "expected"),
    [
        ("AmazonEKSEditPolicy", ("kube-system",), "API_AND_CONFIG_MAP", True),
        ("AmazonEKSEditPolicy", ("kube-*",), "", True),
        ("AmazonEKSEditPolicy", ("shop",), "", False),
        ("AmazonEKSEditPolicy", ("kube-system",), "API", False),
        ("AmazonEKSViewPolicy", ("kube-system",), "", False),
    ],
)
def test_who_writes_config_maps_of_kube_system_maps_itself(
    policy: str, places: tuple[str, ...], mode: str, expected: bool
) -> None:
    eks = msgspec.structs.replace(EKS, access_config=AccessConfig(mode))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespaces = tuple(Namespace(metadata=Metadata(name=name, labels=labels)) for name in ("shop", "kube-system"))
    given = cloud(**entry(policy, AccessScope("namespace", places)))
    assert bool(reached(ROLE, CLUSTER_ADMIN, given, replace(CLUSTER, namespaces=namespaces), eks)) == expected
