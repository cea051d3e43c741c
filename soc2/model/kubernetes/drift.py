"""What runs against what is declared: images of pods against the templates that made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from soc2.model.deviation import Resource
from soc2.model.image_reference import parse_reference
from soc2.model.kubernetes.image_uses import RunningDigest
from soc2.model.kubernetes.pods import Pod, PodTemplate
from soc2.model.kubernetes.revisions import Revisions
from soc2.model.kubernetes.workloads import AnyWorkload, ControllerRevision

_MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True)
class RunningContainer:
    """A container of a pod: the list that it stands in, its image as the pod names it, and the digest that runs ("" when that
    is not told). ``declared`` is what the template names, None when it has no such container; ``former`` what the older
    version of the template names that the pod was made from, None where it was made from the newest. ``platform`` is the
    node's."""

    name: str
    kind: str
    image: str
    digest: str
    declared: str | None
    former: str | None = None
    platform: str = ""


@dataclass(frozen=True)
class DeployedPods:
    """Pods with the template that made them; ``owner`` is None for pods that nothing declares. ``rolling_since`` is when the
    pods began to be replaced by those of a newer template, None when that is not told or pods are declared to stay."""

    resource: Resource
    owner: Resource | None
    pods: tuple[tuple[str, tuple[RunningContainer, ...]], ...]
    rolling_since: datetime | None = None


_Digests = dict[str, RunningDigest]
"""Those of a pod by the name of the container."""


def deployed_pods(
    digests: Iterable[RunningDigest], workloads: Iterable[AnyWorkload], revisions: Iterable[ControllerRevision] = ()
) -> Iterator[DeployedPods]:
    """Yield the running pods of each workload together, and each of the others by itself. Static pods are declared by files of
    their node, which nobody can ask for here, and are left out. ``revisions`` are the versions of the workloads that replace
    their pods in place."""
    by_uid = {each.metadata.uid: each for each in workloads if each.metadata.uid}
    versions = Revisions(revisions)
    running: dict[int, tuple[Pod, _Digests]] = {}
    for digest in digests:
        of_pod = running.setdefault(id(digest.pod), (digest.pod, {}))[1]
        of_pod[digest.container] = digest
    together: dict[str, list[tuple[Pod, _Digests]]] = {}
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
        declared = _images(owner.template)
        containers = tuple(
            (pod.name, tuple(_containers(pod, found, declared, _former(versions, owner, pod)))) for pod, found in pods
        )
        rolling_since = versions.rolling_since(owner, [pod for pod, _ in pods])
        yield DeployedPods(owner.resource, owner.resource, containers, rolling_since)


def _images(template: PodTemplate) -> dict[str, str]:
    return {each.name: each.image for _, each in template.spec.all_containers}


def _former(versions: Revisions, owner: AnyWorkload, pod: Pod) -> dict[str, str] | None:
    """Return what the older version names that a pod was made from; None for a pod of the newest."""
    if not versions.is_older(owner, pod):
        return None
    template = versions.template(owner, pod)
    # Nobody can compare a pod with a version that is not kept any more.
    return _images(template) if template else {each.name: each.image for _, each in pod.spec.all_containers}


def _containers(
    pod: Pod, digests: _Digests, declared: dict[str, str] | None, former: dict[str, str] | None = None
) -> Iterator[RunningContainer]:
    for kind, container in pod.spec.all_containers:
        if found := digests.get(container.name):
            # What made the pod is of a kind that is not listed, so that its template is not known.
            named = container.image if declared is None else declared.get(container.name)
            digest = found.reference.digest if found.reference else ""
            before = former.get(container.name) if former else None
            yield RunningContainer(container.name, kind, container.image, digest, named, before, found.platform)


def same_image(one: str, other: str) -> bool:
    """Tell whether two references name the same image."""
    try:
        return parse_reference(one) == parse_reference(other)
    except ValueError:
        return one == other
