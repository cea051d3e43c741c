"""Workloads: the objects that make pods from a template."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Metadata, Record
from soc2.model.kubernetes.pods import PodTemplate


class RollingUpdate(Record, frozen=True):
    partition: int = 0


class UpdateStrategy(Record, frozen=True):
    rolling_update: RollingUpdate | None = None


class WorkloadSpec(Record, frozen=True):
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()
    update_strategy: UpdateStrategy = UpdateStrategy()
    suspend: bool = False
    parallelism: int | None = None
    backoff_limit: int | None = None
    active_deadline_seconds: int | None = None


class WorkloadStatus(Record, frozen=True):
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    updated_number_scheduled: int = 0
    current_revision: str = ""
    update_revision: str = ""
    observed_generation: int = 0


class Workload(KubeObject, frozen=True):
    """A workload whose template stands at ``spec.template``."""

    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def template(self) -> PodTemplate:
        return self.spec.template


class Deployment(Workload, frozen=True):
    KIND: ClassVar[str] = "Deployment"


class ReplicaSet(Workload, frozen=True):
    KIND: ClassVar[str] = "ReplicaSet"


class StatefulSet(Workload, frozen=True):
    KIND: ClassVar[str] = "StatefulSet"


class DaemonSet(Workload, frozen=True):
    KIND: ClassVar[str] = "DaemonSet"


class RevisionData(Record, frozen=True):
    spec: WorkloadSpec = WorkloadSpec()


class ControllerRevision(KubeObject, frozen=True):
    """A version of a DaemonSet or StatefulSet: the template that pods of it were made from."""

    KIND: ClassVar[str] = "ControllerRevision"

    data: RevisionData = RevisionData()
    revision: int = 0


class JobCondition(Record, frozen=True):
    type: str = ""
    status: str = ""


class JobStatus(WorkloadStatus, frozen=True):
    conditions: tuple[JobCondition, ...] = ()


class Job(Workload, frozen=True):
    KIND: ClassVar[str] = "Job"

    status: JobStatus = JobStatus()

    @property
    def finished(self) -> bool:
        """Tell whether it is over, successfully or not: it makes no pod any more."""
        return any(each.type in ("Complete", "Failed") and each.status == "True" for each in self.status.conditions)


class ReplicationControllerSpec(Record, frozen=True):
    replicas: int | None = None
    template: PodTemplate = PodTemplate()


class ReplicationController(KubeObject, frozen=True):
    KIND: ClassVar[str] = "ReplicationController"

    spec: ReplicationControllerSpec = ReplicationControllerSpec()

    @property
    def template(self) -> PodTemplate:
        return self.spec.template


class JobTemplate(Record, frozen=True):
    metadata: Metadata = Metadata()
    spec: WorkloadSpec = WorkloadSpec()


class CronJobSpec(Record, frozen=True):
    schedule: str = ""
    suspend: bool = False
    concurrency_policy: str = "Allow"
    starting_deadline_seconds: int | None = None
    job_template: JobTemplate = JobTemplate()


class CronJobStatus(Record, frozen=True):
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(KubeObject, frozen=True):
    KIND: ClassVar[str] = "CronJob"

    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()

    @property
    def template(self) -> PodTemplate:
        return self.spec.job_template.spec.template


class PodTemplateObject(KubeObject, frozen=True):
    """The stand-alone PodTemplate object of the core group."""

    KIND: ClassVar[str] = "PodTemplate"

    template: PodTemplate = PodTemplate()


AnyWorkload = Deployment | ReplicaSet | StatefulSet | DaemonSet | Job | ReplicationController | CronJob | PodTemplateObject


class PodDisruptionBudgetSpec(Record, frozen=True):
    selector: LabelSelector | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None


class PodDisruptionBudgetStatus(Record, frozen=True):
    current_healthy: int = 0
    desired_healthy: int = 0
    disruptions_allowed: int = 0
    expected_pods: int = 0


class PodDisruptionBudget(KubeObject, frozen=True):
    KIND: ClassVar[str] = "PodDisruptionBudget"

    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus()
