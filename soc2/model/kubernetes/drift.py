"""What runs against what is declared: images of pods against the templates that made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.deviation import Resource
from soc2.model.image_reference import parse_reference
from soc2.model.kubernetes.image_uses import RunningDigest
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.workloads import AnyWorkload

_MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True)
class RunningContainer:
    """A container of a pod: the list that it stands in, its image as the pod names it, and the digest that runs ("" when that
    is not told). ``declared`` is what the template names, None when it has no such container."""

    name: str
    kind: str
    image: str
    digest: str
    declared: str | None


@dataclass(frozen=True)
class DeployedPods:
    """Pods with the template that made them; ``owner`` is None for pods that nothing declares."""

    resource: Resource
    owner: Resource | None
    pods: tuple[tuple[str, tuple[RunningContainer, ...]], ...]


def deployed_pods(digests: Iterable[RunningDigest], workloads: Iterable[AnyWorkload]) -> Iterator[DeployedPods]:
    """Yield the running pods of each workload together, and each of the others by itself. Static pods are declared by files of
    their node, which nobody can ask for here, and are left out."""
    by_uid = {each.metadata.uid: each for each in workloads if each.metadata.uid}
    running: dict[int, tuple[Pod, dict[str, str]]] = {}
    for digest in digests:
        of_pod = running.setdefault(id(digest.pod), (digest.pod, {}))[1]
        of_pod[digest.container] = digest.reference.digest if digest.reference else ""
    together: dict[str, list[tuple[Pod, dict[str, str]]]] = {}
    for pod, found in running.values():
        references = pod.metadata.owner_references
        if any(each.kind == "Node" for each in references) or _MIRROR in pod.metadata.annotations:
            continue
        owner = next((by_uid[each.uid] for each in references if each.controller and each.uid in by_uid), None)
        if owner is None:
            controller = next((each for each in references if each.controller), None)
            made_by = Resource(controller.kind, controller.name, pod.namespace) if controller else None
            yield DeployedPods(pod.resource, made_by, ((pod.name, tuple(_containers(pod, found, None))),))
        else:
            together.setdefault(owner.metadata.uid, []).append((pod, found))
    for uid, pods in together.items():
        owner = by_uid[uid]
        declared = {each.name: each.image for _, each in owner.template.spec.all_containers}
        containers = tuple((pod.name, tuple(_containers(pod, found, declared))) for pod, found in pods)
        yield DeployedPods(owner.resource, owner.resource, containers)


def _containers(pod: Pod, digests: dict[str, str], declared: dict[str, str] | None) -> Iterator[RunningContainer]:
    for kind, container in pod.spec.all_containers:
        if container.name in digests:
            # What made the pod is of a kind that is not listed, so that its template is not known.
            named = container.image if declared is None else declared.get(container.name)
            yield RunningContainer(container.name, kind, container.image, digests[container.name], named)


def same_image(one: str, other: str) -> bool:
    """Tell whether two references name the same image."""
    try:
        return parse_reference(one) == parse_reference(other)
    except ValueError:
        return one == other
