"""Namespaces, nodes, configuration and storage."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from soc2.model.fingerprint import EncodedLiterals, Literals
from soc2.model.kubernetes.meta import KubeObject, Record


class ServerVersion(Record, frozen=True):
    """The version of an API server; ``minor`` may have a suffix (``31+``)."""

    minor: str = ""
    git_version: str = ""

    @property
    def minor_number(self) -> int | None:
        digits = "".join(character for character in self.minor if character.isdigit())
        return int(digits) if digits else None


class NamespaceStatus(Record, frozen=True):
    phase: str = ""


class Namespace(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Namespace"

    status: NamespaceStatus = NamespaceStatus()


class Taint(Record, frozen=True):
    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(Record, frozen=True):
    provider_id: str = field(default="", name="providerID")
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeInfo(Record, frozen=True):
    kubelet_version: str = ""
    os_image: str = ""
    kernel_version: str = ""
    container_runtime_version: str = ""
    operating_system: str = ""
    architecture: str = ""


class NodeAddress(Record, frozen=True):
    type: str = ""
    address: str = ""


class NodeCondition(Record, frozen=True):
    type: str = ""
    status: str = ""


class NodeStatus(Record, frozen=True):
    node_info: NodeInfo = NodeInfo()
    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[NodeCondition, ...] = ()
    allocatable: dict[str, str] | None = None


class Node(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Node"

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def zone(self) -> str:
        return self.labels.get("topology.kubernetes.io/zone", "")

    @property
    def ready(self) -> bool:
        return any(each.type == "Ready" and each.status == "True" for each in self.status.conditions)


class ConfigMap(KubeObject, frozen=True):
    KIND: ClassVar[str] = "ConfigMap"

    data: Literals = Literals()
    binary_data: EncodedLiterals = EncodedLiterals()


class PersistentVolumeClaim(KubeObject, frozen=True):
    KIND: ClassVar[str] = "PersistentVolumeClaim"


class StorageClass(KubeObject, frozen=True):
    KIND: ClassVar[str] = "StorageClass"

    provisioner: str = ""
    reclaim_policy: str = ""
