"""The forms in which images are signed: cosign's payloads (simple signing) and bundles of Sigstore.

cosign keeps the signatures of ``sha256:<hex>`` as layers of a manifest with the tag ``sha256-<hex>.sig``, or of one that
refers to the image (OCI 1.1), each with the signature of the layer's content in an annotation. Newer versions keep bundles: a
signed statement (DSSE, in-toto) about the digest.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from soc2.gather.registry.signing_keys import SigningKey
from soc2.model.image_reference import ImageReference, parse_reference
from soc2.model.image_signatures import ImageSignature

T = TypeVar("T")

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle"
NOTATION = "application/vnd.cncf.notary.signature"
_SIGNATURE, _CERTIFICATE = "dev.cosignproject.cosign/signature", "dev.sigstore.cosign/certificate"
_COSIGN = "cosign container image signature"
_IN_TOTO = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/"
_SIGNED = "https://sigstore.dev/cosign/sign/v1"
_KEYLESS = "it was made with a certificate (keyless), and only those by a declared key are verified"


class _Image(msgspec.Struct):
    digest: str = msgspec.field(default="", name="docker-manifest-digest")


class _Identity(msgspec.Struct):
    reference: str | None = msgspec.field(default=None, name="docker-reference")


class _Critical(msgspec.Struct):
    image: _Image
    identity: _Identity = msgspec.field(default_factory=_Identity)
    type: str = ""


class _Payload(msgspec.Struct):
    critical: _Critical


class _Envelope(msgspec.Struct, rename="camel"):
    payload: str
    payload_type: str
    signatures: list[_Sig]


class _Sig(msgspec.Struct):
    sig: str


class _Material(msgspec.Struct, rename="camel"):
    """By what a bundle is verified; of certificates only counts that they are there."""

    certificate: Any = None
    x509_certificate_chain: Any = None


class _Bundle(msgspec.Struct, rename="camel"):
    media_type: str = ""
    verification_material: _Material = msgspec.field(default_factory=_Material)
    dsse_envelope: _Envelope | None = None


class _Subject(msgspec.Struct):
    digest: dict[str, str] = {}


class _Statement(msgspec.Struct, rename="camel"):
    subject: list[_Subject] = []
    predicate_type: str = ""
    type: str = msgspec.field(default="", name="_type")


def read_payload(
    payload: bytes, annotations: dict[str, str], reference: ImageReference, keys: Sequence[SigningKey], place: str
) -> ImageSignature:
    """Verify one of cosign's signatures of an image; its payload has to be about the very digest, under its name."""
    signature = _decoded_base64(annotations.get(_SIGNATURE, ""))
    if not signature:
        return ImageSignature(place=place, problem="there is no signature beside its payload")
    key = next((each for each in keys if each.verifies(signature, payload)), None)
    if key is None:
        keyless = _CERTIFICATE in annotations
        return ImageSignature(place=place, problem=_KEYLESS if keyless else _by_no_key(keys), unread=keyless)
    content = _decoded(payload, _Payload)
    if content is None:
        return ImageSignature(place=place, problem="its payload cannot be read")
    if content.critical.type != _COSIGN:
        return ImageSignature(place=place, problem="its payload says that it is something else than cosign's signature")
    if content.critical.image.digest != reference.digest:
        return ImageSignature(place=place, problem=f"it is about {content.critical.image.digest or 'no digest'}")
    name = content.critical.identity.reference or ""
    if not _is_named(name, reference, key):
        return ImageSignature(place=place, problem=f"it was made for {name}")
    return ImageSignature(place=place, key=key.name)


def read_bundle(content: bytes, reference: ImageReference, keys: Sequence[SigningKey], place: str) -> Iterator[ImageSignature]:
    """Verify a bundle of an image; attestations, which say other things of it, are no signatures."""
    bundle = _decoded(content, _Bundle)
    if bundle is None or not bundle.media_type.startswith(BUNDLE):
        yield ImageSignature(place=place, problem="it cannot be read as a bundle")
        return
    if bundle.dsse_envelope is None:
        yield ImageSignature(place=place, problem="it signs no statement, which is not evaluated", unread=True)
        return
    body = _decoded_base64(bundle.dsse_envelope.payload)
    statement = _decoded(body, _Statement)
    if bundle.dsse_envelope.payload_type != _IN_TOTO or statement is None or not statement.type.startswith(_STATEMENT):
        yield ImageSignature(place=place, problem="what it signs is no statement of in-toto")
        return
    if statement.predicate_type != _SIGNED:
        return
    signed = _pre_authentication(bundle.dsse_envelope.payload_type, body)
    signatures = [_decoded_base64(each.sig) for each in bundle.dsse_envelope.signatures]
    key = next((key for key in keys for each in signatures if each and key.verifies(each, signed)), None)
    if key is None:
        material = bundle.verification_material
        keyless = material.certificate is not None or material.x509_certificate_chain is not None
        yield ImageSignature(place=place, problem=_KEYLESS if keyless else _by_no_key(keys), unread=keyless)
        return
    algorithm, _, digest = reference.digest.partition(":")
    if not any(subject.digest.get(algorithm) == digest for subject in statement.subject):
        yield ImageSignature(place=place, problem="it is about another digest")
        return
    yield ImageSignature(place=place, key=key.name)


def _by_no_key(keys: Sequence[SigningKey]) -> str:
    return f"it was not made with {' or '.join(key.name for key in keys)}"


def _is_named(name: str, reference: ImageReference, key: SigningKey) -> bool:
    """Tell whether a payload may name an image so: as itself, or as another one that the same entry is for (a mirror's)."""
    if not name:
        return True
    try:
        named = parse_reference(name)
    except ValueError:
        return False
    own = (named.registry, named.repository) == (reference.registry, reference.repository)
    return own or bool(key.images and key.signs(f"{named.registry}/{named.repository}"))


def _pre_authentication(kind: str, body: bytes) -> bytes:
    """Return what DSSE signs of a body."""
    return b" ".join((b"DSSEv1", str(len(kind.encode())).encode(), kind.encode(), str(len(body)).encode(), body))


def _decoded_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.splitlines()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _decoded(content: bytes, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
