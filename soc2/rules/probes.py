"""Rules on what probes found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.probes import AccessProbe, AdmissionProbe, MatrixProbe, RequestProbe, RevocationProbe, SearchProbe


@dataclass(frozen=True, kw_only=True)
class Admitted(Deviation):
    template: ClassVar[str] = "a pod with {tried} was admitted (server-side dry-run)"
    tried: str


@dataclass(frozen=True, kw_only=True)
class Answered(Deviation):
    template: ClassVar[str] = "a request by {caller} was answered with {status} instead of 401 or 403"
    caller: str
    status: int


@dataclass(frozen=True, kw_only=True)
class AllowedToStranger(Deviation):
    template: ClassVar[str] = "it may {verb} {what} {where} although nobody gave it a right of its own"
    verb: str
    what: str
    where: str


@dataclass(frozen=True, kw_only=True)
class GotPast(Deviation):
    """``manifest`` is the smallest pod found, as YAML that ``kubectl create --dry-run=server -f -`` takes."""

    template: ClassVar[str] = "it claims to enforce {level} and admits a pod that breaks it ({controls}){why}"
    level: str
    controls: str
    why: str
    manifest: str


def nothing_gets_past(probe: SearchProbe) -> Iterator[Deviation]:
    """The search found no pod that gets past the level."""
    if probe.manifest:
        old = probe.version != "latest" and not probe.controls_of_version
        yield GotPast(
            resource=probe.resource,
            level=probe.level,
            controls=", ".join(probe.controls),
            why=f", because enforce-version or the server holds it to {probe.version}, which allowed it" if old else "",
            manifest=probe.manifest,
        )


def refused(probe: AdmissionProbe) -> Iterator[Deviation]:
    """Admission refuses the pod."""
    if probe.admitted:
        yield Admitted(resource=probe.resource, tried=probe.tried)


def unauthorized(probe: RequestProbe) -> Iterator[Deviation]:
    """The request is refused."""
    if probe.status not in (401, 403):
        yield Answered(resource=probe.resource, caller=probe.caller, status=probe.status)


def stranger_refused(probe: AccessProbe) -> Iterator[Deviation]:
    """The authorizer says no."""
    if probe.allowed:
        where = f"in namespace {probe.namespace}" if probe.namespace else "in the whole cluster"
        yield AllowedToStranger(resource=probe.resource, verb=probe.verb, what=probe.resource_name, where=where)


@dataclass(frozen=True, kw_only=True)
class NotAsDeclared(Deviation):
    template: ClassVar[str] = "it {answer} {verb} {what} {where}, and the access matrix says otherwise"
    answer: str
    verb: str
    what: str
    where: str


def as_declared(probe: MatrixProbe) -> Iterator[Deviation]:
    """The authorizer answers as the access matrix says."""
    if probe.allowed != probe.expected:
        yield NotAsDeclared(
            resource=probe.resource,
            answer="may" if probe.allowed else "may not",
            verb=probe.verb,
            what=probe.resource_name,
            where=f"in namespace {probe.namespace}" if probe.namespace else "in the whole cluster",
        )


@dataclass(frozen=True, kw_only=True)
class TokenStillAccepted(Deviation):
    template: ClassVar[str] = (
        "a token was still accepted {seconds} s after its ServiceAccount was deleted, the limit is {limit} s"
    )
    seconds: float
    limit: int


def token_refused(limit_seconds: int) -> Callable[[RevocationProbe], Iterator[Deviation]]:
    """Return the rule that the token of a deleted ServiceAccount is refused within the limit."""

    def rule(probe: RevocationProbe) -> Iterator[Deviation]:
        if not probe.refused or probe.seconds > limit_seconds:
            yield TokenStillAccepted(resource=probe.resource, seconds=probe.seconds, limit=limit_seconds)

    return rule
