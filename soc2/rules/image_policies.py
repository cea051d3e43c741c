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
    template: ClassVar[str] = (
        "no policy looks at images of {registry} such as {example}, and they are allowed: {policies} look at others only"
    )
    registry: str
    policies: str
    example: str


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
            missed = next((image for image in _images(registry) if not any(each.looks_at(image) for each in enforced)), "")
            if missed:
                names = ", ".join(policy.policy for policy in enforced)
                yield RegistryUnguarded(resource=record.resource, registry=registry, policies=names, example=missed)

    return rule


def _images(registry: str) -> Iterator[str]:
    """Yield images that nobody thought of, by tag and by digest; where all of a host is allowed, also one in a folder."""
    for path in ("soc2-probe", *(() if "/" in registry else ("soc2-probe/soc2-probe",))):
        yield f"{registry}/{path}:soc2-probe"
        yield f"{registry}/{path}@sha256:{'0' * 64}"
