"""Rules on TLS in transit: what endpoints accept, the certificates that they present, and what becomes of plain HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import floor
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.tls import Certificate, Certificates, PlainHttp, Version, Versions

_OLD = (Version.SSL_3, Version.TLS_1_0, Version.TLS_1_1)
"""RFC 7568 and RFC 8996 forbid them."""
_LEAST_BITS = {"RSA": 2048, "DSA": 2048, "EC": 224}
"""112 bits of security (NIST SP 800-57 part 1, table 2)."""
_BROKEN_HASHES = ("md2", "md4", "md5", "sha1")
_REDIRECTS = (301, 302, 303, 307, 308)
# "Upgrade Required" is how HTTP itself refuses a request that came without TLS (RFC 9110, 15.5.22).
_UPGRADE_REQUIRED = 426
_DAY = 86_400
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class OldVersionAccepted(Deviation):
    template: ClassVar[str] = "it accepts {version}, which is broken; refuse what is older than TLSv1.2"
    version: str


@dataclass(frozen=True, kw_only=True)
class WeakSuiteAccepted(Deviation):
    template: ClassVar[str] = "it accepts the cipher suite {suite}, which is broken"
    suite: str


@dataclass(frozen=True, kw_only=True)
class NoTls(Deviation):
    template: ClassVar[str] = "it talks no TLS: it hangs up, or answers with something else"


@dataclass(frozen=True, kw_only=True)
class PlainHttpAnswered(Deviation):
    template: ClassVar[str] = "{place} answers plain HTTP with status {status}{target}"
    place: str
    status: int
    target: str


@dataclass(frozen=True, kw_only=True)
class NotTrusted(Deviation):
    template: ClassVar[str] = "clients do not trust its chain of certificates: {reason}"
    reason: str


@dataclass(frozen=True, kw_only=True)
class OtherName(Deviation):
    template: ClassVar[str] = "its certificate is made out to {names}, not to {host}"
    host: str
    names: str


@dataclass(frozen=True, kw_only=True)
class CertificateEnds(Deviation):
    template: ClassVar[str] = "its certificate {ends} ({not_after}); it is to be renewed when {limit} days are left"
    ends: str
    not_after: str
    limit: int


@dataclass(frozen=True, kw_only=True)
class IssuerEnds(Deviation):
    template: ClassVar[str] = "the certificate of {subject} in its chain {ends} ({not_after}); a chain without it is needed"
    subject: str
    ends: str
    not_after: str


@dataclass(frozen=True, kw_only=True)
class NotYetValid(Deviation):
    template: ClassVar[str] = "its certificate is not valid before {not_before}"
    not_before: str


@dataclass(frozen=True, kw_only=True)
class WeakCertificate(Deviation):
    template: ClassVar[str] = "the certificate of {subject} {weakness}"
    subject: str
    weakness: str


def old_tls_refused(endpoint: Versions) -> Iterator[Deviation]:
    """The endpoint talks TLS, in versions from 1.2 on, and with no broken cipher suite."""
    if not endpoint.talks_tls:
        yield NoTls(resource=endpoint.resource)
    for version in endpoint.accepted:
        if version in _OLD:
            yield OldVersionAccepted(resource=endpoint.resource, version=version.value)
    for suite in endpoint.weak_suites:
        yield WeakSuiteAccepted(resource=endpoint.resource, suite=suite)


def plain_http_refused(endpoint: PlainHttp) -> Iterator[Deviation]:
    """Plain HTTP is refused, or sent on to HTTPS of the same host."""
    if endpoint.outcome != "answered" or endpoint.status == _UPGRADE_REQUIRED:
        return
    redirects = endpoint.status in _REDIRECTS
    if redirects and endpoint.scheme == "https" and endpoint.target.lower() == endpoint.host.lower():
        return
    target = ""
    if redirects and endpoint.target:
        target = f" and leads to {endpoint.scheme}://{endpoint.target} instead of https://{endpoint.host}"
    yield PlainHttpAnswered(resource=endpoint.resource, place=endpoint.place, status=endpoint.status, target=target)


def certificates_valid(expiry_days: int, as_of: datetime) -> Callable[[Certificates], Iterator[Deviation]]:
    """Return the rule that clients trust the endpoint's certificates, and will for more than ``expiry_days`` after
    ``as_of``."""

    def rule(endpoint: Certificates) -> Iterator[Deviation]:
        resource = endpoint.resource
        if not endpoint.chain:
            yield NoTls(resource=resource)
            return
        leaf = endpoint.chain[0]
        if endpoint.distrust:
            yield NotTrusted(resource=resource, reason=endpoint.distrust)
        if not leaf.covers(endpoint.host):
            yield OtherName(resource=resource, host=endpoint.host, names=_some((*leaf.dns_names, *leaf.addresses)))
        if as_of < leaf.not_before:
            yield NotYetValid(resource=resource, not_before=_shown(leaf.not_before))
        ends = when_it_ends(leaf.not_after, expiry_days, as_of)
        if ends:
            yield CertificateEnds(resource=resource, ends=ends, not_after=_shown(leaf.not_after), limit=expiry_days)
        for issuer in endpoint.chain[1:]:
            # One that expired already does no harm where clients trust the chain without it.
            ends = when_it_ends(issuer.not_after, expiry_days, as_of) if as_of <= issuer.not_after else ""
            if ends:
                yield IssuerEnds(resource=resource, subject=_subject(issuer), ends=ends, not_after=_shown(issuer.not_after))
        for certificate in endpoint.chain:
            for weakness in _weaknesses(certificate, trusted_by_itself=certificate.self_signed and certificate is not leaf):
                yield WeakCertificate(resource=resource, subject=_subject(certificate), weakness=weakness)

    return rule


def _subject(certificate: Certificate) -> str:
    return certificate.subject or "nobody"


def when_it_ends(not_after: datetime, limit_days: int, as_of: datetime) -> str:
    """Return in words when a certificate expires or did, or nothing when more than ``limit_days`` are left of it."""
    seconds = (not_after - as_of).total_seconds()
    if seconds > limit_days * _DAY:
        return ""
    if seconds < 0:
        return f"expired {_days(-seconds)} ago"
    return f"expires in {_days(seconds)}"


def _days(seconds: float) -> str:
    days = floor(seconds / _DAY)
    return f"{days} day{'' if days == 1 else 's'}" if days else "less than a day"


def _weaknesses(certificate: Certificate, *, trusted_by_itself: bool) -> Iterator[str]:
    least = _LEAST_BITS.get(certificate.key, 0)
    if certificate.key_bits < least:
        yield f"has a key of {certificate.key_bits} bits, where {certificate.key} takes {least}"
    # Nobody relies on what a root says of itself.
    if certificate.signature_hash in _BROKEN_HASHES and not trusted_by_itself:
        yield f"is signed with {certificate.signature_hash.upper()}"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
    return ", ".join(names[:_SHOWN]) + more or "no name"


def _shown(time: datetime) -> str:
    return f"{time:%F %H:%M} UTC"
