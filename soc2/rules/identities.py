"""Rules on the identities of an AWS account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from soc2.model.aws.compute import AccessEntry
from soc2.model.aws.iam import AccessFinding, AccountSummary, Credentials, Principal
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Deviation


@dataclass(frozen=True, kw_only=True)
class RootUnprotected(Deviation):
    template: ClassVar[str] = "the root user {problem}"
    problem: str


@dataclass(frozen=True, kw_only=True)
class NoMfa(Deviation):
    template: ClassVar[str] = "a console password without a second factor"


@dataclass(frozen=True, kw_only=True)
class OldKey(Deviation):
    template: ClassVar[str] = "access key {number} is {age_days} days old, the limit is {limit_days}"
    number: int
    age_days: int
    limit_days: int


@dataclass(frozen=True, kw_only=True)
class Dormant(Deviation):
    template: ClassVar[str] = "{credential} is enabled and was not used for {unused_days} days, the limit is {limit_days}"
    credential: str
    unused_days: int
    limit_days: int


@dataclass(frozen=True, kw_only=True)
class FullAdmin(Deviation):
    template: ClassVar[str] = "policy {policy} allows every action on every resource"
    policy: str


@dataclass(frozen=True, kw_only=True)
class UnknownEntry(Deviation):
    template: ClassVar[str] = "it may enter cluster {cluster} and is not declared"
    cluster: str


@dataclass(frozen=True, kw_only=True)
class UnusedRole(Deviation):
    template: ClassVar[str] = "nobody used the role for {unused_days} days, the limit is {limit_days}"
    unused_days: int
    limit_days: int


@dataclass(frozen=True, kw_only=True)
class UnusedAccess(Deviation):
    template: ClassVar[str] = "{finding_type} (finding {finding}) is open for {age_days} days, the limit is {limit_days}"
    finding: str
    finding_type: str
    age_days: int
    limit_days: int


def root_protected(summary: AccountSummary) -> Iterator[Deviation]:
    """The root user has a second factor and no access keys."""
    if summary.summary_map.get("AccountMFAEnabled") != 1:
        yield RootUnprotected(resource=summary.resource, problem="has no second factor")
    if summary.summary_map.get("AccountAccessKeysPresent") != 0:
        yield RootUnprotected(resource=summary.resource, problem="has access keys")


def has_mfa(user: Credentials) -> Iterator[Deviation]:
    """Whoever has a console password has a second factor."""
    if user.password_enabled and not user.mfa_active:
        yield NoMfa(resource=user.resource)


def keys_rotated(limit_days: int, as_of: datetime) -> Callable[[Credentials], Iterator[Deviation]]:
    """Return the rule that active access keys are not older than the limit."""

    def rule(user: Credentials) -> Iterator[Deviation]:
        for key in user.keys:
            age = (as_of - (key.rotated or user.created or as_of)).days
            if key.active and age > limit_days:
                yield OldKey(resource=user.resource, number=key.number, age_days=age, limit_days=limit_days)

    return rule


def not_dormant(limit_days: int, as_of: datetime) -> Callable[[Credentials], Iterator[Deviation]]:
    """Return the rule that enabled credentials were used, or made, within the limit."""

    def rule(user: Credentials) -> Iterator[Deviation]:
        enabled: list[tuple[str, datetime | None]] = []
        if user.password_enabled:
            enabled.append(("the password", user.password_last_used or user.created))
        enabled += [(f"access key {key.number}", key.last_used or key.rotated) for key in user.keys if key.active]
        for credential, used in enabled:
            unused = (as_of - used).days if used else 0
            if unused > limit_days:
                yield Dormant(resource=user.resource, credential=credential, unused_days=unused, limit_days=limit_days)

    return rule


def role_used(limit_days: int, as_of: datetime) -> Callable[[Principal], Iterator[Deviation]]:
    """Return the rule that roles were used, or made, within the limit. IAM remembers the last use for 400 days."""

    def rule(role: Principal) -> Iterator[Deviation]:
        last = role.role_last_used.last_used_date or role.create_date
        unused = (as_of - last).days if last else 0
        if unused > limit_days:
            yield UnusedRole(resource=role.resource, unused_days=unused, limit_days=limit_days)

    return rule


def unused_access_resolved(limit_days: int, as_of: datetime) -> Callable[[AccessFinding], Iterator[Deviation]]:
    """Return the rule that findings of unused access are resolved or archived within the limit."""

    def rule(finding: AccessFinding) -> Iterator[Deviation]:
        age = (as_of - (finding.created_at or as_of)).days
        if age > limit_days:
            yield UnusedAccess(
                resource=finding.resource,
                finding=finding.id,
                finding_type=finding.finding_type,
                age_days=age,
                limit_days=limit_days,
            )

    return rule


def no_full_admin(declared: Iterable[str]) -> Callable[[PrincipalPolicies], Iterator[Deviation]]:
    """Return the rule that only declared principals (by name pattern) may do everything."""
    patterns = tuple(declared)

    def rule(record: PrincipalPolicies) -> Iterator[Deviation]:
        if any(fnmatchcase(record.principal.name, pattern) for pattern in patterns):
            return
        for policy, document in record.documents:
            if any(_allows_everything(statement) for statement in _as_list((document or {}).get("Statement"))):
                yield FullAdmin(resource=record.resource, policy=policy)

    return rule


def entry_known(declared: Iterable[str]) -> Callable[[AccessEntry], Iterator[Deviation]]:
    """Return the rule that only declared principals (patterns over ARNs) may enter a cluster."""
    patterns = tuple(declared)

    def rule(entry: AccessEntry) -> Iterator[Deviation]:
        if not any(fnmatchcase(entry.value, pattern) for pattern in patterns):
            yield UnknownEntry(resource=entry.resource, cluster=entry.parent_key)

    return rule


def _allows_everything(statement: dict[str, Any]) -> bool:
    actions, resources = _as_list(statement.get("Action")), _as_list(statement.get("Resource"))
    # "NotAction" with few entries allows nearly everything too.
    every_action = any(action in ("*", "*:*") for action in actions) or "NotAction" in statement
    return statement.get("Effect") == "Allow" and every_action and "*" in resources


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
