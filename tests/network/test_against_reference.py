"""The engine of reachability against the slow and obvious reference, over small clusters.

``SOC2_EXAMPLES`` sets how many clusters are tried.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import TypeVar

import msgspec
from hypothesis import given, settings

from soc2.gather.codec import Codec
from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.lists import KubeList
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.network.endpoints import Block, Peer
from soc2.model.network.endpoints_of import endpoints_of
from soc2.model.network.reachability import Reachability
from tests.network import clusters, reference
from tests.network.clusters import PORTS, World
from tests.network.reference import Cluster, Object, Side

EXAMPLES = settings(max_examples=int(os.environ.get("SOC2_EXAMPLES", "300")))
_CODEC = Codec()
K = TypeVar("K", bound=KubeObject)


class Asked:
    """The engine, made of the API's own objects and asked with them."""

    def __init__(self, cluster: Cluster) -> None:
        endpoints = endpoints_of(_decoded(sources.PODS, cluster.pods), ())
        self._endpoints = {(each.namespace, each.resource.name): each for each in endpoints}
        by_kind = {kind: [each for each in cluster.admin if each["kind"] == kind] for kind in _ADMIN}
        self.engine = Reachability(
            endpoints,
            {each.name: each.labels for each in _decoded(sources.NAMESPACES, cluster.namespaces)},
            _decoded(sources.NETWORK_POLICIES, cluster.policies),
            [
                *_decoded(sources.ADMIN_NETWORK_POLICIES, by_kind["AdminNetworkPolicy"]),
                *_decoded(sources.CLUSTER_NETWORK_POLICIES, by_kind["ClusterNetworkPolicy"]),
            ],
            _decoded(sources.BASELINE_NETWORK_POLICIES, by_kind["BaselineAdminNetworkPolicy"]),
            nodes=_decoded(sources.NODES, cluster.nodes),
        )

    def peer(self, side: Side) -> Peer:
        if isinstance(side, str):
            return Block(ip_network(side))
        return self._endpoints[side["metadata"]["namespace"], side["metadata"]["name"]]

    def allowed(self, source: Side, target: Side) -> set[tuple[str, int]]:
        found = self.engine.allowed(self.peer(source), self.peer(target))
        return {port for port in PORTS if port in found}


_ADMIN = ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy")


def _decoded(source: KubeList[K], items: Sequence[Object]) -> tuple[K, ...]:
    return source.decode(_CODEC, msgspec.json.encode({"items": items}))


def pairs(world: World) -> Iterator[tuple[Side, Side]]:
    """Yield the connections that some policy may decide on."""
    for source in world.sides:
        for target in world.sides:
            if not (isinstance(source, str) and isinstance(target, str)):
                yield source, target


@EXAMPLES
@given(clusters.worlds())
def test_the_engine_answers_as_the_reference(world: World) -> None:
    """Where pods have two addresses it looks at each end by itself, so that it may take more for possible, and never less."""
    asked = Asked(world.cluster)
    for source, target in pairs(world):
        found = asked.allowed(source, target)
        wanted = {port for port in PORTS if reference.allowed(world.cluster, source, target, *port)}
        most = wanted
        if world.dual:
            most = {port for port in PORTS if reference.passes_both_ends(world.cluster, source, target, *port)}
        assert wanted <= found <= most, f"from {_name(source)} to {_name(target)}"


def _name(side: Side) -> str:
    return side if isinstance(side, str) else f"{side['metadata']['namespace']}/{side['metadata']['name']}"
