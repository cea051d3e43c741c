"""Rules on trails, logs, alarms and threat detection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from soc2.model.aws.joins import AccountTrails, WatchedRegion
from soc2.model.aws.monitoring import Alarm, Finding, LogGroup, Trail
from soc2.model.deviation import Deviation


@dataclass(frozen=True, kw_only=True)
class NoTrail(Deviation):
    template: ClassVar[str] = "no trail records every region and delivers ({found})"
    found: str


@dataclass(frozen=True, kw_only=True)
class TrailUnvalidated(Deviation):
    template: ClassVar[str] = "its log files carry no digests, so changing them leaves no trace"


@dataclass(frozen=True, kw_only=True)
class RetentionTooShort(Deviation):
    template: ClassVar[str] = "events are kept {days} days, at least {wanted} are wanted"
    days: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class AlarmMute(Deviation):
    template: ClassVar[str] = "{why}: nobody would hear of it"
    why: str


@dataclass(frozen=True, kw_only=True)
class NotWatched(Deviation):
    template: ClassVar[str] = "threat detection is {found}"
    found: str


@dataclass(frozen=True, kw_only=True)
class NotTriaged(Deviation):
    template: ClassVar[str] = "{type} of severity {severity} is open for {days} days, the limit is {limit_days}"
    type: str
    severity: float
    days: int
    limit_days: int


def trail_logging(record: AccountTrails) -> Iterator[Deviation]:
    """At least one trail records all regions, is logging, and delivers without error."""
    good = [
        trail
        for trail, status in record.trails
        if trail.is_multi_region_trail and status.is_logging and not status.latest_delivery_error
    ]
    if not good:
        found = ", ".join(
            f"{trail.name}: {'logging' if status.is_logging else 'stopped'}"
            + ("" if trail.is_multi_region_trail else ", one region only")
            + (f", delivery fails with {status.latest_delivery_error}" if status.latest_delivery_error else "")
            for trail, status in record.trails
        )
        yield NoTrail(resource=record.resource, found=found or "there is no trail")


def trail_validated(trail: Trail) -> Iterator[Deviation]:
    """The trail's files can be proved unchanged."""
    if not trail.log_file_validation_enabled:
        yield TrailUnvalidated(resource=trail.resource)


def retained(wanted_days: int) -> Callable[[LogGroup], Iterator[Deviation]]:
    """Return the rule that a log group keeps its events long enough; one without a limit keeps them for ever."""

    def rule(group: LogGroup) -> Iterator[Deviation]:
        days = group.retention_in_days
        if days is not None and days < wanted_days:
            yield RetentionTooShort(resource=group.resource, days=days, wanted=wanted_days)

    return rule


def armed(alarm: Alarm) -> Iterator[Deviation]:
    """The alarm tells somebody."""
    if not alarm.actions_enabled:
        yield AlarmMute(resource=alarm.resource, why="its actions are switched off")
    elif not alarm.alarm_actions:
        yield AlarmMute(resource=alarm.resource, why="it has no action")


def region_watched(record: WatchedRegion) -> Iterator[Deviation]:
    """Threat detection is on in the region."""
    if "ENABLED" not in record.statuses:
        yield NotWatched(resource=record.resource, found=", ".join(record.statuses).lower() or "not set up")


def triaged(limit_days: int, as_of: datetime) -> Callable[[Finding], Iterator[Deviation]]:
    """Return the rule that a finding is archived (dealt with) within the limit."""

    def rule(finding: Finding) -> Iterator[Deviation]:
        days = (as_of - finding.created_at).days if finding.created_at else 0
        if not finding.service.archived and days > limit_days:
            yield NotTriaged(
                resource=finding.resource,
                type=finding.type,
                severity=finding.severity,
                days=days,
                limit_days=limit_days,
            )

    return rule
