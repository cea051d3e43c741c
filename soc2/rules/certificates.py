"""Rules on client certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.kubernetes.certificates import ClientCertificate


@dataclass(frozen=True, kw_only=True)
class CertificateIssued(Deviation):
    template: ClassVar[str] = "a client certificate for user {user} (groups: {groups}) {problem}"
    user: str
    groups: str
    problem: str


def known_and_short_lived(
    declared: Iterable[str], limit_days: int
) -> Callable[[ClientCertificate], Iterator[CertificateIssued]]:
    """Return the rule that certificates are for declared users, end in time, and never carry ``system:masters``."""
    patterns = tuple(declared)

    def rule(item: ClientCertificate) -> Iterator[CertificateIssued]:
        def issued(problem: str) -> CertificateIssued:
            return CertificateIssued(
                resource=item.resource, user=item.user or "unknown", groups=", ".join(item.groups) or "none", problem=problem
            )

        if item.user is None:
            yield issued("was approved from a request that cannot be read")
        elif not any(fnmatchcase(item.user, pattern) for pattern in patterns):
            yield issued("was approved and the user is not declared")
        if "system:masters" in item.groups:
            yield issued("gives every right, past all bindings, until it expires")
        if item.days is None:
            yield issued("does not tell when it ends")
        elif item.days > limit_days:
            yield issued(f"is valid for {item.days:.0f} days, the limit is {limit_days}")

    return rule
