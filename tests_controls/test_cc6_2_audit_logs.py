"""CC6.2: unauthorized access is seen: the audit log arrives, and says who did what."""

from __future__ import annotations

import pytest

from fixtures.judge import Judge
from soc2.model.canaries import CanaryPath
from soc2.model.population import Population
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
