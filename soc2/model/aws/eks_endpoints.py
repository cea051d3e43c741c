"""The public endpoints of EKS clusters, and the networks that may reach them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.aws.compute import EksCluster
from soc2.model.aws.openings import is_world, network_in, outside
from soc2.model.deviation import Resource

# EKS opens a public endpoint to the world when no network is named.
_DEFAULT = ("0.0.0.0/0",)


@dataclass(frozen=True)
class EksEndpoint:
    """A cluster, and the networks that open its API endpoint to the world: one that is the world by itself, or those that are
    together; none when the endpoint is private or limited."""

    cluster: EksCluster
    world: tuple[str, ...]

    @property
    def resource(self) -> Resource:
        return self.cluster.resource


def eks_endpoints(clusters: Iterable[EksCluster]) -> Iterator[EksEndpoint]:
    """Return clusters with what opens their endpoints. Raises EvidenceGap when an entry is no network."""
    for cluster in clusters:
        config = cluster.resources_vpc_config
        named = config.public_access_cidrs or _DEFAULT
        networks = [network_in(each, f"EKS cluster {cluster.name}") for each in named if config.endpoint_public_access]
        wide = [str(network) for network in networks if is_world(outside([network]))]
        if not wide and is_world(outside(networks)):
            wide = [str(network) for network in networks if outside([network])]
        yield EksEndpoint(cluster, tuple(wide))
