"""Load balancers of an account against what is approved, with odd and hostile input."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.codec import Codec
from soc2.model.aws.balancers import (
    Balancer,
    BalancerAttributes,
    BalancerTags,
    ClassicBalancer,
    MadeFor,
    TargetGroup,
    balancers,
    made_for,
)
from soc2.model.aws.base import Tag
from soc2.model.aws.transit import Listener, LoadBalancer
from soc2.model.deviation import Resource
from soc2.rules.balancers import UnapprovedBalancer, balancer_approved

_CODEC = Codec()
_LBC = "elbv2.k8s.aws/cluster"
KEYS = ("service.k8s.aws/stack", "kubernetes.io/service-name", "ingress.k8s.aws/stack", "gateway.k8s.aws.nlb/stack", _LBC, "a")
NAMES = st.text("ab*?/[]{}é -", max_size=4)


def joined(given: dict[str, Any], attributes: dict[str, str] | None = None) -> list[Balancer]:
    balancer = _CODEC.convert(
        {"LoadBalancerArn": "arn:x", "LoadBalancerName": "x", "SourceRegion": "r", **given}, LoadBalancer
    )
    known = [] if attributes is None else [{"Key": key, "Value": value} for key, value in attributes.items()]
    answers = [] if attributes is None else [_CODEC.convert({"ParentKey": "arn:x", "Attributes": known}, BalancerAttributes)]
    return list(balancers([balancer], [], [], [], answers, [BalancerTags(parent_key="arn:x")]))


@pytest.mark.parametrize(
    ("given", "attributes", "how"),
    [
        ({"Scheme": "internet-facing", "Type": "network"}, None, "it is an internet-facing network load balancer in r"),
        ({"Scheme": "internal", "Type": "network"}, None, ""),
        ({"Scheme": "internal", "Type": "network", "IpAddressType": "ipv4"}, {"ipv6.deny_all_igw_traffic": "false"}, ""),
        ({"Type": "gateway", "IpAddressType": "dualstack"}, None, ""),
        ({"Type": "application"}, None, "it is an internet-facing application load balancer in r"),
        (
            {"Scheme": "internet-facing", "Type": "application", "IpAddressType": "ipv4", "State": {"Code": "provisioning"}},
            None,
            "it is an internet-facing application load balancer in r (ipv4, provisioning)",
        ),
        (
            {
                "Scheme": "internet-facing",
                "Type": "application",
                "IpAddressType": "dualstack-without-public-ipv4",
                "State": {"Code": "active"},
            },
            None,
            "it is an internet-facing application load balancer in r (dualstack-without-public-ipv4)",
        ),
        ({"Scheme": "internal", "Type": "network", "IpAddressType": "dualstack"}, {}, ""),
        ({"Scheme": "internal", "Type": "network", "IpAddressType": "dualstack"}, {"ipv6.deny_all_igw_traffic": "true"}, ""),
        (
            {"Scheme": "internal", "Type": "network", "IpAddressType": "dualstack"},
            {"ipv6.deny_all_igw_traffic": "false"},
            "it is an internal network load balancer in r (dualstack), but ipv6.deny_all_igw_traffic is off, so that the "
            "internet reaches its IPv6 addresses",
        ),
    ],
)
def test_what_the_internet_reaches(given: dict[str, Any], attributes: dict[str, str] | None, how: str) -> None:
    (balancer,) = joined(given, attributes)
    assert balancer.how == how


def test_what_nobody_told_enough_about_is_left_out() -> None:
    assert joined({"Scheme": "internal", "Type": "application", "IpAddressType": "dualstack"}) == []
    assert list(balancers([LoadBalancer(load_balancer_arn="arn:y")], [ClassicBalancer()], [], [], [], [])) == []


def test_a_balancer_with_all_that_belongs_to_it() -> None:
    new = LoadBalancer(load_balancer_arn="arn:a", load_balancer_name="{a}", scheme="internet-facing", type="application")
    raw = {
        "LoadBalancerName": "b",
        "SourceRegion": "cn-north-1",
        "SourceAccount": "123456789012",
        "ListenerDescriptions": [{"Listener": {"Protocol": "TCP", "LoadBalancerPort": 25}}],
        "Instances": [{"InstanceId": "i-2"}, {"InstanceId": "i-1"}],
    }
    old = _CODEC.convert(raw, ClassicBalancer)
    assert old.arn == "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:loadbalancer/b"
    heard = [Listener(parent_key="arn:a", port=port, protocol="TCP") for port in (8443, 80)]
    groups = [TargetGroup(target_group_name="t", load_balancer_arns=("arn:a", "arn:z")), TargetGroup(target_group_name="u")]
    tags = [BalancerTags(parent_key="arn:a", tags=(Tag(_LBC, "main"),)), BalancerTags(parent_key=old.arn)]
    found = [each for one in balancers([new], [old], heard, groups, [], tags) for each in balancer_approved([], {}, "m")(one)]
    assert found == [
        UnapprovedBalancer(
            resource=Resource("AWS::ElasticLoadBalancingV2::LoadBalancer", "{a}"),
            how="it is an internet-facing application load balancer in ",
            listens="listens on 80/TCP, 8443/TCP",
            hands="hands over to t",
            owner=", nor is something of cluster main, which it was made for",
        ),
        UnapprovedBalancer(
            resource=Resource("AWS::ElasticLoadBalancing::LoadBalancer", "b"),
            how="it is an internet-facing classic load balancer in cn-north-1",
            listens="listens on 25/TCP",
            hands="hands over to i-1, i-2",
        ),
    ]
    assert found[0].message.endswith(
        "not on the list of approved exposure, nor is something of cluster main, which it was made for"
    )


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({}, []),
        ({"owner": "kubernetes.io/service-name"}, []),
        ({"service.k8s.aws/stack": ""}, []),
        ({_LBC: "main"}, ["something of cluster main"]),
        ({"kubernetes.io/cluster/main": "owned"}, ["something of cluster main"]),
        ({"kubernetes.io/cluster/main": "owned", "kubernetes.io/service-name": "a/b"}, ["Service a/b of cluster main"]),
        ({_LBC: "main", "service.k8s.aws/stack": "a/b", "kubernetes.io/service-name": "a/b"}, ["Service a/b of cluster main"]),
        ({_LBC: "main", "ingress.k8s.aws/stack": "a/b"}, ["Ingress a/b of cluster main"]),
        ({_LBC: "main", "ingress.k8s.aws/stack": "b"}, ["the Ingress group b of cluster main"]),
        ({"eks:eks-cluster-name": "auto", "service.eks.amazonaws.com/stack": "a/b"}, ["Service a/b of cluster auto"]),
        ({"gateway.k8s.aws.alb/stack": "a/b"}, ["Gateway a/b"]),
        ({"ingress.k8s.aws/stack": "a/b", "service.k8s.aws/stack": "c/d"}, ["Ingress a/b", "Service c/d"]),
    ],
)
def test_what_tags_tell(tags: dict[str, str], told: list[str]) -> None:
    assert [str(each) for each in made_for(Tag(key, value) for key, value in tags.items())] == told


@pytest.mark.parametrize(
    ("kind", "name", "tagged", "declared", "approved"),
    [
        ("Service", "shop/edge", "main", "main", True),
        ("Service", "shop/edge", "main", "arn:aws:eks:eu-west-1:123456789012:cluster/main", True),
        ("Service", "shop/edge", "other", "main", False),
        ("Service", "shop/edge", "", "main", True),
        ("Service", "shop/edge", "other", "", True),
        ("Ingress", "shop/edge", "main", "main", False),
        ("Gateway", "shop/edge", "main", "main", False),
        ("Service", "edge", "main", "main", False),
    ],
)
def test_an_approval_in_the_cluster_is_enough(kind: str, name: str, tagged: str, declared: str, approved: bool) -> None:
    balancer = Balancer(Resource("x", "x"), "x", "arn:x", "it is", (), (), (MadeFor(kind, name, tagged),))
    rule = balancer_approved([], {"Service": ["shop/*", "*"], "Ingress": []}, declared)
    assert (list(rule(balancer)) == []) is approved


@given(
    name=NAMES,
    tags=st.lists(st.tuples(st.sampled_from(KEYS), NAMES), max_size=4, unique_by=lambda each: each[0]),
    patterns=st.lists(NAMES, max_size=3),
    services=st.lists(NAMES, max_size=3),
    reached=st.booleans(),
)
def test_what_is_reached_is_approved_or_a_deviation(
    name: str, tags: list[tuple[str, str]], patterns: list[str], services: list[str], reached: bool
) -> None:
    every = tuple(Tag(key, value) for key, value in tags)
    balancer = Balancer(Resource("x", name), name, f"arn:{name}", "it is" * reached, (), (), made_for(every))
    by_name = any(fnmatchcase(each, pattern) for pattern in patterns for each in (name, f"arn:{name}"))
    told = dict(tags)
    owners = [(key, told[key]) for key in KEYS[:4] if told.get(key)]
    here = not told.get(_LBC) or told[_LBC] == "ab"
    good = [key in KEYS[:2] and "/" in value and any(fnmatchcase(value, each) for each in services) for key, value in owners]
    approved = by_name or (bool(good) and all(good) and here)
    found = list(balancer_approved(patterns, {"Service": services}, "ab")(balancer))
    assert len(found) == (reached and not approved)
    assert all(each.message for each in found)
