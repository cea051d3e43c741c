"""Rules on public addresses: nodes have none, and all others are approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.aws.node_addresses import NodeAddresses
from soc2.model.aws.public_addresses import PublicAddress, is_public
from soc2.model.deviation import Deviation
from soc2.model.kubernetes.api_server import ApiServerPlace


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


@dataclass(frozen=True, kw_only=True)
class ApiServerPublic(Deviation):
    template: ClassVar[str] = "the API server answers at {address}, an address of the internet (as {told_by} says)"
    address: str
    told_by: str


def api_server_not_public(place: ApiServerPlace) -> Iterator[Deviation]:
    """No address at which the API server answers is one of the internet."""
    for address in filter(is_public, place.addresses):
        yield ApiServerPublic(resource=place.resource, address=address, told_by=place.told_by)


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
