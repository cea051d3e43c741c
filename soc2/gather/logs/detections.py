"""What the logs show: all rules over all that was collected, in one scan, and from it the alerts of some criteria."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from soc2.gather.logs.questions import ACCESS_CHANGES, PRIVILEGED_USE
from soc2.gather.source import Listing
from soc2.model.logs import Alert

if TYPE_CHECKING:
    from soc2.gather.source import Gatherer

_QUESTIONS = (*PRIVILEGED_USE, *ACCESS_CHANGES)


@dataclass(frozen=True)
class Detections:
    """The alerts of some criteria, of all criteria but some, or of some rules.

    Only the logs count that those rules read: each kind of them that is declared has to be complete.
    """

    name: str
    criteria: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    def has(self, rule_id: str, criterion: str) -> bool:
        """Tell whether a rule is one of those asked about."""
        if self.rules or rule_id in _QUESTIONS:
            return rule_id in self.rules
        return criterion in self.criteria if self.criteria else criterion not in self.besides

    def gather(self, gatherer: Gatherer) -> Listing[Alert]:
        raise NotImplementedError


UNAUTHORIZED_ACCESS = Detections("detections of unauthorized access", ("CC6.1", "CC6.2"))
CONTROL_TAMPERING = Detections("detections of control tampering", ("CC6.3",))
NETWORK_ATTACKS = Detections("detections in the network", ("CC6.6",))
DATA_ACCESS = Detections("detections of access to secrets", ("CC6.7",))
MALWARE = Detections("detections of malware", ("CC6.8",))
_NAMED = (UNAUTHORIZED_ACCESS, CONTROL_TAMPERING, NETWORK_ATTACKS, DATA_ACCESS, MALWARE)
ANOMALIES = Detections("detections of anomalies", besides=tuple(name for each in _NAMED for name in each.criteria))
ALL = Detections("detections")
PRIVILEGED_USES = Detections("uses of privileged identities", rules=PRIVILEGED_USE)
CHANGES_OF_ACCESS = Detections("changes of access", rules=ACCESS_CHANGES)
