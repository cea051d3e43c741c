"""Data stores and the keys and secrets that protect them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import field

from soc2.model.aws.base import PascalRecord, Tag, aws_resource
from soc2.model.deviation import Resource


class Bucket(PascalRecord, frozen=True):
    name: str = ""

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::S3::Bucket", self.name)


class EncryptionByDefault(msgspec.Struct, frozen=True):
    algorithm: str = field(default="", name="SSEAlgorithm")
    key: str | None = field(default=None, name="KMSMasterKeyID")


class EncryptionRule(msgspec.Struct, frozen=True):
    by_default: EncryptionByDefault = field(default=EncryptionByDefault(), name="ApplyServerSideEncryptionByDefault")


class BucketEncryption(PascalRecord, frozen=True):
    rules: tuple[EncryptionRule, ...] = ()


class BucketTags(PascalRecord, frozen=True):
    tag_set: tuple[Tag, ...] = ()


class BucketPolicy(PascalRecord, frozen=True):
    """``policy`` is the JSON text of the policy document."""

    policy: str = ""


class DefaultRetention(msgspec.Struct, frozen=True, rename="pascal"):
    mode: str = ""
    days: int | None = None
    years: int | None = None


class LockRule(msgspec.Struct, frozen=True, rename="pascal"):
    default_retention: DefaultRetention = DefaultRetention()


class BucketLock(PascalRecord, frozen=True):
    """What S3 does to every new object: keeps each of its versions, for a time in which it cannot be deleted."""

    object_lock_enabled: str = ""
    rule: LockRule = LockRule()

    @property
    def mode(self) -> str:
        return self.rule.default_retention.mode if self.object_lock_enabled == "Enabled" else ""

    @property
    def days(self) -> int:
        retention = self.rule.default_retention
        return (retention.days or 0) + 365 * (retention.years or 0)


class BucketVersioning(PascalRecord, frozen=True):
    status: str = ""


class Expiration(msgspec.Struct, frozen=True, rename="pascal"):
    days: int | None = None
    date: datetime | None = None


class NoncurrentExpiration(msgspec.Struct, frozen=True, rename="pascal"):
    noncurrent_days: int | None = None


class FilterAll(msgspec.Struct, frozen=True, rename="pascal"):
    prefix: str = ""
    tags: tuple[Tag, ...] = ()


class LifecycleFilter(msgspec.Struct, frozen=True, rename="pascal"):
    prefix: str = ""
    tag: Tag | None = None
    and_: FilterAll = field(default=FilterAll(), name="And")


class LifecycleRule(msgspec.Struct, frozen=True, rename="pascal"):
    """A rule for objects with a prefix (also written beside the filter, as S3 once did) and, perhaps, with tags."""

    id: str = field(default="", name="ID")
    status: str = ""
    prefix: str = ""
    filter: LifecycleFilter = LifecycleFilter()
    expiration: Expiration = Expiration()
    noncurrent_version_expiration: NoncurrentExpiration = NoncurrentExpiration()

    @property
    def any_prefix(self) -> str:
        return self.prefix or self.filter.prefix or self.filter.and_.prefix

    @property
    def tagged_only(self) -> bool:
        """Tell whether it leaves alone what has no tags, as log files have none."""
        return self.filter.tag is not None or bool(self.filter.and_.tags)


class BucketLifecycle(PascalRecord, frozen=True):
    rules: tuple[LifecycleRule, ...] = ()


class PublicAccessBlock(PascalRecord, frozen=True):
    """The block of a bucket, or of a whole account; without one, nothing is blocked."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False

    @property
    def off(self) -> tuple[str, ...]:
        """Return what it does not block, by the names of S3, in its order."""
        flags = {
            "BlockPublicAcls": self.block_public_acls,
            "IgnorePublicAcls": self.ignore_public_acls,
            "BlockPublicPolicy": self.block_public_policy,
            "RestrictPublicBuckets": self.restrict_public_buckets,
        }
        return tuple(name for name, on in flags.items() if not on)

    def under(self, account: PublicAccessBlock) -> PublicAccessBlock:
        """Return what S3 applies to a bucket with this block: what either blocks, its own or that of its account."""
        return msgspec.structs.replace(
            self,
            block_public_acls=self.block_public_acls or account.block_public_acls,
            ignore_public_acls=self.ignore_public_acls or account.ignore_public_acls,
            block_public_policy=self.block_public_policy or account.block_public_policy,
            restrict_public_buckets=self.restrict_public_buckets or account.restrict_public_buckets,
        )


class ParameterGroup(msgspec.Struct, frozen=True):
    """``status`` is pending-reboot while what it says does not count yet."""

    name: str = field(default="", name="DBParameterGroupName")
    status: str = field(default="", name="ParameterApplyStatus")


class DbInstance(PascalRecord, frozen=True):
    """``cluster`` is the name of the cluster that it is of, empty without one."""

    identifier: str = field(default="", name="DBInstanceIdentifier")
    engine: str = ""
    cluster: str = field(default="", name="DBClusterIdentifier")
    parameter_groups: tuple[ParameterGroup, ...] = field(default=(), name="DBParameterGroups")
    storage_encrypted: bool = False
    multi_az: bool = field(default=False, name="MultiAZ")
    backup_retention_period: int = 0
    publicly_accessible: bool = False
    deletion_protection: bool = False
    tags: tuple[Tag, ...] = field(default=(), name="TagList")

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::RDS::DBInstance", self.identifier)


class DbSnapshot(PascalRecord, frozen=True):
    identifier: str = field(default="", name="DBSnapshotIdentifier")
    encrypted: bool = False

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::RDS::DBSnapshot", self.identifier)


class TableName(PascalRecord, frozen=True):
    value: str = ""


class Table(PascalRecord, frozen=True):
    table_name: str = ""
    table_arn: str = ""

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::DynamoDB::Table", self.table_name)


class TableTags(PascalRecord, frozen=True):
    tags: tuple[Tag, ...] = ()


class ContinuousBackups(PascalRecord, frozen=True):
    point_in_time_recovery_description: dict[str, Any] = {}

    @property
    def enabled(self) -> bool:
        return self.point_in_time_recovery_description.get("PointInTimeRecoveryStatus") == "ENABLED"


class KeyName(PascalRecord, frozen=True):
    key_id: str = ""


class Key(PascalRecord, frozen=True):
    """A KMS key; ``manager`` is CUSTOMER for keys that the account manages itself."""

    key_id: str = ""
    arn: str = ""
    manager: str = field(default="", name="KeyManager")
    state: str = field(default="", name="KeyState")
    spec: str = field(default="", name="KeySpec")
    description: str = ""
    deletion_date: datetime | None = None

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::KMS::Key", self.description or self.key_id)


class KeyPolicy(PascalRecord, frozen=True):
    """``policy`` is the JSON text of the key's policy document."""

    policy: str = ""


class KeyRotation(PascalRecord, frozen=True):
    key_rotation_enabled: bool = False


class Secret(PascalRecord, frozen=True):
    """``owning_service`` is the service of AWS that made it and rotates it, empty for those of the account's own;
    ``primary_region`` is where the secret is that this one is a copy of, or its own region where others are copies."""

    name: str = ""
    owning_service: str = ""
    rotation_enabled: bool = False
    last_rotated_date: datetime | None = None
    next_rotation_date: datetime | None = None
    primary_region: str = ""
    created_date: datetime | None = None
    deleted_date: datetime | None = None
    tags: tuple[Tag, ...] = ()

    @property
    def is_replica(self) -> bool:
        return bool(self.primary_region) and self.primary_region != self.source_region

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::SecretsManager::Secret", self.name)


class BackupJob(PascalRecord, frozen=True):
    backup_job_id: str = ""
    resource_arn: str = ""
    state: str = ""
    creation_date: datetime | None = None
    completion_date: datetime | None = None

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::Backup::BackupJob", self.backup_job_id)
