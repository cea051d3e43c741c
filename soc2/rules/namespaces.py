"""Rules on namespaces: the Pod Security level they claim, who owns them, what class of data they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.joins import GuardedNamespace

_ENFORCE = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, kw_only=True)
class NoPodSecurityLevel(Deviation):
    """``admitted`` are controls of baseline that an admitted pod breaks; empty when none was tried."""

    template: ClassVar[str] = "pod security is enforced at level {level}, not at baseline or restricted"
    level: str
    admitted: str

    @property
    def message(self) -> str:
        proof = f", and a pod that breaks {self.admitted} is admitted (server-side dry-run)" if self.admitted else ""
        return super().message + proof


@dataclass(frozen=True, kw_only=True)
class LabelMissing(Deviation):
    template: ClassVar[str] = "label {label} is {value}; it must be one of {allowed}"
    label: str
    value: str
    allowed: str


def pod_security_level(guarded: GuardedNamespace) -> Iterator[Deviation]:
    """The namespace enforces baseline or restricted, or other policies were seen to refuse every pod that breaks baseline.

    Warning and auditing refuse nothing.
    """
    level = guarded.namespace.labels.get(_ENFORCE, "")
    trial = guarded.trial
    proven = trial is not None and trial.refused > 0 and not trial.admitted
    if level not in ("baseline", "restricted") and not proven:
        admitted = ", ".join(trial.admitted) if trial else ""
        yield NoPodSecurityLevel(resource=guarded.resource, level=level or "none", admitted=admitted)


def labelled(label: str, allowed: Iterable[str] = ()) -> Callable[[Namespace], Iterator[Deviation]]:
    """Return the rule that a namespace has a label, with one of the allowed values when there are any."""
    values = tuple(allowed)

    def rule(namespace: Namespace) -> Iterator[Deviation]:
        value = namespace.labels.get(label, "")
        if not value or (values and value not in values):
            yield LabelMissing(
                resource=namespace.resource,
                label=label,
                value=value or "not set",
                allowed=", ".join(values) or "any value",
            )

    return rule
