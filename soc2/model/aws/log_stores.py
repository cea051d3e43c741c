"""Where the account's logs are kept, with what keeps them from being deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.aws.base import aws_resource
from soc2.model.aws.compute import FlowLog
from soc2.model.aws.monitoring import LogGroup, Trail
from soc2.model.aws.storage import BucketLifecycle, BucketLock, BucketVersioning
from soc2.model.deviation import Resource


@dataclass(frozen=True)
class LogBucket:
    """A bucket that logs are delivered to, under these prefixes (the empty one is the whole bucket)."""

    name: str
    prefixes: tuple[str, ...] = ("",)

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::S3::Bucket", self.name)


@dataclass(frozen=True)
class KeptBucket:
    """A log bucket, and what keeps its objects."""

    bucket: LogBucket
    lock: BucketLock
    versioning: BucketVersioning
    lifecycle: BucketLifecycle

    @property
    def resource(self) -> Resource:
        return self.bucket.resource


def log_buckets(trails: Iterable[Trail], flow_logs: Iterable[FlowLog], declared: Iterable[str]) -> tuple[LogBucket, ...]:
    """Return the buckets of trails and flow logs, and those of declared ``s3://bucket/prefix`` URLs, by name."""
    found: dict[str, dict[str, None]] = {}

    def add(bucket: str, prefix: str) -> None:
        found.setdefault(bucket, {})[prefix] = None

    for trail in trails:
        if trail.s3_bucket_name:
            add(trail.s3_bucket_name, f"{trail.s3_key_prefix}/AWSLogs/" if trail.s3_key_prefix else "AWSLogs/")
    for flow_log in flow_logs:
        bucket, _, prefix = flow_log.log_destination.partition(":s3:::")[2].partition("/")
        if bucket:
            add(bucket, prefix)
    for url in declared:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        add(bucket, prefix)
    return tuple(LogBucket(name, tuple(prefixes)) for name, prefixes in sorted(found.items()))


def log_group_names(trails: Iterable[Trail], flow_logs: Iterable[FlowLog], declared: Iterable[str]) -> frozenset[str]:
    """Return the log groups of trails and flow logs, and the declared ones."""
    delivered = {trail.cloud_watch_logs_log_group_arn.partition(":log-group:")[2].removesuffix(":*") for trail in trails}
    return frozenset({*delivered, *(flow_log.log_group_name for flow_log in flow_logs), *declared} - {""})


def kept_buckets(
    buckets: Iterable[LogBucket],
    locks: Iterable[BucketLock],
    versioning: Iterable[BucketVersioning],
    lifecycles: Iterable[BucketLifecycle],
) -> Iterator[KeptBucket]:
    """Join log buckets with what keeps their objects."""
    lock = {item.parent_key: item for item in locks}
    version = {item.parent_key: item for item in versioning}
    lifecycle = {item.parent_key: item for item in lifecycles}
    for bucket in buckets:
        yield KeptBucket(
            bucket,
            lock.get(bucket.name, BucketLock()),
            version.get(bucket.name, BucketVersioning()),
            lifecycle.get(bucket.name, BucketLifecycle()),
        )


def groups_named(names: Iterable[str], groups: Iterable[LogGroup]) -> tuple[tuple[LogGroup, ...], tuple[str, ...]]:
    """Return the log groups of these names, in any region, and the names that no group has."""
    wanted = frozenset(names)
    found = tuple(group for group in groups if group.log_group_name in wanted)
    return found, tuple(sorted(wanted - {group.log_group_name for group in found}))
