"""The groups of rules on which depends whether web ACLs stop anything, from what was answered about the ACLs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from soc2.gather.source import Gatherer, Listing, Source
from soc2.model.aws.waf import AclAnswer, GroupReference, references


@dataclass(frozen=True)
class RuleGroupReferences:
    """Asks for nothing by itself: its statuses are those of ``acls``."""

    acls: tuple[Source[AclAnswer], ...]
    name: str = "rule groups in web ACLs"

    def gather(self, gatherer: Gatherer) -> Listing[GroupReference]:
        return references_in(gatherer.get(source) for source in self.acls)


def references_in(listings: Iterable[Listing[AclAnswer]]) -> Listing[GroupReference]:
    """Return the references in the web ACLs that were listed."""
    every = tuple(listings)
    exempt = next((listing.exempt for listing in every if listing.exempt), None)
    statuses = tuple(dict.fromkeys(status for listing in every for status in listing.statuses))
    return Listing(tuple(references(chain(*(listing.items for listing in every)))), statuses, exempt)
