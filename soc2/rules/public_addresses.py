"""Rules on public addresses: nodes have none, and all others are approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.aws.node_addresses import NodeAddresses
from soc2.model.aws.public_addresses import PublicAddress
from soc2.model.deviation import Deviation


@dataclass(frozen=True, kw_only=True)
class NodePublic(Deviation):
    template: ClassVar[str] = "the node has the address {address} of the internet ({how})"
    address: str
    how: str


@dataclass(frozen=True, kw_only=True)
class UnapprovedAddress(Deviation):
    template: ClassVar[str] = "the address is on no list of approved exposure; it belongs to {holder}: {reach}"
    holder: str
    reach: str


def node_not_public(node: NodeAddresses) -> Iterator[Deviation]:
    """No address of a node is one of the internet."""
    for address, how in node.public:
        yield NodePublic(resource=node.resource, address=address, how=how)


def address_approved(approved: Iterable[str]) -> Callable[[PublicAddress], Iterator[Deviation]]:
    """Return the rule that public addresses by which something is reached, or could be, are approved."""
    entries = tuple(approved)

    def rule(record: PublicAddress) -> Iterator[Deviation]:
        if record.exposed and not any(map(record.approved_by, entries)):
            yield UnapprovedAddress(resource=record.resource, holder=record.holder, reach=record.reach)

    return rule
