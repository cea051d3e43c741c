"""Rules on the admission chain itself: what guards the cluster must not be easy to get around."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.admission import ValidatingAdmissionPolicy, WebhookConfiguration
from soc2.model.kubernetes.joins import AdmissionScope, BoundPolicy


@dataclass(frozen=True, kw_only=True)
class FailsOpen(Deviation):
    template: ClassVar[str] = "{what} has failurePolicy {policy}: when it cannot answer, everything passes"
    what: str
    policy: str


def fails_closed(item: WebhookConfiguration | ValidatingAdmissionPolicy) -> Iterator[Deviation]:
    """Webhooks and policies refuse when they cannot decide. Where a webhook sets something, objects would lack it."""
    if isinstance(item, WebhookConfiguration):
        for webhook in item.webhooks:
            if webhook.failure_policy != "Fail":
                yield FailsOpen(resource=item.resource, what=f"webhook {webhook.name}", policy=webhook.failure_policy)
    elif item.spec.failure_policy != "Fail":
        yield FailsOpen(resource=item.resource, what="the policy", policy=item.spec.failure_policy)


@dataclass(frozen=True, kw_only=True)
class NotEnforced(Deviation):
    template: ClassVar[str] = "the policy refuses nothing: {problem}"
    problem: str


def enforced(record: BoundPolicy) -> Iterator[Deviation]:
    """A policy has a binding, and one that denies."""
    if not record.bindings:
        yield NotEnforced(resource=record.resource, problem="no binding names it")
    elif not any("Deny" in binding.spec.validation_actions for binding in record.bindings):
        actions = ", ".join(sorted({action for binding in record.bindings for action in binding.spec.validation_actions}))
        yield NotEnforced(resource=record.resource, problem=f"its bindings only {actions or 'do nothing'}")


@dataclass(frozen=True, kw_only=True)
class LeftOut(Deviation):
    template: ClassVar[str] = "{name} does not look at {what} ({detail}), and nobody declared that"
    name: str
    what: str
    detail: str


def exclusions_declared(declared: Iterable[str]) -> Callable[[AdmissionScope], Iterator[Deviation]]:
    """Return the rule that what webhooks and policies leave out is declared, as ``name -> what`` (patterns)."""
    patterns = tuple(declared)

    def rule(scope: AdmissionScope) -> Iterator[Deviation]:
        for what, detail in scope.left_out:
            if not any(fnmatchcase(f"{scope.name} -> {what}", pattern) for pattern in patterns):
                yield LeftOut(resource=scope.resource, name=scope.name, what=what, detail=detail)

    return rule
