"""Flow logs from where AWS delivers them: buckets with text and Parquet, and log groups."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws

from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.collection import LOGS
from soc2.gather.logs.flow_records import FlowFiles
from soc2.gather.logs.kept import kept_log
from soc2.gather.source import Gatherer
from soc2.model.population import Cause
from tests.logs.reading import KEYS, REGION, connected
from tests.logs.test_collection import collected
from tests.network.flow_logs import BEGIN, FIELDS, WINDOW, Seen, World, parquet, pod, shown, text

WORLD = World(pods=[pod("web", "10.0.0.2"), pod("api", "10.0.0.1")])
ODD = tuple(reversed(FIELDS))
DAY = datetime.fromtimestamp(BEGIN, UTC)


def seen(port: int, **changed: Any) -> Seen:
    return Seen("10.0.0.2", "10.0.0.1", (40_000, port), **changed)


@pytest.fixture
def aws() -> Any:
    with mock_aws():
        connection = AwsConnection((REGION,), environment=KEYS)
        where = {"LocationConstraint": REGION}
        connection.client("s3", REGION).create_bucket(Bucket="net", CreateBucketConfiguration=where)
        yield connection


def put(aws: AwsConnection, key: str, body: bytes) -> None:
    aws.client("s3", REGION).put_object(Bucket="net", Key=key, Body=body)


def gathered(folder: Path, aws: AwsConnection, **place: str) -> Gatherer:
    until = WINDOW[1].isoformat()
    described = {"name": "flows", "kind": "vpc-flow", "region": REGION, **place}
    return collected(folder, described, aws=aws, since=WINDOW[0].isoformat(), until=until)


def flows_of(gatherer: Gatherer, folder: Path) -> list[tuple[Any, ...]]:
    (source,) = gatherer.system.logs.sources
    return shown(WORLD.scan([FlowFiles("flows", source.kind, kept_log(gatherer, source).files(WINDOW[0]))], folder))


def problems(gatherer: Gatherer) -> Sequence[tuple[Cause, str] | None]:
    found = [each.problem for each in gatherer.get(LOGS).statuses]
    return [(problem.cause, problem.detail) if problem else None for problem in found]


def flow(port: int) -> tuple[Any, ...]:
    return ("StatefulSet/team/web", "StatefulSet/team/api", 6, port, 1, 1)


def test_a_bucket_holds_text_and_parquet_in_every_layout(aws: AwsConnection, tmp_path: Path) -> None:
    plain = f"AWSLogs/123456789012/vpcflowlogs/{REGION}/{DAY:%Y/%m/%d}"
    hive = f"AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region={REGION}/year={DAY:%Y/month=%m/day=%d}"
    put(aws, f"{plain}/1.log.gz", gzip.compress(text([seen(443)]).encode()))
    put(aws, f"{plain}/20/2.log.gz", gzip.compress(text([seen(444)], ODD).encode()))
    put(aws, f"{plain}/empty.log.gz", gzip.compress(b""))
    parquet([seen(445), Seen("", "", status="NODATA")], tmp_path / "one.parquet")
    put(aws, f"{hive}/hour=21/3.log.parquet", (tmp_path / "one.parquet").read_bytes())
    put(aws, f"{plain.replace(f'{DAY:%d}', '01')}/old.log.gz", gzip.compress(text([seen(22)]).encode()))
    gatherer = gathered(tmp_path, aws, s3="s3://net/AWSLogs/")
    assert problems(gatherer) == [None]
    assert flows_of(gatherer, tmp_path) == [flow(443), flow(444), flow(445)]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("x.log.gz", gzip.compress(text([seen(port, at=port) for port in range(1, 9000)]).encode())[:-9000], "truncated gzip"),
        ("x.log.parquet", b"PAR1 and nothing else", "broken Parquet: "),
    ],
)
def test_what_breaks_off_in_a_bucket_is_missing_evidence(
    name: str, body: bytes, reason: str, aws: AwsConnection, tmp_path: Path
) -> None:
    folder = f"AWSLogs/123456789012/vpcflowlogs/{REGION}/{DAY:%Y/%m/%d}"
    put(aws, f"{folder}/{name}", body)
    put(aws, f"{folder}/whole.log.gz", gzip.compress(text([seen(port) for port in range(1, 9000)]).encode()))
    (told,) = problems(gathered(tmp_path, aws, s3="s3://net"))
    assert told is not None
    assert told[0] is Cause.TRUNCATED
    assert told[1].startswith(f"s3://net/{folder}/{name}: {reason}")


def test_a_log_group_has_a_stream_for_each_interface(tmp_path: Path) -> None:
    events = [
        {
            "timestamp": (BEGIN + 1000) * 1000,
            "ingestionTime": (BEGIN + 1600) * 1000,
            "eventId": name,
            "logStreamName": f"{name}-all",
            "message": text([seen(443 + number, via=name)], ODD).splitlines()[1],
        }
        for number, name in enumerate(("eni-1", "eni-2"))
    ]
    aws = connected(SimpleNamespace(filter_log_events=lambda **_: {"events": events}))
    gatherer = gathered(tmp_path, aws, cloudwatch="/flows", format=" ".join(f"${{{name}}}" for name in ODD))
    assert problems(gatherer) == [None]
    assert flows_of(gatherer, tmp_path) == [flow(443), flow(444)]
    (told,) = problems(gathered(tmp_path / "undeclared", aws, cloudwatch="/flows"))
    mend = 'if its lines have a custom format, declare that: format = "${version} …"'
    assert told == (Cause.MALFORMED, f"the log is of kind container, not vpc-flow; {mend}")


def test_a_place_that_is_not_there_is_missing_evidence(aws: AwsConnection, tmp_path: Path) -> None:
    (group,) = problems(gathered(tmp_path, aws, cloudwatch="/none"))
    (bucket,) = problems(gathered(tmp_path, aws, s3="s3://none-such/"))
    assert group == (Cause.ABSENT, f"FilterLogEvents: ResourceNotFoundException at {REGION}")
    assert bucket == (Cause.ABSENT, "ListObjectsV2: NoSuchBucket at s3://none-such/")
