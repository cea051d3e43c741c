"""Logs in S3: which prefixes are listed, which objects are fetched, and what is kept when some cannot be."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.readers import Fetched, Window
from soc2.gather.logs.s3 import S3Logs, fetch_s3
from soc2.model.population import Cause, Problem
from tests.logs.reading import ACCOUNT, KEYS, REGION, at, connected, refused

BUCKET = "example-logs"
WINDOW = Window(at("24 12:00"), at("25 12:00"))
TRAIL = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1"
FLOWS = f"AWSLogs/{ACCOUNT}/vpcflowlogs/eu-west-1"
HIVE = f"AWSLogs/aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region=eu-west-1"


class Bucket:
    """Objects by key: (written, body), or an error that getting them raises. Lists three keys to a page."""

    def __init__(self, objects: dict[str, tuple[datetime, Any]]) -> None:
        self.objects = objects
        self.listed: list[str] = []
        self.got: list[str] = []
        self.denied: set[str] = set()

    def list_objects_v2(self, Prefix: str, Delimiter: str = "", ContinuationToken: str = "", **_: Any) -> Any:  # noqa: N803
        self.listed.append(Prefix)
        if Prefix in self.denied:
            raise refused("AccessDenied", "ListObjectsV2")
        entries: dict[str, Any] = {}
        for key in sorted(self.objects):
            if key.startswith(Prefix):
                head, found, _tail = key[len(Prefix) :].partition(Delimiter) if Delimiter else (key, "", "")
                entries[f"{Prefix}{head}/" if found else key] = bool(found)
        rest = [entry for entry in entries if entry > ContinuationToken]
        page = rest[:3]
        return {
            "CommonPrefixes": [{"Prefix": entry} for entry in page if entries[entry]],
            "Contents": [self._told(entry) for entry in page if not entries[entry]],
            **({"NextContinuationToken": page[-1]} if len(rest) > 3 else {}),
        }

    def _told(self, key: str) -> dict[str, Any]:
        written, body = self.objects[key]
        size = len(body) if isinstance(body, bytes) else 1
        return {"Key": key, "ETag": f'"{body}"', "Size": size, "LastModified": written}

    def get_object(self, Bucket: str, Key: str) -> Any:  # noqa: N803
        assert Bucket == BUCKET
        self.got.append(Key)
        body = self.objects[Key][1]
        if isinstance(body, Exception):
            raise body
        missing = 5 if (body.startswith(b"cut") and self.got.count(Key) < 3) or body.startswith(b"broken") else 0
        return {"Body": StreamingBody(io.BytesIO(body), len(body) + missing)}


def fetch(bucket: Bucket, folder: Path, cursor: Any = None, window: Window = WINDOW, **declared: Any) -> Fetched:
    return fetch_s3(connected(bucket), S3Logs(BUCKET, **declared), window, cursor or {}, folder)


def keys(fetched: Fetched) -> list[str]:
    return [origin.removeprefix(f"s3://{BUCKET}/") for _, origin in fetched.files]


@pytest.mark.parametrize("prefix", ["", "AWSLogs/", "AWSLogs", f"AWSLogs/{ACCOUNT}/CloudTrail/", f"{TRAIL}/"])
def test_only_the_days_of_the_window_and_their_neighbours_are_listed(prefix: str, tmp_path: Path) -> None:
    objects = {f"{TRAIL}/2026/11/{day:02}/f.json.gz": (at("25 00:00"), b"x") for day in range(1, 29)}
    digests = {f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/2026/11/25/d.json.gz": (at("25 00:00"), b"x")}
    bucket = Bucket({**objects, **digests})
    fetched = fetch(bucket, tmp_path, prefix=prefix)
    assert keys(fetched) == [f"{TRAIL}/2026/11/{day}/f.json.gz" for day in (23, 24, 25, 26)]
    assert fetched.problem is None
    days = {match[0] for each in bucket.listed if (match := re.search(r"\d{4}/\d\d/\d\d/$", each))}
    assert days == {f"2026/11/{day}/" for day in (23, 24, 25, 26)}


def test_all_layouts_by_day_are_known(tmp_path: Path) -> None:
    found = {
        f"AWSLogs/o-example/{ACCOUNT}/CloudTrail/us-east-1/2026/11/25/o.json.gz": (at("25 00:10"), b"o"),
        f"{FLOWS}/2026/11/25/11/hourly.log.gz": (at("25 11:10"), b"h"),
        f"{HIVE}/year=2026/month=11/day=25/hour=03/p.parquet": (at("25 03:10"), b"p"),
        f"{HIVE}/year=2026/month=11/day=25/q.parquet": (at("25 04:10"), b"q"),
    }
    passed = {
        f"{HIVE}/year=2026/month=10/day=25/q.parquet": (at("25 04:10"), b"q"),
        f"{FLOWS}/2026/11/24/old.log.gz": (at("24 11:00"), b"written before the window"),
    }
    fetched = fetch(Bucket({**found, **passed}), tmp_path)
    assert keys(fetched) == sorted(found)
    assert [path.read_bytes() for path, _ in fetched.files] == [found[key][1] for key in sorted(found)]
    suffixes = [".".join(path.name.rsplit("-", 1)[1].split(".")[1:]) for path, _ in fetched.files]
    assert suffixes == ["log.gz", "parquet", "parquet", "json.gz"]


def test_a_prefix_as_a_trail_has_it_leads_to_its_days(tmp_path: Path) -> None:
    bucket = Bucket({f"trails/{TRAIL}/2026/{month:02}/25/f.gz": (at("25 00:00"), b"x") for month in range(1, 13)})
    assert keys(fetch(bucket, tmp_path, prefix="trails")) == [f"trails/{TRAIL}/2026/11/25/f.gz"]
    assert f"trails/{TRAIL}/2026/11/24/" in bucket.listed


def test_another_layout_is_listed_whole_and_cut_by_the_time_of_writing(tmp_path: Path) -> None:
    objects = {
        "audit/before.log": (at("24 11:44"), b"1"),
        "audit/first.log": (at("24 11:45"), b"2"),
        "audit/deep/er/late.log": (at("26 11:59"), b"3"),
        "audit/after.log": (at("26 12:00"), b"4"),
        "audit/empty.log": (at("25 12:00"), b""),
        "other/x.log": (at("25 12:00"), b"5"),
    }
    fetched = fetch(Bucket(objects), tmp_path, prefix="audit/")
    assert keys(fetched) == ["audit/deep/er/late.log", "audit/first.log"]
    assert keys(fetch(Bucket(objects), tmp_path, prefix="audit/", lateness=timedelta(days=2)))[0] == "audit/after.log"


def test_one_object_denied_another_gone_and_the_rest_kept(tmp_path: Path) -> None:
    objects = {
        "a/denied.gz": (at("25 00:00"), refused("AccessDenied", "GetObject")),
        "a/gone.gz": (at("25 00:00"), refused("NoSuchKey", "GetObject")),
        "a/kept.gz": (at("25 00:00"), b"kept"),
    }
    bucket = Bucket(dict(objects))
    fetched = fetch(bucket, tmp_path, prefix="a/")
    assert keys(fetched) == ["a/kept.gz"]
    assert fetched.problem == Problem(Cause.DENIED, f"GetObject: AccessDenied at s3://{BUCKET}/a/denied.gz (2 of 5)")
    bucket.objects["a/denied.gz"] = (at("25 00:00"), b"granted")
    bucket.objects["a/kept.gz"] = (at("25 00:05"), b"written again")
    again = fetch(bucket, tmp_path, fetched.cursor, prefix="a/")
    assert keys(again) == ["a/denied.gz", "a/kept.gz"]
    assert again.problem == Problem(Cause.ABSENT, f"GetObject: NoSuchKey at s3://{BUCKET}/a/gone.gz (1 of 5)")


def test_a_body_that_breaks_off_is_read_again_and_never_kept_in_part(tmp_path: Path) -> None:
    objects = {"cut.gz": (at("25 00:00"), b"cut twice"), "broken.gz": (at("25 00:00"), b"broken for good")}
    fetched = fetch(Bucket(objects), tmp_path)
    assert keys(fetched) == ["cut.gz"]
    broken = "the connection broke before the answer was complete"
    assert fetched.problem == Problem(Cause.TRUNCATED, f"{broken} at s3://{BUCKET}/broken.gz (1 of 4)")
    assert list(tmp_path.iterdir()) == [fetched.files[0][0]]


@pytest.mark.parametrize(("prefix", "where"), [("a/", "a/"), ("", f"{FLOWS}/2026/11/24/")])
def test_a_denied_prefix_is_a_problem_and_the_others_are_read(prefix: str, where: str, tmp_path: Path) -> None:
    bucket = Bucket({f"{FLOWS}/2026/11/{day}/x.log.gz": (at("25 12:00"), b"x") for day in (24, 25)})
    bucket.denied = {where}
    fetched = fetch(bucket, tmp_path, prefix=prefix)
    assert fetched.problem is not None
    assert fetched.problem.cause is Cause.DENIED
    assert f"ListObjectsV2: AccessDenied at s3://{BUCKET}/{where}" in fetched.problem.detail
    assert keys(fetched) == ([] if prefix else [f"{FLOWS}/2026/11/25/x.log.gz"])


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 47), st.integers(0, 5)), max_size=12), st.lists(st.integers(0, 47), max_size=3))
def test_every_object_comes_once_over_readings(written: list[tuple[int, int]], readings: list[int]) -> None:
    """Objects appear over two days; each reading sees those written so far and wants the last 24 hours."""
    start = at("24 00:00")
    objects = {
        f"{FLOWS}/2026/11/{(start + timedelta(hours=hour)).day}/{n}-{part}.gz": (start + timedelta(hours=hour), b"x")
        for n, (hour, part) in enumerate(written)
    }
    cursor: dict[str, Any] = {}
    fetched: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for hour in sorted([*readings, 23, 47]):
            now = start + timedelta(hours=hour, minutes=1)
            bucket = Bucket({key: value for key, value in objects.items() if value[0] <= now})
            one = fetch(bucket, Path(folder), cursor, Window(now - timedelta(days=1), now))
            fetched += keys(one)
            cursor = one.cursor
    assert sorted(fetched) == sorted(objects)


@pytest.fixture
def moto_s3() -> Iterator[Any]:
    with mock_aws():
        connection = AwsConnection((REGION,), environment=KEYS)
        client = connection.client("s3", REGION)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield connection, client
        connection.close()


def test_more_objects_than_a_page_of_moto_has(moto_s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")
    connection, client = moto_s3
    now = datetime.now(WINDOW.since.tzinfo)
    prefix = f"{FLOWS}/{now:%Y/%m/%d}/"
    for number in range(30):
        client.put_object(Bucket=BUCKET, Key=f"{prefix}{number:04}.log.gz", Body=b"body %d" % number)
    fetched = fetch_s3(connection, S3Logs(BUCKET, FLOWS), Window(now - timedelta(hours=1), now), {}, tmp_path)
    assert keys(fetched) == [f"{prefix}{number:04}.log.gz" for number in range(30)]
    assert [path.read_bytes() for path, _ in fetched.files] == [b"body %d" % number for number in range(30)]
    assert (fetched.items, fetched.problem) == (30, None)
    assert fetched.pages > 6
    assert fetch_s3(connection, S3Logs(BUCKET, FLOWS), Window(now, now), fetched.cursor, tmp_path).files == ()


def test_a_bucket_that_is_not_there(moto_s3: Any, tmp_path: Path) -> None:
    fetched = fetch_s3(moto_s3[0], S3Logs("no-such-example"), WINDOW, {}, tmp_path)
    assert fetched.problem == Problem(Cause.ABSENT, "ListObjectsV2: NoSuchBucket at s3://no-such-example/")
