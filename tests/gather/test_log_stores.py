"""Where logs are delivered to, asked of an account: buckets of trails, flow logs and declared logs, and what keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from fixtures.population import DECLARED, build_population
from soc2.evidence import EvidenceStore
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.source import Gatherer
from soc2.log_sources import Logs, LogSource
from soc2.model.aws.compute import FlowLog
from soc2.model.aws.log_stores import LogBucket, log_buckets, log_group_names
from soc2.model.aws.monitoring import Trail
from soc2.model.logs import LogKind
from soc2.model.population import Cause
from soc2.rules.log_stores import locked
from soc2.system import About, Aws, System
from tests.case import load_populations
from tests.logs.reading import ACCOUNT, KEYS, REGION


@pytest.fixture
def connection() -> Iterator[AwsConnection]:
    with mock_aws():
        connection = AwsConnection((REGION,), environment=KEYS)
        yield connection
        connection.close()


def gathered(connection: AwsConnection, folder: Path, *sources: LogSource) -> Any:
    load_populations()
    aws = Aws(regions=(REGION,), accounts=(ACCOUNT,))
    system = System(system=About(name="t", owner="t"), aws=aws, logs=Logs(sources=sources))
    gatherer = Gatherer(system, lambda: pytest.fail("no cluster here"), lambda: connection, EvidenceStore(folder))
    return build_population(DECLARED["log_stores"], system, gatherer.get)


def _bucket(client: Any, name: str, days: int | None) -> None:
    place = {"LocationConstraint": REGION}
    client.create_bucket(Bucket=name, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=days is not None)
    if days:
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=configuration)


def test_what_keeps_logs_is_asked_of_every_place_that_gets_them(connection: AwsConnection, tmp_path: Path) -> None:
    s3 = connection.client("s3", REGION)
    for name, days in (("trail-archive", 400), ("flow-archive", 30), ("declared-archive", None), ("holiday-photos", None)):
        _bucket(s3, name, days)
    rules = [{"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}]
    s3.put_bucket_lifecycle_configuration(Bucket="trail-archive", LifecycleConfiguration={"Rules": rules})
    policy = {"Version": "2012-10-17", "Statement": []}
    s3.put_bucket_policy(Bucket="trail-archive", Policy=json.dumps(policy))
    connection.client("cloudtrail", REGION).create_trail(Name="main", S3BucketName="trail-archive", S3KeyPrefix="all")
    ec2 = connection.client("ec2", REGION)
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    ec2.create_flow_logs(
        ResourceIds=[vpc["VpcId"]],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::flow-archive",
    )
    connection.client("logs", REGION).create_log_group(logGroupName="/nodes")
    found = gathered(
        connection,
        tmp_path,
        LogSource(name="falco", kind=LogKind.FALCO, s3="s3://declared-archive/falco"),
        LogSource(name="nodes", kind=LogKind.NODE, cloudwatch="/nodes"),
    )
    assert found.complete, found.problems
    assert [deviation.message for item in found.items for deviation in locked(365)(item)] == [
        "its logs can be deleted at any time: the log group has no deletion protection",
        "its logs can be deleted at any time: the bucket keeps no versions",
        "its logs can be deleted at any time: the bucket has no Object Lock with a default retention",
        "its objects are locked for 30 days, at least 365 are wanted",
        "lifecycle rule tidy removes logs after 9 days, after at least 365 days is wanted",
    ]
    assert [(item.resource.name, getattr(item, "bucket", None) and item.bucket.prefixes) for item in found.items] == [
        ("/nodes", None),
        ("declared-archive", ("falco",)),
        ("flow-archive", ("",)),
        ("trail-archive", ("all/AWSLogs/",)),
    ]


def test_a_store_that_cannot_be_asked_is_no_evidence(connection: AwsConnection, tmp_path: Path) -> None:
    bucket = gathered(connection, tmp_path, LogSource(name="a", kind=LogKind.FALCO, s3="s3://gone-and-away/falco"))
    assert (bucket.items, bucket.complete) == ((), False)
    group = gathered(connection, tmp_path, LogSource(name="a", kind=LogKind.NODE, cloudwatch="/gone"))
    assert group.items == ()
    assert [(name, problem.cause) for name, problem in group.problems] == [("log groups", Cause.ABSENT)]


def test_prefixes_and_log_groups_are_read_from_what_delivers_there() -> None:
    trail = Trail(
        name="main", s3_bucket_name="archive", cloud_watch_logs_log_group_arn=f"arn:aws:logs:{REGION}:1:log-group:/t:*"
    )
    flows = (FlowLog(log_destination="arn:aws:s3:::archive/vpc/"), FlowLog(log_destination="", log_group_name="/vpc"))
    assert log_buckets([trail], flows, ["s3://archive", "s3://other/a/b"]) == (
        LogBucket("archive", ("AWSLogs/", "vpc/", "")),
        LogBucket("other", ("a/b",)),
    )
    assert log_group_names([trail, Trail()], flows, ["/nodes"]) == {"/t", "/vpc", "/nodes"}
