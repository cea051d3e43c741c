"""Rules on paths: what a workload or a person can turn its rights into, hop by hop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.access.graph import AccessPath
from soc2.model.access.reach import Reach
from soc2.model.deviation import Deviation


@dataclass(frozen=True, kw_only=True)
class PathFound(Deviation):
    """``hops`` are (from, how, to), in order."""

    template: ClassVar[str] = "it reaches {target}: {path}"
    target: str
    hops: tuple[tuple[str, str, str], ...]

    @property
    def message(self) -> str:
        path = "".join(f"{source} -[{how}]-> " for source, how, _ in self.hops) + self.hops[-1][2]
        return f"it reaches {self.target} in {len(self.hops)} step{'s' * (len(self.hops) != 1)}: {path}"


def _unless_declared(
    choose: Callable[[Reach], Iterable[AccessPath | None]], declared: Iterable[str]
) -> Callable[[Reach], Iterator[Deviation]]:
    patterns = tuple(declared)

    def rule(reach: Reach) -> Iterator[Deviation]:
        if any(fnmatchcase(reach.acts_as, pattern) for pattern in patterns):
            return
        for path in choose(reach):
            if path is not None:
                hops = tuple((step.source, step.how, step.target) for step in path.steps)
                yield PathFound(resource=reach.resource, target=path.target, hops=hops)

    return rule


def none_to_cluster_admin(declared: Iterable[str]) -> Callable[[Reach], Iterator[Deviation]]:
    """Return the rule that only declared subjects can come to have every right in the cluster."""
    return _unless_declared(lambda reach: (reach.to_cluster_admin,), declared)


def none_to_admission_control(declared: Iterable[str]) -> Callable[[Reach], Iterator[Deviation]]:
    """Return the rule that only declared subjects can come to switch admission control off."""
    return _unless_declared(lambda reach: (reach.to_admission_control,), declared)


def none_to_foreign_secrets(declared: Iterable[str]) -> Callable[[Reach], Iterator[Deviation]]:
    """Return the rule that no workload can come to read Secrets of another namespace, unless declared."""
    return _unless_declared(lambda reach: (reach.to_foreign_secrets,), declared)


def none_to_account_admin(declared: Iterable[str]) -> Callable[[Reach], Iterator[Deviation]]:
    """Return the rule that only declared subjects can come to do everything in the account."""
    return _unless_declared(lambda reach: (reach.to_account_admin,), declared)


def none_to_data(declared: Iterable[str]) -> Callable[[Reach], Iterator[Deviation]]:
    """Return the rule that only declared subjects reach restricted data; ``declared`` reads ``subject -> store``."""
    patterns = tuple(tuple(part.strip() for part in line.split("->")) for line in declared)

    def rule(reach: Reach) -> Iterator[Deviation]:
        for path in reach.to_data:
            if any(fnmatchcase(reach.acts_as, who) and fnmatchcase(path.target, store) for who, store in patterns):
                continue
            hops = tuple((step.source, step.how, step.target) for step in path.steps)
            yield PathFound(resource=reach.resource, target=path.target, hops=hops)

    return rule
