"""Rules on TLS at the edge of an account: listeners of load balancers, and certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from soc2.model.aws.transit import CloudCertificate, ListenerAction, UsedListener
from soc2.model.deviation import Deviation
from soc2.rules.tls import when_it_ends

# As ELB names them; TLSv1 is 1.0.
_OLD = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
_ISSUED = ("ISSUED", "EXPIRED", "REVOKED", "INACTIVE")
_STUCK = ("FAILED", "PENDING_VALIDATION")


@dataclass(frozen=True, kw_only=True)
class PolicyAllowsOld(Deviation):
    template: ClassVar[str] = "its policy {policy} allows {protocols} ({scheme})"
    policy: str
    protocols: str
    scheme: str


@dataclass(frozen=True, kw_only=True)
class PlainListener(Deviation):
    template: ClassVar[str] = "it answers plain HTTP: rule {rule} {does} ({scheme})"
    rule: str
    does: str
    scheme: str


@dataclass(frozen=True, kw_only=True)
class CertificateEnds(Deviation):
    template: ClassVar[str] = "it {ends}, {use}; it is to be renewed when {limit} days are left"
    ends: str
    use: str
    limit: int


@dataclass(frozen=True, kw_only=True)
class NotRenewed(Deviation):
    template: ClassVar[str] = "it is in use and does not renew by itself: {reason}"
    reason: str


def listener_uses_tls(record: UsedListener) -> Iterator[Deviation]:
    """A listener's policy allows no TLS before 1.2, and plain HTTP is refused or sent on to HTTPS of the same host."""
    scheme = record.load_balancer.scheme
    old = [protocol for protocol in record.protocols if protocol in _OLD]
    if old:
        policy = record.listener.ssl_policy
        yield PolicyAllowsOld(resource=record.resource, policy=policy, protocols=", ".join(sorted(old)), scheme=scheme)
    if record.listener.protocol != "HTTP":
        return
    for rule in record.rules:
        does = _answers(rule.actions)
        if does:
            yield PlainListener(resource=record.resource, rule=rule.priority, does=does, scheme=scheme)


def _answers(actions: tuple[ListenerAction, ...]) -> str:
    """Return in words how actions answer, or nothing when they refuse or send on."""
    for action in actions:
        redirect, fixed = action.redirect_config, action.fixed_response_config
        if action.type == "redirect" and redirect:
            if redirect.protocol != "HTTPS":
                return "redirects to plain HTTP"
            return "" if redirect.host == "#{host}" else f"redirects to {redirect.host}"
        if action.type == "fixed-response" and fixed:
            return "" if fixed.status_code[:1] in ("4", "5") else f"answers with status {fixed.status_code}"
    return "forwards it"


def certificate_renews(expiry_days: int, as_of: datetime) -> Callable[[CloudCertificate], Iterator[Deviation]]:
    """Return the rule that a certificate is valid for more than ``expiry_days`` after ``as_of``, and that one in use renews
    without anybody's help."""

    def rule(certificate: CloudCertificate) -> Iterator[Deviation]:
        if certificate.not_after is None or certificate.status not in _ISSUED:
            return
        resource = certificate.resource
        ends = when_it_ends(certificate.not_after, expiry_days, as_of)
        if ends:
            use = f"in use by {len(certificate.in_use_by)}" if certificate.in_use_by else "not in use"
            yield CertificateEnds(resource=resource, ends=ends, use=use, limit=expiry_days)
        reason = _stuck(certificate)
        if certificate.in_use_by and reason:
            yield NotRenewed(resource=resource, reason=reason)

    return rule


def _stuck(certificate: CloudCertificate) -> str:
    if certificate.status == "REVOKED":
        return "it is revoked"
    if certificate.type == "IMPORTED":
        return "it is imported, and the service renews only what it issues"
    if certificate.renewal_eligibility == "INELIGIBLE":
        return "the service says that it is not eligible"
    status = certificate.renewal_summary.renewal_status if certificate.renewal_summary else ""
    return f"its renewal is {status}" if status in _STUCK else ""
