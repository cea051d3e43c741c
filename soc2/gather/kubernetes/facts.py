"""What is asked of an API server beside its lists: its version; and what a manifest takes for granted of one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from soc2.gather.codec import Codec
from soc2.gather.kubernetes.answers import read_answers
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.cluster import ServerVersion
from soc2.model.kubernetes.rbac import ClusterRole

_DEFAULT_ROLES = Path(__file__).resolve().parents[2] / "data" / "default_cluster_roles.json"
_VERSION = msgspec.json.Decoder(ServerVersion)


def _version(connection: KubeConnection) -> list[ServerVersion]:
    return [_VERSION.decode(connection.request("GET", "/version").body)]


@dataclass(frozen=True)
class Version:
    """The server's version. Manifests have none, and are judged as for any."""

    name: str = "server version"

    def gather(self, gatherer: Gatherer) -> Listing[ServerVersion]:
        return read_answers(gatherer, self.name, "GET /version", "/version", _version)

    def from_manifests(self) -> Listing[ServerVersion]:
        return Listing((), ())


def server_minor(gatherer: Gatherer) -> int | None:
    """Return the minor version of the server, or None when it does not tell."""
    return next((version.minor_number for version in gatherer.get(SERVER_VERSION).items), None)


@dataclass(frozen=True)
class PresumedRoles:
    """The ClusterRoles that every cluster has from its start: a live one lists its own, manifests may refer to them."""

    name: str = "default cluster roles"

    def gather(self, gatherer: Gatherer) -> Listing[ClusterRole]:
        del gatherer
        return Listing((), ())

    def from_manifests(self) -> Listing[ClusterRole]:
        return Listing(default_cluster_roles(), ())


@cache
def default_cluster_roles() -> tuple[ClusterRole, ...]:
    """Return the default ClusterRoles of Kubernetes 1.36."""
    raw: list[Any] = msgspec.json.decode(_DEFAULT_ROLES.read_bytes())
    return tuple(Codec().convert(item, ClusterRole) for item in raw)


SERVER_VERSION = Version()
PRESUMED_ROLES = PresumedRoles()
