"""The digests of the demo's trail: proved by the same verification as those of a real one, and one that is lost is missed."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from soc2.demo.aws.answers import read_answers
from soc2.demo.aws.digests import TrailDigests
from soc2.gather.logs.readers import Window
from soc2.gather.logs.verification import TrailStore, verify_trail
from soc2.model.digests import DigestFault
from tests.logs.reading import ACCOUNT, KEYS, REGION, connected

NOW = datetime(2026, 6, 1, 12, 34, tzinfo=UTC)
STORE = TrailStore("northwind", "northwind-logs", ACCOUNT, REGION, (REGION,))
FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"


@pytest.mark.parametrize(
    ("lost", "faults"), [(None, {None}), (6, {None, DigestFault.DELETED})], ids=["genuine", "one is lost"]
)
def test_the_chain_is_what_cloudtrail_makes(lost: int | None, faults: set[DigestFault | None]) -> None:
    trail: dict[str, Any] = {"bucket": "northwind-logs", "logging": True, "validation": True}
    digests = TrailDigests({"trail": {**trail, "digest_lost_hours_ago": lost}}, NOW)
    answers = read_answers({"cloudtrail": digests.answers}, "test", NOW)
    published = answers["cloudtrail", "ListPublicKeys"][0].result
    with mock_aws():
        s3 = connected_s3()
        for hours in range(4, 8):
            time = NOW - timedelta(hours=hours)
            key = f"{FOLDER}/{time:%Y/%m/%d}/{ACCOUNT}_CloudTrail_{REGION}_{time:%Y%m%dT%H%MZ}_x{hours}.json.gz"
            s3.put_object(Bucket="northwind-logs", Key=key, Body=gzip.compress(b"{}"))
        digests.deliver(KEYS, NOW - timedelta(hours=3))
        digests.deliver(KEYS, NOW)
        digests.deliver(KEYS, NOW)
        clients = {"s3": s3, "cloudtrail": Keys(published)}
        window = Window(NOW - timedelta(hours=24), NOW)
        verified = verify_trail(connected(lambda service, _: clients[service]), STORE, window, NOW)
    assert verified.problem is None
    assert {verdict.fault for verdict in verified.verdicts} == faults
    assert [verdict.what for verdict in verified.verdicts].count("log file") == (4 if lost is None else 3)
    assert [verdict.what for verdict in verified.verdicts].count("digest") >= 24


def connected_s3() -> Any:
    names = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    s3 = boto3.client("s3", region_name=REGION, **names)
    s3.create_bucket(Bucket="northwind-logs", CreateBucketConfiguration={"LocationConstraint": REGION})
    return s3


class Keys:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def list_public_keys(self, **_: Any) -> Any:
        return self.answer
