"""A layer of policy: NetworkPolicies, a mesh. A connection is possible when every layer lets it through."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from soc2.model.deviation import Resource
from soc2.model.network.endpoints import Endpoint, Peer
from soc2.model.network.ports import PortSet


@dataclass(frozen=True, order=True)
class Reason:
    """What decides on a connection at one end of it: a rule of a policy, or that there is none.

    ``policy`` is None when nothing is declared that would decide; ``rule`` is its place in the policy (``ingress[0]``) or
    why there is none (``no NetworkPolicy selects it``).
    """

    layer: str
    policy: Resource | None
    rule: str

    def __str__(self) -> str:
        return f"{self.policy} {self.rule}" if self.policy else self.rule


class Layer(Protocol):
    """What a mesh, or any layer beside NetworkPolicies, says of connections. Implementations are pure."""

    def key(self, endpoint: Endpoint) -> Hashable:
        """Return all that the layer knows an endpoint by, beside its namespace: what it reads of its labels too. Two
        endpoints of a namespace that have the key in common are the same to it, whatever else differs.

        Leave out what it does not read: labels such as pod-template-hash tell every pod from its neighbour, and who can
        talk to whom is answered by classes of endpoints that are the same to all.
        """

    def allowed(self, source: Peer, target: Peer) -> PortSet:
        """Return the ports of the target that the layer lets the source connect to."""

    def reason(self, source: Peer, target: Peer, port: tuple[str, int]) -> Reason:
        """Return what decides on a protocol and port, whether it lets the connection through or not."""
