"""Which policies and rules let connections through, in words: by port, as different ports may come by different rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from soc2.model.network.endpoints import Block, Endpoint, Peer
from soc2.model.network.layers import Reason
from soc2.model.network.policies import Policy
from soc2.model.network.ports import HIGHEST, PortRange, PortSet
from soc2.model.network.reachability import Reachability
from soc2.model.network.zones import shown

_PIECES = 12
"""So many ranges of ports are explained for a connection."""
_WAYS = 4
"""So many different ways are shown."""
_ENDS = 8
"""So many pairs of ends are tried for each port."""
Edges = Mapping[str, Sequence[int]]
"""Ports at which a rule begins, or after which it ends, by protocol."""


def edges_of(policies: Iterable[Policy]) -> Edges:
    found: dict[str, set[int]] = {}
    for policy in policies:
        for rule in (each for rules in policy.rules.values() for each in rules):
            for one in rule.ports.numbers:
                found.setdefault(one.protocol, set()).update((one.first, one.last + 1))
    return {protocol: sorted(edges) for protocol, edges in found.items()}


def ways(reach: Reachability, edges: Edges, ends: Iterable[tuple[Peer, Peer]], ports: PortSet) -> str:
    """Return what lets each of some ports through, for the first of the ends between which it is open: the policy and rule
    at both ends, and what layers say. An end that is no pod has none. A source that stands for others is ``the source``."""
    tried = list(islice(ends, _ENDS))
    found: dict[str, list[PortRange]] = {}
    pieces = list(islice(_pieces(ports, edges, tried), _PIECES + 1))
    for piece in pieces[:_PIECES]:
        text = _way(reach, tried, (piece.protocol, piece.first))
        found.setdefault(text, []).append(piece)
    more = " and more" * (len(pieces) > _PIECES)
    if len(found) == 1:
        return next(iter(found)) + more
    return "; ".join(_listed([f"{PortSet.of(ranges).words}: {text}" for text, ranges in found.items()])) + more


def _listed(texts: list[str]) -> list[str]:
    return [*texts[:_WAYS], *([f"{len(texts) - _WAYS} more"] if len(texts) > _WAYS else [])]


def _way(reach: Reachability, ends: Sequence[tuple[Peer, Peer]], port: tuple[str, int]) -> str:
    for source, target in ends:
        if port in reach.allowed(source, target):
            return " and ".join(words_of(source, target, reach.reasons(source, target, port)))
    return "not found out"


def words_of(source: Peer, target: Peer, reasons: Sequence[Reason]) -> list[str]:
    """Return the reasons in words, once each, without those of an end that is no pod."""
    outgoing, incoming, *layers = reasons
    chosen = [
        *([] if isinstance(source, Block) else [outgoing]),
        *([] if isinstance(target, Block) else [incoming]),
        *layers,
    ]
    texts = [_nameless(str(each), source) for each in chosen]
    return list(dict.fromkeys(texts))


def _nameless(text: str, source: Peer) -> str:
    return text.replace(f" {source.name} ", " the source ") if isinstance(source, Endpoint) else text


def _pieces(ports: PortSet, edges: Edges, ends: Sequence[tuple[Peer, Peer]]) -> Iterable[PortRange]:
    """Yield ranges of ports that no rule tells apart."""
    named = [one for _, target in ends if isinstance(target, Endpoint) for one in target.ports]
    for one in ports:
        cuts = {*edges.get(one.protocol, ())}
        cuts |= {number for each in named if each.protocol == one.protocol for number in (each.number, each.number + 1)}
        first = one.first
        for cut in sorted(each for each in cuts if one.first < each <= one.last and each <= HIGHEST):
            yield PortRange(one.protocol, first, cut - 1)
            first = cut
        yield PortRange(one.protocol, first, one.last)


def names(texts: Sequence[str]) -> str:
    """Return some names, not too many of them."""
    return shown(list(texts), 5)
