"""A certificate authority of the environment's own, and the certificates and keys it issues."""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 30
_LOOPBACK = (
    *(x509.DNSName(host) for host in ("localhost", "kubernetes", "kubernetes.default.svc")),
    *(x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "10.96.0.1")),
)
# A certificate is judged as of the beginning of the run, which may have to build the control plane before it makes any.
_BACKDATED = datetime.timedelta(days=1)


@dataclass(frozen=True)
class KeyPair:
    """Paths of a PEM certificate and its private key."""

    certificate: Path
    key: Path


def write_private(path: Path, content: bytes) -> Path:
    """Write a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path


class CertificateAuthority:
    """Issues certificates into ``folder``, valid for ``days``; ``certificate`` is the path of its own."""

    def __init__(self, folder: Path, days: int = _DAYS) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._days = days
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "soc2-demo-ca")])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = write_private(folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM))
        self.key = write_private(folder / "ca.key", _pem(self._key))

    def server(self, name: str) -> KeyPair:
        """Issue a certificate for servers (and peers, which are both) on the loopback interface."""
        return self._issue(name, (), [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])

    def site(self, host: str, days: int) -> KeyPair:
        """Issue a certificate for a name that the world knows, valid for some days."""
        return self._issue(host, (), [ExtendedKeyUsageOID.SERVER_AUTH], [x509.DNSName(host)], days)

    def client(self, user: str, groups: tuple[str, ...] = ()) -> KeyPair:
        """Issue a client certificate: Kubernetes reads the user from CN and the groups from O."""
        return self._issue(user, groups, [ExtendedKeyUsageOID.CLIENT_AUTH])

    def signing_key(self, name: str) -> Path:
        """Make a private key for signing ServiceAccount tokens."""
        return write_private(self._folder / f"{name}.key", _pem(ec.generate_private_key(ec.SECP256R1())))

    def _issue(
        self,
        name: str,
        groups: tuple[str, ...],
        usages: list[x509.ObjectIdentifier],
        names: Sequence[x509.GeneralName] = _LOOPBACK,
        days: int | None = None,
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        certificate = (
            self._builder(subject, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        stem = name.replace(":", "-").replace("/", "-")
        return KeyPair(
            write_private(self._folder / f"{stem}.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            write_private(self._folder / f"{stem}.key", _pem(key)),
        )

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int | None = None) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + datetime.timedelta(days=days or self._days))
        )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
