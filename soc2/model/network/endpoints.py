"""What talks: pods, and addresses that are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from soc2.model.deviation import Resource

Network = IPv4Network | IPv6Network


class NamedPort(NamedTuple):
    """A port that a container declares; NetworkPolicies may speak of its name."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True)
class Endpoint:
    """A pod, or the pod that a template makes. ``workload`` is what finally owns it (``Deployment/notes/api``) and equals
    ``resource`` where nothing does; ``addresses`` and ``node`` are empty for a template.

    A pod in its node's network (``host_network``) has the node's addresses, and no policy that selects pods holds for it.
    """

    resource: Resource
    workload: Resource
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    service_account: str = "default"
    host_network: bool = False
    ports: tuple[NamedPort, ...] = ()
    addresses: tuple[str, ...] = ()
    node: str = ""
    containers: tuple[str, ...] = ()
    """Names of its containers, sidecars among them."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Only those that a mesh reads; others may hold secrets."""

    @cached_property
    def name(self) -> str:
        """``namespace/workload``, as the declared connections name it."""
        return f"{self.namespace}/{self.workload.name}"


@dataclass(frozen=True)
class Block:
    """Addresses that belong to no pod: of the internet, of a network of the owner, of a node, or a single one."""

    network: Network
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.network})" if self.name else str(self.network)


Peer = Endpoint | Block
