"""Rules on namespaces: the Pod Security level they claim, who owns them, what class of data they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.cluster import Namespace

_ENFORCE = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, kw_only=True)
class NoPodSecurityLevel(Deviation):
    template: ClassVar[str] = "pod security is enforced at level {level}, not at baseline or restricted"
    level: str


@dataclass(frozen=True, kw_only=True)
class LabelMissing(Deviation):
    template: ClassVar[str] = "label {label} is {value}; it must be one of {allowed}"
    label: str
    value: str
    allowed: str


def pod_security_level(namespace: Namespace) -> Iterator[Deviation]:
    """The namespace enforces baseline or restricted. Warning and auditing refuse nothing."""
    level = namespace.labels.get(_ENFORCE, "")
    if level not in ("baseline", "restricted"):
        yield NoPodSecurityLevel(resource=namespace.resource, level=level or "none")


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
