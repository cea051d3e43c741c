"""Certificates for local servers, from a root of the tests' own."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and the issuers that a server sends along."""

    certificate: x509.Certificate
    key: Key
    others: tuple[x509.Certificate, ...] = ()

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Write the chain and the key, and return where."""
        number = f"{self.certificate.serial_number:x}-{len(self.others)}"
        chain, key = folder / f"{number}.crt", folder / f"{number}.key"
        chain.write_bytes(b"".join(map(pem, (self.certificate, *self.others))))
        kind = serialization.PrivateFormat.PKCS8
        key.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
        return chain, key

    def context(self, folder: Path) -> ssl.SSLContext:
        """Return a server's context with it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(*self.files(folder))
        return context


class Authority:
    """Issues certificates; one that has an ``issuer`` is an intermediate."""

    def __init__(self, name: str, issuer: Authority | None = None, days: tuple[float, float] = (-1, 365)) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.issuer = issuer
        signer = issuer or self
        builder = _builder(self.name, signer.name, self.key, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.sign(signer.key, hashes.SHA256())

    def issue(
        self,
        *names: str,
        days: tuple[float, float] = (-1, 90),
        key: Key | None = None,
        padding: int = 0,
    ) -> Issued:
        """Issue a certificate for names and addresses, valid between two numbers of days from now. ``padding`` makes it
        larger by so many bytes."""
        own = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else "nobody")])
        builder = _builder(subject, self.name, own, days)
        if names:
            alternative = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
        if padding:
            note = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"x" * padding)
            builder = builder.add_extension(note, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return Issued(certificate, own, (self.certificate,) if self.issuer else ())

    def file(self, folder: Path) -> str:
        path = folder / f"{self.certificate.serial_number:x}.pem"
        path.write_bytes(pem(self.certificate))
        return str(path)


def self_signed(*names: str, key: Key | None = None) -> Issued:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternative = x509.SubjectAlternativeName([_general(name) for name in names])
    builder = _builder(subject, subject, key, (-1, 90)).add_extension(alternative, critical=False)
    return Issued(builder.sign(key, hashes.SHA256()), key)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: tuple[float, float]) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )
