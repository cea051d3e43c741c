"""Rules on the policies that decide which images may run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.image_guards import GuardedImages


@dataclass(frozen=True, kw_only=True)
class ImagesUnguarded(Deviation):
    template: ClassVar[str] = "no policy on images is enforced here: {problem}"
    problem: str


@dataclass(frozen=True, kw_only=True)
class RegistryUnguarded(Deviation):
    template: ClassVar[str] = "no policy looks at images of {registry}, which is allowed: {policies} look at others only"
    registry: str
    policies: str


def guarded(allowed: Iterable[str]) -> Callable[[GuardedImages], Iterator[Deviation]]:
    """Return the rule that a policy which refuses looks at the images of every allowed registry in the namespace."""
    registries = tuple(registry.rstrip("/") for registry in allowed)

    def rule(record: GuardedImages) -> Iterator[Deviation]:
        enforced = [policy for policy in record.policies if not policy.problem]
        if not enforced:
            told = "; ".join(f"{policy.policy} {policy.problem}" for policy in record.policies)
            yield ImagesUnguarded(resource=record.resource, problem=told or "there is none")
            return
        for registry in registries:
            # Any image will do, so also one that nobody thought of.
            image = f"{registry}/soc2-probe:soc2-probe@sha256:{'0' * 64}"
            if not any(policy.looks_at(image) for policy in enforced):
                names = ", ".join(policy.policy for policy in enforced)
                yield RegistryUnguarded(resource=record.resource, registry=registry, policies=names)

    return rule
