"""Rules on data stores, and on the keys and secrets that protect them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.access.iam import Decision, Policies, Request, evaluate, statements
from soc2.model.aws.balancers import partition_of
from soc2.model.aws.base import tag
from soc2.model.aws.joins import AccountBlock, CustomerKey, DataStore, StoredBucket
from soc2.model.aws.storage import BackupJob, ContinuousBackups, DbInstance, DbSnapshot, Secret
from soc2.model.deviation import Deviation, Resource
from soc2.rules.cloud_compute import Unencrypted


@dataclass(frozen=True, kw_only=True)
class WrongEncryption(Deviation):
    template: ClassVar[str] = "class {data_class} needs a customer managed key; the default encryption is {found}"
    data_class: str
    found: str


@dataclass(frozen=True, kw_only=True)
class PlainHttpAllowed(Deviation):
    template: ClassVar[str] = "no statement of its policy denies everybody requests without TLS ({found})"
    found: str


@dataclass(frozen=True, kw_only=True)
class PublicAccessPossible(Deviation):
    template: ClassVar[str] = "public access is not blocked: {missing}"
    missing: str


@dataclass(frozen=True, kw_only=True)
class AccountTakesPublic(Deviation):
    template: ClassVar[str] = "public access is not blocked for the whole account, new buckets among it: {missing}"
    missing: str


@dataclass(frozen=True, kw_only=True)
class SingleZone(Deviation):
    template: ClassVar[str] = "it has no standby in another zone"


@dataclass(frozen=True, kw_only=True)
class BackupsTooShort(Deviation):
    template: ClassVar[str] = "automated backups are kept {days} days, at least {wanted} are wanted"
    days: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class NoPointInTimeRecovery(Deviation):
    template: ClassVar[str] = "point-in-time recovery is off"


@dataclass(frozen=True, kw_only=True)
class PubliclyAccessible(Deviation):
    template: ClassVar[str] = "it has a public address"


@dataclass(frozen=True, kw_only=True)
class TagMissing(Deviation):
    template: ClassVar[str] = "tag {tag} is {value}; it must be one of {allowed}"
    tag: str
    value: str
    allowed: str


@dataclass(frozen=True, kw_only=True)
class NoRotation(Deviation):
    template: ClassVar[str] = "{why}"
    why: str


@dataclass(frozen=True, kw_only=True)
class KeyGoing(Deviation):
    template: ClassVar[str] = "the key is {state}: what it encrypts becomes unreadable"
    state: str


@dataclass(frozen=True, kw_only=True)
class BackupFailed(Deviation):
    template: ClassVar[str] = "the backup of {source} ended as {state}"
    source: str
    state: str


def bucket_encrypted(restricted: Iterable[str]) -> Callable[[StoredBucket], Iterator[Deviation]]:
    """Return the rule that buckets of restricted classes use a customer managed key.

    S3 encrypts every bucket by itself since 2023, so that "is encrypted" alone proves nothing.
    """
    classes = tuple(restricted)

    def rule(record: StoredBucket) -> Iterator[Deviation]:
        if record.data_class not in classes:
            return
        defaults = [entry.by_default for entry in record.encryption.rules]
        customer = [d for d in defaults if d.algorithm.startswith("aws:kms") and d.key and "alias/aws/" not in d.key]
        if not customer:
            found = ", ".join(default.algorithm for default in defaults) or "none"
            yield WrongEncryption(resource=record.resource, data_class=record.data_class or "", found=found)

    return rule


# What no policy names, so that what denies it denies every action on every object; and nobody is who is asking.
_ANY_ACTION, _ANY_KEY, _WITHOUT_TLS = "s3:-any-", "/-any-", {"aws:securetransport": "false"}


def requires_tls(record: StoredBucket) -> Iterator[Deviation]:
    """The policy denies every action on the bucket and on its objects to everybody who does not use TLS. Statements that
    spare somebody or something (NotPrincipal, NotAction, NotResource, further conditions) do not count."""
    found = _without_tls(record)
    if found:
        yield PlainHttpAllowed(resource=record.resource, found=found)


def _without_tls(record: StoredBucket) -> str:
    """Return what of a bucket answers requests without TLS, in words, or nothing."""
    if not record.policy.policy:
        return "there is no policy"
    try:
        given = statements(json.loads(record.policy.policy))
    except (ValueError, RecursionError):
        return "its policy cannot be read"
    counted = {"Statement": [each for each in given if not any(key.startswith("Not") for key in each)]}
    name = f"arn:{partition_of(record.bucket.source_region)}:s3:::{record.bucket.name}"
    open_ = [
        words
        for words, arn in (("the bucket itself", name), ("its objects", name + _ANY_KEY))
        if evaluate(Policies(), Request(_ANY_ACTION, arn, _WITHOUT_TLS), counted) is not Decision.EXPLICIT_DENY
    ]
    return f"none of {len(given)} does for {' and '.join(open_)}" if open_ else ""


def public_access_blocked(approved: Iterable[str]) -> Callable[[StoredBucket], Iterator[Deviation]]:
    """Return the rule that every bucket but the approved public ones blocks public access in all four ways, by its own block
    and that of its account together."""
    patterns = tuple(approved)

    def rule(record: StoredBucket) -> Iterator[Deviation]:
        if record.block.off and not any(fnmatchcase(record.bucket.name, pattern) for pattern in patterns):
            yield PublicAccessPossible(resource=record.resource, missing=", ".join(record.block.off))

    return rule


_OF_POLICIES = ("BlockPublicPolicy", "RestrictPublicBuckets")


def account_blocks(record: AccountBlock) -> Iterator[Deviation]:
    """An account blocks public access for all of its buckets. While one is approved to be public, which takes a policy, only
    what ACLs would let in can be blocked for all; the policies of the others are blocked bucket by bucket."""
    off = [flag for flag in record.block.off if not (record.public and flag in _OF_POLICIES)]
    if off:
        yield AccountTakesPublic(resource=record.resource, missing=", ".join(off))


def database_encrypted(database: DbInstance) -> Iterator[Deviation]:
    """The database's storage is encrypted."""
    if not database.storage_encrypted:
        yield Unencrypted(resource=database.resource)


def snapshot_encrypted(snapshot: DbSnapshot) -> Iterator[Deviation]:
    """The snapshot is encrypted."""
    if not snapshot.encrypted:
        yield Unencrypted(resource=snapshot.resource)


def database_private(database: DbInstance) -> Iterator[Deviation]:
    """The database has no public address."""
    if database.publicly_accessible:
        yield PubliclyAccessible(resource=database.resource)


def multi_az(database: DbInstance) -> Iterator[Deviation]:
    """The database has a standby in another zone."""
    if not database.multi_az:
        yield SingleZone(resource=database.resource)


def backed_up(wanted_days: int) -> Callable[[DbInstance], Iterator[Deviation]]:
    """Return the rule that automated backups are kept for at least ``wanted_days``."""

    def rule(database: DbInstance) -> Iterator[Deviation]:
        if database.backup_retention_period < wanted_days:
            days = database.backup_retention_period
            yield BackupsTooShort(resource=database.resource, days=days, wanted=wanted_days)

    return rule


def point_in_time(table: ContinuousBackups) -> Iterator[Deviation]:
    """The table can be restored to any moment."""
    if not table.enabled:
        yield NoPointInTimeRecovery(resource=Resource("AWS::DynamoDB::Table", table.parent_key))


def classified(class_tag: str, classes: Iterable[str], owner_tag: str) -> Callable[[DataStore], Iterator[Deviation]]:
    """Return the rule that a data store carries a known data class and an owner."""
    known = tuple(classes)

    def rule(store: DataStore) -> Iterator[Deviation]:
        for name, allowed in ((class_tag, known), (owner_tag, ())):
            value = tag(store.tags, name)
            if not value or (allowed and value not in allowed):
                yield TagMissing(
                    resource=store.resource,
                    tag=name,
                    value=value or "not set",
                    allowed=", ".join(allowed) or "any value",
                )

    return rule


def key_rotates(record: CustomerKey) -> Iterator[Deviation]:
    """Symmetric customer managed keys that are in use rotate."""
    if record.key.spec in ("", "SYMMETRIC_DEFAULT") and record.key.state == "Enabled" and not record.rotates:
        yield NoRotation(resource=record.resource, why="the key never rotates")


def key_stays(record: CustomerKey) -> Iterator[Deviation]:
    """No customer managed key is disabled or waits for its deletion."""
    if record.key.state in ("PendingDeletion", "Disabled", "PendingReplicaDeletion"):
        yield KeyGoing(resource=record.resource, state=record.key.state)


def secret_rotates(limit_days: int, as_of: datetime) -> Callable[[Secret], Iterator[Deviation]]:
    """Return the rule that secrets rotate, and did within the limit, which one that never did yet counts from its creation.
    When it was changed last does not count: a new tag is a change, too."""

    def rule(secret: Secret) -> Iterator[Deviation]:
        since = secret.last_rotated_date or secret.created_date
        age = (as_of - since).days if since else None
        if not secret.rotation_enabled:
            yield NoRotation(resource=secret.resource, why="rotation is off")
        elif age is None or (age > limit_days and not secret.last_rotated_date):
            yield NoRotation(resource=secret.resource, why=f"it never rotated, the limit is {limit_days} days")
        elif age > limit_days:
            yield NoRotation(resource=secret.resource, why=f"last rotated {age} days ago, the limit is {limit_days}")

    return rule


def backup_completed(job: BackupJob) -> Iterator[Deviation]:
    """The job did not end badly."""
    if job.state in ("FAILED", "ABORTED", "EXPIRED", "PARTIAL"):
        yield BackupFailed(resource=job.resource, source=job.resource_arn, state=job.state)
