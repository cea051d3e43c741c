"""Probes from outside, as detections beside what the owner's alert store holds of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.detections import Detection, with_records
from soc2.model.deviation import Resource
from soc2.model.feeds import AlertRow
from soc2.model.network.flows import Probe

RULE_ID = "soc2-probes-from-outside"
TITLE = "Ports probed from outside"
"""What rows of the alert store name."""


@dataclass(frozen=True)
class HandledProbe:
    """A probe, and the detection that it is: its actor is the address."""

    probe: Probe
    detection: Detection

    @property
    def resource(self) -> Resource:
        return self.detection.resource


def handled_probes(probes: Iterable[Probe], rows: Iterable[AlertRow]) -> Iterator[HandledProbe]:
    found = tuple(probes)
    detections = [
        Detection(
            rule_id=RULE_ID,
            title=TITLE,
            criterion="CC6.6",
            severity="medium",
            source=probe.kind,
            actor=probe.address,
            object=None,
            count=probe.records,
            first=probe.first,
            last=probe.last,
            place=str(probe.place),
        )
        for probe in found
    ]
    for probe, detection in zip(found, with_records(detections, rows), strict=True):
        yield HandledProbe(probe, detection)
