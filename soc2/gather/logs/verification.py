"""Fetches the digests, keys and log files of a trail from where they are, and has them verified."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from soc2.gather.aws.connection import AwsConnection, error_code
from soc2.gather.logs.digests import (
    Chain,
    Digest,
    StoredDigest,
    chain_of,
    digest_end,
    judge_chain,
    judge_logs,
    read_digest,
)
from soc2.gather.logs.listing import days_of, list_days
from soc2.gather.logs.readers import READING_ERRORS, Pager, Window, reading_problem, worst
from soc2.model.digests import DigestVerdict
from soc2.model.population import Problem

T = TypeVar("T")

DIGEST_DELAY = timedelta(hours=2)
"""A digest covers an hour and comes after it; one that ended longer ago than this must be there."""

_AT_ONCE = 8
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class TrailStore:
    """Where a trail delivers. ``regions`` are those it must log; ``organization`` is ``o-…`` for an organization's trail.

    ``prefix`` is the trail's S3KeyPrefix, without a slash at its end. ``account`` is whose folder is verified.
    """

    name: str
    bucket: str
    account: str
    home_region: str
    regions: tuple[str, ...]
    prefix: str = ""
    organization: str = ""

    def folder(self, service: str, region: str) -> str:
        parts = (self.prefix, "AWSLogs", self.organization, self.account, service, region, "")
        return "/".join(part for part in parts[:-1] if part) + "/"


@dataclass(frozen=True)
class VerifiedTrail:
    """The verdicts on digests and log files, and how their reading went: ``items`` objects were read."""

    verdicts: tuple[DigestVerdict, ...]
    pages: int
    items: int
    problem: Problem | None


@dataclass
class _Reading:
    client: Any
    store: TrailStore
    pool: Executor
    window: Window
    keys: dict[str, bytes]
    problems: list[tuple[str, Problem]] = field(default_factory=list)
    asked: int = 0
    pages: int = 0
    items: int = 0

    @property
    def wide(self) -> Window:
        """The window with a margin, in which digests are read: files of its ends may be in the next digest."""
        return Window(self.window.since - DIGEST_DELAY, self.window.until + DIGEST_DELAY)

    def each(self, read: Callable[[str], T], keys: Iterable[str]) -> dict[str, T]:
        """Read objects at once; those that cannot be read leave a problem."""
        answers: dict[str, T] = {}
        wanted = list(keys)
        self.asked += len(wanted)
        for key, answer in zip(wanted, self.pool.map(partial(_attempt, read), wanted), strict=True):
            if isinstance(answer, Problem):
                self.problems.append((f"s3://{self.store.bucket}/{key}", answer))
            else:
                answers[key] = answer
                self.items += 1
        return answers


def verify_trail(connection: AwsConnection, store: TrailStore, window: Window, now: datetime | None = None) -> VerifiedTrail:
    """Verify the digest chain of a trail in each of its regions, and every log file that the window's digests name.

    Digests that ended after ``now`` less ``DIGEST_DELAY`` are not required yet. A window that begins before the trail
    logged has a first digest that names none before it, which is a fault: let the window begin later. Log files that
    another trail without digests delivers to the same folder are in no digest. Needs ``cloudtrail:ListPublicKeys``,
    ``s3:ListBucket`` and ``s3:GetObject``. Where a listing fails nothing is judged.
    """
    now = now or datetime.now(UTC)
    due = Window(window.since, min(window.until, now - DIGEST_DELAY))
    if due.until <= due.since:
        return VerifiedTrail((), 0, 0, None)
    try:
        keys, pages = _public_keys(connection.client("cloudtrail", store.home_region), due.since - DIGEST_DELAY, now)
        client = connection.client("s3", connection.regions[0])
    except READING_ERRORS as error:
        return VerifiedTrail((), 0, 0, reading_problem(error))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="digests") as pool:
        reading = _Reading(client, store, pool, due, keys, pages=pages)
        verdicts = [verdict for region in store.regions for verdict in _verify_region(reading, region)]
    return VerifiedTrail(tuple(verdicts), reading.pages, reading.items, worst(reading.problems, reading.asked))


def _verify_region(reading: _Reading, region: str) -> list[DigestVerdict]:
    store = reading.store
    digest_keys = _listed(reading, store.folder("CloudTrail-Digest", region), days_of(reading.wide))
    log_keys = _listed(reading, store.folder("CloudTrail", region), days_of(reading.window))
    if digest_keys is None or log_keys is None:
        return []
    digest_keys = [key for key in digest_keys if _is_in(reading.wide, digest_end(key))]
    bodies = reading.each(partial(_read_digest, reading.client, store.bucket), digest_keys)
    digests = [read_digest(stored, reading.keys) for stored in bodies.values() if stored]
    ours = Chain(f"s3://{store.bucket}/{store.folder('CloudTrail-Digest', region)}", region, store.name, store.home_region)
    chain = [digest for digest in digests if digest.chain == ours]
    unread = frozenset(
        f"s3://{store.bucket}/{key}" for key in digest_keys if key not in bodies and chain_of(store.bucket, key) == ours
    )
    elsewhere = {location for digest in digests if digest.chain != ours for location, _ in digest.logs}
    wanted = [key for digest in chain if _overlaps(digest, reading.window) for key in _keys_of(digest, store.bucket)]
    hashes = reading.each(partial(_hash_log, reading.client, store.bucket), dict.fromkeys(wanted))
    listed = {f"s3://{store.bucket}/{key}" for key in log_keys} - elsewhere
    if len(bodies) < len(digest_keys):
        # What an unread digest names is unknown, so that no file can be said to be in none.
        listed = set()
    located = {f"s3://{store.bucket}/{key}": sha256 for key, sha256 in hashes.items()}
    return [
        *judge_chain(ours, chain, unread, reading.window),
        *judge_logs(ours, chain, located, listed, reading.window),
    ]


def _listed(reading: _Reading, folder: str, days: Iterable[Any]) -> list[str] | None:
    listed = list_days(reading.client, reading.store.bucket, folder, days, reading.pool)
    reading.pages += listed.pages
    reading.asked += listed.asked
    reading.problems += [(f"s3://{reading.store.bucket}/{prefix}", problem) for prefix, problem in listed.problems]
    return None if listed.problems else sorted(listed.objects)


def _public_keys(client: Any, since: datetime, until: datetime) -> tuple[dict[str, bytes], int]:
    keys: dict[str, bytes] = {}
    pages = 0
    pager = Pager(client.list_public_keys, {"StartTime": since, "EndTime": until}, "NextToken")
    for page in pager:
        pages += 1
        found = {each["Fingerprint"]: bytes(each["Value"]) for each in page["PublicKeyList"]}
        pager.fruitful = bool(found.keys() - keys.keys())
        keys |= found
    return keys, pages


def _attempt(read: Callable[[str], T], key: str) -> T | Problem:
    try:
        return read(key)
    except READING_ERRORS as error:
        return reading_problem(error)


def _read_digest(client: Any, bucket: str, key: str) -> StoredDigest | None:
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            return None
        raise
    return StoredDigest(bucket, key, answer["Body"].read(), answer["Metadata"])


def _hash_log(client: Any, bucket: str, key: str) -> str | None:
    """Return the SHA-256 of the uncompressed content; empty for what is no single gzip member, None for what is gone."""
    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            return None
        raise
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    sha256 = hashlib.sha256()
    try:
        for chunk in body.iter_chunks(_CHUNK_BYTES):
            while chunk and not inflater.unused_data:
                # By pieces, so that a small file that would grow without end cannot fill the memory.
                sha256.update(inflater.decompress(chunk, _CHUNK_BYTES))
                chunk = inflater.unconsumed_tail
    except zlib.error:
        return ""
    return sha256.hexdigest() if inflater.eof and not inflater.unused_data else ""


def _is_in(window: Window, end: datetime | None) -> bool:
    return end is not None and window.since < end <= window.until


def _overlaps(digest: Digest, window: Window) -> bool:
    return digest.start is not None and digest.start < window.until and digest.end > window.since


def _keys_of(digest: Digest, bucket: str) -> list[str]:
    """Return the keys of a digest's log files. Its bucket is the trail's: one that changed begins another chain."""
    place = f"s3://{bucket}/"
    return [location.removeprefix(place) for location, _ in digest.logs if location.startswith(place)]
