"""CC7.3: events reach those who evaluate them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fixtures.judge import Judge
from soc2.model.aws.monitoring import Finding
from soc2.model.detections import Detection
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.log_health import ClockReading
from soc2.model.population import Population
from soc2.rules import detections, logs, monitoring
from soc2.rules import namespaces as namespace_rules
from soc2.system import System


@pytest.mark.check(
    "findings-triaged",
    severity="critical",
    event=True,
    official=["CC7.3"],
    hipaa=["164.308(a)(6)(ii)", "164.308(a)(1)(ii)(D)"],
    gdpr=["33(1)", "33(5)"],
    kind="log",
    remedy="Look into the finding, record why, and archive it",
)
def test_findings_are_triaged(findings: Population[Finding], judge: Judge, system: System, as_of: datetime) -> None:
    """Every finding of high severity is dealt with within the limit."""
    judge(findings, monitoring.triaged(system.thresholds.finding_triage_days, as_of))


@pytest.mark.check(
    "namespaces-owned",
    severity="medium",
    seed=True,
    official=["CC7.3"],
    hipaa=["164.308(a)(6)(ii)", "164.308(a)(1)(ii)(D)"],
    gdpr=["33(1)", "33(5)"],
    kind="configuration",
    remedy="Label the namespace with its owner",
)
def test_namespaces_name_their_owner(namespaces: Population[Namespace], judge: Judge, system: System) -> None:
    """Every namespace in scope names the team that its events are sent to."""
    judge(namespaces, namespace_rules.labelled(system.data.owner_tag))


@pytest.mark.check(
    "log-clocks-agree",
    severity="medium",
    official=["CC7.3"],
    hipaa=["164.312(b)"],
    gdpr=["33(1)", "33(5)"],
    kind="log",
    remedy="Enable time synchronisation on the node",
)
def test_clocks_of_logs_agree(log_clocks: Population[ClockReading], judge: Judge, system: System) -> None:
    """The clocks that logs are written by agree with those of the stores."""
    judge(log_clocks, logs.clock_agrees(system.logs.clock_tolerance_seconds))


@pytest.mark.check(
    "alerts-triaged-in-time",
    severity="critical",
    event=True,
    official=["CC7.3"],
    hipaa=["164.308(a)(6)(ii)", "164.308(a)(1)(ii)(D)"],
    gdpr=["33(1)", "33(5)"],
    kind="log",
    remedy="Mend the way from detection to alert, and have each disposition say why and who answers for it",
)
def test_serious_detections_reach_somebody(
    serious_detections: Population[Detection], judge: Judge, system: System, as_of: datetime
) -> None:
    """Every detection of high severity reached somebody in time, and its disposition says why and who answers for it."""
    limit = timedelta(minutes=system.thresholds.alert_opening_minutes)
    judge(serious_detections, detections.alerted_with_reasons(limit, as_of))
