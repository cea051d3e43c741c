"""Who connects, as a mesh sees it: an identity that mutual TLS proves, or nothing but an address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Generic, TypeVar

from soc2.model.network.endpoints import Endpoint, Network
from soc2.model.network.ports import EVERY_PORT, HIGHEST, PortRange, PortSet

T = TypeVar("T")

EVERY_TCP = PortSet.of([PortRange("TCP", 0, HIGHEST)])
NOT_CARRIED = EVERY_PORT - EVERY_TCP
"""Meshes carry TCP; all else goes past them."""


@dataclass(frozen=True)
class Caller:
    """The source of a connection. ``identity`` is None when it connects in plain text; ``namespace`` and ``account`` are
    of the identity, so empty without one. ``addresses`` are those of a pod, of which none may be known, and ``network``
    is where an address of no pod lies."""

    identity: str | None = None
    namespace: str = ""
    account: str = ""
    addresses: tuple[IPv4Address | IPv6Address, ...] = ()
    network: Network | None = None


def caller(source: Endpoint, identity: str | None) -> Caller:
    """Return an endpoint as one that connects with this identity, or without any."""
    addresses = tuple(map(ip_address, source.addresses))
    if identity is None:
        return Caller(addresses=addresses)
    return Caller(identity, source.namespace, source.service_account, addresses)


@lru_cache(maxsize=4096)
def network_of(text: str) -> Network | None:
    """Read a CIDR or a single address; None when it is neither."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def lies_in(who: Caller, blocks: Iterable[str]) -> bool | None:
    """Tell whether the source lies in one of the networks; None when that is not known, or so of a part of it only."""
    networks = [network_of(block) for block in blocks]
    known = [network for network in networks if network is not None]
    unsure: bool | None = None if len(known) < len(networks) else False
    if who.network is not None:
        if any(_holds(network, who.network) for network in known):
            return True
        return None if any(network.overlaps(who.network) for network in known) else unsure
    if not who.addresses:
        return None
    inside = sum(any(address in network for network in known) for address in who.addresses)
    return True if inside == len(who.addresses) else None if inside else unsure


def _holds(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Return whether all hold: False when one does not, else None when one is not known."""
    result: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """Return whether one holds: True when one does, else None when one is not known."""
    return negated(all_of(negated(answer) for answer in answers))


def negated(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def ports_of(text: str) -> PortSet:
    """Read a list of TCP ports and ranges (``25,8000-8010``; ``*`` is all). What is no port is passed over."""
    if text.strip() == "*":
        return EVERY_TCP
    found = []
    for part in text.split(","):
        first, _, last = (piece.strip() for piece in part.partition("-"))
        if first.isdecimal() and (not last or last.isdecimal()):
            found.append(PortRange("TCP", min(int(first), HIGHEST + 1), min(int(last or first), HIGHEST)))
    return PortSet.of(each for each in found if each.first <= each.last)


class Remembered(Generic[T]):
    """What was worked out of an endpoint, kept while the endpoint is: endpoints hold dicts, so they are told by identity."""

    def __init__(self, work_out: Callable[[Endpoint], T]) -> None:
        self._work_out = work_out
        self._known: dict[int, tuple[Endpoint, T]] = {}

    def __call__(self, endpoint: Endpoint) -> T:
        known = self._known.get(id(endpoint))
        if known is None:
            known = self._known[id(endpoint)] = (endpoint, self._work_out(endpoint))
        return known[1]
