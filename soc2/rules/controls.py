"""Rules on who may stop or weaken a control."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.access.controls import ControlPower, Guardrail
from soc2.model.deviation import Deviation


@dataclass(frozen=True, kw_only=True)
class MayWeaken(Deviation):
    """``confirmed`` says what somebody else answers: IAM's simulator, or in a cluster its authorizer itself."""

    template: ClassVar[str] = "it could stop or weaken {control} ({ways}) and is not declared for it; confirmed: {confirmed}"
    control: str
    ways: str
    confirmed: str


def kept(declared: Iterable[str]) -> Callable[[ControlPower], Iterator[Deviation]]:
    """Return the rule that only declared subjects or principals could stop or weaken a control."""
    patterns = tuple(declared)

    def rule(power: ControlPower) -> Iterator[Deviation]:
        if any(fnmatchcase(power.name, pattern) for pattern in patterns):
            return
        for way in power.ways:
            yield MayWeaken(resource=power.resource, control=way.control, ways=way.ways, confirmed=way.confirmed)

    return rule


@dataclass(frozen=True, kw_only=True)
class NotGuarded(Deviation):
    template: ClassVar[str] = "no service control policy denies to stop or weaken {control}: {actions}"
    control: str
    actions: str


def guarded(record: Guardrail) -> Iterator[Deviation]:
    """The organization's policies deny what switches a control off to everybody that they do not name."""
    if record.left:
        yield NotGuarded(resource=record.resource, control=record.control, actions=", ".join(record.left))
