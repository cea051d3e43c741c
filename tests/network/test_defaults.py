"""What is denied by default, for whatever pod comes; and what selectors select, whatever the labels."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.gather.codec import Codec
from soc2.model.deviation import Resource
from soc2.model.kubernetes.admin_network import AdminNetworkPolicy
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.meta import LabelSelector
from soc2.model.kubernetes.network import NetworkPolicy
from soc2.model.network.defaults import NamespaceDefault, namespace_defaults
from soc2.model.network.endpoints import Block, Endpoint
from soc2.model.network.policies import Direction, of_admin_policy, of_network_policy
from soc2.model.network.reachability import Reachability
from soc2.model.network.selectors import select_everything, selector_words, selects
from soc2.rules.network import default_deny
from tests.network.strategies import POLICY, SELECTOR

CODEC = Codec()
SOME = settings(max_examples=settings().max_examples // 5)
SELECTORS = st.lists(SELECTOR.map(lambda body: CODEC.convert(body, LabelSelector)), max_size=4)
LABELS = [
    {key: value for key, value in zip(("app", "tier", "team"), values, strict=True) if value}
    for values in product(("", "a", "b", "new"), repeat=3)
]
"""All sets of the labels that selectors here speak of, also with a value that none of them knows."""


def default(policies: list[NetworkPolicy], admin: Sequence[AdminNetworkPolicy] = ()) -> NamespaceDefault:
    here = CODEC.convert({"metadata": {"name": "red"}}, Namespace)
    (record,) = namespace_defaults([here], map(of_network_policy, policies), map(of_admin_policy, admin))
    return record


def policy(**spec: Any) -> NetworkPolicy:
    return CODEC.convert({"metadata": {"name": "p", "namespace": "red"}, "spec": spec}, NetworkPolicy)


@SOME
@given(SELECTORS)
def test_selectors_select_everything_when_they_select_all_labels_there_may_be(selectors: list[LabelSelector]) -> None:
    assert select_everything(selectors) is all(any(selects(each, labels) for each in selectors) for labels in LABELS)


def test_labels_that_everything_has() -> None:
    exists = CODEC.convert({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]}, LabelSelector)
    assert not select_everything([exists])
    assert select_everything([exists], ["kubernetes.io/metadata.name"])
    assert not select_everything([])


def test_too_many_labels_to_try_are_not_everything() -> None:
    many = [
        CODEC.convert({"matchExpressions": [{"key": f"k{number}", "operator": "Exists"}]}, LabelSelector)
        for number in range(40)
    ]
    none = CODEC.convert({"matchExpressions": [{"key": "k0", "operator": "DoesNotExist"}]}, LabelSelector)
    assert not select_everything([*many, none])
    assert select_everything([many[0], none])


def test_an_operator_that_no_server_takes_selects_nothing() -> None:
    odd = CODEC.convert({"matchExpressions": [{"key": "app", "operator": "Like", "values": ["a*"]}]}, LabelSelector)
    assert not select_everything([odd])
    assert selector_words(odd) == "app Like (a*)"
    assert not default([policy(podSelector={"matchExpressions": [{"key": "app", "operator": "Like"}]})]).denies("Ingress")


@SOME
@given(st.lists(POLICY, max_size=4), st.sampled_from(["Ingress", "Egress"]))
def test_a_namespace_denies_by_default_when_no_pod_gets_through_without_rules(
    policies: list[NetworkPolicy], direction: Direction
) -> None:
    bare = [CODEC.convert({"metadata": _names(each), "spec": _without_rules(each)}, NetworkPolicy) for each in policies]
    there = Resource("Pod", "there", "blue")
    other = Endpoint(there, there, "blue")
    ours = [Resource("Pod", f"p{number}", "red") for number in range(len(LABELS))]
    pods = [Endpoint(each, each, "red", labels) for each, labels in zip(ours, LABELS, strict=True)]
    reach = Reachability([other, *pods], {}, [each for each in bare if each.namespace == "red"])
    open_to = [reach.allowed(*((other, pod) if direction == "Ingress" else (pod, other))) for pod in pods]
    assert default(policies).denies(direction) is not any(open_to)


def _names(each: NetworkPolicy) -> dict[str, str]:
    return {"name": each.name, "namespace": each.namespace}


def _without_rules(each: NetworkPolicy) -> dict[str, Any]:
    types = each.spec.policy_types or (("Ingress", "Egress") if each.spec.egress else ("Ingress",))
    return {"podSelector": _raw(each.spec.pod_selector), "policyTypes": list(types)}


def _raw(selector: LabelSelector) -> dict[str, Any]:
    expressions = [
        {"key": each.key, "operator": each.operator, "values": list(each.values)} for each in selector.match_expressions
    ]
    return {"matchLabels": selector.match_labels or {}, "matchExpressions": expressions}


EVERYBODY: list[tuple[dict[str, Any], str]] = [
    ({}, "everybody"),
    ({"from": []}, "everybody"),
    ({"from": [{"namespaceSelector": {}}]}, "every pod of the cluster"),
    ({"from": [{"namespaceSelector": {}, "podSelector": {}}]}, "every pod of the cluster"),
    (
        {
            "from": [
                {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
                {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}},
            ]
        },
        "every pod of the cluster",
    ),
    ({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}, "every IPv4 address"),
    (
        {"from": [{"ipBlock": {"cidr": "::/0"}}], "ports": [{"port": 1, "endPort": 65535}]},
        "every IPv6 address on every tcp port",
    ),
    (
        {"from": [{"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "128.0.0.0/1"}}]},
        "every IPv4 address",
    ),
    (
        {
            "from": [
                {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}},
                {"ipBlock": {"cidr": "10.0.0.0/8"}},
            ]
        },
        "every IPv4 address",
    ),
    ({"ports": [{"protocol": "TCP"}, {"protocol": "UDP"}]}, "everybody on every tcp/udp port"),
    ({"ports": [{"port": 1, "endPort": 80}, {"port": 81, "endPort": 65535}]}, "everybody on every tcp port"),
]
NOT_EVERYBODY: list[dict[str, Any]] = [
    {"from": [{"podSelector": {}}]},
    {"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]},
    {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}}]},
    {"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}]},
    {"from": [{"ipBlock": {"cidr": "0.0.0.0/1"}}]},
    {"from": [{"ipBlock": {"cidr": "nonsense"}}]},
    {"from": [{}]},
    {"ports": [{"port": 443}]},
    {"ports": [{"port": "https"}]},
    {"ports": [{"port": 2, "endPort": 65535}]},
]


@pytest.mark.parametrize(("rule", "what"), EVERYBODY, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_rules_that_let_everything_through(rule: dict[str, Any], what: str, direction: Direction) -> None:
    ours = {("to" if key == "from" and direction == "Egress" else key): value for key, value in rule.items()}
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": [direction], direction.lower(): [ours]}
    deny = policy(podSelector={}, policyTypes=["Ingress", "Egress"])
    (found,) = default([deny, policy(**spec)]).undone(direction)
    assert (found.policies, found.what, found.whom) == ((f"p {direction.lower()}[0]",), what, "the pods with app=web")
    other: Direction = "Egress" if direction == "Ingress" else "Ingress"
    assert not list(default([deny, policy(**spec)]).undone(other))


@pytest.mark.parametrize("rule", NOT_EVERYBODY, ids=str)
def test_rules_that_leave_something(rule: dict[str, Any]) -> None:
    assert not list(default([policy(podSelector={}, ingress=[rule])]).undone("Ingress"))


def test_all_rules_that_take_part_are_named() -> None:
    protocols = [{"ports": [{"protocol": "UDP"}]}, {"ports": [{"port": 443}]}, {"ports": [{"protocol": "TCP"}]}]
    (found,) = default([policy(podSelector={}, ingress=protocols)]).undone("Ingress")
    assert (found.policies, found.what) == (("p ingress[0], ingress[2]",), "everybody on every tcp/udp port")
    (whole,) = default([policy(podSelector={}, ingress=[*protocols, {}])]).undone("Ingress")
    assert (whole.policies, whole.what) == (("p ingress[3]",), "everybody")


def test_what_is_open_for_all_is_not_told_again_for_some() -> None:
    record = default([policy(podSelector={}, ingress=[{}]), policy(podSelector={"matchLabels": {"a": "b"}}, ingress=[{}])])
    assert [each.whom for each in record.undone("Ingress")] == ["all pods"]


def admin(priority: int, action: str, name: str, direction: str = "egress") -> AdminNetworkPolicy:
    everybody = [{"namespaces": {}}, *([{"networks": ["0.0.0.0/0", "::/0"]}] if direction == "egress" else [])]
    rule = {"action": action, "to" if direction == "egress" else "from": everybody}
    spec = {"priority": priority, "subject": {"namespaces": {}}, direction: [rule]}
    return CODEC.convert({"metadata": {"name": name}, "spec": spec}, AdminNetworkPolicy)


def test_an_earlier_policy_that_passes_everything_on_takes_the_denial_away() -> None:
    deny = admin(5, "Deny", "deny")
    assert default([], [deny]).denies("Egress")
    assert not default([], [deny, admin(4, "Pass", "pass")]).denies("Egress")
    assert default([], [deny, admin(6, "Pass", "pass")]).denies("Egress")
    assert not default([], [deny]).denies("Ingress")
    (found,) = default([], [admin(3, "Allow", "open", "ingress")]).undone("Ingress")
    assert (found.policies, found.what) == (("AdminNetworkPolicy open ingress[0]",), "every pod of the cluster")


def test_administrators_cannot_deny_what_comes_from_outside() -> None:
    """Their ingress rules are about pods (as the reference model and the engine have it), so a NetworkPolicy is needed."""
    deny = admin(5, "Deny", "deny", "ingress")
    record = default([], [deny])
    assert not record.denies("Ingress")
    assert [each.message for each in default_deny("Ingress")(record)] == [
        "no policy denies ingress by default for whatever pod comes; AdminNetworkPolicy/deny denies it to pods only, and "
        "nothing to what is outside the cluster"
    ]
    pod = Endpoint(Resource("Pod", "p", "red"), Resource("Pod", "p", "red"), "red")
    assert Reachability([pod], {}, admin=[deny]).allowed(Block(ip_network("8.8.8.8/32")), pod)
    assert not list(default_deny("Ingress")(default([policy(podSelector={})], [deny])))
