"""Who a declared connection is about: patterns of workloads, the nodes, machines of the account, and addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from ipaddress import ip_network

from soc2.model.network.endpoints import Network
from soc2.model.network.ports import PortSet

METADATA = tuple(ip_network(address) for address in ("169.254.169.254/32", "fd00:ec2::254/128"))
"""Where EC2 answers with the credentials of a node (AWS, "Instance metadata and user data")."""


class Kind(StrEnum):
    WORKLOAD = "workload"
    NODES = "nodes"
    MACHINE = "machine"
    ADDRESSES = "addresses"
    INTERNET = "internet"
    METADATA = "metadata"


@dataclass(frozen=True)
class Party:
    """One end of a declared connection. ``pattern`` is ``namespace/workload`` or the name of a machine, as a pattern."""

    kind: Kind
    pattern: str = ""
    network: Network | None = None

    def names_workload(self, name: str) -> bool:
        """Tell whether it speaks of the workload ``namespace/workload``."""
        return self.kind is Kind.WORKLOAD and fnmatchcase(name, self.pattern)


def parse_party(text: str) -> Party:
    """Read a party as ``system.toml`` writes it: ``namespace/workload`` (patterns), ``nodes``, ``aws:NAME`` (a pattern over
    names and ids of instances and network interfaces), an address, a CIDR, ``internet`` or ``metadata``.

    Raises ValueError that says what is wrong.
    """
    if text in (Kind.NODES, Kind.INTERNET, Kind.METADATA):
        return Party(Kind(text))
    if text.startswith("aws:") and len(text) > len("aws:"):
        return Party(Kind.MACHINE, text.removeprefix("aws:"))
    try:
        return Party(Kind.ADDRESSES, network=ip_network(text))
    except ValueError:
        pass
    namespace, slash, workload = text.partition("/")
    # No namespace has a dot in its name, so this is no address with a slip in it; and no name has a space.
    named = namespace and workload and "/" not in workload and "." not in namespace and not re.search(r"[:\s]", text)
    if slash and named:
        return Party(Kind.WORKLOAD, text)
    raise ValueError(
        f"{text!r} is none of namespace/workload, nodes, aws:NAME, internet, metadata, an address or a network whose host "
        "bits are zero"
    )


@dataclass(frozen=True)
class DeclaredConnection:
    """A line of the declared connections; ``text`` is how reports show it."""

    source: Party
    target: Party
    ports: PortSet
    text: str
