"""Where addresses lie that are no pod's: in the internet, in networks of the owner, at the metadata service."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from soc2.model.network.addresses import EVERY_ADDRESS, PRIVATE, AddressSet
from soc2.model.network.endpoints import Block, Network
from soc2.model.network.parties import METADATA

EVERYWHERE = tuple(Block(ip_network(text)) for text in ("0.0.0.0/0", "::/0"))
"""All addresses, one family each."""
METADATA_ADDRESSES = AddressSet.of(*METADATA)
_UNROUTED = AddressSet.of(
    *map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8"))
)
"""This host, links, groups and what is reserved (RFC 6890): no router takes it anywhere."""
INTERNET = EVERY_ADDRESS & ~PRIVATE & ~_UNROUTED
_SHOWN = 4
_FAMILIES = {4: AddressSet.of(ip_network("0.0.0.0/0")), 6: AddressSet.of(ip_network("::/0"))}


def network_words(addresses: AddressSet, within: AddressSet, name: str) -> str:
    """Return addresses as reports show them: ``the internet``, ``the internet (IPv4)`` or some networks of it."""
    whole = [version for version, family in _FAMILIES.items() if not within & family & ~addresses]
    if len(whole) == len(_FAMILIES):
        return name
    rest = addresses & ~_FAMILIES[whole[0]] if whole else addresses
    listed = shown(list(map(str, rest.networks())), _SHOWN)
    if not whole:
        return f"{listed} of {name}"
    return f"{name} (IPv{whole[0]})" + (f" and {listed} of it" if rest else "")


def shown(names: list[str], most: int) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" * (len(names) > most)
    return ", ".join(names[:most]) + more


def networks_in(addresses: AddressSet, most: int) -> Iterable[Network]:
    """Yield the first networks of a set."""
    for number, network in enumerate(addresses.networks()):
        if number == most:
            return
        yield network
