"""Load balancers of an account, of either generation, with what they listen on and whom they were made for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from soc2.model.aws.base import PascalRecord, Tag, aws_resource, tag
from soc2.model.aws.transit import Listener, LoadBalancer
from soc2.model.deviation import Resource

# What controllers in a cluster write on the balancers that they make, with the kind of what they were made for: the AWS
# Load Balancer Controller (``k8s.aws``), EKS Auto Mode (``eks.amazonaws.com``) and the cloud provider of Kubernetes itself.
_STACKS = {
    "service.k8s.aws/stack": "Service",
    "service.eks.amazonaws.com/stack": "Service",
    "kubernetes.io/service-name": "Service",
    "ingress.k8s.aws/stack": "Ingress",
    "ingress.eks.amazonaws.com/stack": "Ingress",
    "gateway.k8s.aws.alb/stack": "Gateway",
    "gateway.k8s.aws.nlb/stack": "Gateway",
}
_CLUSTERS = ("elbv2.k8s.aws/cluster", "eks:eks-cluster-name")
_CLUSTER_PREFIX = "kubernetes.io/cluster/"
_BLOCKS_SIX = "ipv6.deny_all_igw_traffic"


class BalancerTags(PascalRecord, frozen=True):
    """``parent_key`` is the ARN of the balancer, also that of a classic one."""

    tags: tuple[Tag, ...] = ()


class BalancerAttributes(PascalRecord, frozen=True):
    """``parent_key`` is the ARN of the balancer."""

    attributes: tuple[Tag, ...] = ()


class TargetGroup(PascalRecord, frozen=True):
    target_group_name: str = ""
    load_balancer_arns: tuple[str, ...] = ()


class ClassicListener(msgspec.Struct, frozen=True, rename="pascal"):
    protocol: str = ""
    load_balancer_port: int = 0


class ListenerDescription(msgspec.Struct, frozen=True, rename="pascal"):
    listener: ClassicListener = ClassicListener()


class InstanceReference(msgspec.Struct, frozen=True, rename="pascal"):
    instance_id: str = ""


class ClassicBalancer(PascalRecord, frozen=True):
    """A load balancer of the first generation; it has no state and, in the answer, no ARN."""

    load_balancer_name: str = ""
    scheme: str = ""
    listener_descriptions: tuple[ListenerDescription, ...] = ()
    instances: tuple[InstanceReference, ...] = ()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::ElasticLoadBalancing::LoadBalancer", self.load_balancer_name)

    @property
    def arn(self) -> str:
        place = f"{partition_of(self.source_region)}:elasticloadbalancing:{self.source_region}:{self.source_account}"
        return f"arn:{place}:loadbalancer/{self.load_balancer_name}"

    @property
    def internet_facing(self) -> bool:
        return self.scheme != "internal"

    @property
    def serves_the_web(self) -> bool:
        """Tell whether it answers HTTP from the internet."""
        return self.internet_facing and any(each.listener.protocol in ("HTTP", "HTTPS") for each in self.listener_descriptions)


@dataclass(frozen=True)
class MadeFor:
    """What the tags of a balancer say that it was made for: ``kind`` and ``namespace/name`` of it, or the name of a group
    that Ingresses share; and the cluster, empty where no tag tells. Where tags tell of a cluster only, the others are
    empty."""

    kind: str
    name: str
    cluster: str

    def __str__(self) -> str:
        shared = self.kind == "Ingress" and "/" not in self.name
        what = f"the Ingress group {self.name}" if shared else f"{self.kind} {self.name}" if self.kind else "something"
        return f"{what} of cluster {self.cluster}" if self.cluster else what


@dataclass(frozen=True)
class Balancer:
    """A load balancer as rules judge it. ``how`` says in words that the internet reaches it, and is empty when it does not;
    ``listeners`` read ``443/HTTPS``, and ``targets`` are names of target groups or ids of instances. One that ``failed`` to
    be set up serves nobody."""

    resource: Resource
    name: str
    arn: str
    how: str
    listeners: tuple[str, ...]
    targets: tuple[str, ...]
    made_for: tuple[MadeFor, ...] = ()
    failed: bool = False


def may_be_open_by_six(balancer: LoadBalancer) -> bool:
    """Tell whether it is internal and has IPv6 addresses: they are public ones, and only an attribute keeps them closed."""
    return balancer.type != "gateway" and not balancer.internet_facing and balancer.ip_address_type.startswith("dualstack")


def made_for(tags: Iterable[Tag]) -> tuple[MadeFor, ...]:
    """Return what tags say that a balancer was made for; more than one thing only where somebody wrote them by hand."""
    every = tuple(tags)
    named = [value for value in (tag(every, key) for key in _CLUSTERS) if value]
    named += [each.key.removeprefix(_CLUSTER_PREFIX) for each in every if each.key.startswith(_CLUSTER_PREFIX)]
    cluster = named[0] if named else ""
    made = {MadeFor(_STACKS[each.key], each.value, cluster) for each in every if each.key in _STACKS and each.value}
    return tuple(sorted(made or ({MadeFor("", "", cluster)} if cluster else ()), key=str))


def balancers(
    new: Iterable[LoadBalancer],
    classic: Iterable[ClassicBalancer],
    listeners: Iterable[Listener],
    groups: Iterable[TargetGroup],
    attributes: Iterable[BalancerAttributes],
    tags: Iterable[BalancerTags],
) -> Iterator[Balancer]:
    """Join balancers with what belongs to them. Those whose tags, or needed attributes, are not there are left out: nobody
    can tell what they are for, or whether they are reached."""
    every_tag: dict[str, list[Tag]] = {}
    for page in tags:
        every_tag.setdefault(page.parent_key, []).extend(page.tags)
    every_attribute: dict[str, list[Tag]] = {}
    for answer in attributes:
        every_attribute.setdefault(answer.parent_key, []).extend(answer.attributes)
    heard: dict[str, list[Listener]] = {}
    for listener in listeners:
        heard.setdefault(listener.parent_key, []).append(listener)
    handed: dict[str, list[str]] = {}
    for group in groups:
        for arn in group.load_balancer_arns:
            handed.setdefault(arn, []).append(group.target_group_name)
    for balancer in new:
        arn = balancer.load_balancer_arn
        if arn not in every_tag or (may_be_open_by_six(balancer) and arn not in every_attribute):
            continue
        ports = sorted((listener.port, listener.protocol) for listener in heard.get(arn, ()))
        yield Balancer(
            balancer.resource,
            balancer.load_balancer_name,
            arn,
            _how(balancer, every_attribute.get(arn, ())),
            tuple(f"{port}/{protocol}" for port, protocol in ports),
            tuple(sorted(handed.get(arn, ()))),
            made_for(every_tag[arn]),
            balancer.state.code == "failed",
        )
    for old in classic:
        if old.arn not in every_tag:
            continue
        ports = sorted((each.listener.load_balancer_port, each.listener.protocol) for each in old.listener_descriptions)
        yield Balancer(
            old.resource,
            old.load_balancer_name,
            old.arn,
            f"it is an internet-facing classic load balancer in {old.source_region}" if old.internet_facing else "",
            tuple(f"{port}/{protocol}" for port, protocol in ports),
            tuple(sorted(each.instance_id for each in old.instances)),
            made_for(every_tag[old.arn]),
        )


def _how(balancer: LoadBalancer, attributes: Iterable[Tag]) -> str:
    what = f"{balancer.type} load balancer in {balancer.source_region}"
    notes = [balancer.ip_address_type, *([balancer.state.code] if balancer.state.code not in ("", "active") else [])]
    more = ", ".join(filter(None, notes))
    told = f"{what} ({more})" if more else what
    if balancer.internet_facing:
        return f"it is an internet-facing {told}"
    if may_be_open_by_six(balancer) and tag(attributes, _BLOCKS_SIX) == "false":
        return f"it is an internal {told}, but {_BLOCKS_SIX} is off, so that the internet reaches its IPv6 addresses"
    return ""


def partition_of(region: str) -> str:
    """Return the partition of a region, as ARNs name it."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
