"""Where something listens: a host, by name or address, and a port."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple

# Names of DNS, with the underscore that some of them have (RFC 1035, RFC 2181). What ends in a number is meant as an
# address (RFC 1123, 2.1).
_NAME = re.compile(r"(?=.{1,253}\Z)(?!(?:.*\.)?\d+\Z)(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*\Z")


class Place(NamedTuple):
    """A host, without brackets where it is an address of IPv6, and a port from 1 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read ``host:port`` or ``[address]:port``. Raises ValueError that says what is wrong."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or not 1 <= int(port[:6]) <= 65535:
            raise ValueError(f"{text!r} is not of the form host:port, with a port from 1 to 65535")
        if is_address(host) and ":" in host:
            raise ValueError(f"{text!r}: an address of IPv6 stands in brackets before the port")
        return cls(ascii_host(host.removeprefix("[").removesuffix("]")), int(port))


def ascii_host(text: str) -> str:
    """Return a name in lower case, as DNS has it (IDNA, without the dot at the end), or an address as it is written
    shortest. Raises ValueError that says what is wrong."""
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    try:
        name = text.removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    if not _NAME.match(name):
        raise ValueError(f"{text!r} is neither a name of DNS nor an address")
    return name


def is_address(host: str) -> bool:
    """Tell whether a host is an address of IPv4 or IPv6."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
