"""Words for what decides on a connection."""

from __future__ import annotations

from soc2.model.network.endpoints import Block, Peer
from soc2.model.network.layers import Reason
from soc2.model.network.policies import Direction, DomainPeers, PodPeers, RelatedPeers, Rule
from soc2.model.network.tiers import Cause

LAYER = "NetworkPolicy"
ITSELF = Reason(LAYER, None, "a pod always reaches itself")
NEIGHBOURS = Reason(LAYER, None, "a node and the pods on it always reach each other")
_ORDINARY = "NetworkPolicy"


def reason_of(cause: Cause | None, end: Peer, peer: Peer, direction: Direction) -> Reason:
    """Return what decides at one end in words; ``cause`` is None at an end that is no pod."""
    if isinstance(end, Block) or cause is None:
        return Reason(LAYER, None, f"{end} is no pod, which policies could select")
    if end.host_network:
        return Reason(LAYER, None, f"{end.name} is in its node's network, where no policy holds")
    if cause.rule is not None:
        return Reason(LAYER, cause.rule.policy, cause.rule.name + _how(cause.rule, peer))
    if not cause.isolating:
        return Reason(LAYER, None, f"no NetworkPolicy selects {end.name} for {direction.lower()}")
    first, *others = sorted((policy.resource for policy in cause.isolating), key=lambda each: each.name)
    besides = f", nor of {', '.join(each.name for each in others)}," if others else ""
    return Reason(LAYER, first, f"no {direction.lower()} rule of it{besides} lets this through")


def _how(rule: Rule, peer: Peer) -> str:
    """Return the action of a rule that has a choice, and what a reader would not expect of the match."""
    notes: list[str] = [] if rule.policy.kind == _ORDINARY else [_action(rule)]
    kinds = {type(each) for each in rule.peers or ()}
    if isinstance(peer, Block):
        if kinds == {DomainPeers}:
            notes.append("by domain names, which may lead to any address")
    elif RelatedPeers in kinds and PodPeers not in kinds and not peer.host_network:
        notes.append("by labels like those of its namespace, which are not worked out")
    elif kinds and (peer.host_network or PodPeers not in kinds):
        whose = "its node" if peer.host_network else "the pod"
        notes.append(f"by the address of {whose}" if peer.addresses else f"by the address of {whose}, which is not known")
    return f" ({'; '.join(notes)})" if notes else ""


def _action(rule: Rule) -> str:
    """Return the action as the kind of policy calls it."""
    return "Accept" if rule.action == "Allow" and rule.policy.kind == "ClusterNetworkPolicy" else rule.action
