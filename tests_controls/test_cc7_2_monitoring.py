"""CC7.2: logs are collected and threats detected."""

from __future__ import annotations

from datetime import datetime

import pytest

from fixtures.judge import Judge
from soc2.model.aws.joins import AccountTrails, WatchedRegion
from soc2.model.aws.monitoring import Alarm, LogGroup, Trail
from soc2.model.detections import Detection
from soc2.model.kubernetes.joins import NodeAgents
from soc2.model.log_health import CollectedLog, JudgedStream, LogNeed, NodeDelivery
from soc2.model.population import Population
from soc2.rules import agents, detections, logs, monitoring
from soc2.system import System


@pytest.mark.check(
    "log-agent-on-every-node",
    severity="high",
    seed=True,
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="configuration",
    remedy="Mend the DaemonSet's tolerations and its failing pods",
)
def test_a_log_agent_runs_on_every_node(node_agents: Population[NodeAgents], judge: Judge, system: System) -> None:
    """The declared log agents run on every node."""
    judge(node_agents, agents.running(system.agents.log))


@pytest.mark.check(
    "trail-logging",
    severity="critical",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="configuration",
    remedy="Start a multi-region trail and mend its delivery",
)
def test_a_trail_records_every_region(account_trails: Population[AccountTrails], judge: Judge) -> None:
    """A trail records every region and delivers."""
    judge(account_trails, monitoring.trail_logging)


@pytest.mark.check(
    "trails-validated",
    severity="high",
    official=["CC7.2", "CC7.1"],
    hipaa=["164.312(c)(2)"],
    gdpr=["5(1)(f)"],
    kind="configuration",
    remedy="Enable log file validation",
)
def test_trails_can_be_proved_unchanged(trails: Population[Trail], judge: Judge) -> None:
    """The log files of every trail carry digests."""
    judge(trails, monitoring.trail_validated)


@pytest.mark.check(
    "log-groups-retained",
    severity="medium",
    official=["CC7.2"],
    hipaa=["164.316(b)(2)(i)"],
    gdpr=["5(2)"],
    kind="configuration",
    remedy="Set the retention of the log group",
)
def test_log_groups_keep_their_events(log_groups: Population[LogGroup], judge: Judge, system: System) -> None:
    """Every log group keeps its events long enough."""
    judge(log_groups, monitoring.retained(system.thresholds.log_retention_days))


@pytest.mark.check(
    "threat-detection-on",
    severity="critical",
    official=["CC7.2"],
    hipaa=["164.308(a)(6)(ii)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="configuration",
    remedy="Enable GuardDuty in the region",
)
def test_threat_detection_is_on(watched_regions: Population[WatchedRegion], judge: Judge) -> None:
    """Threat detection is on in every region in scope."""
    judge(watched_regions, monitoring.region_watched)


@pytest.mark.check(
    "alarms-armed",
    severity="medium",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="configuration",
    remedy="Enable the alarm's actions and give it one",
)
def test_alarms_tell_somebody(alarms: Population[Alarm], judge: Judge) -> None:
    """Every alarm has an action that is switched on."""
    judge(alarms, monitoring.armed)


@pytest.mark.check(
    "logs-declared",
    severity="high",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="log",
    remedy="Collect the log and declare it under [[logs.sources]], or its absence with the reason",
)
def test_every_kind_of_log_is_collected(needed_logs: Population[LogNeed], judge: Judge) -> None:
    """Every kind of log that the system needs is collected."""
    judge(needed_logs, logs.collected)


@pytest.mark.check(
    "logs-fresh",
    severity="high",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="log",
    remedy="Restart the shipper, and mend what keeps it from delivering",
)
def test_logs_are_fresh(log_streams: Population[JudgedStream], judge: Judge) -> None:
    """The newest record of every log is as fresh as its kind has to be."""
    judge(log_streams, logs.fresh)


@pytest.mark.check(
    "logs-from-every-node",
    severity="high",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="log",
    remedy="Let the shipper run on the node, and mend its route to the store",
)
def test_every_node_delivers_its_logs(node_logs: Population[NodeDelivery], judge: Judge) -> None:
    """Every ready node delivers each of the logs of nodes."""
    judge(node_logs, logs.delivered)


@pytest.mark.check(
    "logs-without-gaps",
    severity="high",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="log",
    remedy="Find out why nothing was recorded in these hours, and record the explanation",
)
def test_logs_have_no_gaps(log_streams: Population[JudgedStream], judge: Judge) -> None:
    """No log is silent for an hour of the window."""
    judge(log_streams, logs.unbroken)


@pytest.mark.check(
    "log-records-readable",
    severity="medium",
    official=["CC7.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(b)", "33(1)"],
    kind="log",
    remedy="Mend what writes or ships the malformed records",
)
def test_log_records_can_be_read(read_logs: Population[CollectedLog], judge: Judge) -> None:
    """Every record of every log can be read."""
    judge(read_logs, logs.readable)


@pytest.mark.check(
    "anomalies-handled",
    severity="high",
    event=True,
    official=["CC7.2", "A1.2"],
    hipaa=["164.312(b)", "164.308(a)(1)(ii)(D)"],
    gdpr=["33(1)", "33(5)"],
    kind="log",
    remedy="Look into it, and record in the feed of alerts what it was",
)
def test_anomalies_are_handled(anomalies: Population[Detection], judge: Judge, system: System, as_of: datetime) -> None:
    """Everything else that the logs show, anomalies among it, was found out about within the limit."""
    judge(anomalies, detections.handled(system.thresholds.alert_triage_hours, as_of))
