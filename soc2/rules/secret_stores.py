"""Rules on external stores of secrets: what comes from them arrives, and Secrets come from nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.secret_stores import SecretOrigin, SyncedObject

# One refresh may be late, and operators wait longer after each failure.
_LATE_AFTER_INTERVALS = 2
_LEAST = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class NotSynced(Deviation):
    template: ClassVar[str] = "{complaint}"
    complaint: str


@dataclass(frozen=True, kw_only=True)
class RefreshedTooLongAgo(Deviation):
    template: ClassVar[str] = "it says that it is ready, but was refreshed last at {refreshed}; every {interval} is declared"
    refreshed: str
    interval: str


@dataclass(frozen=True, kw_only=True)
class NeverRefreshed(Deviation):
    template: ClassVar[str] = "it is fetched once ({why}), so a value that rotates in the store never arrives"
    why: str


@dataclass(frozen=True, kw_only=True)
class FromNoStore(Deviation):
    template: ClassVar[str] = "it does not come from {store}: {why}"
    store: str
    why: str


def synced(as_of: datetime) -> Callable[[SyncedObject], Iterator[Deviation]]:
    """Return the rule that what fetches secrets from a store says that it does, and did lately."""

    def rule(item: SyncedObject) -> Iterator[Deviation]:
        if item.complaint:
            yield NotSynced(resource=item.resource, complaint=item.complaint)
            return
        if not item.brings_secrets:
            return
        interval = item.interval
        refreshed = item.status.refresh_time if item.status else None
        if interval is None:
            policy = item.spec.refresh_policy if item.spec else ""
            yield NeverRefreshed(resource=item.resource, why=policy or "refreshInterval 0")
        elif refreshed is None or as_of - refreshed > max(interval * _LATE_AFTER_INTERVALS, _LEAST):
            shown = f"{refreshed:%F %H:%M} UTC" if refreshed else "no time"
            yield RefreshedTooLongAgo(resource=item.resource, refreshed=shown, interval=str(interval))

    return rule


def from_store(store: str, exempt: Iterable[str]) -> Callable[[SecretOrigin], Iterator[Deviation]]:
    """Return the rule that a Secret was made by what fetches secrets from the declared store; ``exempt`` are patterns of
    ``namespace/name``."""
    patterns = tuple(exempt)

    def rule(item: SecretOrigin) -> Iterator[Deviation]:
        named = f"{item.secret.namespace}/{item.secret.name}"
        if item.why and not any(fnmatchcase(named, each) for each in patterns):
            yield FromNoStore(resource=item.resource, store=store, why=item.why)

    return rule
