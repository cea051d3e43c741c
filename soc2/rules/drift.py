"""Rules on what runs against what is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.delivery import Application, FluxObject
from soc2.model.kubernetes.drift import DeployedPods, same_image

_EPISODE = timedelta(hours=24)
"""How long what runs may differ from what is declared: the catalogue's limit."""


@dataclass(frozen=True, kw_only=True)
class Undeclared(Deviation):
    template: ClassVar[str] = "pod {pod}, container {container}: image {image} runs, and {problem}"
    pod: str
    container: str
    image: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class DigestsDiffer(Deviation):
    template: ClassVar[str] = "container {container}: {image} is not the same image in all pods: {digests}"
    container: str
    image: str
    digests: str


@dataclass(frozen=True, kw_only=True)
class NotAsInRepository(Deviation):
    template: ClassVar[str] = "what runs is not what the repository declares: {problem}"
    problem: str


def as_declared(
    injected: Iterable[str], as_of: datetime
) -> Callable[[DeployedPods | Application | FluxObject], Iterator[Deviation]]:
    """Return the rule that pods run what their workload declares, all the same, and that what deploys from a repository has
    done so. Containers named ``injected`` (patterns) are added by admission."""
    added = tuple(injected)

    def rule(record: DeployedPods | Application | FluxObject) -> Iterator[Deviation]:
        match record:
            case DeployedPods():
                yield from _drifted(record, added, as_of)
            case Application():
                yield from _unsynced(record, as_of)
            case FluxObject():
                yield from _unreconciled(record, as_of)

    return rule


def _drifted(record: DeployedPods, injected: tuple[str, ...], as_of: datetime) -> Iterator[Deviation]:
    running: dict[tuple[str, str], dict[tuple[str, bool], set[str]]] = {}
    rolling = record.rolling_since is None or as_of - record.rolling_since <= _EPISODE
    for pod, containers in record.pods:
        for each in containers:
            problem = ""
            if record.owner is None:
                problem = "no workload declares the pod"
            elif each.kind == "ephemeralContainers":
                problem = "it was put into the running pod"
            elif rolling and each.former is not None and same_image(each.image, each.former):
                problem = ""
            elif each.declared is None:
                known = any(fnmatchcase(each.name, pattern) for pattern in injected)
                problem = "" if known else f"{record.owner} declares no such container"
            elif not same_image(each.image, each.declared):
                problem = f"{record.owner} declares {each.declared}"
            if problem:
                yield Undeclared(resource=record.resource, pod=pod, container=each.name, image=each.image, problem=problem)
            elif each.digest:
                of_image = running.setdefault((each.name, each.image), {})
                # A tag may have been moved between one version and the next.
                of_image.setdefault((each.platform, rolling and each.former is not None), set()).add(each.digest)
    for (container, image), digests in running.items():
        # By digest an image is what it is; a runtime may tell that of an index or of the image for its platform.
        differing = {digest for each in digests.values() if len(each) > 1 for digest in each}
        if differing and "@" not in image:
            shown = ", ".join(sorted(differing))
            yield DigestsDiffer(resource=record.resource, container=container, image=image, digests=shown)


def _unsynced(application: Application, as_of: datetime) -> Iterator[Deviation]:
    status = application.status
    sync, health, operation = status.sync.status, status.health.status, status.operation_state
    if sync != "Synced" and not (operation.phase == "Running" and _lately(operation.started_at, as_of)):
        yield NotAsInRepository(resource=application.resource, problem=f"it is {sync or 'not compared yet'}")
    if health != "Healthy" and not (health == "Progressing" and _lately(status.health.last_transition_time, as_of)):
        yield NotAsInRepository(resource=application.resource, problem=f"its health is {health or 'not known'}")


def _lately(at: datetime | None, as_of: datetime) -> bool:
    return at is not None and as_of - at <= _EPISODE


def _unreconciled(item: FluxObject, as_of: datetime) -> Iterator[Deviation]:
    if item.spec.suspend:
        yield NotAsInRepository(resource=item.resource, problem="it is suspended, so nothing corrects what differs")
        return
    ready = item.ready
    since = ready.last_transition_time
    if ready.status != "True" and (since is None or as_of - since > _EPISODE):
        how_long = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
        yield NotAsInRepository(resource=item.resource, problem=f"it is not ready{how_long} ({ready.reason or 'no reason'})")
    elif item.status.observed_generation < item.metadata.generation:
        yield NotAsInRepository(resource=item.resource, problem="its controller has not seen its newest version")
