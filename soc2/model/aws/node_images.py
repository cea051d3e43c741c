"""How old the images of nodes are, and how far their kubelets are behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from soc2.model.aws.base import CamelRecord, PascalRecord
from soc2.model.aws.compute import Instance
from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Node, ServerVersion

_NODE_GROUP = "eks.amazonaws.com/nodegroup"
_COMPUTE = "eks.amazonaws.com/compute-type"
# The day stands at the end of the versions of Amazon's images, after the version of their kubelet; those of Bottlerocket have
# neither.
_RELEASE = re.compile(r"^(?P<kubelet>\d+\.\d+(?:\.\d+)?)-(?P<year>\d{4})[.-]?(?P<month>\d{2})[.-]?(?P<day>\d{2})$")
_MINOR = re.compile(r"^v?1\.(\d+)\b")


class MachineImage(PascalRecord, frozen=True):
    """An AMI; ``creation_date`` is empty of one that is not there any more."""

    image_id: str = ""
    creation_date: str = ""


class NodeGroupName(CamelRecord, frozen=True):
    value: str = ""


class NodeGroup(CamelRecord, frozen=True):
    nodegroup_name: str = ""
    cluster_name: str = ""
    release_version: str = ""
    version: str = ""


@dataclass(frozen=True)
class NodeImage:
    """A node with when its image was made (None when nothing tells) and what says so, and the minor versions of its kubelet
    and of the API server (None when they are not told)."""

    node: Node
    made: datetime | None
    source: str
    kubelet: int | None
    server: int | None

    @property
    def resource(self) -> Resource:
        return self.node.resource


def node_images(
    nodes: Iterable[Node],
    version: ServerVersion | None,
    instances: Iterable[Instance],
    images: Iterable[MachineImage],
    groups: Iterable[NodeGroup],
    cluster: str,
) -> Iterator[NodeImage]:
    """Join nodes with the AMI of their instance or, where that tells nothing, with the release of their node group. Nodes of
    Fargate are the provider's."""
    of_instance = {each.instance_id: each.image_id for each in instances}
    made = {each.image_id: _time(each.creation_date) for each in images if each.creation_date}
    release = {each.nodegroup_name: each.release_version for each in groups if each.cluster_name in (cluster, "")}
    for node in nodes:
        if node.labels.get(_COMPUTE) == "fargate":
            continue
        image = of_instance.get(node.spec.provider_id.rpartition("/")[2], "")
        group = node.labels.get(_NODE_GROUP, "")
        when, source = made.get(image), f"image {image}"
        if when is None:
            version_of_kubelet = node.status.node_info.kubelet_version
            when = _released(release.get(group, ""), version_of_kubelet)
            source = f"release {release.get(group, '')} of node group {group}"
        kubelet = _MINOR.match(node.status.node_info.kubelet_version)
        server = version.minor_number if version else None
        yield NodeImage(node, when, source if when else "", int(kubelet[1]) if kubelet else None, server)


def _released(text: str, kubelet: str) -> datetime | None:
    """Return the day of a release, None where the node has the kubelet of another one: its group is ahead of it."""
    found = _RELEASE.match(text)
    if not found or not re.match(rf"v?{re.escape(found['kubelet'])}(?!\d)", kubelet):
        return None
    return _time(f"{found['year']}-{found['month']}-{found['day']}T00:00:00Z")


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
