"""The section ``[network]`` of ``system.toml``: who may talk to whom, the mesh, and the endpoints whose TLS is tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from soc2.model.network.parties import DeclaredConnection, parse_party
from soc2.model.network.ports import EVERY_PORT, PortRange, PortSet
from soc2.section import Name, Reason, Section
from soc2.toml_file import TomlFile

PortNumber = Annotated[int, Meta(ge=1, le=65535)]
DeclaredPort = Annotated[str, Meta(pattern=r"^(tcp|udp|sctp)/\d{1,5}(-\d{1,5})?$")]


class Connection(Section, frozen=True):
    """A connection that is meant to be possible, and why. Without ``ports`` it is about every port.

    ``from`` and ``to`` read as ``soc2.model.network.parties.parse_party`` tells.
    """

    source: Name = field(name="from")
    target: Name = field(name="to")
    reason: Reason
    ports: tuple[DeclaredPort, ...] = ()

    @property
    def declared(self) -> DeclaredConnection:
        ports = PortSet.of(map(_port_range, self.ports)) if self.ports else EVERY_PORT
        text = f"{self.source} -> {self.target} ({', '.join(self.ports) or 'every port'})"
        return DeclaredConnection(parse_party(self.source), parse_party(self.target), ports, text)


class Plaintext(Section, frozen=True):
    """A workload (``namespace/workload``, a pattern) that takes connections without mutual TLS, on some ports or (without
    any) on all, and why the owner accepts it."""

    workload: Name
    reason: Reason
    ports: tuple[PortNumber, ...] = ()


class Mesh(Section, frozen=True):
    """A service mesh whose mutual TLS is a stated control in some namespaces (patterns)."""

    kind: Literal["istio", "linkerd"]
    namespaces: tuple[Name, ...] = ("*",)
    root_namespace: Name = "istio-system"
    plaintext: tuple[Plaintext, ...] = ()


class Endpoint(Section, frozen=True):
    """An endpoint whose TLS is tried for real. ``address`` (``host:port``) is where to connect instead of where ``host``
    leads; ``ca`` is a PEM file of trusted issuers besides the usual ones, relative to system.toml; ``http`` is where plain
    HTTP is tried, as a port of the same host or as ``host:port``; None when there is no such port to try."""

    host: Name
    port: PortNumber = 443
    address: str | None = None
    ca: str | None = None
    http: PortNumber | str | None = 80


class DeclaredNetwork(Section, frozen=True):
    connections: tuple[Connection, ...] = ()
    mesh: Mesh | None = None
    endpoints: tuple[Endpoint, ...] = ()


def checked_network(network: DeclaredNetwork, file: TomlFile) -> DeclaredNetwork:
    """Return the section with paths made absolute. Raises UsageError with file, line and what is wrong."""
    for index, connection in enumerate(network.connections):
        for key, text in (("from", connection.source), ("to", connection.target)):
            try:
                parse_party(text)
            except ValueError as error:
                raise file.error(("network", "connections", index, key), str(error)) from None
        for number, port in enumerate(connection.ports):
            found = _port_range(port)
            if not found.first <= found.last <= 65535:
                raise file.error(("network", "connections", index, "ports", number), f"{port} is no port or range of ports")
    endpoints = tuple(
        msgspec.structs.replace(each, ca=str(Path(file.path).parent / each.ca)) if each.ca else each
        for each in network.endpoints
    )
    return msgspec.structs.replace(network, endpoints=endpoints)


def _port_range(text: str) -> PortRange:
    protocol, _, numbers = text.partition("/")
    first, _, last = numbers.partition("-")
    return PortRange(protocol.upper(), int(first), int(last or first))
