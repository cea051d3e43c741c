"""The objects of a bucket that a window may be in: of folders by day only the days it touches are listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from soc2.gather.logs.readers import READING_ERRORS, Pager, Window, reading_problem
from soc2.model.population import Problem

# They are about log files, and soc2/gather/logs/digests.py reads them.
_DIGESTS = "/CloudTrail-Digest/"
_YEAR = re.compile(r"/(year=)?\d{4}/$")


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing tells it: size in bytes, ``modified`` in UTC; ``dated`` if it lies in a folder of a day."""

    key: str
    etag: str
    size: int
    modified: datetime
    dated: bool = False


@dataclass
class _Answer:
    prefix: str
    folders: list[str] = field(default_factory=list)
    objects: list[StoredObject] = field(default_factory=list)
    pages: int = 0
    problem: Problem | None = None


@dataclass
class Listed:
    """What was found, with the prefixes that could not be listed to the end, how many were asked, and the pages."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    problems: list[tuple[str, Problem]] = field(default_factory=list)
    asked: int = 0
    pages: int = 0

    def ask(self, pool: Executor, listing: Callable[[str], _Answer], prefixes: Iterable[str]) -> list[str]:
        """Take up the answer for each prefix and return the folders found there."""
        folders = []
        for answer in pool.map(listing, prefixes):
            self.asked += 1
            self.pages += answer.pages
            self.objects.update({each.key: each for each in answer.objects})
            folders += answer.folders
            if answer.problem:
                self.problems.append((answer.prefix, answer.problem))
        return folders


def days_of(window: Window) -> list[date]:
    """Return the days (UTC) that the window touches, and the ones before and after: files come late and are cut oddly."""
    first, last = (
        window.since.date() - timedelta(days=1),
        (window.until - timedelta(microseconds=1)).date() + timedelta(days=1),
    )
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def list_logs(client: Any, bucket: str, prefix: str, window: Window, pool: Executor) -> Listed:
    """List what is under a prefix, ``AWSLogs/`` by its days and everything else whole. Needs ``s3:ListBucket``.

    Known layouts, with ``AWSLogs/`` anywhere in the prefix or directly under it:
    ``AWSLogs/[o-…/]<account>/<service>/<region>/YYYY/MM/DD/`` and
    ``AWSLogs/aws-account-id=…/aws-service=…/aws-region=…/year=YYYY/month=MM/day=DD/``.
    """
    listed = Listed()
    whole = partial(_list, client, bucket, delimiter="")
    level = partial(_list, client, bucket, delimiter="/")
    roots = [prefix]
    if not _is_below_root(prefix):
        folders = listed.ask(pool, level, [prefix])
        if f"{prefix}/" in folders:
            folders += listed.ask(pool, level, [f"{prefix}/"])
        roots = [folder for folder in folders if _is_below_root(folder)]
        if not listed.problems:
            others = [folder for folder in folders if folder not in roots and folder != f"{prefix}/"]
            listed.ask(pool, whole, others if roots else [prefix])
    dated: set[str] = set()
    while roots:
        folders = [folder for folder in listed.ask(pool, level, roots) if not folder.endswith(_DIGESTS)]
        roots = [folder for folder in folders if not _YEAR.search(folder)]
        dated.update(day for folder in folders if _YEAR.search(folder) for day in _days(folder, days_of(window)))
    listed.ask(pool, partial(whole, dated=True), sorted(dated))
    return listed


def list_days(client: Any, bucket: str, prefix: str, days: Iterable[date], pool: Executor) -> Listed:
    """List ``<prefix>YYYY/MM/DD/`` of each day. Needs ``s3:ListBucket``."""
    listed = Listed()
    folders = [f"{prefix}{day:%Y/%m/%d}/" for day in days]
    listed.ask(pool, partial(_list, client, bucket, delimiter="", dated=True), folders)
    return listed


def _is_below_root(prefix: str) -> bool:
    return "/AWSLogs/" in f"/{prefix}"


def _days(year: str, days: Iterable[date]) -> list[str]:
    """Return the folders of the days, beside a folder of any year."""
    parent = year.rstrip("/").rpartition("/")[0]
    form = "year=%Y/month=%m/day=%d" if "year=" in year else "%Y/%m/%d"
    return [f"{parent}/{day.strftime(form)}/" for day in days]


def _list(client: Any, bucket: str, prefix: str, delimiter: str, dated: bool = False) -> _Answer:
    answer = _Answer(prefix)
    parameters = {"Bucket": bucket, "Prefix": prefix, **({"Delimiter": delimiter} if delimiter else {})}
    try:
        pager = Pager(client.list_objects_v2, parameters, "ContinuationToken", "NextContinuationToken")
        for page in pager:
            answer.pages += 1
            folders = [each["Prefix"] for each in page.get("CommonPrefixes", ())]
            found = [each for each in page.get("Contents", ()) if each["Size"] and not each["Key"].endswith("/")]
            pager.fruitful = bool(folders or found)
            answer.folders += folders
            answer.objects += [
                StoredObject(each["Key"], each["ETag"], each["Size"], each["LastModified"], dated) for each in found
            ]
    except READING_ERRORS as error:
        answer.problem = reading_problem(error)
    return answer
