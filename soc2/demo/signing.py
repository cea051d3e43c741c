"""Signs images as cosign does, with a key: what is pushed beside an image so that its signature is found."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from soc2.demo.images import OCI_MANIFEST, Image, digest_of

Sign = Callable[[bytes], bytes]

_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"


def signing_key() -> tuple[Sign, bytes]:
    """Make a key of the kind that cosign makes; return what signs with it, and its public half in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return (lambda message: key.sign(message, ec.ECDSA(hashes.SHA256()))), public


def signature_tag(digest: str) -> str:
    """Return the tag under which the signatures of a digest are kept."""
    return f"{digest.replace(':', '-')}.sig"


def payload(name: str, digest: str) -> bytes:
    """Return what cosign signs of an image, by its name without tag and digest."""
    critical = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return msgspec.json.encode({"critical": critical, "optional": None})


def signature_image(signed: bytes, sign: Sign) -> Image:
    """Return the manifest that holds a payload and its signature."""
    config = b"{}"
    layer = {
        "mediaType": _PAYLOAD,
        "digest": digest_of(signed),
        "size": len(signed),
        "annotations": {_SIGNATURE: base64.b64encode(sign(signed)).decode("ascii")},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [layer],
    }
    blobs = {digest_of(each): each for each in (config, signed)}
    return Image(msgspec.json.encode(manifest), OCI_MANIFEST, blobs)
