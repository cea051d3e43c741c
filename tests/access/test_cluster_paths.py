"""Paths within a cluster: what a right leads to, and what it nearly leads to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.access.graph import AccessGraph
from soc2.model.access.inventory import ClusterInventory
from soc2.model.access.kubernetes import ADMISSION_CONTROL, CLUSTER_ADMIN, add_cluster, secrets_of
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.meta import Metadata
from soc2.model.kubernetes.pods import Pod, PodSpec
from soc2.model.kubernetes.rbac import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    Role,
    RoleBinding,
    RoleRef,
    SecretMeta,
    ServiceAccount,
    Subject,
)

RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
ME = "User/me"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
EVERYTHING = PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",))
ADMIN = ClusterRoleBinding(
    metadata=Metadata(name="admin"),
    role_ref=RoleRef("ClusterRole", "all"),
    subjects=(Subject("ServiceAccount", "strong", "shop"),),
)


def rule(group: str, resources: str, verbs: str, *names: str) -> PolicyRule:
    return PolicyRule(
        verbs=tuple(verbs.split()), api_groups=(group,), resources=tuple(resources.split()), resource_names=names
    )


def cluster(*rules: PolicyRule, namespace: str = "", labels: dict[str, str] | None = None, **more: Any) -> ClusterInventory:
    """A cluster in which ``me`` has the rules in a namespace or everywhere, and a ServiceAccount in shop has every right."""
    me = (Subject("User", "me"),)
    mine = ClusterRoleBinding(metadata=Metadata(name="mine"), role_ref=RoleRef("ClusterRole", "mine"), subjects=me)
    bound = RoleBinding(metadata=Metadata(name="mine", namespace=namespace), role_ref=RoleRef("Role", "mine"), subjects=me)
    enforced = RESTRICTED if labels is None else labels
    return ClusterInventory(
        roles=(Role(metadata=Metadata(name="mine", namespace=namespace), rules=rules),) if namespace else (),
        cluster_roles=(
            ClusterRole(metadata=Metadata(name="mine"), rules=rules),
            ClusterRole(metadata=Metadata(name="all"), rules=(EVERYTHING,)),
            ClusterRole(metadata=Metadata(name="plain"), rules=(rule("", "pods", "get"),)),
        ),
        role_bindings=(bound,) if namespace else (),
        cluster_role_bindings=(ADMIN,) if namespace else (ADMIN, mine),
        accounts=tuple(
            ServiceAccount(metadata=Metadata(name=name, namespace=place))
            for name, place in (("strong", "shop"), ("weak", "shop"), ("weak", "other"))
        ),
        namespaces=tuple(Namespace(metadata=Metadata(name=name, labels=enforced)) for name in ("shop", "other")),
        **more,
    )


def reaches(given: ClusterInventory, target: str, start: str = ME) -> bool:
    graph = AccessGraph()
    add_cluster(graph, given.rights, given.starts, given.accounts, given.secrets, given.namespaces)
    return start in graph and bool(dict(graph.paths_to(target, [start])))


PODS = rule("", "pods", "create")


@pytest.mark.parametrize(
    ("given", "target", "expected"),
    [
        (cluster(EVERYTHING), CLUSTER_ADMIN, True),
        (cluster(EVERYTHING, namespace="other"), CLUSTER_ADMIN, False),
        (cluster(EVERYTHING, namespace="other"), secrets_of("other"), True),
        (cluster(EVERYTHING, namespace="other"), secrets_of("shop"), False),
        # A pod runs as any ServiceAccount of its namespace, and one of shop has every right.
        (cluster(PODS, namespace="shop"), CLUSTER_ADMIN, True),
        (cluster(PODS, namespace="other"), CLUSTER_ADMIN, False),
        (cluster(rule("apps", "deployments", "patch"), namespace="shop"), CLUSTER_ADMIN, True),
        (cluster(rule("apps", "deployments", "get list"), namespace="shop"), CLUSTER_ADMIN, False),
        (cluster(rule("", "serviceaccounts/token", "create"), namespace="shop"), CLUSTER_ADMIN, True),
        (cluster(rule("", "serviceaccounts/token", "create", "strong"), namespace="shop"), CLUSTER_ADMIN, True),
        (cluster(rule("", "serviceaccounts/token", "create", "weak"), namespace="shop"), CLUSTER_ADMIN, False),
        (cluster(rule("", "serviceaccounts", "impersonate", "strong"), namespace="shop"), CLUSTER_ADMIN, True),
        (cluster(rule("", "groups users", "impersonate")), CLUSTER_ADMIN, True),
        (cluster(rule("", "groups", "impersonate", "system:masters"), rule("", "users", "impersonate")), CLUSTER_ADMIN, True),
        (cluster(rule("", "groups", "impersonate", "system:masters")), CLUSTER_ADMIN, False),
        (cluster(rule("", "users", "impersonate", "nobody")), CLUSTER_ADMIN, False),
        (cluster(rule(RBAC, "clusterroles", "escalate update")), CLUSTER_ADMIN, True),
        (cluster(rule(RBAC, "clusterroles", "escalate")), CLUSTER_ADMIN, False),
        (cluster(rule(RBAC, "clusterroles", "bind"), rule(RBAC, "clusterrolebindings", "create")), CLUSTER_ADMIN, True),
        (
            cluster(rule(RBAC, "clusterroles", "bind", "plain"), rule(RBAC, "clusterrolebindings", "create")),
            CLUSTER_ADMIN,
            False,
        ),
        (cluster(rule(ADMISSION, "validatingwebhookconfigurations", "delete")), ADMISSION_CONTROL, True),
        (cluster(rule(ADMISSION, "validatingwebhookconfigurations", "get")), ADMISSION_CONTROL, False),
        (cluster(rule("", "namespaces", "patch")), ADMISSION_CONTROL, True),
        (cluster(rule("", "secrets", "list"), namespace="shop"), secrets_of("shop"), True),
        (cluster(rule("", "secrets", "list"), namespace="shop"), secrets_of("other"), False),
        (cluster(rule("", "secrets", "get", "one"), namespace="shop"), secrets_of("shop"), False),
    ],
)
def test_what_rights_lead_to(given: ClusterInventory, target: str, expected: bool) -> None:
    assert reaches(given, target) == expected


TOKEN = SecretMeta(metadata=Metadata(name="token", namespace="shop"), type="kubernetes.io/service-account-token", keys=3)


def on_node(name: str, account: str, **spec: Any) -> Pod:
    return Pod(
        metadata=Metadata(name=name, namespace="shop" if account == "strong" else "other"),
        spec=PodSpec(service_account_name=account, node_name="node-1", automount_service_account_token=False, **spec),
    )


def test_a_pod_that_leaves_its_container_takes_the_tokens_on_its_node() -> None:
    strong = on_node("s", "strong")
    privileged = cluster(pods=(strong, on_node("p", "weak", host_pid=True)))
    assert reaches(privileged, CLUSTER_ADMIN, "Pod/other/p")
    assert not reaches(cluster(pods=(strong, on_node("p", "weak"))), CLUSTER_ADMIN, "Pod/other/p")
    alone = replace(privileged, pods=(on_node("p", "weak", host_pid=True),))
    assert not reaches(alone, CLUSTER_ADMIN, "Pod/other/p")


def test_a_node_is_reached_by_a_privileged_pod_where_one_is_admitted() -> None:
    pods = (on_node("s", "strong"),)
    assert reaches(cluster(PODS, namespace="other", labels={}, pods=pods), CLUSTER_ADMIN)
    assert not reaches(cluster(PODS, namespace="other", pods=pods), CLUSTER_ADMIN)


def test_the_mounted_token_is_used_only_where_it_is_mounted() -> None:
    mounted = Pod(metadata=Metadata(name="p", namespace="shop"), spec=PodSpec(service_account_name="strong"))
    assert reaches(cluster(pods=(mounted,)), CLUSTER_ADMIN, "Pod/shop/p")
    assert not reaches(cluster(pods=(on_node("p", "strong"),)), CLUSTER_ADMIN, "Pod/shop/p")


VERBS = st.lists(
    st.sampled_from(["get", "list", "create", "update", "patch", "delete", "bind", "escalate", "impersonate"]), min_size=1
)
RULES = st.lists(
    st.builds(
        lambda group_resource, verbs: rule(group_resource[0], group_resource[1], " ".join(verbs)),
        st.sampled_from(
            [
                ("", "pods"),
                ("", "secrets"),
                ("", "users"),
                ("", "groups"),
                (RBAC, "clusterroles"),
                (RBAC, "clusterrolebindings"),
            ]
        ),
        VERBS,
    ),
    max_size=3,
)


@given(RULES, RULES, st.sampled_from([CLUSTER_ADMIN, ADMISSION_CONTROL, secrets_of("other")]))
def test_more_rights_never_close_a_path(some: list[PolicyRule], others: list[PolicyRule], target: str) -> None:
    if reaches(cluster(*some), target):
        assert reaches(cluster(*some, *others), target)
