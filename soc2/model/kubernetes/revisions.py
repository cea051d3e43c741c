"""Versions of workloads that replace their pods in place: which of them a pod was made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from soc2.model.kubernetes.pods import Pod, PodTemplate
from soc2.model.kubernetes.workloads import AnyWorkload, ControllerRevision, DaemonSet, StatefulSet

_HASH = "controller-revision-hash"


class Revisions:
    """The versions of DaemonSets and StatefulSets. A ReplicaSet is a version by itself."""

    def __init__(self, revisions: Iterable[ControllerRevision]) -> None:
        self._by_owner: dict[str, list[ControllerRevision]] = {}
        for revision in revisions:
            for owner in revision.metadata.owner_references:
                self._by_owner.setdefault(owner.uid, []).append(revision)

    def is_older(self, owner: AnyWorkload, pod: Pod) -> bool:
        """Tell whether a pod was made from an older version, while the owner replaces its pods."""
        if not isinstance(owner, DaemonSet | StatefulSet):
            return False
        if newest := self._newest(owner):
            return _HASH in pod.labels and not _names(newest, owner, pod)
        status = owner.status
        if isinstance(owner, StatefulSet) and status.update_revision:
            return pod.labels.get(_HASH, status.update_revision) != status.update_revision
        behind = status.observed_generation < owner.metadata.generation
        return behind or status.updated_number_scheduled < status.desired_number_scheduled

    def template(self, owner: AnyWorkload, pod: Pod) -> PodTemplate | None:
        """Return the template of the version that a pod was made from, None where it is not kept."""
        own = self._by_owner.get(owner.metadata.uid, ())
        return next((each.data.spec.template for each in own if _names(each, owner, pod)), None)

    def rolling_since(self, owner: AnyWorkload, pods: Sequence[Pod]) -> datetime | None:
        """Return since when the owner replaces its pods by those of its newest version; None when that is not told, or when it
        is declared that some stay."""
        newest = self._newest(owner)
        if newest is None or not isinstance(owner, DaemonSet | StatefulSet):
            return None
        rolling = owner.spec.update_strategy.rolling_update
        if rolling and rolling.partition > 0:
            return None
        # A version that was returned to is as old as it was: its first pods tell when that was.
        replaced = [pod.metadata.creation_timestamp for pod in pods if _names(newest, owner, pod)]
        first = min((at for at in replaced if at), default=None)
        made = newest.metadata.creation_timestamp
        return max(first, made) if first and made else first or made

    def _newest(self, owner: AnyWorkload) -> ControllerRevision | None:
        return max(self._by_owner.get(owner.metadata.uid, ()), key=lambda each: each.revision, default=None)


def _names(revision: ControllerRevision, owner: AnyWorkload, pod: Pod) -> bool:
    # Pods of a StatefulSet name the version, those of a DaemonSet the end of its name.
    found = pod.labels.get(_HASH, "")
    return revision.name in (found, f"{owner.name}-{found}")
