"""Verifies a trail's chain of digests from bytes and keys alone, as AWS documents it for implementations of one's own.

A digest's signature (RSA, PKCS #1 v1.5, SHA-256; hexadecimal in the object's metadata) is over four lines: its end time,
``bucket/key``, the SHA-256 of its uncompressed content, and the signature of the digest before it or ``null``. Hashes of
log files are of their uncompressed content too. Source: AWS CloudTrail user guide, "Custom implementations of CloudTrail
log file integrity validation".
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from soc2.gather.logs.readers import Window
from soc2.model.digests import DigestFault, DigestVerdict

_DIGEST_NAME = re.compile(
    r"^(?P<folder>.*/CloudTrail-Digest/(?P<region>[a-z0-9-]+)/)\d{4}/\d\d/\d\d/\d+_CloudTrail-Digest_[a-z0-9-]+_"
    r"(?P<trail>.+)_(?P<home>[a-z0-9-]+)_(?P<end>\d{8}T\d{6}Z)(?P<backfill>_backfill)?\.json\.gz$"
)
_LOG_TIME = re.compile(r"_(\d{8}T\d{4}Z)_[^/]*$")
_LARGEST_DIGEST = 1 << 28
_ALGORITHM = "SHA256withRSA"
# A log file's name has the minute of its delivery, and which of two digests takes it up is not exact.
_NAME_MARGIN = timedelta(minutes=15)


@dataclass(frozen=True)
class StoredDigest:
    """A digest object: its bytes as stored, and its user metadata (names in lower case)."""

    bucket: str
    key: str
    body: bytes
    metadata: Mapping[str, str]


@dataclass(frozen=True, order=True)
class Chain:
    """Digests that follow one another: those of one trail (by name and home region) in one region and bucket folder."""

    folder: str
    region: str
    trail: str
    home: str


@dataclass(frozen=True)
class Digest:
    """A digest that was read. With a ``fault`` only location, chain and end are to be relied on: they are its name's.

    ``logs`` are (location, SHA-256 of the uncompressed content); locations are ``s3://bucket/key``.
    """

    location: str
    chain: Chain
    end: datetime
    backfill: bool
    fault: DigestFault | None = None
    start: datetime | None = None
    sha256: str = ""
    signature: str = ""
    previous: str | None = None
    previous_sha256: str | None = None
    previous_signature: str | None = None
    logs: tuple[tuple[str, str], ...] = ()

    @property
    def verdict(self) -> DigestVerdict:
        return _verdict(self.chain, self.location, self.start, self.end, self.fault)


class _LogFile(msgspec.Struct, rename="camel"):
    s3_bucket: str
    s3_object: str
    hash_value: str
    hash_algorithm: str


class _Content(msgspec.Struct, rename="camel"):
    digest_start_time: str
    digest_end_time: str
    digest_s3_bucket: str
    digest_s3_object: str
    digest_public_key_fingerprint: str
    digest_signature_algorithm: str
    previous_digest_s3_bucket: str | None
    previous_digest_s3_object: str | None
    previous_digest_hash_value: str | None
    previous_digest_signature: str | None
    log_files: list[_LogFile]


def chain_of(bucket: str, key: str) -> Chain | None:
    """Return the chain that a digest's key belongs to; None for a key that is no digest's."""
    name = _DIGEST_NAME.match(key)
    return Chain(f"s3://{bucket}/{name['folder']}", name["region"], name["trail"], name["home"]) if name else None


def digest_end(key: str) -> datetime | None:
    """Return the end of the time that a digest covers, as its key tells it."""
    name = _DIGEST_NAME.match(key)
    return datetime.strptime(name["end"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if name else None


def inflate(body: bytes) -> bytes | None:
    """Return the content of one gzip member; None when it is broken, too large, or when anything follows it."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        content = inflater.decompress(body, _LARGEST_DIGEST)
    except zlib.error:
        return None
    return content if inflater.eof and not inflater.unused_data else None


def read_digest(stored: StoredDigest, keys: Mapping[str, bytes]) -> Digest:
    """Read a digest and judge its signature; ``keys`` are the published ones, PKCS #1 in DER by fingerprint."""
    chain, end = chain_of(stored.bucket, stored.key), digest_end(stored.key)
    if chain is None or end is None:
        raise ValueError(f"no digest's key: {stored.key}")
    digest = Digest(f"s3://{stored.bucket}/{stored.key}", chain, end, "_backfill.json.gz" in stored.key)
    inflated = inflate(stored.body)
    try:
        content = msgspec.json.decode(inflated or b"", type=_Content)
        start, told_end = _time(content.digest_start_time), _time(content.digest_end_time)
    except (msgspec.DecodeError, ValueError):
        return replace(digest, fault=DigestFault.UNREADABLE)
    sha256 = hashlib.sha256(inflated or b"").hexdigest()
    fault = _fault(stored, content, sha256, keys)
    if fault:
        return replace(digest, fault=fault)
    named = content.previous_digest_s3_bucket and content.previous_digest_s3_object
    return replace(
        digest,
        start=start,
        end=told_end,
        sha256=sha256,
        signature=stored.metadata["signature"],
        previous=f"s3://{content.previous_digest_s3_bucket}/{content.previous_digest_s3_object}" if named else None,
        previous_sha256=content.previous_digest_hash_value,
        previous_signature=content.previous_digest_signature,
        logs=tuple((f"s3://{each.s3_bucket}/{each.s3_object}", each.hash_value) for each in content.log_files),
    )


def judge_chain(chain: Chain, digests: Iterable[Digest], unread: frozenset[str], window: Window) -> list[DigestVerdict]:
    """Judge each digest of a chain and how they follow one another.

    ``unread`` are digests of the chain that are there but could not be read: nothing is said of them. The digests have
    to reach from the window's beginning to its end, so a caller leaves out of the window what is not due yet.
    """
    ordered = sorted(digests, key=lambda digest: (digest.end, digest.location))
    regular = [digest for digest in ordered if not digest.backfill]
    by_location = {digest.location: digest for digest in ordered}
    faults: dict[str, DigestFault | None] = {digest.location: digest.fault for digest in ordered}
    missing: list[DigestVerdict] = []

    def blame(location: str, fault: DigestFault) -> None:
        faults[location] = faults[location] or fault

    for number, digest in enumerate(regular):
        if digest.fault or digest.start is None:
            continue
        before = by_location.get(digest.previous or "")
        if before and not before.fault:
            if (before.sha256, before.signature) != (digest.previous_sha256, digest.previous_signature):
                blame(before.location, DigestFault.REPLACED)
            if before.end != digest.start:
                blame(digest.location, DigestFault.GAP)
            if number and regular[number - 1].location != before.location:
                blame(regular[number - 1].location, DigestFault.SKIPPED)
        elif before or digest.previous in unread or digest.start <= window.since:
            continue
        elif digest.previous is None:
            blame(digest.location, DigestFault.FIRST)
        elif not digest.previous.startswith(f"{chain.folder.split('/AWSLogs/')[0]}/"):
            blame(digest.location, DigestFault.ELSEWHERE)
        else:
            since = regular[number - 1].end if number else None
            missing.append(_verdict(chain, digest.previous, since, digest.start, DigestFault.DELETED))
    ends = [digest.end for digest in regular] + [end for location in unread if (end := digest_end(location))]
    last = max(ends, default=window.since)
    if last < window.until:
        missing.append(_verdict(chain, chain.folder, last, window.until, DigestFault.NONE))
    return [replace(digest, fault=faults[digest.location]).verdict for digest in ordered] + missing


def judge_logs(
    chain: Chain, digests: Iterable[Digest], hashes: Mapping[str, str | None], listed: Iterable[str], window: Window
) -> list[DigestVerdict]:
    """Judge the log files that the genuine digests of a chain name, and those that were found without being named.

    ``hashes`` are the SHA-256 of a file's uncompressed content by location, empty when it cannot be uncompressed and
    None when it is gone; of a file without an entry nothing is said. ``listed`` are the files found, without those that
    another chain names. Where digests are missing or false, nothing tells which files belong.
    """
    genuine = [digest for digest in digests if not digest.fault and digest.start is not None]
    named = dict(each for digest in genuine for each in digest.logs)
    verdicts = []
    for location in sorted(named.keys() & hashes.keys()):
        found = hashes[location]
        same = found == named[location]
        fault = DigestFault.DELETED if found is None else None if same else DigestFault.CHANGED
        verdicts.append(_verdict(chain, location, None, None, fault, "log file"))
    covered = _merged((digest.start, digest.end) for digest in genuine if digest.start and not digest.backfill)
    for location in sorted(set(listed) - named.keys()):
        if _is_proved(location, covered, window):
            verdicts.append(_verdict(chain, location, None, None, DigestFault.ADDED, "log file"))
    return verdicts


def _fault(stored: StoredDigest, content: _Content, sha256: str, keys: Mapping[str, bytes]) -> DigestFault | None:
    if not stored.metadata.get("signature"):
        return DigestFault.UNSIGNED
    if (content.digest_s3_bucket, content.digest_s3_object) != (stored.bucket, stored.key):
        return DigestFault.MOVED
    if content.digest_public_key_fingerprint not in keys:
        return DigestFault.KEY_UNKNOWN
    place = f"{content.digest_s3_bucket}/{content.digest_s3_object}"
    signed = "\n".join((content.digest_end_time, place, sha256, content.previous_digest_signature or "null"))
    try:
        key = load_der_public_key(keys[content.digest_public_key_fingerprint])
        if not isinstance(key, RSAPublicKey):
            return DigestFault.KEY_UNKNOWN
        key.verify(bytes.fromhex(stored.metadata["signature"]), signed.encode(), padding.PKCS1v15(), SHA256())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return DigestFault.BAD_SIGNATURE
    algorithms = {content.digest_signature_algorithm, stored.metadata.get("signature-algorithm", _ALGORITHM)}
    hashes = {each.hash_algorithm for each in content.log_files}
    return None if algorithms == {_ALGORITHM} and hashes <= {"SHA-256"} else DigestFault.UNREADABLE


def _is_proved(location: str, covered: list[tuple[datetime, datetime]], window: Window) -> bool:
    """Return whether digests would name a file if it were genuine. One with a name of another form never is."""
    name = _LOG_TIME.search(location)
    if not name:
        return bool(covered)
    time = datetime.strptime(name[1], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
    inside = any(start + _NAME_MARGIN <= time < end - _NAME_MARGIN for start, end in covered)
    return inside and window.since <= time < window.until


def _merged(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _verdict(
    chain: Chain,
    location: str,
    since: datetime | None,
    until: datetime | None,
    fault: DigestFault | None,
    what: str = "digest",
) -> DigestVerdict:
    return DigestVerdict(
        trail=chain.trail, region=chain.region, what=what, object=location, since=since, until=until, fault=fault
    )
