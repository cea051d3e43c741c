"""The AWS operations that tell with whom copies of data are shared. EC2 and RDS tell it of one copy at a time."""

from __future__ import annotations

from soc2.gather.aws.calls import AwsDetail, AwsList
from soc2.gather.aws.sources import DB_SNAPSHOTS
from soc2.model.aws import copies

VOLUME_SNAPSHOTS = AwsList(
    "snapshots", "ec2", "describe_snapshots", "Snapshots", copies.VolumeSnapshot, parameters={"OwnerIds": ["self"]}
)
SNAPSHOT_SHARING = AwsDetail(
    "sharing of snapshots",
    "ec2",
    "describe_snapshot_attribute",
    "",
    copies.VolumeSnapshotSharing,
    VOLUME_SNAPSHOTS,
    lambda each: each.snapshot_id,
    lambda each: {"SnapshotId": each.snapshot_id, "Attribute": "createVolumePermission"},
    frozenset({"InvalidSnapshot.NotFound"}),
)
IMAGES = AwsList(
    "images",
    "ec2",
    "describe_images",
    "Images",
    copies.Image,
    parameters={"Owners": ["self"], "IncludeDeprecated": True, "IncludeDisabled": True},
)
IMAGE_SHARING = AwsDetail(
    "sharing of images",
    "ec2",
    "describe_image_attribute",
    "",
    copies.ImageSharing,
    IMAGES,
    lambda each: each.image_id,
    lambda each: {"ImageId": each.image_id, "Attribute": "launchPermission"},
    frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"}),
)
DB_SNAPSHOT_SHARING = AwsDetail(
    "sharing of db snapshots",
    "rds",
    "describe_db_snapshot_attributes",
    "DBSnapshotAttributesResult",
    copies.DbSnapshotSharing,
    DB_SNAPSHOTS,
    lambda each: each.identifier,
    lambda each: {"DBSnapshotIdentifier": each.identifier},
    frozenset({"DBSnapshotNotFound"}),
)
CLUSTER_SNAPSHOTS = AwsList(
    "db cluster snapshots",
    "rds",
    "describe_db_cluster_snapshots",
    "DBClusterSnapshots",
    copies.ClusterSnapshot,
    parameters={"SnapshotType": "manual"},
)
CLUSTER_SNAPSHOT_SHARING = AwsDetail(
    "sharing of db cluster snapshots",
    "rds",
    "describe_db_cluster_snapshot_attributes",
    "DBClusterSnapshotAttributesResult",
    copies.ClusterSnapshotSharing,
    CLUSTER_SNAPSHOTS,
    lambda each: each.identifier,
    lambda each: {"DBClusterSnapshotIdentifier": each.identifier},
    frozenset({"DBClusterSnapshotNotFoundFault"}),
)
SHARING = (SNAPSHOT_SHARING, IMAGE_SHARING, DB_SNAPSHOT_SHARING, CLUSTER_SNAPSHOT_SHARING)
"""In the order in which ``shared_copies`` takes them."""
