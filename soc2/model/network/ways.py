"""Which policies and rules let connections through, in words: by port, as different ports may come by different rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from soc2.model.network.endpoints import Block, Endpoint, Peer
from soc2.model.network.layers import Reason
from soc2.model.network.policies import Policy
from soc2.model.network.ports import HIGHEST, PortRange, PortSet
from soc2.model.network.reachability import Reachability
from soc2.model.network.zones import shown

_PIECES = 24
"""So many ranges of ports are explained for a connection."""
_WAYS = 4
"""So many different ways are shown."""
_ENDS = 64
"""So many pairs of ends are tried for each port."""
Edges = Mapping[str, Mapping[str, Sequence[int]]]
"""Ports at which a rule begins, or after which it ends, by namespace of its policy and protocol."""


def edges_of(policies: Iterable[Policy]) -> Edges:
    found: dict[str, dict[str, set[int]]] = {}
    for policy in policies:
        ours = found.setdefault(policy.resource.namespace, {})
        for rule in (each for rules in policy.rules.values() for each in rules):
            for one in rule.ports.numbers:
                ours.setdefault(one.protocol, set()).update((one.first, one.last + 1))
    return {namespace: {protocol: sorted(edges) for protocol, edges in ours.items()} for namespace, ours in found.items()}


def ways(
    reach: Reachability, edges: Edges, ends: Iterable[tuple[Peer, Peer]], ports: PortSet, source: str = "the source"
) -> str:
    """Return what lets each of some ports through, for the first of the ends between which it is open: the policy and rule
    at both ends, and of layers. An end that is no pod has none. ``source`` is what to call the source, which may stand
    for others."""
    tried = list(islice(ends, _ENDS))
    pieces = list(islice(_pieces(ports, edges, tried), _PIECES + 1))
    found: dict[str, list[PortRange]] = {}
    for piece in pieces[:_PIECES]:
        text = _way(reach, tried, (piece.protocol, piece.first), source)
        found.setdefault(text, []).append(piece)
    more = " (the first ports were looked at)" * (len(pieces) > _PIECES)
    if len(found) == 1:
        return next(iter(found)) + more
    texts = [f"{PortSet.of(ranges).words}: {text}" for text, ranges in found.items()]
    rest = [f"{len(texts) - _WAYS} more"] if len(texts) > _WAYS else []
    return "; ".join((*texts[:_WAYS], *rest)) + more


def _way(reach: Reachability, ends: Sequence[tuple[Peer, Peer]], port: tuple[str, int], name: str) -> str:
    for source, target in ends:
        if port in reach.allowed(source, target):
            outgoing, incoming, *layers = reach.reasons(source, target, port)
            # What has no policy in a layer leaves it to the others.
            said = (outgoing, incoming, *(each for each in layers if each.policy))
            return " and ".join(words_of(source, target, said, name))
    return "the way was not found"


def stopping(reach: Reachability, source: Peer, target: Peer, ports: PortSet) -> str:
    """Return what stops the first of some ports that are not open."""
    first = next(each for each in ports if (each.protocol, each.first) not in reach.allowed(source, target))
    return " and ".join(dict.fromkeys(map(str, reach.stops(source, target, (first.protocol, first.first)))))


def words_of(source: Peer, target: Peer, reasons: Sequence[Reason], name: str) -> list[str]:
    """Return the reasons in words, once each, without those of an end that is no pod. ``name`` is for the source."""
    outgoing, incoming, *layers = reasons
    chosen = [
        *([] if isinstance(source, Block) else [outgoing]),
        *([] if isinstance(target, Block) else [incoming]),
        *layers,
    ]
    return list(dict.fromkeys(_renamed(str(each), source, name) for each in chosen))


def _renamed(text: str, source: Peer, name: str) -> str:
    if not isinstance(source, Endpoint):
        return text
    return text.replace(f" {source.name} ", f" {name} ").replace(f"{source.name} is in", f"{name} is in")


def _pieces(ports: PortSet, edges: Edges, ends: Sequence[tuple[Peer, Peer]]) -> Iterator[PortRange]:
    """Yield ranges of ports that no rule tells apart."""
    pods = {end.resource: end for pair in ends for end in pair if isinstance(end, Endpoint)}.values()
    about = [edges.get(namespace, {}) for namespace in ("", *{each.namespace for each in pods if not each.host_network})]
    named = {one for _, target in ends if isinstance(target, Endpoint) for one in target.ports}
    for one in ports:
        cuts = {edge for each in about for edge in each.get(one.protocol, ())}
        cuts |= {number for each in named if each.protocol == one.protocol for number in (each.number, each.number + 1)}
        first = one.first
        for cut in sorted(each for each in cuts if one.first < each <= one.last and each <= HIGHEST):
            yield PortRange(one.protocol, first, cut - 1)
            first = cut
        yield PortRange(one.protocol, first, one.last)


def names(texts: Sequence[str]) -> str:
    """Return some names, not too many of them."""
    return shown(list(texts), 5)
