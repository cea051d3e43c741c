"""Copies of data, and with whom an account shares them: snapshots of volumes and databases, and images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from msgspec import field

from soc2.model.aws.base import PascalRecord, aws_resource
from soc2.model.deviation import Resource

EVERYBODY = "all"
"""What EC2 and RDS call everybody."""


class VolumeSnapshot(PascalRecord, frozen=True):
    snapshot_id: str = ""


class Image(PascalRecord, frozen=True):
    image_id: str = ""


class Permission(msgspec.Struct, frozen=True, rename="pascal"):
    """Whom a snapshot or an image is shared with: one of these."""

    group: str = ""
    user_id: str = ""
    organization_arn: str = ""
    organizational_unit_arn: str = ""

    @property
    def whom(self) -> str:
        return self.group or self.user_id or self.organization_arn or self.organizational_unit_arn or "somebody not told"


class VolumeSnapshotSharing(PascalRecord, frozen=True):
    permissions: tuple[Permission, ...] = field(default=(), name="CreateVolumePermissions")


class ImageSharing(PascalRecord, frozen=True):
    permissions: tuple[Permission, ...] = field(default=(), name="LaunchPermissions")


class ClusterSnapshot(PascalRecord, frozen=True):
    identifier: str = field(default="", name="DBClusterSnapshotIdentifier")


class Attribute(msgspec.Struct, frozen=True, rename="pascal"):
    attribute_name: str = ""
    attribute_values: tuple[str, ...] = ()


class DbSnapshotSharing(PascalRecord, frozen=True):
    attributes: tuple[Attribute, ...] = field(default=(), name="DBSnapshotAttributes")


class ClusterSnapshotSharing(PascalRecord, frozen=True):
    attributes: tuple[Attribute, ...] = field(default=(), name="DBClusterSnapshotAttributes")


@dataclass(frozen=True)
class SharedCopy:
    """A copy of data, with the accounts, organizations or groups that may restore it."""

    resource: Resource
    shared_with: tuple[str, ...]


def shared_copies(
    snapshots: Iterable[VolumeSnapshotSharing],
    images: Iterable[ImageSharing],
    db_snapshots: Iterable[DbSnapshotSharing],
    cluster_snapshots: Iterable[ClusterSnapshotSharing],
) -> Iterator[SharedCopy]:
    """Yield every copy; one that is gone by now, and so has no answer, is left out."""
    for kind, shared in (("AWS::EC2::Snapshot", snapshots), ("AWS::EC2::Image", images)):
        for each in shared:
            if each.configured:
                yield SharedCopy(aws_resource(kind, each.parent_key), tuple(one.whom for one in each.permissions))
    for kind, restorable in (("AWS::RDS::DBSnapshot", db_snapshots), ("AWS::RDS::DBClusterSnapshot", cluster_snapshots)):
        for every in restorable:
            if every.configured:
                found = (
                    value for one in every.attributes if one.attribute_name == "restore" for value in one.attribute_values
                )
                yield SharedCopy(aws_resource(kind, every.parent_key), tuple(found))
