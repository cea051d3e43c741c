"""Rules on EC2, EKS, ECR and the network around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.aws.compute import EksCluster, Instance, Repository, Volume
from soc2.model.aws.eks_encryption import EksEncryption
from soc2.model.aws.eks_endpoints import EksEndpoint
from soc2.model.aws.joins import LoggedVpc, UsedGroup
from soc2.model.deviation import Deviation
from soc2.model.network.zones import shown
from soc2.model.scanners import RegisteredRepository

_EKS_LOGS = frozenset({"api", "audit", "authenticator", "controllerManager", "scheduler"})
_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class MetadataOpen(Deviation):
    template: ClassVar[str] = "instance metadata: {problem}"
    problem: str


@dataclass(frozen=True, kw_only=True)
class Unencrypted(Deviation):
    template: ClassVar[str] = "its storage is not encrypted"


@dataclass(frozen=True, kw_only=True)
class DefaultGroupUsed(Deviation):
    template: ClassVar[str] = "the default security group has {count} rules; whatever is made without a group gets them"
    count: int


@dataclass(frozen=True, kw_only=True)
class NoFlowLog(Deviation):
    template: ClassVar[str] = "no active flow log records its traffic ({found})"
    found: str


@dataclass(frozen=True, kw_only=True)
class LogTypesOff(Deviation):
    template: ClassVar[str] = "control plane logs are off: {missing}"
    missing: str


@dataclass(frozen=True, kw_only=True)
class EndpointOpen(Deviation):
    template: ClassVar[str] = "the API endpoint is open to {source}"
    source: str


@dataclass(frozen=True, kw_only=True)
class NoCustomerKey(Deviation):
    template: ClassVar[str] = "Secrets in etcd are not encrypted with a customer managed key"


@dataclass(frozen=True, kw_only=True)
class KeyNotInUse(Deviation):
    template: ClassVar[str] = "the state of {key}, which encrypts its Secrets, is {state}: without it they cannot be read"
    key: str
    state: str


@dataclass(frozen=True, kw_only=True)
class MutableTags(Deviation):
    template: ClassVar[str] = "tags can be moved to another image ({setting})"
    setting: str


@dataclass(frozen=True, kw_only=True)
class NotScanned(Deviation):
    template: ClassVar[str] = "images are not scanned when they are pushed"


def imdsv2(instance: Instance) -> Iterator[Deviation]:
    """Metadata needs a session token, and does not travel further than the node itself."""
    options = instance.metadata_options
    if instance.state.name == "terminated" or options.http_endpoint == "disabled":
        return
    if options.http_tokens != "required":
        yield MetadataOpen(resource=instance.resource, problem="requests without a session token are answered")
    if options.http_put_response_hop_limit > 1:
        hops = options.http_put_response_hop_limit
        yield MetadataOpen(resource=instance.resource, problem=f"answers travel {hops} hops, so pods can reach it")


def volume_encrypted(volume: Volume) -> Iterator[Deviation]:
    """The volume is encrypted."""
    if not volume.encrypted:
        yield Unencrypted(resource=volume.resource)


def default_group_empty(record: UsedGroup) -> Iterator[Deviation]:
    """The default security group of a VPC has no rules."""
    group = record.group
    count = len(group.ip_permissions) + len(group.ip_permissions_egress)
    if group.group_name == "default" and count:
        yield DefaultGroupUsed(resource=record.resource, count=count)


def flow_logged(record: LoggedVpc) -> Iterator[Deviation]:
    """Active flow logs record accepted and rejected traffic and are delivered: one of the VPC, or those of its subnets and
    interfaces together, none left out."""
    good = [log for log in record.flow_logs if log.delivers_all]
    if any(log.resource_id == record.vpc.vpc_id for log in good):
        return
    bare = [each.network_interface_id for each in record.interfaces if not any(log in good for log in record.logs_of(each))]
    if not good or not record.interfaces:
        found = ", ".join(f"{log.flow_log_status} {log.traffic_type}" for log in record.flow_logs) or "there is none"
        yield NoFlowLog(resource=record.resource, found=found)
    elif bare:
        found = f"those of its subnets and interfaces leave out {', '.join(bare)}"
        yield NoFlowLog(resource=record.resource, found=found)


def eks_logs(cluster: EksCluster) -> Iterator[Deviation]:
    """All five log types of the control plane are on, the audit log among them."""
    missing = _EKS_LOGS - cluster.log_types
    if missing:
        yield LogTypesOff(resource=cluster.resource, missing=", ".join(sorted(missing)))


def eks_endpoint(endpoint: EksEndpoint) -> Iterator[Deviation]:
    """The API endpoint is private, or public to named networks only."""
    if endpoint.world:
        yield EndpointOpen(resource=endpoint.resource, source=shown(list(endpoint.world), _SHOWN))


def eks_secrets_encrypted(class_tag: str, unrestricted: Iterable[str]) -> Callable[[EksEncryption], Iterator[Deviation]]:
    """Return the rule that Secrets in etcd are encrypted with a key of the customer's, which is enabled: only that proves a
    decision.

    EKS encrypts by itself with a key of its own. That is enough where the cluster's tag names an unrestricted class.
    """
    classes = tuple(unrestricted)

    def rule(item: EksEncryption) -> Iterator[Deviation]:
        cluster, key = item.cluster, item.key
        own_key = item.arn and (key is None or key.manager == "CUSTOMER")
        enough = cluster.encrypts_by_itself and (cluster.tags or {}).get(class_tag) in classes
        if not own_key and not enough:
            yield NoCustomerKey(resource=item.resource)
        if key and key.state != "Enabled":
            yield KeyNotInUse(resource=item.resource, key=item.arn, state=key.state or "not told")

    return rule


def tags_immutable(repository: Repository) -> Iterator[Deviation]:
    """A tag names the same image for ever."""
    if repository.image_tag_mutability != "IMMUTABLE":
        yield MutableTags(resource=repository.resource, setting=repository.image_tag_mutability or "MUTABLE")


def scanned_on_push(record: RegisteredRepository) -> Iterator[Deviation]:
    """Images are scanned when they arrive."""
    if not record.scanned:
        yield NotScanned(resource=record.resource)
