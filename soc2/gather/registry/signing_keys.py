"""Public keys by which signatures are verified.

sigstore-python verifies certificates of Fulcio with entries of a transparency log, and no signatures by a key of one's own
(https://github.com/sigstore/sigstore-python/issues/1244), so the primitives of ``cryptography`` are used here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from soc2.errors import UsageError

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

_ARROW = " -> "
# Any longer file is none that holds a key alone.
_LONGEST = 64 * 1024
_LEAST_RSA_BITS = 2048
# The digest that goes with a curve; cosign took SHA-256 for all of them at first.
_BY_CURVE: dict[str, tuple[hashes.HashAlgorithm, ...]] = {
    "secp256r1": (hashes.SHA256(),),
    "secp384r1": (hashes.SHA384(), hashes.SHA256()),
    "secp521r1": (hashes.SHA512(), hashes.SHA256()),
}


@dataclass(frozen=True)
class SigningKey:
    """A key, the name of its file, and the pattern over names of images that it signs; empty for all."""

    name: str
    images: str
    key: PublicKey

    def signs(self, image: str) -> bool:
        """Tell whether the key is declared for an image, by its name without tag and digest."""
        return not self.images or fnmatchcase(image, self.images)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether the signature of a message was made with the key."""
        match self.key:
            case ed25519.Ed25519PublicKey() as key:
                return _holds(partial(key.verify, signature, message))
            case rsa.RSAPublicKey() as key:
                return _holds(partial(key.verify, signature, message, padding.PKCS1v15(), hashes.SHA256()))
            case ec.EllipticCurvePublicKey() as key:
                digests = _BY_CURVE[key.curve.name]
                return any(_holds(partial(key.verify, signature, message, ec.ECDSA(digest))) for digest in digests)


def _holds(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True


def split_key(entry: str) -> tuple[str, str]:
    """Return the pattern over images (empty for all) and the file of an entry ``pattern -> file`` or ``file``."""
    images, arrow, file = entry.rpartition(_ARROW)
    return (images.strip() if arrow else ""), file.strip()


def load_keys(entries: Iterable[str]) -> tuple[SigningKey, ...]:
    """Read the keys of entries whose files are paths. Raises UsageError."""
    return tuple(SigningKey(Path(file).name, images, read_key(Path(file))) for images, file in map(split_key, entries))


def read_key(path: Path) -> PublicKey:
    """Read a public key in PEM. Raises UsageError, which never quotes the file."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if b"PRIVATE KEY" in content:
        raise UsageError(f"{path} holds a private key", "name the file of the public one")
    if content.count(b"-----BEGIN ") > 1:
        raise UsageError(f"{path} holds more than one key", "give each of them a file and an entry of its own")
    try:
        key = load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{path} holds no public key in PEM", "cosign public-key writes one") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise UsageError(f"{path} holds an RSA key of {key.key_size} bits, which anybody may break", "use 2048 bits or more")
    known = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _BY_CURVE
    if not known and not isinstance(key, ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        raise UsageError(f"{path} holds a key of a kind that images are not signed with", "use P-256, Ed25519 or RSA")
    return key  # type: ignore[return-value]
