"""What the records of an audit log tell of the requests that matter most."""

from __future__ import annotations

from dataclasses import dataclass

from soc2.model.deviation import Resource


@dataclass(frozen=True, kw_only=True)
class AuditClassSample:
    """The records of one class of requests in one log: how many there are, and how many of them lack who asked, the
    verb, from where, or (where it has one) what the request asked for."""

    log: str
    name: str
    count: int
    without_identity: int = 0
    without_verb: int = 0
    without_source: int = 0
    without_body: int = 0

    @property
    def resource(self) -> Resource:
        return Resource("AuditRecords", self.name, self.log)
