"""Rules on the load balancers of an account: all that the internet reaches is approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.aws.balancers import Balancer, MadeFor
from soc2.model.deviation import Deviation
from soc2.model.network.zones import shown

_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class UnapprovedBalancer(Deviation):
    template: ClassVar[str] = "{how}, {listens} and {hands}; it is not on the list of approved exposure{owner}"
    how: str
    listens: str
    hands: str
    owner: str = ""


def balancer_approved(
    approved: Iterable[str], in_cluster: Mapping[str, Iterable[str]], cluster: str
) -> Callable[[Balancer], Iterator[Deviation]]:
    """Return the rule that only approved load balancers (names or ARNs, as patterns) are reached from the internet.

    One that was made for something in the cluster is approved with it: ``in_cluster`` are the approvals by its kind
    (``Service``), and ``cluster`` is the name or ARN of the cluster that they are of, empty when it is not declared.
    """
    patterns = tuple(approved)
    of_kind = {kind: tuple(names) for kind, names in in_cluster.items()}
    of_cluster = cluster.rpartition("/")[2]

    def approves(made: MadeFor) -> bool:
        here = not made.cluster or not of_cluster or made.cluster == of_cluster
        return here and "/" in made.name and _named((made.name,), of_kind.get(made.kind, ()))

    def rule(balancer: Balancer) -> Iterator[Deviation]:
        if not balancer.how or _named((balancer.name, balancer.arn), patterns):
            return
        rejected = [made for made in balancer.made_for if not approves(made)]
        if balancer.made_for and not rejected:
            return
        listens = f"listens on {shown(list(balancer.listeners), _SHOWN)}" if balancer.listeners else "has no listener yet"
        hands = f"hands over to {shown(list(balancer.targets), _SHOWN)}" if balancer.targets else "has no targets"
        owner = f", nor is {shown([str(made) for made in rejected], _SHOWN)}, which it was made for" if rejected else ""
        yield UnapprovedBalancer(resource=balancer.resource, how=balancer.how, listens=listens, hands=hands, owner=owner)

    return rule


def _named(names: Iterable[str], patterns: Iterable[str]) -> bool:
    every = tuple(patterns)
    return any(fnmatchcase(name, pattern) for name in names for pattern in every)
