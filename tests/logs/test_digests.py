"""The digest chain of a trail: a genuine one is proved, and whatever is done to it is found, and nothing else."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from botocore.response import StreamingBody
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.readers import Window
from soc2.gather.logs.verification import TrailStore, VerifiedTrail, verify_trail
from soc2.model.digests import DigestFault
from soc2.model.population import Cause, Problem
from tests.logs.reading import ACCOUNT, KEYS, REGION, at, connected, refused

BUCKET = "example-trail"
STORE = TrailStore("main_trail", BUCKET, ACCOUNT, REGION, (REGION,), "audit")
WINDOW = Window(at("25 02:00"), at("25 05:00"))
NOW = at("25 09:00")
HOUR = timedelta(hours=1)
LOGS = f"audit/AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/11/25/{ACCOUNT}_CloudTrail_{REGION}"

Objects = dict[str, tuple[bytes, dict[str, str]]]


@cache
def private_key(number: int) -> rsa.RSAPrivateKey:
    del number
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published(number: int) -> bytes:
    return private_key(number).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


def digest_key(end: datetime, trail: str = "main_trail", backfill: bool = False) -> str:
    folder = f"audit/AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/{end:%Y/%m/%d}"
    return (
        f"{folder}/{ACCOUNT}_CloudTrail-Digest_{REGION}_{trail}_{REGION}_{end:%Y%m%dT%H%M%SZ}{'_backfill' * backfill}.json.gz"
    )


def log_key(hour: int, number: int) -> str:
    return f"{LOGS}_20261125T{hour:02}{20 + number * 20}Z_abc{number}.json.gz"


@dataclass
class Trail:
    """Makes what CloudTrail would: each hour two log files (none in the third) and a digest, signed and chained."""

    objects: Objects = field(default_factory=dict)
    previous: tuple[str, str, str] | None = None

    def hour(self, start: datetime, signer: int = 1, trail: str = "main_trail", key: str = "", **changed: Any) -> None:
        end = start + HOUR
        logs = []
        for number in range(2 if start.hour != 3 and trail == "main_trail" else 0):
            content = json.dumps({"Records": [{"eventID": f"{start.hour}-{number}"}]}).encode()
            self.objects[log_key(start.hour, number)] = (gzip.compress(content, mtime=0), {})
            logs.append(
                {
                    "s3Bucket": BUCKET,
                    "s3Object": log_key(start.hour, number),
                    "hashValue": hashlib.sha256(content).hexdigest(),
                    "hashAlgorithm": "SHA-256",
                    "newestEventTime": "2026-11-25T02:52:27Z",
                    "oldestEventTime": "2026-11-25T02:42:27Z",
                }
            )
        key = key or digest_key(end, trail)
        before = self.previous or (None, None, None)
        content = json.dumps(
            {
                "awsAccountId": ACCOUNT,
                "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
                "digestS3Bucket": BUCKET,
                "digestS3Object": key,
                "digestPublicKeyFingerprint": "fingerprint-1",
                "digestSignatureAlgorithm": "SHA256withRSA",
                "newestEventTime": None,
                "oldestEventTime": None,
                "previousDigestS3Bucket": BUCKET if self.previous else None,
                "previousDigestS3Object": before[0],
                "previousDigestHashValue": before[1],
                "previousDigestHashAlgorithm": "SHA-256" if self.previous else None,
                "previousDigestSignature": before[2],
                "logFiles": logs,
                **changed,
            }
        ).encode()
        sha256 = hashlib.sha256(content).hexdigest()
        signed = f"{end:%Y-%m-%dT%H:%M:%SZ}\n{BUCKET}/{key}\n{sha256}\n{before[2] or 'null'}"
        signature = private_key(signer).sign(signed.encode(), padding.PKCS1v15(), SHA256()).hex()
        metadata = {"signature": signature, "signature-algorithm": "SHA256withRSA"}
        self.objects[key] = (gzip.compress(content, mtime=0), metadata)
        self.previous = key, sha256, signature


@cache
def genuine() -> Objects:
    """Digests and log files from midnight to eight."""
    trail = Trail()
    for hour in range(8):
        trail.hour(at(f"25 {hour:02}:00"))
    return trail.objects


class CloudTrail:
    def __init__(self, keys: Any = None) -> None:
        self.keys = {"fingerprint-1": published(1)} if keys is None else keys

    def list_public_keys(self, **_: Any) -> Any:
        if isinstance(self.keys, Exception):
            raise self.keys
        return {"PublicKeyList": [{"Fingerprint": name, "Value": value} for name, value in self.keys.items()]}


class Memory:
    """S3 in a dictionary."""

    def __init__(self, objects: Objects, errors: dict[str, Exception] | None = None) -> None:
        self.objects = objects
        self.errors = errors or {}

    def list_objects_v2(self, Prefix: str, **_: Any) -> Any:  # noqa: N803
        if Prefix in self.errors:
            raise self.errors[Prefix]
        found = [key for key in sorted(self.objects) if key.startswith(Prefix)]
        return {"Contents": [{"Key": key, "ETag": "", "Size": 1, "LastModified": NOW} for key in found]}

    def get_object(self, Bucket: str, Key: str) -> Any:  # noqa: N803
        assert Bucket == BUCKET
        if Key in self.errors:
            raise self.errors[Key]
        if Key not in self.objects:
            raise refused("NoSuchKey", "GetObject")
        body, metadata = self.objects[Key]
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "Metadata": metadata}


def verified(s3: Any, keys: Any = None, store: TrailStore = STORE, window: Window = WINDOW) -> VerifiedTrail:
    clients = {"s3": s3, "cloudtrail": CloudTrail(keys)}
    return verify_trail(connected(lambda service, _: clients[service]), store, window, NOW)


def faults(result: VerifiedTrail) -> dict[str, DigestFault]:
    return {verdict.object.removeprefix(f"s3://{BUCKET}/"): verdict.fault for verdict in result.verdicts if verdict.fault}


def test_a_genuine_chain_is_proved() -> None:
    result = verified(Memory(genuine()))
    assert (faults(result), result.problem, result.pages, result.items) == ({}, None, 7, 11)
    digests = [verdict for verdict in result.verdicts if verdict.what == "digest"]
    assert [(verdict.since, verdict.until) for verdict in digests] == [
        (at(f"25 {hour:02}:00"), at(f"25 {hour + 1:02}:00")) for hour in range(7)
    ]
    logs = [verdict.object for verdict in result.verdicts if verdict.what == "log file"]
    assert logs == [f"s3://{BUCKET}/{log_key(hour, number)}" for hour in (2, 4) for number in (0, 1)]
    assert {(verdict.trail, verdict.region) for verdict in result.verdicts} == {("main_trail", REGION)}


D3, D4 = digest_key(at("25 03:00")), digest_key(at("25 04:00"))


def change(key: str, body: bytes) -> Callable[[Objects], None]:
    return lambda objects: objects.update({key: (body, objects[key][1])})


def delete(*keys: str) -> Callable[[Objects], None]:
    def tamper(objects: Objects) -> None:
        for key in keys:
            del objects[key]

    return tamper


def rewrite(key: str, **changed: Any) -> Callable[[Objects], None]:
    def tamper(objects: Objects) -> None:
        content = {**json.loads(gzip.decompress(objects[key][0])), **changed}
        objects[key] = gzip.compress(json.dumps(content).encode()), objects[key][1]

    return tamper


def sign_anew(objects: Objects, signer: int, **changed: Any) -> None:
    """Put a digest of the third hour in the place of the genuine one, without the hour's log files."""
    trail = Trail(previous=_link(objects, digest_key(at("25 02:00"))))
    trail.hour(at("25 02:00"), signer, **changed)
    objects[D3] = trail.objects[D3]


def _link(objects: Objects, key: str) -> tuple[str, str, str]:
    body, metadata = objects[key]
    return key, hashlib.sha256(gzip.decompress(body)).hexdigest(), metadata["signature"]


def cut(objects: Objects) -> None:
    """The trail was switched off and on: the fourth hour's digest knows nothing of the third's."""
    trail = Trail()
    for hour in range(3, 8):
        trail.hour(at(f"25 {hour:02}:00"))
    objects.update(trail.objects)


def late_start(objects: Objects) -> None:
    """The fourth hour begins ten minutes late."""
    trail = Trail(previous=_link(objects, D3))
    trail.hour(at("25 03:00"), digestStartTime="2026-11-25T03:10:00Z")
    for hour in range(4, 8):
        trail.hour(at(f"25 {hour:02}:00"))
    objects.update(trail.objects)


def other_bucket(objects: Objects) -> None:
    """The fourth hour's digest says that the one before it is in another bucket."""
    trail = Trail(previous=_link(objects, D3))
    trail.hour(at("25 03:00"), previousDigestS3Bucket="elsewhere")
    for hour in range(4, 8):
        trail.hour(at(f"25 {hour:02}:00"))
    objects.update(trail.objects)


def skipping(objects: Objects) -> None:
    """The fourth hour's digest follows the second's."""
    trail = Trail(previous=_link(objects, digest_key(at("25 02:00"))))
    for hour in range(3, 8):
        trail.hour(at(f"25 {hour:02}:00"))
    objects.update(trail.objects)


def moved(objects: Objects) -> None:
    objects[D4] = objects[D3]


ADDED = f"{LOGS}_20261125T0230Z_forged.json.gz"
FOREIGN = f"{LOGS.rpartition('/')[0]}/forged.json.gz"
FOLDER = digest_key(NOW).partition("2026/")[0]
TAMPERED: dict[str, tuple[Callable[[Objects], None], dict[str, DigestFault]]] = {
    "log changed": (change(log_key(2, 0), gzip.compress(b"{}")), {log_key(2, 0): DigestFault.CHANGED}),
    "log with a second member": (
        lambda objects: change(log_key(2, 0), objects[log_key(2, 0)][0] + gzip.compress(b"{}"))(objects),
        {log_key(2, 0): DigestFault.CHANGED},
    ),
    "log no gzip": (change(log_key(4, 1), b"plain"), {log_key(4, 1): DigestFault.CHANGED}),
    "log cut short": (
        lambda objects: change(log_key(4, 1), objects[log_key(4, 1)][0][:-4])(objects),
        {log_key(4, 1): DigestFault.CHANGED},
    ),
    "log deleted": (delete(log_key(4, 1)), {log_key(4, 1): DigestFault.DELETED}),
    "log added": (lambda objects: objects.update({ADDED: (b"x", {})}), {ADDED: DigestFault.ADDED}),
    "log added under another name": (lambda objects: objects.update({FOREIGN: (b"x", {})}), {FOREIGN: DigestFault.ADDED}),
    "digest changed": (rewrite(D3, logFiles=[]), {D3: DigestFault.BAD_SIGNATURE}),
    "digest no JSON": (change(D3, gzip.compress(b"[")), {D3: DigestFault.UNREADABLE}),
    "digest of other fields": (change(D3, gzip.compress(b"{}")), {D3: DigestFault.UNREADABLE}),
    "digest no gzip": (change(D3, b"{}"), {D3: DigestFault.UNREADABLE}),
    "digest deleted": (delete(D3), {D3: DigestFault.DELETED}),
    "digests deleted": (delete(D3, D4), {D4: DigestFault.DELETED}),
    "all digests deleted": (
        delete(*(digest_key(at(f"25 {hour:02}:00")) for hour in range(1, 9))),
        {FOLDER: DigestFault.NONE},
    ),
    "last digests deleted": (
        delete(*(digest_key(at(f"25 {hour:02}:00")) for hour in range(5, 9))),
        {FOLDER: DigestFault.NONE},
    ),
    "first digests deleted": (
        delete(*(digest_key(at(f"25 {hour:02}:00")) for hour in range(1, 4))),
        {D3: DigestFault.DELETED},
    ),
    "digest moved": (moved, {D4: DigestFault.MOVED}),
    "digest signed under another key": (lambda objects: sign_anew(objects, 2), {D3: DigestFault.BAD_SIGNATURE}),
    "digest signed under an unknown key": (
        lambda objects: sign_anew(objects, 2, digestPublicKeyFingerprint="fingerprint-2"),
        {D3: DigestFault.KEY_UNKNOWN},
    ),
    "digest replaced by a genuine one": (lambda objects: sign_anew(objects, 1, logFiles=[]), {D3: DigestFault.REPLACED}),
    "digest unsigned": (lambda objects: objects.update({D3: (objects[D3][0], {})}), {D3: DigestFault.UNSIGNED}),
    "signature no hexadecimal": (
        lambda objects: objects.update({D3: (objects[D3][0], {"signature": "none"})}),
        {D3: DigestFault.BAD_SIGNATURE},
    ),
    "chain cut": (cut, {D4: DigestFault.FIRST}),
    "chain from another bucket": (other_bucket, {D4: DigestFault.ELSEWHERE}),
    "digest skipped": (skipping, {D4: DigestFault.GAP, D3: DigestFault.SKIPPED}),
    "gap in time": (late_start, {D4: DigestFault.GAP}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_each_way_to_tamper_is_found_and_nothing_else(name: str) -> None:
    objects = dict(genuine())
    tamper, expected = TAMPERED[name]
    tamper(objects)
    assert faults(verified(Memory(objects))) == {**expected, **_left_out(name)}


def _left_out(name: str) -> dict[str, DigestFault]:
    """What a digest no longer names lies beside it unnamed."""
    if name != "digest replaced by a genuine one":
        return {}
    return {log_key(2, number): DigestFault.ADDED for number in (0, 1)}


@given(st.data())
def test_any_flipped_bit_is_noticed(data: st.DataObject) -> None:
    """Unless it leaves the content as it is: a gzip header has bytes that mean nothing."""
    objects = dict(genuine())
    judged = [D3, D4, log_key(2, 0), log_key(4, 1)]
    key = data.draw(st.sampled_from(judged))
    body = bytearray(objects[key][0])
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assume(_content(bytes(body)) != _content(objects[key][0]))
    objects[key] = bytes(body), objects[key][1]
    assert faults(verified(Memory(objects))).keys() == {key}


def _content(body: bytes) -> bytes | None:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return None


@settings(max_examples=100)
@given(st.integers(0, 511), st.integers(1, 15))
def test_any_flipped_digit_of_a_signature_is_noticed(place: int, change: int) -> None:
    objects = dict(genuine())
    signature = objects[D3][1]["signature"]
    digit = f"{int(signature[place], 16) ^ change:x}"
    objects[D3] = objects[D3][0], {"signature": signature[:place] + digit + signature[place + 1 :]}
    assert faults(verified(Memory(objects))) == {D3: DigestFault.BAD_SIGNATURE}


def test_what_is_not_due_yet_is_not_missing() -> None:
    objects = {key: value for key, value in genuine().items() if key != digest_key(at("25 08:00"))}
    late = Window(at("25 02:00"), NOW)
    assert faults(verified(Memory(objects), window=late)) == {}
    assert verified(Memory({}), window=Window(at("25 07:30"), NOW)).verdicts == ()


def test_another_trail_in_the_folder_names_its_own_files() -> None:
    objects = dict(genuine())
    named = {"s3Bucket": BUCKET, "s3Object": ADDED, "hashValue": "0", "hashAlgorithm": "SHA-256"}
    other = Trail()
    other.hour(at("25 02:00"), trail="other", logFiles=[named])
    objects.update({**other.objects, ADDED: (b"x", {})})
    assert faults(verified(Memory(objects))) == {}


def test_a_digest_that_came_late_names_what_the_hour_left_out() -> None:
    content = gzip.decompress(genuine()[log_key(2, 0)][0])
    named = {
        "s3Bucket": BUCKET,
        "s3Object": ADDED,
        "hashValue": hashlib.sha256(content).hexdigest(),
        "hashAlgorithm": "SHA-256",
    }
    backfill = Trail()
    key = digest_key(at("25 03:00"), backfill=True)
    backfill.hour(at("25 02:00"), logFiles=[named], key=key)
    objects = {**genuine(), key: backfill.objects[key], ADDED: (gzip.compress(content), {})}
    result = verified(Memory(objects))
    assert faults(result) == {}
    assert {f"s3://{BUCKET}/{key}", f"s3://{BUCKET}/{ADDED}"} < {verdict.object for verdict in result.verdicts}


def test_a_region_without_digests_is_found() -> None:
    store = TrailStore("main_trail", BUCKET, ACCOUNT, REGION, (REGION, "us-east-1"), "audit")
    missing = f"audit/AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/"
    assert faults(verified(Memory(genuine()), store=store)) == {missing: DigestFault.NONE}


@pytest.mark.parametrize(
    ("where", "code", "cause"),
    [
        (D3, "AccessDenied", Cause.DENIED),
        (log_key(2, 0), "SlowDown", Cause.THROTTLED),
        (log_key(2, 0), "InvalidObjectState", Cause.ABSENT),
        (f"{FOLDER}2026/11/25/", "AccessDenied", Cause.DENIED),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_no_fault(where: str, code: str, cause: Cause) -> None:
    result = verified(Memory(genuine(), {where: refused(code, "Read")}))
    assert faults(result) == {}
    assert result.problem is not None
    assert (result.problem.cause, result.problem.detail.startswith(f"Read: {code} at s3://{BUCKET}/{where}")) == (cause, True)
    assert f"s3://{BUCKET}/{where}" not in {verdict.object for verdict in result.verdicts}


def test_without_keys_nothing_is_judged() -> None:
    result = verified(Memory(genuine()), refused("AccessDeniedException", "ListPublicKeys"))
    assert result == VerifiedTrail((), 0, 0, Problem(Cause.DENIED, "ListPublicKeys: AccessDeniedException"))


@pytest.fixture
def moto_s3() -> Iterator[Any]:
    with mock_aws():
        connection = AwsConnection((REGION,), environment=KEYS)
        client = connection.client("s3", REGION)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for key, (body, metadata) in genuine().items():
            client.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata=metadata)
        yield client
        connection.close()


def test_a_chain_in_motos_s3(moto_s3: Any) -> None:
    assert faults(verified(moto_s3)) == {}
    moto_s3.delete_object(Bucket=BUCKET, Key=log_key(2, 1))
    moto_s3.put_object(Bucket=BUCKET, Key=D4, Body=genuine()[D4][0])
    moto_s3.put_object(Bucket=BUCKET, Key=ADDED, Body=b"x")
    assert faults(verified(moto_s3)) == {
        D4: DigestFault.UNSIGNED,
        log_key(2, 1): DigestFault.DELETED,
        ADDED: DigestFault.ADDED,
    }
