"""What the account is asked about the software of nodes."""

from __future__ import annotations

from soc2.gather.aws.calls import AwsDetail
from soc2.gather.aws.sources import CLUSTER_NAMES, INSTANCES
from soc2.model.aws.node_images import MachineImage, NodeGroup, NodeGroupName

# Instances of the same image need it once.
MACHINE_IMAGES = AwsDetail(
    "images of instances",
    "ec2",
    "describe_images",
    "Images",
    MachineImage,
    INSTANCES,
    lambda instance: instance.image_id,
    lambda instance: (
        {"ImageIds": [instance.image_id], "IncludeDeprecated": True, "IncludeDisabled": True} if instance.image_id else None
    ),
    frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"}),
)
NODE_GROUP_NAMES = AwsDetail(
    "eks node group names",
    "eks",
    "list_nodegroups",
    "nodegroups",
    NodeGroupName,
    CLUSTER_NAMES,
    lambda name: name.value,
    lambda name: {"clusterName": name.value},
)
NODE_GROUPS = AwsDetail(
    "eks node groups",
    "eks",
    "describe_nodegroup",
    "nodegroup",
    NodeGroup,
    NODE_GROUP_NAMES,
    lambda name: name.value,
    lambda name: {"clusterName": name.parent_key, "nodegroupName": name.value},
)
