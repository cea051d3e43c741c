"""Rules on the mutual TLS of a service mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.network.mesh.mutual import MeshMember, Unmatched


@dataclass(frozen=True, kw_only=True)
class OutsideMesh(Deviation):
    """A workload where the mesh is a stated control, of which a pod is not in it."""

    template: ClassVar[str] = "not in the mesh: {why}"
    why: str


@dataclass(frozen=True, kw_only=True)
class PlaintextTaken(Deviation):
    """A workload that takes connections without mutual TLS; ``by`` is the policy that lets it."""

    template: ClassVar[str] = "takes {ports} without mutual TLS: {by}"
    ports: str
    by: str


@dataclass(frozen=True, kw_only=True)
class DeclaredForNothing(Deviation):
    """A line of ``[network.mesh]`` that speaks of nothing which is there, so it is not needed or its pattern is wrong."""

    template: ClassVar[str] = "declared under [network.mesh], but {what}"
    what: str


def mutual_tls_only(record: MeshMember | Unmatched) -> Iterator[Deviation]:
    """A workload is in the mesh and takes nothing but mutual TLS, except what is declared; and all that is declared is
    there."""
    if isinstance(record, Unmatched):
        yield DeclaredForNothing(resource=record.resource, what=record.what)
        return
    for why in record.outside:
        yield OutsideMesh(resource=record.resource, why=why)
    for each in record.plain:
        yield PlaintextTaken(resource=record.resource, ports=each.ports.words, by=str(each.reason))
