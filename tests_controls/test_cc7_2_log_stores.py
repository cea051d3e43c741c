"""CC7.2: what logs are delivered to keeps them, and what delivers them loses none."""

from __future__ import annotations

import pytest

from fixtures.judge import Judge
from soc2.model.aws.log_stores import KeptBucket
from soc2.model.aws.monitoring import LogGroup
from soc2.model.canaries import CanaryPath
from soc2.model.digests import DigestVerdict
from soc2.model.log_agents import AgentCounters
from soc2.model.population import Population
from soc2.rules import canaries
from soc2.rules import log_agents as agent_rules
from soc2.rules import log_stores as rules
from soc2.system import System


@pytest.mark.check(
    "log-stores-locked",
    severity="medium",
    official=["CC7.2"],
    hipaa=["164.316(b)(2)(i)"],
    gdpr=["5(2)"],
    kind="configuration",
    remedy="Protect the log group from deletion; give the bucket versions and an Object Lock in mode COMPLIANCE",
)
def test_logs_cannot_be_deleted_before_their_time(
    log_stores: Population[KeptBucket | LogGroup], judge: Judge, system: System
) -> None:
    """No log that is kept can be deleted before its time."""
    judge(log_stores, rules.locked(system.thresholds.log_retention_days))


@pytest.mark.check(
    "log-agents-deliver",
    severity="medium",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="log",
    remedy="Give the agent larger buffers or more of the node, and mend what it delivers to",
)
def test_log_agents_lose_nothing(log_agents: Population[AgentCounters], judge: Judge) -> None:
    """No log agent or sensor drops records or counts errors."""
    judge(log_agents, agent_rules.delivers)


@pytest.mark.check(
    "trail-digests-verified",
    severity="critical",
    official=["CC7.2", "CC7.1"],
    hipaa=["164.312(c)(2)"],
    gdpr=["5(1)(f)"],
    kind="log",
    remedy="Find out who changed the trail's bucket and when; keep what is left, and lock the bucket (log-stores-locked)",
)
def test_trails_are_proved_unchanged(trail_digests: Population[DigestVerdict], judge: Judge) -> None:
    """Every digest and log file of the window is what CloudTrail delivered, and none is missing."""
    judge(trail_digests, rules.chain_unbroken)


@pytest.mark.check(
    "log-canary-found",
    severity="high",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(d)"],
    kind="writing_probe",
    remedy="Mend the way of container logs from the node to their store: the agent, its filters, its delivery",
)
def test_a_line_of_a_pod_is_found_in_its_log(log_canaries: Population[CanaryPath], judge: Judge) -> None:
    """A line that a pod writes is soon found in the log of containers."""
    judge(log_canaries, canaries.found_in_time)
