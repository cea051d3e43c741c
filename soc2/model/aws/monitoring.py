"""Trails, logs, alarms and threat detection."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import field

from soc2.model.aws.base import CamelRecord, PascalRecord, aws_resource
from soc2.model.deviation import Resource


class Trail(PascalRecord, frozen=True):
    name: str = ""
    arn: str = field(default="", name="TrailARN")
    home_region: str = ""
    s3_bucket_name: str = field(default="", name="S3BucketName")
    s3_key_prefix: str = field(default="", name="S3KeyPrefix")
    cloud_watch_logs_log_group_arn: str = ""
    is_organization_trail: bool = False
    is_multi_region_trail: bool = False
    log_file_validation_enabled: bool = False

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::CloudTrail::Trail", self.name)


class TrailStatus(PascalRecord, frozen=True):
    """``start_logging_time`` is that of the last start."""

    is_logging: bool = False
    latest_delivery_error: str = ""
    latest_delivery_time: datetime | None = None
    start_logging_time: datetime | None = None


class LogGroup(CamelRecord, frozen=True):
    """``retention_in_days`` is None for a group that keeps its events for ever."""

    log_group_name: str = ""
    retention_in_days: int | None = None
    deletion_protection_enabled: bool = False

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::Logs::LogGroup", self.log_group_name)


class Alarm(PascalRecord, frozen=True):
    alarm_name: str = ""
    actions_enabled: bool = False
    alarm_actions: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::CloudWatch::Alarm", self.alarm_name)


class DetectorId(PascalRecord, frozen=True):
    value: str = ""


class Detector(PascalRecord, frozen=True):
    status: str = ""


class FindingIds(PascalRecord, frozen=True):
    finding_ids: tuple[str, ...] = ()


class FindingService(msgspec.Struct, frozen=True, rename="pascal"):
    archived: bool = False
    event_first_seen: datetime | None = None


class Finding(PascalRecord, frozen=True):
    """A GuardDuty finding; severity from 1.0 to 10.0, 7.0 and above being high (GuardDuty's own scale)."""

    id: str = ""
    type: str = ""
    title: str = ""
    severity: float = 0.0
    created_at: datetime | None = None
    service: FindingService = FindingService()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::GuardDuty::Finding", self.id)
