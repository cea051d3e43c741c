"""Rules on the content of audit records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.audit_records import AuditClassSample
from soc2.model.deviation import Deviation


@dataclass(frozen=True, kw_only=True)
class FieldMissing(Deviation):
    template: ClassVar[str] = "{missing} of {records} records do not tell {what}"
    missing: int
    records: int
    what: str


def complete(sample: AuditClassSample) -> Iterator[Deviation]:
    """Every record tells who asked for what, from where, and what was to be changed."""
    for missing, what in (
        (sample.without_identity, "who asked"),
        (sample.without_verb, "what was asked"),
        (sample.without_source, "from where"),
        (sample.without_body, "what was to be changed"),
    ):
        if missing:
            yield FieldMissing(resource=sample.resource, missing=missing, records=sample.count, what=what)
