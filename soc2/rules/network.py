"""Rules on NetworkPolicies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.network.defaults import NamespaceDefault
from soc2.model.network.policies import Direction
from soc2.model.network.zones import shown


@dataclass(frozen=True, kw_only=True)
class NoDefaultDeny(Deviation):
    """A namespace where a new pod may be denied nothing; ``instead`` names the policies that are about some pods only."""

    template: ClassVar[str] = "no policy denies {direction} by default for whatever pod comes{instead}"
    direction: str
    instead: str = ""


@dataclass(frozen=True, kw_only=True)
class AllowsAll(Deviation):
    """A rule, or some together, that undo the default denial for the pods that they are about."""

    template: ClassVar[str] = "{policy} allows {direction} {what} for {whom}, which undoes the default deny"
    direction: str
    policy: str
    what: str
    whom: str


def default_deny(direction: Direction) -> Callable[[NamespaceDefault], Iterator[Deviation]]:
    """Return the rule that whatever pod comes into a namespace is denied a direction by default, and no rule undoes it.

    Policies add up: one that allows everything undoes every other, for the pods that it selects. Neither an
    administrators' policy that denies all egress nor several NetworkPolicies that together select every pod are less than
    one with an empty selector; a selector that only happens to select all pods there are is, and so is an administrators'
    policy on ingress, which cannot speak of what is outside the cluster.
    """

    def rule(record: NamespaceDefault) -> Iterator[Deviation]:
        if not record.denies(direction):
            some = record.nearly(direction)
            instead = f"; {shown(list(some), 3)} may select none of it" if some else ""
            if direction == "Ingress" and (theirs := record.denying(direction)):
                instead += f"; {theirs.resource} denies it to pods only, and nothing to what is outside the cluster"
            yield NoDefaultDeny(resource=record.resource, direction=direction.lower(), instead=instead)
        for each in record.undone(direction):
            yield AllowsAll(
                resource=record.resource,
                direction=direction.lower(),
                policy=" with ".join(each.policies),
                what=f"{'from' if direction == 'Ingress' else 'to'} {each.what}",
                whom=each.whom,
            )

    return rule
