"""Logs in a bucket: the objects that a window may be in, as they are."""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from soc2.errors import UsageError
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.listing import StoredObject, list_logs
from soc2.gather.logs.readers import READING_ERRORS, Fetched, Window, reading_problem, worst
from soc2.gather.logs.spool import spool_name
from soc2.model.population import Cause, Problem

_AT_ONCE = 8
_ATTEMPTS = 3
_CHUNK_BYTES = 1 << 20
_ID_BYTES = 12
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,8}){1,2}$")
# No clock that stamps records is ahead of that of S3 by more.
_SKEW = timedelta(minutes=15)


@dataclass(frozen=True)
class S3Logs:
    """The objects under a prefix of a bucket.

    ``lateness`` is for layouts without folders by day: how long after a record's time its object may be written.
    ``region`` is that of the bucket; S3 tells where it is if it is another.
    """

    bucket: str
    prefix: str = ""
    region: str = ""
    lateness: timedelta = timedelta(days=1)


class _Cursor(msgspec.Struct):
    seen: dict[str, int] = {}


def fetch_s3(connection: AwsConnection, declared: S3Logs, window: Window, cursor: dict[str, Any], folder: Path) -> Fetched:
    """Download the objects that may hold records of the window and were not given before, compressed ones as they are.

    An object last written before the window began is skipped, and outside of folders by day one written ``lateness``
    after its end. Everything goes to disk by chunks of 1 MiB, whatever its size. Needs ``s3:ListBucket`` and
    ``s3:GetObject`` (and ``kms:Decrypt`` for a bucket under a key of the owner). An object is known again by its key and
    ETag; ids of objects written before the window are forgotten, so a reading of an earlier time gives those again.
    """
    try:
        seen = msgspec.convert(cursor, _Cursor).seen
    except msgspec.ValidationError as error:
        raise UsageError(f"the kept position in {declared.bucket} cannot be read: {error}", "remove it to read anew") from None
    oldest = window.since - _SKEW
    try:
        client = connection.client("s3", declared.region or connection.regions[0])
    except READING_ERRORS as error:
        return Fetched((), cursor, 0, 0, reading_problem(error))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="s3") as pool:
        listed = list_logs(client, declared.bucket, declared.prefix, window, pool)
        wanted = {
            identity: each
            for _, each in sorted(listed.objects.items())
            if each.modified >= oldest and (each.dated or each.modified < window.until + declared.lateness)
            if (identity := _identity(each)) not in seen
        }
        answers = pool.map(lambda each: _download(client, declared.bucket, each, folder), wanted.values())
        files: list[tuple[Path, str]] = []
        problems = [(f"s3://{declared.bucket}/{prefix}", problem) for prefix, problem in listed.problems]
        kept = {identity: time for identity, time in seen.items() if time >= oldest.timestamp()}
        for (identity, each), answer in zip(wanted.items(), answers, strict=True):
            origin = f"s3://{declared.bucket}/{each.key}"
            if isinstance(answer, Problem):
                problems.append((origin, answer))
            else:
                files.append((answer, origin))
                kept[identity] = int(each.modified.timestamp())
    problem = worst(problems, listed.asked + len(wanted))
    return Fetched(tuple(files), {"seen": dict(sorted(kept.items()))}, listed.pages, len(files), problem)


def _identity(stored: StoredObject) -> str:
    return hashlib.blake2b(f"{stored.key}\0{stored.etag}".encode(), digest_size=_ID_BYTES).hexdigest()


def _download(client: Any, bucket: str, stored: StoredObject, folder: Path) -> Path | Problem:
    """Return the file, under its name only once it is whole; a download that breaks off is begun again."""
    suffix = _SUFFIX.search(stored.key)
    path = folder / (spool_name("s3", bucket, stored.etag, stored.key) + (suffix[0] if suffix else ""))
    part = path.with_name(f"{path.name}.part")
    folder.mkdir(parents=True, exist_ok=True)
    problem = Problem(Cause.TRUNCATED, "")
    for _ in range(_ATTEMPTS):
        try:
            body = client.get_object(Bucket=bucket, Key=stored.key)["Body"]
            with part.open("wb") as file:
                for chunk in body.iter_chunks(_CHUNK_BYTES):
                    file.write(chunk)
        except READING_ERRORS as error:
            part.unlink(missing_ok=True)
            problem = reading_problem(error)
            if problem.cause is not Cause.TRUNCATED:
                return problem
            continue
        # Framing and whoever measures delays see when the object was written.
        os.utime(part, (stored.modified.timestamp(), stored.modified.timestamp()))
        return part.rename(path)
    return problem
