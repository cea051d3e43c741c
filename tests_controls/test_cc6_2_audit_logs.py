"""CC6.2: unauthorized access is seen: the audit log arrives, and says who did what."""

from __future__ import annotations

import pytest

from fixtures.judge import Judge
from soc2.model.audit_records import AuditClassSample
from soc2.model.canaries import CanaryPath
from soc2.model.population import Population
from soc2.rules import audit_records as record_rules
from soc2.rules import canaries


@pytest.mark.check(
    "audit-canary-found",
    severity="high",
    seed=True,
    official=["CC6.2", "CC7.2"],
    hipaa=["164.312(b)"],
    gdpr=["33(1)"],
    kind="probe",
    remedy="Mend the way of the audit log from the API server to its store: its policy, its shipper, its delivery",
)
def test_refused_requests_are_found_in_the_audit_log(audit_canaries: Population[CanaryPath], judge: Judge) -> None:
    """A request that was just refused is soon found in the audit log, with who sent it."""
    judge(audit_canaries, canaries.found_with_sender)


@pytest.mark.check(
    "audit-records-complete",
    severity="medium",
    event=True,
    official=["CC6.2", "CC7.2"],
    hipaa=["164.312(b)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="log",
    remedy="Raise the level in the audit policy, Request or above for changes of access control; let shippers drop no field",
)
def test_audit_records_tell_what_happened(audit_records: Population[AuditClassSample], judge: Judge) -> None:
    """Records of requests for secrets, roles, exec and tokens tell who asked for what, from where, and what changed."""
    judge(audit_records, record_rules.complete)
