"""Rules on redundancy: replicas, zones, disruption budgets, probes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.joins import ClusterNodes, ReplicatedWorkload
from soc2.model.kubernetes.subjects import PodSubject
from soc2.model.kubernetes.workloads import Deployment, StatefulSet

_ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True, kw_only=True)
class TooFewZones(Deviation):
    template: ClassVar[str] = "ready nodes are in {zones} zones, at least {wanted} are wanted"
    zones: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class TooFewReplicas(Deviation):
    template: ClassVar[str] = "{asked} replicas are asked for and {ready} are ready, at least {wanted} are wanted"
    asked: int
    ready: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class NotSpread(Deviation):
    template: ClassVar[str] = "nothing spreads its pods over zones"


@dataclass(frozen=True, kw_only=True)
class NoBudget(Deviation):
    template: ClassVar[str] = "no PodDisruptionBudget selects its pods"


@dataclass(frozen=True, kw_only=True)
class NoRoom(Deviation):
    template: ClassVar[str] = "PodDisruptionBudget {budget} allows no disruption, so that nodes cannot be drained"
    budget: str


@dataclass(frozen=True, kw_only=True)
class NoProbe(Deviation):
    template: ClassVar[str] = "container {container} has no {probe}"
    container: str
    probe: str


def zones(wanted: int) -> Callable[[ClusterNodes], Iterator[Deviation]]:
    """Return the rule that ready, schedulable nodes stand in at least ``wanted`` zones."""

    def rule(cluster: ClusterNodes) -> Iterator[Deviation]:
        ready = {
            node.zone
            for node in cluster.nodes
            if not node.spec.unschedulable
            and any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)
        } - {""}
        if len(ready) < wanted:
            yield TooFewZones(resource=cluster.resource, zones=len(ready), wanted=wanted)

    return rule


def replicated(wanted: int) -> Callable[[Deployment | StatefulSet], Iterator[Deviation]]:
    """Return the rule that a workload asks for at least ``wanted`` replicas and has them ready."""

    def rule(workload: Deployment | StatefulSet) -> Iterator[Deviation]:
        asked = 1 if workload.spec.replicas is None else workload.spec.replicas
        ready = workload.status.ready_replicas
        if min(asked, ready) < wanted:
            yield TooFewReplicas(resource=workload.resource, asked=asked, ready=ready, wanted=wanted)

    return rule


def spread(workload: Deployment | StatefulSet) -> Iterator[Deviation]:
    """A topology spread constraint or an anti-affinity names the zone."""
    spec = workload.template.spec
    keys: list[str] = [constraint.topology_key for constraint in spec.topology_spread_constraints]
    anti = spec.affinity.pod_anti_affinity if spec.affinity else None
    if anti:
        keys += [term.topology_key for term in anti.required_during_scheduling_ignored_during_execution]
        preferred = anti.preferred_during_scheduling_ignored_during_execution
        keys += [weighted.pod_affinity_term.topology_key for weighted in preferred]
    if _ZONE not in keys:
        yield NotSpread(resource=workload.resource)


def disruption_budget(record: ReplicatedWorkload) -> Iterator[Deviation]:
    """A budget selects the workload's pods and leaves room for at least one disruption."""
    if not record.budgets:
        yield NoBudget(resource=record.resource)
    for budget in record.budgets:
        if budget.status.disruptions_allowed < 1:
            yield NoRoom(resource=record.resource, budget=budget.name)


def probed(subject: PodSubject) -> Iterator[Deviation]:
    """Every container has a readiness and a liveness probe."""
    for container in subject.spec.containers:
        probes: Iterable[tuple[str, object]] = (
            ("readinessProbe", container.readiness_probe),
            ("livenessProbe", container.liveness_probe),
        )
        for name, probe in probes:
            if probe is None:
                yield NoProbe(resource=subject.resource, container=container.name, probe=name)
