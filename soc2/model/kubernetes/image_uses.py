"""Which images run: by the digests that the runtimes tell of the containers of pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from soc2.model.image_content import ImageUse
from soc2.model.image_reference import ImageReference, parse_reference
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.pods import Container, ContainerStatus, Pod
from soc2.model.population import Cause, EvidenceGap, Problem

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class RunningDigest:
    """A container with the image that it runs. ``reference`` is None when nothing tells its digest; ``platform`` is that of
    its node (``linux/arm64``), empty when it is not known."""

    pod: Pod
    container: str
    reference: ImageReference | None
    platform: str

    @property
    def place(self) -> str:
        return f"{self.pod.namespace}/{self.pod.name}, container {self.container}"


def running_digests(pods: Iterable[Pod], nodes: Iterable[Node]) -> Iterator[RunningDigest]:
    """Yield every container of the pods that have not ended; those that wait to be started only where their pod names their
    image by digest, for nobody knows yet which image it will be otherwise."""
    platforms = {node.name: _platform(node) for node in nodes}
    for pod in pods:
        if pod.status.phase in _ENDED:
            continue
        statuses = {status.name: status for status in _statuses(pod)}
        for _, container in pod.spec.all_containers:
            status = statuses.get(container.name)
            reference = _reference(container, status)
            if reference or (status and status.state.waiting is None):
                yield RunningDigest(pod, container.name, reference, platforms.get(pod.spec.node_name, ""))


def untold(digests: Sequence[RunningDigest]) -> Iterator[EvidenceGap]:
    """Yield a gap when containers run of which nothing tells the digest."""
    if places := [digest.place for digest in digests if digest.reference is None]:
        detail = f"nothing tells the digest of the image of {places[0]} ({len(places)} of {len(digests)} containers)"
        yield EvidenceGap("pods", Problem(Cause.INCONCLUSIVE, detail))


def image_uses(digests: Iterable[RunningDigest]) -> Iterator[ImageUse]:
    """Return who runs which image, and whether as the user that the image names."""
    for digest in digests:
        if digest.reference:
            container = next(each for _, each in digest.pod.spec.all_containers if each.name == digest.container)
            yield ImageUse(
                image=str(digest.reference),
                pod=f"{digest.pod.namespace}/{digest.pod.name}",
                container=digest.container,
                as_image_user=_as_image_user(digest.pod, container),
            )


def _statuses(pod: Pod) -> tuple[ContainerStatus, ...]:
    status = pod.status
    return (*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses)


def _reference(container: Container, status: ContainerStatus | None) -> ImageReference | None:
    """Return what really runs, as the runtime tells it; one that tells no repository runs what the pod names."""
    for text in (status.image_id, status.image) if status else ():
        if found := _by_digest(text):
            return found
    return _by_digest(container.image)


def _by_digest(text: str) -> ImageReference | None:
    try:
        reference = parse_reference(text)
    except ValueError:
        return None
    return reference.by_digest if reference.digest else None


def _platform(node: Node) -> str:
    info = node.status.node_info
    return f"{info.operating_system or 'linux'}/{info.architecture}" if info.architecture else ""


def _as_image_user(pod: Pod, container: Container) -> bool:
    """Tell whether neither the container nor its pod names a user or forbids root; the container's word wins."""
    own, shared = container.security_context, pod.spec.security_context
    user = own.run_as_user if own and own.run_as_user is not None else shared.run_as_user if shared else None
    not_root = own.run_as_non_root if own and own.run_as_non_root is not None else shared.run_as_non_root if shared else None
    return user is None and not not_root
