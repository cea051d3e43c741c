"""Mutual TLS of workloads: which are in a mesh, what they take without it, and which of that the owner declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Protocol

from soc2.model.deviation import Resource
from soc2.model.network.endpoints import Endpoint
from soc2.model.network.layers import Layer, Reason
from soc2.model.network.mesh.callers import EVERY_TCP
from soc2.model.network.ports import NO_PORT, PortSet


@dataclass(frozen=True)
class Plain:
    """TCP ports that take connections without mutual TLS, and by what."""

    ports: PortSet
    reason: Reason


class MeshLayer(Layer, Protocol):
    """A layer that knows what its mesh takes without mutual TLS."""

    def outside(self, endpoint: Endpoint) -> str:
        """Return why an endpoint is not in the mesh; nothing when it is."""

    def plain(self, endpoint: Endpoint) -> tuple[Plain, ...]:
        """Return what an endpoint of the mesh takes without mutual TLS, each port once."""


@dataclass(frozen=True)
class PlaintextException:
    """Workloads (a pattern over ``namespace/workload``) that the owner lets take some ports without mutual TLS."""

    pattern: str
    ports: PortSet = EVERY_TCP

    @property
    def resource(self) -> Resource:
        words = "" if self.ports == EVERY_TCP else f" ({self.ports.words})"
        return Resource("PlaintextException", f"{self.pattern}{words}")


@dataclass(frozen=True)
class MeshMember:
    """A workload that is meant to speak mutual TLS. ``outside`` tells why a pod of it is not in the mesh, ``plain`` what it
    takes without mutual TLS, without what is declared."""

    resource: Resource
    outside: tuple[str, ...] = ()
    plain: tuple[Plain, ...] = ()


@dataclass(frozen=True)
class Unmatched:
    """Something declared of the mesh that speaks of nothing which is there: ``what`` it is."""

    resource: Resource
    what: str


def mesh_members(
    layer: MeshLayer, endpoints: Iterable[Endpoint], exceptions: Sequence[PlaintextException] = (), absent: str = ""
) -> Iterator[MeshMember | Unmatched]:
    """Yield every workload of the endpoints once, and each exception that is not needed.

    ``absent`` says why none of them can be in the mesh, whatever their labels ask for.
    """
    used: set[PlaintextException] = set()
    by_workload: dict[Resource, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_workload.setdefault(endpoint.workload, []).append(endpoint)
    for workload, members in by_workload.items():
        outside = {absent or layer.outside(each): None for each in members}
        outside.pop("", None)
        plain: dict[Reason, PortSet] = {}
        for each in members:
            for found in () if absent or layer.outside(each) else layer.plain(each):
                plain[found.reason] = plain.get(found.reason, NO_PORT) | found.ports
        member = MeshMember(workload, tuple(outside), tuple(Plain(ports, reason) for reason, ports in plain.items()))
        for exception in exceptions:
            if fnmatchcase(members[0].name, exception.pattern):
                used |= {exception} if _touches(member, exception) else set()
        yield _without(member, [each for each in exceptions if fnmatchcase(members[0].name, each.pattern)])
    for exception in exceptions:
        if exception not in used:
            yield Unmatched(exception.resource, "no workload in scope takes these ports without mutual TLS")


def _touches(member: MeshMember, exception: PlaintextException) -> bool:
    return bool(member.outside) or any(each.ports & exception.ports for each in member.plain)


def _without(member: MeshMember, exceptions: Sequence[PlaintextException]) -> MeshMember:
    accepted = NO_PORT
    for exception in exceptions:
        accepted |= exception.ports
    left = (replace(each, ports=each.ports - accepted) for each in member.plain)
    outside = () if accepted == EVERY_TCP else member.outside
    return replace(member, outside=outside, plain=tuple(each for each in left if each.ports))
