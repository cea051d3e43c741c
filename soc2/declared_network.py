"""The section ``[network]`` of ``system.toml``: who may talk to whom, the mesh, and the endpoints whose TLS is tried."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cryptography import x509
from msgspec import Meta, field

from soc2.model.network.parties import DeclaredConnection, parse_party
from soc2.model.network.places import Place, ascii_host
from soc2.model.network.ports import EVERY_PORT, HIGHEST, PortRange, PortSet
from soc2.section import Name, Reason, Section
from soc2.toml_file import TomlFile

PortNumber = Annotated[int, Meta(ge=1, le=65535)]
_HTTP = 80
_CA = "write the path of a PEM file with the issuers' certificates, relative to this file"
_PORT = re.compile(r"(tcp|udp|sctp)/\d{1,5}(-\d{1,5})?", re.ASCII)


class Connection(Section, frozen=True):
    """A connection that is meant to be possible, and why. Without ``ports`` it is about every port.

    ``from`` and ``to`` read as ``soc2.model.network.parties.parse_party`` tells.
    """

    source: Name = field(name="from")
    target: Name = field(name="to")
    reason: Reason
    ports: Annotated[tuple[str, ...], Meta(min_length=1)] = ()

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
    ports: Annotated[tuple[PortNumber, ...], Meta(min_length=1)] = ()


class Mesh(Section, frozen=True):
    """A service mesh whose mutual TLS is a stated control in some namespaces (patterns)."""

    kind: Literal["istio", "linkerd"]
    namespaces: Annotated[tuple[Name, ...], Meta(min_length=1)] = ("*",)
    root_namespace: Name = "istio-system"
    plaintext: tuple[Plaintext, ...] = ()


class Endpoint(Section, frozen=True):
    """An endpoint whose TLS is tried for real. ``address`` (``host:port``) is where to connect instead of where ``host``
    leads; ``ca`` is a PEM file of trusted issuers besides the usual ones, relative to system.toml; ``http`` is where plain
    HTTP is tried, as a port of the same place or as ``host:port``; false when there is no such port to try."""

    host: Name
    port: PortNumber = 443
    address: str | None = None
    ca: Name | None = None
    http: PortNumber | str | bool = True

    @property
    def name(self) -> str:
        return str(Place(self.host, self.port))

    @property
    def place(self) -> Place:
        """Return where TLS is tried."""
        return Place.parse(self.address) if self.address else Place(self.host, self.port)

    @property
    def http_place(self) -> Place | None:
        """Return where plain HTTP is tried, or None when there is no such port."""
        if isinstance(self.http, bool):
            return self.place._replace(port=_HTTP) if self.http else None
        return Place.parse(self.http) if isinstance(self.http, str) else self.place._replace(port=self.http)


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
            if not _is_port(port):
                where = ("network", "connections", index, "ports", number)
                raise file.error(where, f"{port!r} is no port or range of ports", "write it like tcp/443 or udp/1024-2048")
    for index, exception in enumerate(network.mesh.plaintext if network.mesh else ()):
        if exception.workload.count("/") != 1:
            what = f"{exception.workload!r} is not of the form namespace/workload"
            raise file.error(
                ("network", "mesh", "plaintext", index, "workload"), what, "* stands for any of both: */web, shop/*"
            )
    endpoints = tuple(_checked_endpoint(each, index, file) for index, each in enumerate(network.endpoints))
    for index, each in enumerate(endpoints):
        if any((each.name, each.place) == (before.name, before.place) for before in endpoints[:index]):
            raise file.error(("network", "endpoints", index), f"the endpoint {each.name} is declared twice")
    return msgspec.structs.replace(network, endpoints=endpoints)


def _checked_endpoint(endpoint: Endpoint, index: int, file: TomlFile) -> Endpoint:
    where = ("network", "endpoints", index)
    try:
        host = ascii_host(endpoint.host)
    except ValueError as error:
        raise file.error((*where, "host"), str(error), "write a name or an address, without scheme, port and path") from None
    for key, text, mend in (
        ("address", endpoint.address, ""),
        ("http", endpoint.http, "or write a port as a number, or false where no plain HTTP is served"),
    ):
        try:
            if isinstance(text, str):
                Place.parse(text)
        except ValueError as error:
            raise file.error((*where, key), str(error), mend) from None
    ca = str(Path(file.path).parent / endpoint.ca) if endpoint.ca else None
    try:
        if ca:
            x509.load_pem_x509_certificates(Path(ca).read_bytes())
    except OSError as error:
        raise file.error((*where, "ca"), f"{ca} cannot be read: {error.strerror}", _CA) from None
    except ValueError:
        raise file.error((*where, "ca"), f"{ca} holds no certificate in PEM form", _CA) from None
    return msgspec.structs.replace(endpoint, host=host, ca=ca)


def _is_port(text: str) -> bool:
    if not _PORT.fullmatch(text):
        return False
    found = _port_range(text)
    return found.first <= found.last <= HIGHEST


def _port_range(text: str) -> PortRange:
    protocol, _, numbers = text.partition("/")
    first, _, last = numbers.partition("-")
    return PortRange(protocol.upper(), int(first), int(last or first))
