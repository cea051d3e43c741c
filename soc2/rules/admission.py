"""Rules on the admission chain itself: what guards the cluster must not be easy to get around."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.admission import ValidatingAdmissionPolicy, ValidatingWebhookConfiguration
from soc2.model.kubernetes.joins import BoundPolicy


@dataclass(frozen=True, kw_only=True)
class FailsOpen(Deviation):
    template: ClassVar[str] = "{what} has failurePolicy {policy}: when it cannot answer, everything passes"
    what: str
    policy: str


def fails_closed(item: ValidatingWebhookConfiguration | ValidatingAdmissionPolicy) -> Iterator[Deviation]:
    """Webhooks and policies refuse when they cannot decide."""
    if isinstance(item, ValidatingWebhookConfiguration):
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
