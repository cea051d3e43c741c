"""Client certificates that a cluster issued: Kubernetes cannot revoke them, so who got one and for how long counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from soc2.model.deviation import Resource
from soc2.model.kubernetes.meta import KubeObject, Record

# The only signer whose certificates let somebody in as any user (Kubernetes, "Certificate Signing Requests").
_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
_SECONDS_OF_A_DAY = 86_400


class RequestSpec(Record, frozen=True):
    """``request`` is the PEM of a PKCS #10 request; it holds no private key."""

    signer_name: str = ""
    username: str = ""
    request: bytes = b""
    expiration_seconds: int | None = None


class RequestCondition(Record, frozen=True):
    type: str = ""
    status: str = "True"


class RequestStatus(Record, frozen=True):
    """``certificate`` is the PEM of what was issued."""

    conditions: tuple[RequestCondition, ...] = ()
    certificate: bytes | None = None


class CertificateSigningRequest(KubeObject, frozen=True):
    KIND: ClassVar[str] = "CertificateSigningRequest"

    spec: RequestSpec = RequestSpec()
    status: RequestStatus = RequestStatus()

    @property
    def approved(self) -> bool:
        types = {condition.type for condition in self.status.conditions if condition.status != "False"}
        return "Approved" in types and not types & {"Denied", "Failed"}


@dataclass(frozen=True)
class ClientCertificate:
    """An approved request: for whom, and for how many days (None when neither certificate nor request tells).

    ``user`` is None when the request cannot be read.
    """

    resource: Resource
    user: str | None
    groups: tuple[str, ...]
    days: float | None


def client_certificates(requests: Iterable[CertificateSigningRequest]) -> Iterator[ClientCertificate]:
    """Yield the approved requests for certificates that authenticate to the API server."""
    for item in requests:
        if item.approved and item.spec.signer_name == _CLIENT_SIGNER:
            user, groups = _subject(item.spec.request)
            yield ClientCertificate(item.resource, user, groups, _days(item))


def _subject(request: bytes) -> tuple[str | None, tuple[str, ...]]:
    """Return common name and organizations, which the API server takes for user and groups."""
    try:
        subject = x509.load_pem_x509_csr(request).subject
    except ValueError:
        return None, ()
    names = [str(part.value) for part in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = tuple(str(part.value) for part in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    return (names[0] if names else ""), groups


def _days(item: CertificateSigningRequest) -> float | None:
    if item.status.certificate:
        try:
            issued = x509.load_pem_x509_certificate(item.status.certificate)
        except ValueError:
            return None
        return (issued.not_valid_after_utc - issued.not_valid_before_utc).total_seconds() / _SECONDS_OF_A_DAY
    return item.spec.expiration_seconds / _SECONDS_OF_A_DAY if item.spec.expiration_seconds is not None else None
