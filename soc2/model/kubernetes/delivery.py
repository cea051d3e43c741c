"""What deploys from a repository (Argo CD, Flux), as far as it tells whether what runs is what is declared there."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from soc2.model.kubernetes.meta import KubeObject, Record


class Status(Record, frozen=True):
    status: str = ""


class Health(Record, frozen=True):
    status: str = ""
    last_transition_time: datetime | None = None


class Operation(Record, frozen=True):
    """The newest synchronisation; ``phase`` is Running while it goes on."""

    phase: str = ""
    started_at: datetime | None = None


class ApplicationStatus(Record, frozen=True):
    sync: Status = Status()
    health: Health = Health()
    operation_state: Operation = Operation()
    reconciled_at: datetime | None = None


class Application(KubeObject, frozen=True):
    """An Application of Argo CD."""

    KIND: ClassVar[str] = "Application"

    status: ApplicationStatus = ApplicationStatus()


class Condition(Record, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    last_transition_time: datetime | None = None


class FluxSpec(Record, frozen=True):
    suspend: bool = False


class FluxStatus(Record, frozen=True):
    conditions: tuple[Condition, ...] = ()
    observed_generation: int = 0


class FluxObject(KubeObject, frozen=True):
    spec: FluxSpec = FluxSpec()
    status: FluxStatus = FluxStatus()

    @property
    def ready(self) -> Condition:
        return next((each for each in self.status.conditions if each.type == "Ready"), Condition())


class Kustomization(FluxObject, frozen=True):
    KIND: ClassVar[str] = "Kustomization"


class HelmRelease(FluxObject, frozen=True):
    KIND: ClassVar[str] = "HelmRelease"
