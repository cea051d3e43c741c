"""Rules on the stores of logs: what is in them stays, and can be proved to be what was delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.aws.base import aws_resource
from soc2.model.aws.log_stores import KeptBucket
from soc2.model.aws.monitoring import LogGroup
from soc2.model.aws.storage import LifecycleRule
from soc2.model.deviation import Deviation
from soc2.model.digests import DigestVerdict


@dataclass(frozen=True, kw_only=True)
class Deletable(Deviation):
    template: ClassVar[str] = "its logs can be deleted at any time: {why}"
    why: str


@dataclass(frozen=True, kw_only=True)
class LockTooShort(Deviation):
    template: ClassVar[str] = "its objects are locked for {days} days, at least {wanted} are wanted"
    days: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class LockCanBeLifted(Deviation):
    template: ClassVar[str] = "its lock is in mode {mode}: whoever may bypass that can delete logs before their time"
    mode: str


@dataclass(frozen=True, kw_only=True)
class ExpiresTooSoon(Deviation):
    template: ClassVar[str] = "lifecycle rule {rule} removes logs {when}, after at least {wanted} days is wanted"
    rule: str
    when: str
    wanted: int


@dataclass(frozen=True, kw_only=True)
class ChainBroken(Deviation):
    template: ClassVar[str] = "{what} {object} {fault}{time}"
    what: str
    object: str
    fault: str
    time: str


def locked(wanted_days: int) -> Callable[[KeptBucket | LogGroup], Iterator[Deviation]]:
    """Return the rule that nobody can delete a store's logs before ``wanted_days``. How long a log group keeps its events
    is judged by ``log-groups-retained``."""

    def rule(store: KeptBucket | LogGroup) -> Iterator[Deviation]:
        if isinstance(store, LogGroup):
            if not store.deletion_protection_enabled:
                yield Deletable(resource=store.resource, why="the log group has no deletion protection")
            return
        if store.versioning.status != "Enabled":
            yield Deletable(resource=store.resource, why="the bucket keeps no versions")
        if not store.lock.mode:
            yield Deletable(resource=store.resource, why="the bucket has no Object Lock with a default retention")
        else:
            if store.lock.days < wanted_days:
                yield LockTooShort(resource=store.resource, days=store.lock.days, wanted=wanted_days)
            if store.lock.mode != "COMPLIANCE":
                yield LockCanBeLifted(resource=store.resource, mode=store.lock.mode)
        for each in store.lifecycle.rules:
            if each.status == "Enabled" and not each.tagged_only and _concerns(each, store.bucket.prefixes):
                yield from _too_soon(store, each, wanted_days)

    return rule


def _concerns(rule: LifecycleRule, prefixes: tuple[str, ...]) -> bool:
    mine = rule.any_prefix
    return any(mine.startswith(prefix) or prefix.startswith(mine) for prefix in prefixes)


def _too_soon(store: KeptBucket, rule: LifecycleRule, wanted: int) -> Iterator[Deviation]:
    days, date = rule.expiration.days, rule.expiration.date
    noncurrent = rule.noncurrent_version_expiration.noncurrent_days
    found = [
        f"after {days} days" if days is not None and days < wanted else "",
        f"on {date:%Y-%m-%d}, whatever their age" if date is not None else "",
        # A version is noncurrent from when it is deleted or replaced, which for a log may be at once.
        f"{noncurrent} days after they were deleted or replaced" if noncurrent is not None and noncurrent < wanted else "",
    ]
    for when in filter(None, found):
        yield ExpiresTooSoon(resource=store.resource, rule=rule.id or "without a name", when=when, wanted=wanted)


def chain_unbroken(verdict: DigestVerdict) -> Iterator[Deviation]:
    """The digest or log file is what CloudTrail delivered."""
    if verdict.fault is not None:
        ends = [f"{end:%FT%TZ}" for end in (verdict.since, verdict.until) if end]
        yield ChainBroken(
            resource=aws_resource("AWS::CloudTrail::Trail", verdict.trail),
            what=verdict.what,
            object=verdict.object,
            fault=str(verdict.fault),
            time=f" ({' to '.join(ends)})" if ends else "",
        )
