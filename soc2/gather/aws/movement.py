"""The AWS operations that tell where data of an account goes."""

from __future__ import annotations

from soc2.gather.aws.calls import AwsDetail, AwsList
from soc2.gather.aws.sources import ANALYZERS, BUCKETS
from soc2.model.aws import movement

BUCKET_LOCATIONS = AwsDetail(
    "bucket locations",
    "s3",
    "get_bucket_location",
    "",
    movement.BucketLocation,
    BUCKETS,
    lambda each: each.name,
    lambda each: {"Bucket": each.name},
)
BUCKET_REPLICATION = AwsDetail(
    "bucket replication",
    "s3",
    "get_bucket_replication",
    "ReplicationConfiguration",
    movement.BucketReplication,
    BUCKETS,
    lambda each: each.name,
    lambda each: {"Bucket": each.name},
    frozenset({"ReplicationConfigurationNotFoundError"}),
)
SYNC_TASKS = AwsList("datasync tasks", "datasync", "list_tasks", "Tasks", movement.SyncTaskName)
SYNC_TASK_DETAILS = AwsDetail(
    "datasync task details",
    "datasync",
    "describe_task",
    "",
    movement.SyncTask,
    SYNC_TASKS,
    lambda each: each.arn,
    lambda each: {"TaskArn": each.arn},
)
SYNC_LOCATIONS = AwsList("datasync locations", "datasync", "list_locations", "Locations", movement.SyncLocation)
MIGRATION_ENDPOINTS = AwsList("migration endpoints", "dms", "describe_endpoints", "Endpoints", movement.MigrationEndpoint)
BACKUP_VAULTS = AwsList("backup vaults", "backup", "list_backup_vaults", "BackupVaultList", movement.BackupVault)
RECOVERY_POINTS = AwsDetail(
    "recovery points",
    "backup",
    "list_recovery_points_by_backup_vault",
    "RecoveryPoints",
    movement.RecoveryPoint,
    BACKUP_VAULTS,
    lambda each: each.name,
    lambda each: {"BackupVaultName": each.name},
)
EXTERNAL_FINDINGS = AwsDetail(
    "external access findings",
    "accessanalyzer",
    "list_findings_v2",
    "findings",
    movement.ExternalFinding,
    ANALYZERS,
    lambda analyzer: analyzer.arn,
    lambda analyzer: (
        {"analyzerArn": analyzer.arn, "filter": {"status": {"eq": ["ACTIVE"]}}} if analyzer.finds_external_access else None
    ),
)
SHARE_PRINCIPALS = AwsList(
    "principals of resource shares",
    "ram",
    "get_resource_share_associations",
    "resourceShareAssociations",
    movement.SharePrincipal,
    parameters={"associationType": "PRINCIPAL"},
)
VPC_ENDPOINTS = AwsList("vpc endpoints", "ec2", "describe_vpc_endpoints", "VpcEndpoints", movement.VpcEndpoint)
