"""A signature counts when a declared key made it, of this very image, under its name; keys are made when the tests run."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from soc2.declared_images import RegistryHost
from soc2.demo.images import OCI_INDEX, OCI_MANIFEST, Image, digest_of, image, index
from soc2.demo.signing import Sign, payload, signature_image, signature_tag
from soc2.errors import UsageError
from soc2.gather.codec import Codec
from soc2.gather.registry import signed_images
from soc2.gather.registry.client import RegistryClient
from soc2.gather.registry.failure import Deadline
from soc2.gather.registry.signatures import read_bundle, read_payload
from soc2.gather.registry.signed_images import signatures_of
from soc2.gather.registry.signing_keys import SigningKey, read_key
from soc2.model.image_reference import ImageReference
from soc2.model.image_signatures import ImageSignature, ImageSignatures
from soc2.model.kubernetes.image_uses import running_digests
from soc2.model.kubernetes.pods import Pod
from soc2.model.population import Cause, Problem
from soc2.system import load_system
from tests.registry.server import Registry

HOST = "registry.example"
NAME = f"{HOST}/team/app"
IMAGE = image([[]])
REFERENCE = ImageReference(HOST, "team/app", digest=IMAGE.digest)
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
P256, P384, P521 = (ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))
EDWARDS = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
SIGNERS: dict[str, tuple[Any, Sign]] = {
    "P-256": (P256, lambda message: P256.sign(message, ec.ECDSA(hashes.SHA256()))),
    "P-384": (P384, lambda message: P384.sign(message, ec.ECDSA(hashes.SHA384()))),
    "P-384 with SHA-256": (P384, lambda message: P384.sign(message, ec.ECDSA(hashes.SHA256()))),
    "P-521": (P521, lambda message: P521.sign(message, ec.ECDSA(hashes.SHA512()))),
    "Ed25519": (EDWARDS, EDWARDS.sign),
    "RSA": (RSA, lambda message: RSA.sign(message, padding.PKCS1v15(), hashes.SHA256())),
}
SIGN = SIGNERS["P-256"][1]
KEY = SigningKey("cosign.pub", "", P256.public_key())
STRANGER = ec.generate_private_key(ec.SECP256R1())


def by_stranger(message: bytes) -> bytes:
    return STRANGER.sign(message, ec.ECDSA(hashes.SHA256()))


def asked(registry: Registry, *keys: SigningKey) -> ImageSignatures | Problem:
    client = RegistryClient(RegistryHost(host=HOST, address=registry.address, insecure=True), lambda: None)
    try:
        return signatures_of(client, REFERENCE, keys or (KEY,), Deadline(20, "it"))
    finally:
        client.close()


def add(registry: Registry, signature: Image, tag: str = "") -> str:
    registry.add(signature)
    if tag:
        registry.manifests[tag] = (signature.manifest, signature.media_type)
    return signature.digest


def told(*signatures: Image, of: Callable[[Registry], object] = lambda _: None) -> ImageSignatures | Problem:
    """Return what is told of an image with signatures by tag, after ``of`` changed the registry."""
    with Registry() as registry:
        registry.add(IMAGE)
        for each in signatures:
            add(registry, each, signature_tag(IMAGE.digest))
        of(registry)
        return asked(registry)


def problem_of(signature: Image) -> str:
    """Return why the one signature of an image does not hold."""
    found = told(signature)
    assert isinstance(found, ImageSignatures)
    (one,) = found.signatures
    assert not one.key
    return one.problem


@pytest.mark.parametrize("kind", SIGNERS)
def test_every_kind_of_key_verifies_what_it_signed(kind: str) -> None:
    private, sign = SIGNERS[kind]
    key = SigningKey("k.pub", "", private.public_key())
    message = payload(NAME, IMAGE.digest)
    assert key.verifies(sign(message), message)
    assert not key.verifies(sign(message), message + b" ")
    assert not key.verifies(b"", message)
    assert not SigningKey("s.pub", "", STRANGER.public_key()).verifies(sign(message), message)


def test_a_signature_by_tag_is_found_and_verified() -> None:
    found = told(signature_image(payload(NAME, IMAGE.digest), SIGN))
    assert found == ImageSignatures(
        image=str(REFERENCE),
        keys=("cosign.pub",),
        signatures=(ImageSignature(place=f"tag {IMAGE.digest.replace(':', '-')[:19]}….sig", key="cosign.pub"),),
    )


def test_an_image_that_nobody_signed_is_told_as_that() -> None:
    assert told() == ImageSignatures(image=str(REFERENCE), keys=("cosign.pub",))


def test_an_image_that_the_registry_does_not_know_is_not_told_as_unsigned() -> None:
    with Registry() as registry:
        found = asked(registry)
    assert isinstance(found, Problem)
    assert str(found).startswith("not served")


def test_an_image_without_a_key_is_not_even_asked_for() -> None:
    with Registry() as registry:
        found = asked(registry, SigningKey("k.pub", "other.example/*", P256.public_key()))
        assert (found, registry.paths()) == (ImageSignatures(image=str(REFERENCE)), [])


@pytest.mark.parametrize(
    ("platforms", "verified"), [({"linux/amd64": IMAGE}, True), ({"linux/arm64": image([[], []])}, False)]
)
def test_the_signature_of_an_index_counts_for_the_images_that_it_has(platforms: dict[str, Image], verified: bool) -> None:
    many = index(platforms)
    with Registry() as registry:
        registry.add(IMAGE)
        registry.add(many)
        add(registry, signature_image(payload(NAME, many.digest), SIGN), signature_tag(many.digest))
        client = RegistryClient(RegistryHost(host=HOST, address=registry.address, insecure=True), lambda: None)
        named = ImageReference(HOST, "team/app", digest=many.digest)
        found = signatures_of(client, REFERENCE, [KEY], Deadline(20, "it"), [named])
        client.close()
    assert isinstance(found, ImageSignatures)
    assert found.verified is verified


@pytest.mark.parametrize(
    ("image_of_pod", "indexes"),
    [
        (f"{NAME}@sha256:{'1' * 64}", [f"{NAME}@sha256:{'1' * 64}"]),
        (f"{NAME}:v1@sha256:{'1' * 64}", [f"{NAME}@sha256:{'1' * 64}"]),
        (f"{HOST}/team/other@sha256:{'1' * 64}", []),
        (str(REFERENCE), []),
        (f"{NAME}:v1", []),
        ("no reference at all", []),
    ],
)
def test_an_index_is_what_a_pod_names_by_another_digest_of_the_same_image(image_of_pod: str, indexes: list[str]) -> None:
    status = {"name": "c", "image": image_of_pod, "imageID": str(REFERENCE)}
    body = {
        "spec": {"containers": [{"name": "c", "image": image_of_pod}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }
    digests = list(running_digests([Codec().decode(json.dumps(body).encode(), Pod)], []))
    named = signed_images._named(digests)
    assert [str(each) for each in named.get(REFERENCE, ())] == indexes


@pytest.mark.parametrize("status", [403, 500])
def test_a_registry_that_does_not_answer_is_missing_evidence(status: int) -> None:
    def refuse(registry: Registry) -> None:
        registry.faults[".sig"] = lambda handler, _: handler.answer(status, b"{}")

    assert isinstance(told(of=refuse), Problem)


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        (signature_image(payload(NAME, IMAGE.digest), by_stranger), "it was not made with cosign.pub"),
        (signature_image(payload(NAME, f"sha256:{'1' * 64}"), SIGN), f"it is about sha256:{'1' * 64}"),
        (signature_image(payload(f"{HOST}/team/other", IMAGE.digest), SIGN), f"it was made for {HOST}/team/other"),
        (signature_image(payload("a b", IMAGE.digest), SIGN), "it was made for a b"),
        (signature_image(b"{}", SIGN), "its payload cannot be read"),
        (signature_image(b'{"critical":' * 100_000, SIGN), "its payload cannot be read"),
        (
            signature_image(payload(NAME, IMAGE.digest).replace(b"cosign container", b"atomic container"), SIGN),
            "its payload says that it is something else than cosign's signature",
        ),
        (signature_image(payload(NAME, IMAGE.digest), lambda _: b""), "there is no signature beside its payload"),
    ],
)
def test_a_signature_that_does_not_hold_says_why(signature: Image, problem: str) -> None:
    assert problem_of(signature) == problem


def test_a_payload_that_was_exchanged_is_missing_evidence() -> None:
    signature = signature_image(payload(NAME, IMAGE.digest), SIGN)
    other = digest_of(payload(NAME, IMAGE.digest))

    def exchange(registry: Registry) -> None:
        registry.blobs[other] = payload(f"{HOST}/team/evil", IMAGE.digest)

    found = told(signature, of=exchange)
    assert isinstance(found, Problem)
    assert "digest mismatch" in found.detail


@pytest.mark.parametrize("name", ["", NAME, f"{NAME}:v1", f"{NAME}@{IMAGE.digest}", f"{HOST}/team/origin"])
def test_a_payload_may_name_the_image_or_one_of_the_same_entry(name: str) -> None:
    key = SigningKey("cosign.pub", f"{HOST}/team/*", P256.public_key())
    signed = payload(name, IMAGE.digest)
    annotations = {"dev.cosignproject.cosign/signature": base64.b64encode(SIGN(signed)).decode()}
    assert read_payload(signed, annotations, REFERENCE, [key], "p") == ImageSignature(place="p", key="cosign.pub")


def test_a_signature_may_be_wrapped_and_its_payload_may_name_nothing() -> None:
    signed = payload("", IMAGE.digest).replace(b'"docker-reference":""', b'"docker-reference":null')
    assert b"null" in signed
    annotations = {"dev.cosignproject.cosign/signature": base64.encodebytes(SIGN(signed)).decode()}
    assert read_payload(signed, annotations, REFERENCE, [KEY], "p") == ImageSignature(place="p", key="cosign.pub")


def test_a_file_with_two_keys_is_not_read_for_one(tmp_path: Path) -> None:
    (tmp_path / "k.pub").write_bytes(pem(P256) + pem(STRANGER))
    with pytest.raises(UsageError, match="more than one key"):
        read_key(tmp_path / "k.pub")


def test_a_keyless_signature_is_missing_evidence_and_no_deviation() -> None:
    signature = signature_image(payload(NAME, IMAGE.digest), by_stranger)
    content = json.loads(signature.manifest)
    content["layers"][0]["annotations"]["dev.sigstore.cosign/certificate"] = "-----BEGIN CERTIFICATE-----"
    found = told(Image(json.dumps(content).encode(), OCI_MANIFEST, signature.blobs))
    assert isinstance(found, Problem)
    assert "keyless" in found.detail


def bundle(statement: Any, sign: Sign = SIGN, kind: str = "application/vnd.in-toto+json", **material: Any) -> bytes:
    body = json.dumps(statement).encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body)
    encoded = base64.b64encode(body).decode(), base64.b64encode(sign(signed)).decode()
    envelope = {"payload": encoded[0], "payloadType": kind, "signatures": [{"sig": encoded[1]}]}
    return json.dumps({"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}).encode()


def statement(digest: str = IMAGE.digest, predicate: str = "https://sigstore.dev/cosign/sign/v1") -> dict[str, Any]:
    subject = {"name": "", "digest": {"sha256": digest.partition(":")[2]}}
    return {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": predicate, "predicate": {}}


def referrer(content: bytes, kind: str = BUNDLE) -> Image:
    layer = {"mediaType": kind, "digest": digest_of(content), "size": len(content)}
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [layer]}
    return Image(json.dumps(manifest).encode(), OCI_MANIFEST, {digest_of(content): content})


def refer(registry: Registry, *referrers: Image, path: str, kind: str = BUNDLE) -> None:
    entries = []
    for each in referrers:
        registry.add(each)
        entry = {"mediaType": each.media_type, "digest": each.digest, "size": len(each.manifest), "artifactType": kind}
        entries.append(entry)
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    if path:
        registry.manifests[path] = (body, OCI_INDEX)
    else:
        registry.faults[f"/referrers/{IMAGE.digest}"] = lambda handler, _: handler.answer(200, body)


@pytest.mark.parametrize("path", ["", IMAGE.digest.replace(":", "-")])
def test_a_bundle_that_refers_to_the_image_is_found_by_either_way(path: str) -> None:
    found = told(of=lambda registry: refer(registry, referrer(bundle(statement())), path=path))
    assert isinstance(found, ImageSignatures)
    assert found.verified


@pytest.mark.parametrize("status", [400, 404, 405, 406, 501])
def test_a_registry_may_not_list_what_refers_to_an_image(status: int) -> None:
    def refuse(registry: Registry) -> None:
        registry.faults[f"referrers/{IMAGE.digest}"] = lambda handler, _: handler.answer(status, b"{}")

    assert told(of=refuse) == ImageSignatures(image=str(REFERENCE), keys=("cosign.pub",))


def test_a_list_of_which_there_is_more_is_missing_evidence() -> None:
    def in_parts(registry: Registry) -> None:
        body = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
        link = {"Link": '</v2/team/app/referrers/x?last=1>; rel="next"'}
        registry.faults[f"referrers/{IMAGE.digest}"] = lambda handler, _: handler.answer(200, body, link)

    found = told(of=in_parts)
    assert isinstance(found, Problem)
    assert found.cause is Cause.TRUNCATED
    signed = told(signature_image(payload(NAME, IMAGE.digest), SIGN), of=in_parts)
    assert isinstance(signed, ImageSignatures)
    assert signed.verified


def test_a_payload_of_a_referrer_is_verified_too() -> None:
    signature = signature_image(payload(NAME, IMAGE.digest), SIGN)
    kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
    found = told(of=lambda registry: refer(registry, signature, path="", kind=kind))
    assert isinstance(found, ImageSignatures)
    assert found.verified


def test_what_notation_signed_is_missing_evidence() -> None:
    kind = "application/vnd.cncf.notary.signature"
    found = told(of=lambda registry: refer(registry, referrer(b"{}"), path="", kind=kind))
    assert isinstance(found, Problem)
    assert "Notation" in found.detail


def test_more_signatures_than_anybody_makes_are_missing_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_images, "_MOST", 3)
    content = bundle(statement(predicate="https://slsa.dev/provenance/v1"))
    many = [referrer(content + b" " * number) for number in range(2)]
    found = told(of=lambda registry: refer(registry, *many, path=""))
    assert isinstance(found, Problem)
    assert "more than 3 signatures" in found.detail


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bundle(statement()), [ImageSignature(place="p", key="cosign.pub")]),
        (bundle(statement(predicate="https://slsa.dev/provenance/v1")), []),
        (bundle(statement(f"sha256:{'1' * 64}")), [ImageSignature(place="p", problem="it is about another digest")]),
        (bundle(statement(), by_stranger), [ImageSignature(place="p", problem="it was not made with cosign.pub")]),
        (
            bundle(statement(), kind="text/plain"),
            [ImageSignature(place="p", problem="what it signs is no statement of in-toto")],
        ),
        (
            bundle({**statement(), "_type": "https://example.com/else"}),
            [ImageSignature(place="p", problem="what it signs is no statement of in-toto")],
        ),
        (bundle([]), [ImageSignature(place="p", problem="what it signs is no statement of in-toto")]),
        (b"[]", [ImageSignature(place="p", problem="it cannot be read as a bundle")]),
        (b"[" * 100_000, [ImageSignature(place="p", problem="it cannot be read as a bundle")]),
    ],
)
def test_a_bundle_counts_when_it_signs_this_very_image(content: bytes, expected: list[ImageSignature]) -> None:
    assert list(read_bundle(content, REFERENCE, [KEY], "p")) == expected


@pytest.mark.parametrize(
    ("material", "unread"),
    [({"certificate": {"rawBytes": "AA"}}, True), ({"x509CertificateChain": {}}, True), ({"publicKey": {"hint": "k"}}, False)],
)
def test_a_bundle_with_a_certificate_is_not_read_by_keys(material: dict[str, Any], unread: bool) -> None:
    (found,) = read_bundle(bundle(statement(), by_stranger, **material), REFERENCE, [KEY], "p")
    assert found.unread is unread


@given(st.binary(max_size=80))
def test_no_bytes_at_all_are_a_signature(content: bytes) -> None:
    given = {"dev.cosignproject.cosign/signature": base64.b64encode(content).decode()}
    assert not read_payload(content, given, REFERENCE, [KEY], "p").key
    assert not any(found.key for found in read_bundle(content, REFERENCE, [KEY], "p"))


def pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", SIGNERS)
def test_keys_are_read_from_their_files(tmp_path: Path, kind: str) -> None:
    (tmp_path / "k.pub").write_bytes(pem(SIGNERS[kind][0]))
    assert read_key(tmp_path / "k.pub").public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) == pem(SIGNERS[kind][0])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "holds no public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "holds no public key"),
        (P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "holds a private key"),
        (pem(rsa.generate_private_key(65537, 1024)), "RSA key of 1024 bits"),  # noqa: S505
        (pem(ec.generate_private_key(ec.SECP256K1())), "of a kind that images are not signed with"),
        (pem(dsa.generate_private_key(1024)), "of a kind that images are not signed with"),  # noqa: S505
    ],
)
def test_a_file_that_is_no_such_key_is_a_mistake_on_its_line(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "k.pub").write_bytes(content)
    path = tmp_path / "system.toml"
    path.write_text('[system]\nname = "s"\nowner = "o"\n[images]\nkeys = ["registry.example/* -> k.pub"]\n')
    with pytest.raises(UsageError) as error:
        load_system(path)
    assert (error.value.line, what in error.value.what) == (5, True)
    assert b"PRIVATE" not in content or "MI" not in error.value.what


def test_keys_are_found_beside_the_description(tmp_path: Path) -> None:
    (tmp_path / "k.pub").write_bytes(pem(P256))
    path = tmp_path / "system.toml"
    path.write_text('[system]\nname = "s"\nowner = "o"\n[images]\nkeys = ["k.pub", "registry.example/* -> k.pub"]\n')
    assert load_system(path).images.keys == (f"{tmp_path}/k.pub", f"registry.example/* -> {tmp_path}/k.pub")
    path.write_text('[system]\nname = "s"\nowner = "o"\n[images]\nkeys = ["other.pub"]\n')
    with pytest.raises(UsageError, match="cannot be read"):
        load_system(path)
