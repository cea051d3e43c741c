"""The buckets that logs are delivered to, and what keeps their objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from soc2.gather.aws.calls import AwsDetail
from soc2.gather.aws.sources import FLOW_LOGS, TRAILS
from soc2.gather.source import Gatherer, Listing
from soc2.model.aws import storage
from soc2.model.aws.log_stores import LogBucket, log_buckets
from soc2.model.population import SourceStatus


@dataclass(frozen=True)
class LogBuckets:
    """Buckets of trails, of flow logs and of declared logs, whoever they belong to."""

    name: str = "log buckets"

    def gather(self, gatherer: Gatherer) -> Listing[LogBucket]:
        trails, flow_logs = gatherer.get(TRAILS), gatherer.get(FLOW_LOGS)
        if trails.exempt:
            return Listing((), (), trails.exempt)
        declared = [source.s3 for source in gatherer.system.logs.sources if source.s3]
        buckets = log_buckets(trails.items, flow_logs.items, declared)
        status = SourceStatus(self.name, "read from trails, flow logs and system.toml", 0, len(buckets), None)
        return Listing(buckets, (*trails.statuses, *flow_logs.statuses, status))


LOG_BUCKETS = LogBuckets()


def _of_log_bucket(name: str, operation: str, result: str, kind: type[Any], absent: str = "") -> AwsDetail[LogBucket, Any]:
    codes = frozenset({absent} if absent else ())
    return AwsDetail(name, "s3", operation, result, kind, LOG_BUCKETS, _bucket_name, _bucket_parameter, codes)


def _bucket_name(bucket: LogBucket) -> str:
    return bucket.name


def _bucket_parameter(bucket: LogBucket) -> dict[str, Any]:
    return {"Bucket": bucket.name}


BUCKET_LOCKS = _of_log_bucket(
    "bucket locks",
    "get_object_lock_configuration",
    "ObjectLockConfiguration",
    storage.BucketLock,
    "ObjectLockConfigurationNotFoundError",
)
BUCKET_VERSIONING = _of_log_bucket("bucket versioning", "get_bucket_versioning", "", storage.BucketVersioning)
BUCKET_LIFECYCLES = _of_log_bucket(
    "bucket lifecycles",
    "get_bucket_lifecycle_configuration",
    "",
    storage.BucketLifecycle,
    "NoSuchLifecycleConfiguration",
)
