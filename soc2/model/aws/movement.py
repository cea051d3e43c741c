"""Where data of an account goes: replicas of buckets, backups, what others are let in to, and the doors of its networks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from msgspec import field

from soc2.model.aws.base import CamelRecord, PascalRecord, account_in, aws_resource
from soc2.model.aws.storage import Bucket, Key
from soc2.model.deviation import Resource


class BucketLocation(PascalRecord, frozen=True):
    """``constraint`` is empty for us-east-1, and EU for eu-west-1 of long ago."""

    constraint: str | None = field(default=None, name="LocationConstraint")

    @property
    def region(self) -> str:
        return {"EU": "eu-west-1"}.get(self.constraint or "", self.constraint or "us-east-1")


class Destination(msgspec.Struct, frozen=True, rename="pascal"):
    bucket: str = ""
    account: str = ""


class ReplicationRule(msgspec.Struct, frozen=True, rename="pascal"):
    id: str = field(default="", name="ID")
    status: str = ""
    destination: Destination = Destination()


class BucketReplication(PascalRecord, frozen=True):
    rules: tuple[ReplicationRule, ...] = ()


class SyncTaskName(PascalRecord, frozen=True):
    arn: str = field(default="", name="TaskArn")


class SyncTask(PascalRecord, frozen=True):
    """A task of DataSync, which copies between two locations (ARNs) by TLS, whatever they are."""

    arn: str = field(default="", name="TaskArn")
    name: str = ""
    destination: str = field(default="", name="DestinationLocationArn")

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::DataSync::Task", self.name or self.arn.rpartition("/")[2])


class SyncLocation(PascalRecord, frozen=True):
    """``uri`` is, for example, ``s3://notes/archive/``, ``efs://eu-west-1.fs-0a1b2c3d/`` or ``nfs://files.example.com/export``."""

    arn: str = field(default="", name="LocationArn")
    uri: str = field(default="", name="LocationUri")


@dataclass(frozen=True)
class Replica:
    """Where a rule has a bucket replicated to, or (without a rule) a task of DataSync copies to. Of a bucket or a file system
    of the account itself (``own``) the region is known; of another bucket, the account where the rule names it, and else it
    is empty."""

    resource: Resource
    rule: str | None
    target: str
    own: bool = False
    account: str = ""
    region: str = ""


def replicas(
    buckets: Iterable[Bucket], locations: Iterable[BucketLocation], replication: Iterable[BucketReplication]
) -> Iterator[Replica]:
    """Yield every rule in force."""
    regions = {each.parent_key: each.region for each in locations}
    own = {bucket.name for bucket in buckets}
    for each in replication:
        resource = aws_resource("AWS::S3::Bucket", each.parent_key)
        for rule in each.rules:
            name = rule.destination.bucket.rpartition(":")[2]
            if rule.status == "Enabled" and name in own:
                yield Replica(resource, rule.id, name, own=True, region=regions.get(name, ""))
            elif rule.status == "Enabled":
                yield Replica(resource, rule.id, name, account=rule.destination.account)


_REGIONAL = re.compile(r"(?:efs|fsx[a-z]*)://([a-z]+(?:-[a-z]+)+-[0-9]+)\.")


def synchronized(
    tasks: Iterable[SyncTask], places: Iterable[SyncLocation], buckets: Iterable[Bucket], locations: Iterable[BucketLocation]
) -> Iterator[Replica]:
    """Yield every task, but for those whose destination is not told."""
    uris = {place.arn: place.uri for place in places}
    regions = {each.parent_key: each.region for each in locations}
    own = {bucket.name for bucket in buckets}
    for task in tasks:
        uri = uris.get(task.destination, "")
        kind, _, path = uri.partition("://")
        bucket, regional = path.partition("/")[0], _REGIONAL.match(uri)
        if kind == "s3" and bucket in own:
            yield Replica(task.resource, None, uri, own=True, region=regions.get(bucket, ""))
        elif uri:
            yield Replica(task.resource, None, uri, own=regional is not None, region=regional[1] if regional else "")


class KafkaSettings(msgspec.Struct, frozen=True, rename="pascal"):
    security_protocol: str = ""


class RedisSettings(msgspec.Struct, frozen=True, rename="pascal"):
    """Without a word, the service takes TLS."""

    ssl_security_protocol: str = "ssl-encryption"


class SearchSettings(msgspec.Struct, frozen=True, rename="pascal"):
    """An address without a scheme means HTTPS."""

    endpoint_uri: str = ""


class MigrationEndpoint(PascalRecord, frozen=True):
    """A source or target of Database Migration Service. ``ssl_mode`` counts for databases only; what it says of AWS's own
    services, which take HTTPS, means nothing."""

    identifier: str = field(default="", name="EndpointIdentifier")
    engine: str = field(default="", name="EngineName")
    ssl_mode: str = ""
    kafka: KafkaSettings = field(default=KafkaSettings(), name="KafkaSettings")
    redis: RedisSettings = field(default=RedisSettings(), name="RedisSettings")
    search: SearchSettings = field(default=SearchSettings(), name="ElasticsearchSettings")

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::DMS::Endpoint", self.identifier)


class BackupVault(PascalRecord, frozen=True):
    name: str = field(default="", name="BackupVaultName")
    arn: str = field(default="", name="BackupVaultArn")
    encryption_key_arn: str = ""

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::Backup::BackupVault", self.name)


class RecoveryPoint(PascalRecord, frozen=True):
    """Its key may be another than the vault's: snapshots of volumes and databases keep that of what they are of."""

    arn: str = field(default="", name="RecoveryPointArn")
    resource_arn: str = ""
    status: str = ""
    encryption_key_arn: str = ""
    is_encrypted: bool = False

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::Backup::RecoveryPoint", self.arn)


@dataclass(frozen=True)
class StoredBackups:
    """A vault or a recovery point, with its key (an ARN, empty where none is told) and the manager of the key: CUSTOMER, AWS,
    or empty where the key is none of the account's."""

    of: BackupVault | RecoveryPoint
    key: str
    manager: str

    @property
    def resource(self) -> Resource:
        return self.of.resource

    @property
    def own(self) -> bool:
        """Tell whether the key is one of the account."""
        return bool(self.key) and account_in(self.key) == self.of.source_account


def stored_backups(
    vaults: Iterable[BackupVault], points: Iterable[RecoveryPoint], keys: Iterable[Key]
) -> Iterator[StoredBackups]:
    managers = {key.arn: key.manager for key in keys}
    stored: tuple[BackupVault | RecoveryPoint, ...] = (*vaults, *points)
    for each in stored:
        yield StoredBackups(each, each.encryption_key_arn, managers.get(each.encryption_key_arn, ""))


class ExternalFinding(CamelRecord, frozen=True):
    """What an analyzer of external access found: ``resource_name`` is the ARN of what others are let in to, ``error`` why the
    analyzer could not look at it."""

    id: str = ""
    status: str = ""
    finding_type: str = ""
    error: str = ""
    resource_type: str = ""
    resource_name: str = field(default="", name="resource")

    @property
    def resource(self) -> Resource:
        return Resource(self.resource_type or "AWS::AccessAnalyzer::Finding", self.resource_name or self.id)


class SharePrincipal(CamelRecord, frozen=True):
    """Whom a resource share (of Resource Access Manager) is with; ``external`` is outside of the organization."""

    share: str = field(default="", name="resourceShareName")
    share_arn: str = field(default="", name="resourceShareArn")
    principal: str = field(default="", name="associatedEntity")
    status: str = ""
    external: bool = False

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::RAM::ResourceShare", self.share or self.share_arn)

    @property
    def account(self) -> str:
        """Return the account of the principal: an id by itself, or in the ARN of a user, a role or a unit."""
        return self.principal if self.principal.isdigit() else account_in(self.principal)


class VpcEndpoint(PascalRecord, frozen=True):
    """``policy`` is the JSON text of its policy, which AWS writes for endpoints that were given none."""

    id: str = field(default="", name="VpcEndpointId")
    kind: str = field(default="", name="VpcEndpointType")
    service: str = field(default="", name="ServiceName")
    state: str = ""
    policy: str | None = field(default=None, name="PolicyDocument")

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::VPCEndpoint", self.id)
