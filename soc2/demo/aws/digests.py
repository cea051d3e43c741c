"""Digests of the company's trail, as CloudTrail makes them: one for each hour, signed and chained, beside its log files."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from soc2.demo.aws.server import REGION

_ACCOUNT = "123456789012"
_TRAIL = "northwind"
_LOG_NAME = re.compile(r"_(\d{8}T\d{4}Z)_[^/]*\.json\.gz$")
_HOUR = timedelta(hours=1)
# More than the window that is examined, so that it begins within the chain.
_BEGUN = timedelta(hours=30)
_SIGNED = "SHA256withRSA"


class TrailDigests:
    """The digests of one environment, under a key of its own, which ``answers`` publish."""

    def __init__(self, company: Mapping[str, Any], now: datetime | None = None) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._published = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        self._bucket: str = company["trail"]["bucket"]
        self._logging: bool = company["trail"]["logging"]
        self._lost_hours_ago: int | None = company["trail"].get("digest_lost_hours_ago")
        self._now = now or datetime.now(UTC)
        self._next = _whole_hour(self._now) - _BEGUN
        self._previous: tuple[str, str, str] | None = None

    @property
    def answers(self) -> dict[str, Any]:
        """Return what moto lacks: the public key, and that the trail began long ago."""
        key = {
            "Value": self._published,
            "Fingerprint": self._fingerprint,
            "ValidityStartTime": self._now - timedelta(days=400),
            "ValidityEndTime": self._now + timedelta(days=400),
        }
        status = {
            "IsLogging": self._logging,
            "StartLoggingTime": self._now - timedelta(days=300),
            "LatestDeliveryTime": self._now,
        }
        return {"ListPublicKeys": {"PublicKeyList": [key]}, "GetTrailStatus": status}

    def deliver(self, environment: Mapping[str, str], now: datetime | None = None) -> None:
        """Make the digests of all hours that have passed and have none; those of hours that passed before, once."""
        until = _whole_hour(now or datetime.now(UTC))
        if not self._logging or self._next >= until:
            return
        s3 = boto3.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        ).client("s3", endpoint_url=environment.get("AWS_ENDPOINT_URL"))
        logs = self._logs(s3)
        while self._next < until:
            self._deliver_hour(s3, self._next, logs.get(self._next, []))
            self._next += _HOUR

    def _logs(self, s3: Any) -> dict[datetime, list[str]]:
        found: dict[datetime, list[str]] = {}
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"AWSLogs/{_ACCOUNT}/CloudTrail/")
        for page in pages:
            for each in page.get("Contents", ()):
                if name := _LOG_NAME.search(each["Key"]):
                    time = datetime.strptime(name[1], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
                    found.setdefault(_whole_hour(time), []).append(each["Key"])
        return found

    def _deliver_hour(self, s3: Any, start: datetime, logs: list[str]) -> None:
        end = start + _HOUR
        folder = f"AWSLogs/{_ACCOUNT}/CloudTrail-Digest/{REGION}/{end:%Y/%m/%d}"
        key = f"{folder}/{_ACCOUNT}_CloudTrail-Digest_{REGION}_{_TRAIL}_{REGION}_{end:%Y%m%dT%H%M%SZ}.json.gz"
        previous, previous_sha256, previous_signature = self._previous or (None, None, None)
        content = json.dumps(
            {
                "awsAccountId": _ACCOUNT,
                "digestStartTime": _stamp(start),
                "digestEndTime": _stamp(end),
                "digestS3Bucket": self._bucket,
                "digestS3Object": key,
                "digestPublicKeyFingerprint": self._fingerprint,
                "digestSignatureAlgorithm": _SIGNED,
                "previousDigestS3Bucket": self._bucket if previous else None,
                "previousDigestS3Object": previous,
                "previousDigestHashValue": previous_sha256,
                "previousDigestHashAlgorithm": "SHA-256" if previous else None,
                "previousDigestSignature": previous_signature,
                "logFiles": [self._log_file(s3, log) for log in sorted(logs)],
            }
        ).encode()
        sha256 = hashlib.sha256(content).hexdigest()
        signed = "\n".join((_stamp(end), f"{self._bucket}/{key}", sha256, previous_signature or "null"))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), SHA256()).hex()
        self._previous = key, sha256, signature
        if self._lost_hours_ago is not None and start == _whole_hour(self._now) - self._lost_hours_ago * _HOUR:
            return
        metadata = {"signature": signature, "signature-algorithm": _SIGNED}
        s3.put_object(Bucket=self._bucket, Key=key, Body=gzip.compress(content, mtime=0), Metadata=metadata)

    def _log_file(self, s3: Any, key: str) -> dict[str, str]:
        content = gzip.decompress(s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        sha256 = hashlib.sha256(content).hexdigest()
        return {"s3Bucket": self._bucket, "s3Object": key, "hashValue": sha256, "hashAlgorithm": "SHA-256"}

    @property
    def _fingerprint(self) -> str:
        # CloudTrail's are MD5 sums, and nothing but names.
        return hashlib.md5(self._published, usedforsecurity=False).hexdigest()


def _whole_hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
