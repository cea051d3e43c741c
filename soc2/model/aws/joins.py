"""Records that join several AWS answers, so that a rule can judge one of them by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from soc2.model.aws.base import Tag, aws_resource, tag
from soc2.model.aws.compute import FlowLog, NetworkInterface, SecurityGroup, Vpc
from soc2.model.aws.iam import AuthorizationDetails, Principal
from soc2.model.aws.monitoring import Detector, DetectorId, Trail, TrailStatus
from soc2.model.aws.storage import (
    Bucket,
    BucketEncryption,
    BucketPolicy,
    BucketTags,
    DbInstance,
    Key,
    KeyRotation,
    PublicAccessBlock,
    Table,
    TableTags,
)
from soc2.model.deviation import Resource

# What a boundary that the answer does not hold may allow: nobody can tell, and so says this condition.
_UNLISTED = {
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"soc2:boundary": "not listed"}}}
    ]
}


@dataclass(frozen=True)
class PrincipalPolicies:
    """A user or role with every policy document that applies to it: inline, attached, and of its groups; and the
    document of its permissions boundary, None when it has none."""

    principal: Principal
    documents: tuple[tuple[str, Any], ...]
    boundary: Any = None

    @property
    def resource(self) -> Resource:
        return self.principal.resource


def principal_policies(pages: Iterable[AuthorizationDetails]) -> Iterator[PrincipalPolicies]:
    """Join users and roles with their policies. Pages of the answer may split principals from policies."""
    every = tuple(pages)
    managed = {policy.arn: policy.document for page in every for policy in page.policies}
    groups = {group.group_name: group for page in every for group in page.group_detail_list}

    def documents(principal: Principal) -> Iterator[tuple[str, Any]]:
        for policy in principal.inline_policies:
            yield policy.policy_name, policy.policy_document
        for attached in principal.attached_managed_policies:
            yield attached.policy_name, managed.get(attached.policy_arn)
        for name in principal.group_list:
            if name in groups:
                yield from documents(groups[name])

    for page in every:
        for principal in (*page.user_detail_list, *page.role_detail_list):
            boundary = principal.permissions_boundary
            limit = managed.get(boundary.permissions_boundary_arn, _UNLISTED) if boundary else None
            yield PrincipalPolicies(principal, tuple(documents(principal)), limit)


@dataclass(frozen=True)
class StoredBucket:
    """A bucket with what was asked about it; parts that a check does not need are left at their defaults."""

    bucket: Bucket
    data_class: str | None = None
    encryption: BucketEncryption = BucketEncryption()
    policy: BucketPolicy = BucketPolicy()
    block: PublicAccessBlock = PublicAccessBlock()

    @property
    def resource(self) -> Resource:
        return self.bucket.resource


def encrypted_buckets(
    buckets: Iterable[Bucket], encryption: Iterable[BucketEncryption], tags: Iterable[BucketTags], class_tag: str
) -> Iterator[StoredBucket]:
    """Yield buckets of which both are told, be it that there are none; as below."""
    found = {item.parent_key: item for item in encryption}
    classes = {item.parent_key: tag(item.tag_set, class_tag) for item in tags}
    for bucket in buckets:
        if bucket.name in found and bucket.name in classes:
            yield StoredBucket(bucket, classes[bucket.name], found[bucket.name])


def buckets_with_policies(buckets: Iterable[Bucket], policies: Iterable[BucketPolicy]) -> Iterator[StoredBucket]:
    found = {item.parent_key: item for item in policies}
    for bucket in buckets:
        if bucket.name in found:
            yield StoredBucket(bucket, policy=found[bucket.name])


def buckets_with_blocks(
    buckets: Iterable[Bucket], blocks: Iterable[PublicAccessBlock], account: Iterable[PublicAccessBlock]
) -> Iterator[StoredBucket]:
    """Yield buckets with the block that S3 applies: their own and the account's together."""
    found = {item.parent_key: item for item in blocks}
    above = next(iter(account), PublicAccessBlock())
    for bucket in buckets:
        if bucket.name in found:
            yield StoredBucket(bucket, block=found[bucket.name].under(above))


@dataclass(frozen=True)
class AccountBlock:
    """What the account blocks for all of its buckets; ``public`` are those that are approved to be public."""

    block: PublicAccessBlock
    public: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::Account", self.block.source_account)


@dataclass(frozen=True)
class DataStore:
    """Anything that holds data, with its tags."""

    resource: Resource
    tags: tuple[Tag, ...]


def data_stores(
    buckets: Iterable[Bucket],
    bucket_tags: Iterable[BucketTags],
    databases: Iterable[DbInstance],
    tables: Iterable[Table],
    table_tags: Iterable[TableTags],
) -> Iterator[DataStore]:
    of_buckets = {item.parent_key: item.tag_set for item in bucket_tags}
    of_tables: dict[str, tuple[Tag, ...]] = {}
    for page in table_tags:
        of_tables[page.parent_key] = (*of_tables.get(page.parent_key, ()), *page.tags)
    for bucket in buckets:
        yield DataStore(bucket.resource, of_buckets.get(bucket.name, ()))
    for database in databases:
        yield DataStore(database.resource, database.tags)
    for table in tables:
        yield DataStore(table.resource, of_tables.get(table.table_name, ()))


@dataclass(frozen=True)
class CustomerKey:
    """A key that the account manages, with its rotation."""

    key: Key
    rotates: bool

    @property
    def resource(self) -> Resource:
        return self.key.resource


def customer_keys(keys: Iterable[Key], rotation: Iterable[KeyRotation]) -> Iterator[CustomerKey]:
    rotating = {item.parent_key for item in rotation if item.key_rotation_enabled}
    for key in keys:
        if key.manager == "CUSTOMER":
            yield CustomerKey(key, key.key_id in rotating)


@dataclass(frozen=True)
class UsedGroup:
    """A security group, and whether any network interface wears it."""

    group: SecurityGroup
    attached: bool

    @property
    def resource(self) -> Resource:
        return self.group.resource


def used_groups(groups: Iterable[SecurityGroup], interfaces: Iterable[NetworkInterface]) -> Iterator[UsedGroup]:
    worn = {reference.group_id for interface in interfaces for reference in interface.groups}
    for group in groups:
        yield UsedGroup(group, group.group_id in worn)


@dataclass(frozen=True)
class LoggedVpc:
    """A VPC with the interfaces in use in it, and the flow logs of it, of their subnets and of themselves."""

    vpc: Vpc
    flow_logs: tuple[FlowLog, ...]
    interfaces: tuple[NetworkInterface, ...] = ()

    @property
    def resource(self) -> Resource:
        return self.vpc.resource

    def logs_of(self, interface: NetworkInterface) -> tuple[FlowLog, ...]:
        """Return the flow logs that have to hold the records of an interface."""
        wider = (self.vpc.vpc_id, interface.subnet_id, interface.network_interface_id)
        return tuple(log for log in self.flow_logs if log.resource_id in wider)


def logged_vpcs(
    vpcs: Iterable[Vpc], flow_logs: Iterable[FlowLog], interfaces: Iterable[NetworkInterface]
) -> Iterator[LoggedVpc]:
    every, used = tuple(flow_logs), [interface for interface in interfaces if interface.status == "in-use"]
    for vpc in vpcs:
        here = tuple(interface for interface in used if interface.vpc_id == vpc.vpc_id)
        places = {vpc.vpc_id, *(each.subnet_id for each in here), *(each.network_interface_id for each in here)}
        yield LoggedVpc(vpc, tuple(log for log in every if log.resource_id in places), here)


@dataclass(frozen=True)
class WatchedRegion:
    """A region in scope with the status of its threat detectors."""

    region: str
    statuses: tuple[str, ...]

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::Region", self.region)


def watched_regions(
    regions: Iterable[str], detectors: Iterable[DetectorId], details: Iterable[Detector]
) -> Iterator[WatchedRegion]:
    status = {item.parent_key: item.status for item in details}
    every = tuple(detectors)
    for region in regions:
        here = [f"{item.source_region}/{item.value}" for item in every if item.source_region == region]
        yield WatchedRegion(region, tuple(status.get(name, "") for name in here))


@dataclass(frozen=True)
class AccountTrails:
    """The account with its trails: one item, because what counts is that any of them does its work."""

    account: str
    trails: tuple[tuple[Trail, TrailStatus], ...]

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::Account", self.account)


def account_trails(account: str, trails: Iterable[Trail], statuses: Iterable[TrailStatus]) -> AccountTrails:
    status = {item.parent_key: item for item in statuses}
    return AccountTrails(account, tuple((trail, status.get(trail.arn, TrailStatus())) for trail in trails))
