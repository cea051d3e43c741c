"""Custom resources of every kind that the cluster's definitions add, each kind listed by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from soc2.gather.codec import Codec
from soc2.gather.kubernetes.lists import KubeList
from soc2.gather.kubernetes.sources import DEFINITIONS
from soc2.gather.source import Gatherer, Listing, Source
from soc2.model.kubernetes.custom import CustomResource, CustomResourceDefinition
from soc2.model.population import SourceStatus

# The status repeats what the specification says, or tells what a controller found.
_NO_CONTENT = frozenset({"apiVersion", "kind", "metadata", "status"})


_BUILT_IN = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})
_BUILT_IN_K8S = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admissionregistration",
        "apiextensions",
        "apiregistration",
        "authentication",
        "authorization",
        "certificates",
        "coordination",
        "discovery",
        "events",
        "flowcontrol.apiserver",
        "internal.apiserver",
        "networking",
        "node",
        "rbac.authorization",
        "resource",
        "scheduling",
        "storage",
        "storagemigration",
    )
)


def is_custom(group: str) -> bool:
    """Tell whether an API group is none of Kubernetes' own, of version 1.36."""
    return group not in _BUILT_IN and group not in _BUILT_IN_K8S


@dataclass(frozen=True)
class _CustomList(KubeList[CustomResource]):
    def decode(self, codec: Codec, body: bytes) -> tuple[CustomResource, ...]:
        page = msgspec.json.decode(body)
        items = page.get("items") if isinstance(page, dict) else None
        return tuple(codec.convert(shaped(item), CustomResource) for item in items or ())


def shaped(item: Any) -> dict[str, Any]:
    """Return what the record of a custom resource is decoded from. Raises msgspec.ValidationError for what is no object."""
    if not isinstance(item, dict):
        raise msgspec.ValidationError(f"Expected `object`, got `{type(item).__name__}`")
    content = {key: value for key, value in item.items() if key not in _NO_CONTENT}
    return {**{key: item[key] for key in ("apiVersion", "kind", "metadata") if key in item}, "content": content}


@dataclass(frozen=True)
class CustomResources:
    """All objects of all kinds. A kind that may not be listed is evidence missing, with its name."""

    name: str = "custom resources"

    def gather(self, gatherer: Gatherer) -> Listing[CustomResource]:
        return listed(gatherer.get)


def listed(get: Callable[[Source[Any]], Listing[Any]]) -> Listing[CustomResource]:
    """Return what ``get`` lists of every kind that is defined."""
    definitions: Listing[CustomResourceDefinition] = get(DEFINITIONS)
    if definitions.exempt:
        return Listing((), (), definitions.exempt)
    items: list[CustomResource] = []
    statuses: list[SourceStatus] = list(definitions.statuses)
    for definition in definitions.items:
        if definition.path is not None:
            # Kinds that checks of their own judge are listed as records of theirs, too.
            name, namespaced = f"contents of {definition.name}", definition.spec.scope == "Namespaced"
            listing = get(_CustomList(name, definition.path, CustomResource, namespaced))
            items += listing.items
            statuses += listing.statuses
    return Listing(tuple(items), tuple(statuses))


CUSTOM_RESOURCES = CustomResources()
