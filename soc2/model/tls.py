"""What endpoints do when a client connects: the versions of TLS they accept, their certificates, and plain HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Literal

from soc2.model.deviation import Resource
from soc2.model.network.places import is_address

_KIND = "Endpoint"


class Version(StrEnum):
    """Versions of the protocol, oldest first."""

    SSL_3 = "SSLv3"
    TLS_1_0 = "TLSv1.0"
    TLS_1_1 = "TLSv1.1"
    TLS_1_2 = "TLSv1.2"
    TLS_1_3 = "TLSv1.3"


@dataclass(frozen=True, kw_only=True)
class Versions:
    """What an endpoint (``host:port``) chose of the versions that it was offered one by one; ``weak_suites`` are broken
    cipher suites that it chose when it was offered no others. One that answers with something else than TLS, or hangs up
    whatever it is offered, talks none."""

    name: str
    talks_tls: bool = True
    accepted: tuple[Version, ...] = ()
    weak_suites: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        return Resource(_KIND, self.name)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate as it was presented. ``key_bits`` is the size of the key, ``key`` its algorithm (``RSA``, ``EC``);
    ``signature_hash`` is the hash that its issuer signed (``sha256``), empty where the algorithm of the signature has its
    own; ``dns_names`` and ``addresses`` are its subject's alternative names; ``sha256`` is its fingerprint."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    key: str
    key_bits: int
    signature_hash: str
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    self_signed: bool = False
    sha256: str = ""

    def covers(self, host: str) -> bool:
        """Tell whether it is made out to a name or an address; the common name is none (RFC 9525)."""
        if is_address(host):
            return any(ip_address(host) == ip_address(each) for each in self.addresses)
        return any(name_matches(host, pattern) for pattern in self.dns_names)


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """The chain that an endpoint presents: its own certificate, and then each issuer of the one before, as far as they were
    presented; empty when it talks no TLS. ``distrust`` is why a client does not trust it, dates of the first certificate
    left out, and empty when it does."""

    host: str
    name: str
    chain: tuple[Certificate, ...] = ()
    distrust: str = ""

    @property
    def resource(self) -> Resource:
        return Resource(_KIND, self.name)


@dataclass(frozen=True, kw_only=True)
class PlainHttp:
    """What becomes of a plain HTTP request for an endpoint: the connection is ``refused``, or ``closed`` without an answer,
    or it is ``answered``, with a status and, of where it redirects to, the scheme and the host."""

    host: str
    name: str
    place: str
    outcome: Literal["refused", "closed", "answered"]
    status: int = 0
    scheme: str = ""
    target: str = ""

    @property
    def resource(self) -> Resource:
        return Resource(_KIND, self.name)


def name_matches(name: str, pattern: str) -> bool:
    """Tell whether a name of DNS is meant by another, whose first label may be ``*`` and is then any one label."""
    name, pattern = name.lower().rstrip("."), pattern.lower().rstrip(".")
    if not pattern.startswith("*."):
        return bool(name) and name == pattern
    label, _, parent = name.partition(".")
    # A star right below the root would be everybody's.
    return bool(label) and parent == pattern[2:] and "." in parent
