"""Who owns a pod in the end, over the listed workloads."""

from __future__ import annotations

from collections.abc import Sequence

from soc2.model.deviation import Resource
from soc2.model.kubernetes.meta import KubeObject, Metadata, OwnerReference
from soc2.model.kubernetes.workloads import AnyWorkload


class Owners:
    """Who owns what, over the listed workloads."""

    def __init__(self, workloads: Sequence[AnyWorkload]) -> None:
        self._by_uid = {each.metadata.uid: each for each in workloads if each.metadata.uid}
        self._by_name = {(each.KIND, each.namespace, each.name): each for each in workloads}

    def listed(self, item: KubeObject) -> bool:
        """Tell whether a listed workload owns it."""
        reference = _controller(item.metadata)
        return reference is not None and self._find(reference, item.namespace) is not None

    def outermost(self, item: KubeObject) -> Resource:
        """Return the last of its owners, or the object itself when it has none. A node's static pods own themselves."""
        passed = set()
        while (reference := _controller(item.metadata)) and id(item) not in passed:
            passed.add(id(item))
            owner = self._find(reference, item.namespace)
            if owner is None:
                return Resource(reference.kind, reference.name, item.namespace)
            item = owner
        return item.resource

    def _find(self, reference: OwnerReference, namespace: str) -> AnyWorkload | None:
        return self._by_uid.get(reference.uid) or self._by_name.get((reference.kind, namespace, reference.name))


def _controller(metadata: Metadata) -> OwnerReference | None:
    owners = [owner for owner in metadata.owner_references if owner.kind != "Node"]
    return next((owner for owner in owners if owner.controller), owners[0] if owners else None)
