"""A1.2: redundancy and backups."""

from __future__ import annotations

import pytest

from fixtures.judge import Judge
from soc2.model.aws.storage import BackupJob, ContinuousBackups, DbInstance
from soc2.model.kubernetes.joins import ClusterNodes, ReplicatedWorkload
from soc2.model.kubernetes.subjects import PodSubject
from soc2.model.kubernetes.workloads import Deployment, StatefulSet
from soc2.model.population import Population
from soc2.rules import availability, cloud_storage
from soc2.system import System


@pytest.mark.check(
    "nodes-span-zones",
    severity="high",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(B)"],
    gdpr=["32(1)(b)", "32(1)(c)"],
    kind="configuration",
    remedy="Add nodes in further zones",
)
def test_nodes_span_zones(cluster_nodes: Population[ClusterNodes], judge: Judge, system: System) -> None:
    """Ready nodes stand in enough zones to survive the loss of one."""
    judge(cluster_nodes, availability.zones(system.thresholds.node_zones))


@pytest.mark.check(
    "tier1-replicated",
    severity="high",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(B)"],
    gdpr=["32(1)(b)", "32(1)(c)"],
    kind="configuration",
    remedy="Raise the replicas and mend those that are not ready",
)
def test_tier1_workloads_are_replicated(
    running_tier1_workloads: Population[Deployment | StatefulSet], judge: Judge, system: System
) -> None:
    """Every tier-1 workload has enough ready replicas."""
    judge(running_tier1_workloads, availability.replicated(system.thresholds.tier1_replicas))


@pytest.mark.check(
    "tier1-spread",
    severity="medium",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(B)"],
    gdpr=["32(1)(b)", "32(1)(c)"],
    kind="configuration",
    remedy="Add a topologySpreadConstraint over topology.kubernetes.io/zone",
)
def test_tier1_workloads_are_spread(tier1_workloads: Population[Deployment | StatefulSet], judge: Judge) -> None:
    """Every tier-1 workload is spread over zones."""
    judge(tier1_workloads, availability.spread)


@pytest.mark.check(
    "tier1-probed",
    severity="medium",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(B)"],
    gdpr=["32(1)(b)", "32(1)(c)"],
    kind="configuration",
    remedy="Add the probes",
)
def test_tier1_workloads_are_probed(tier1_templates: Population[PodSubject], judge: Judge) -> None:
    """Every container of a tier-1 workload has readiness and liveness probes."""
    judge(tier1_templates, availability.probed)


@pytest.mark.check(
    "disruption-budgets-leave-room",
    severity="medium",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(B)"],
    gdpr=["32(1)(b)", "32(1)(c)"],
    kind="configuration",
    remedy="Add a PodDisruptionBudget that selects the pods and allows one disruption",
)
def test_disruption_budgets_leave_room(tier1_budgets: Population[ReplicatedWorkload], judge: Judge) -> None:
    """A disruption budget protects every tier-1 workload and leaves room to drain a node."""
    judge(tier1_budgets, availability.disruption_budget)


@pytest.mark.check(
    "databases-multi-az",
    severity="high",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(B)"],
    gdpr=["32(1)(b)", "32(1)(c)"],
    kind="configuration",
    remedy="Enable Multi-AZ",
)
def test_databases_have_a_standby(databases: Population[DbInstance], judge: Judge) -> None:
    """Every RDS instance has a standby in another zone."""
    judge(databases, cloud_storage.multi_az)


@pytest.mark.check(
    "databases-backed-up",
    severity="critical",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(A)"],
    gdpr=["32(1)(c)"],
    kind="configuration",
    remedy="Raise the backup retention period",
)
def test_databases_are_backed_up(databases: Population[DbInstance], judge: Judge, system: System) -> None:
    """Automated backups of every RDS instance are kept long enough."""
    judge(databases, cloud_storage.backed_up(system.thresholds.backup_retention_days))


@pytest.mark.check(
    "tables-recoverable",
    severity="high",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(A)"],
    gdpr=["32(1)(c)"],
    kind="configuration",
    remedy="Enable point-in-time recovery",
)
def test_tables_can_be_restored_to_any_moment(table_backups: Population[ContinuousBackups], judge: Judge) -> None:
    """Point-in-time recovery is on for every DynamoDB table."""
    judge(table_backups, cloud_storage.point_in_time)


@pytest.mark.check(
    "backup-jobs-succeed",
    severity="high",
    official=["A1.2"],
    hipaa=["164.308(a)(7)(ii)(A)"],
    gdpr=["32(1)(c)"],
    kind="log",
    remedy="Mend the cause and run the job again",
)
def test_backup_jobs_succeed(backup_jobs: Population[BackupJob], judge: Judge) -> None:
    """No backup job of the last 30 days failed."""
    judge(backup_jobs, cloud_storage.backup_completed)
