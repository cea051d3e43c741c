"""Shakes hands with every declared endpoint, for the certificates that it presents and whether clients trust them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from soc2.declared_network import Endpoint
from soc2.gather.kubernetes.connection import now
from soc2.gather.source import Gatherer, Listing
from soc2.gather.tls.endpoints import SECONDS, Asked, ask_each
from soc2.gather.tls.hello import Kind, MalformedAnswer, read_answer
from soc2.gather.tls.wire import Failed, Reach
from soc2.model.network.places import Place
from soc2.model.population import Cause
from soc2.model.tls import Certificate, Certificates

# OpenSSL's x509_vfy.h. The time is left out when what is asked is whether the chain is trusted apart from it.
_NO_CHECK_TIME = 0x200000
_NOT_YET_VALID, _EXPIRED = 9, 10
_NO_ISSUER = (2, 18, 19, 20, 21)
_LEGACY_SERVER = getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)


@dataclass(frozen=True)
class TlsCertificates:
    """The certificates that declared endpoints present. ``seconds`` is how long each of them may take altogether."""

    seconds: float = SECONDS
    name: str = "certificates of endpoints"

    def gather(self, gatherer: Gatherer) -> Listing[Certificates]:
        return ask_each(gatherer, self.name, "handshakes of TLS", self._try)

    def _try(self, endpoint: Endpoint, name: str) -> Asked[Certificates]:
        reach = Reach(endpoint.place, self.seconds)
        try:
            chain = _shake(reach, endpoint, _context(endpoint, verify=False)).chain
            if not chain:
                return Asked(Certificates(host=endpoint.host, name=name))
            presented = _path(_read(chain, endpoint.place))
            distrust = _distrust(reach, endpoint, presented)
        except Failed as error:
            return Asked(None, (error.problem,))
        return Asked(Certificates(host=endpoint.host, name=name, chain=presented, distrust=distrust))


@dataclass(frozen=True)
class _Shaken:
    """What came of a handshake: the certificates as DER, and with which code and words OpenSSL refused them (0: not)."""

    chain: tuple[bytes, ...] = ()
    code: int = 0
    words: str = ""


def _context(endpoint: Endpoint, *, verify: bool, time: bool = True) -> ssl.SSLContext:
    """Return a context that takes part in whatever OpenSSL can do: what is too weak is told by the rules, not by it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.options |= _LEGACY_SERVER
    if verify:
        context.load_default_certs()
        if endpoint.ca:
            # An issuer that the owner names is trusted, whoever issued it.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(endpoint.ca)
        if not time:
            context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context


def _distrust(reach: Reach, endpoint: Endpoint, chain: Sequence[Certificate]) -> str:
    """Return why a client would not trust the chain, the dates of its first certificate left out."""
    verified = _shake(reach, endpoint, _context(endpoint, verify=True))
    if verified.code in (_NOT_YET_VALID, _EXPIRED):
        words = f"an issuer in its chain: {verified.words}"
        verified = _shake(reach, endpoint, _context(endpoint, verify=True, time=False))
        if not verified.code:
            return "" if _is_due(chain[0]) else words
    if verified.code in _NO_ISSUER and not endpoint.ca and not _trust_store():
        why = "the examiner's machine has no trust store, and no ca is declared"
        raise Failed(Cause.INCONCLUSIVE, f"{endpoint.place}: {why}")
    if verified.code in _NO_ISSUER:
        mend = "" if endpoint.ca else "; an issuer of your own is declared as ca"
        what = "not trusted" if chain[-1].self_signed else "neither presented nor trusted"
        return f"{verified.words} ({chain[-1].issuer or 'nobody'} is {what}){mend}"
    return verified.words if verified.code else ""


def _is_due(leaf: Certificate) -> bool:
    return not leaf.not_before <= now() <= leaf.not_after


def _trust_store() -> bool:
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())))


def _shake(reach: Reach, endpoint: Endpoint, context: ssl.SSLContext) -> _Shaken:
    """Shake hands and hang up. A client that has no certificate to show has seen the server's by then. Raises Failed."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=endpoint.host)
    with reach.connect() as wire:
        while True:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                wire.send(outgoing.read())
                data = wire.receive(nudge=True)
                if data:
                    incoming.write(data)
                else:
                    incoming.write_eof()
                continue
            except ssl.SSLCertVerificationError as error:
                wire.send(outgoing.read())
                return _Shaken(code=error.verify_code, words=error.verify_message)
            except ssl.SSLError as error:
                wire.send(outgoing.read())
                chain = presented(client)
                return _Shaken(chain) if chain else _nothing(endpoint.place, bytes(wire.received), error)
            wire.send(outgoing.read())
            return _Shaken(presented(client))


def presented(client: ssl.SSLObject) -> tuple[bytes, ...]:
    """Return the chain as it was presented. Python offers it from 3.13 on, and to itself before."""
    if hasattr(client, "get_unverified_chain"):
        return tuple(client.get_unverified_chain() or ())
    chain = client._sslobj.get_unverified_chain() or ()  # type: ignore[attr-defined]
    return tuple(ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in chain)


def _nothing(place: Place, received: bytes, error: ssl.SSLError) -> _Shaken:
    """Tell a port that talks no TLS from a handshake that failed before there was a certificate."""
    try:
        answer = read_answer(received, ended=True)
    except MalformedAnswer as malformed:
        raise Failed(Cause.MALFORMED, f"{place} answers with {malformed}") from None
    if answer and answer.kind in (Kind.NOT_TLS, Kind.CLOSED):
        return _Shaken()
    if answer and answer.kind is Kind.ALERT:
        raise Failed(Cause.INCONCLUSIVE, f"{place} refuses the handshake ({answer.alert})")
    raise Failed(Cause.INCONCLUSIVE, f"no handshake with {place}: {error.reason or 'it ends too early'}")


def _read(chain: Sequence[bytes], place: Place) -> list[tuple[x509.Certificate, Certificate]]:
    try:
        read = [x509.load_der_x509_certificate(each) for each in chain]
        return [(certificate, _record(certificate)) for certificate in read]
    except ValueError:
        raise Failed(Cause.MALFORMED, f"{place} presents a certificate that cannot be read") from None


def _path(certificates: Sequence[tuple[x509.Certificate, Certificate]]) -> tuple[Certificate, ...]:
    """Return the first one and then each issuer of the one before; servers present others as well, which do no harm."""
    (current, record), *others = certificates
    path = [record]
    while not path[-1].self_signed:
        found = next((each for each in others if each[0].subject == current.issuer and each[1] not in path), None)
        if found is None:
            break
        current = found[0]
        path.append(found[1])
    return tuple(path)


def _record(certificate: x509.Certificate) -> Certificate:
    key, bits = _key(certificate)
    names, addresses = _names(certificate)
    return Certificate(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=key,
        key_bits=bits,
        signature_hash=_signature_hash(certificate),
        dns_names=tuple(names),
        addresses=tuple(addresses),
        self_signed=certificate.subject == certificate.issuer,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        return "unknown", 0
    name = type(key).__name__.removesuffix("PublicKey").lstrip("_")
    return {"EllipticCurve": "EC"}.get(name, name), getattr(key, "key_size", 0)


def _signature_hash(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    return algorithm.name if algorithm else ""


def _names(certificate: x509.Certificate) -> tuple[Iterator[str], Iterator[str]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return iter(()), iter(())
    addresses = names.get_values_for_type(x509.IPAddress)
    return iter(names.get_values_for_type(x509.DNSName)), (str(each) for each in addresses)
