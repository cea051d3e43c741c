"""Names: which of them say that their value is a secret. ``dbPassword`` does, ``passwordFile`` and ``tokenUrl`` do not."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

from soc2.detectors.secrets.words import words


class Naming(IntEnum):
    """What a name says of its value: nothing, that it is a key or token (which is random), or that it is a password,
    which is a secret however simple it is."""

    NONE = 0
    KEY = 1
    PASSWORD = 2
    PAIR = 3
    """``auth``: base64 of ``user:password``, as container registries and npm write it."""


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_a-zA-Z0-9]+")
_PASSWORD = words("passwords")
_KEY = words("keys")
# ``key`` alone names anything; after one of these it is one of the keys that open something.
_OPENS = words("opens")
# Words that, after the word for the secret, tell what the value really is: where it lies, how long it lives …
ABOUT = words("about")
# Words that, anywhere in the name, say that the value is no secret.
_OPEN = words("open")
_PAIRS = frozenset(
    {
        ("redis", "auth"),
        ("valkey", "auth"),
        ("snmp", "community"),
        ("sas", "signature"),
        ("sas", "sig"),
        ("erlang", "cookie"),
    }
)
# The phrase that one sets there signs what users hold, and is a secret however simple it is.
_PHRASES = frozenset({"jwt", "session", "cookie", "hmac", "nextauth", "signing", "csrf", "django", "flask"})
_APP_ROLES = frozenset({"vault", "approle", "bao"})
_WITH_USER = frozenset({"basic", "http", "npm", "neo4j", "j", "proxy", "registry", "admin", "docker", "flower"})
_DIGESTS = frozenset({"checksum", "checksums", "hash", "digest", "sha256"})
_DIRECTORY_SUFFIXES = ("file", "path", "dir", "url", "uri", "name", "ref", "arn")


@lru_cache(maxsize=16_384)
def naming(name: str) -> Naming:
    """Return what a name says of its value; only the last part of a dotted or slashed name counts."""
    words = [word.lower() for word in _WORD.findall(_last(name))]
    # ``AWS::SecretsManager::Secret`` is the name of a type.
    if not words or "::" in name or not _DIGESTS.isdisjoint(name.lower().split("/")):
        return Naming.NONE
    if words[-1] == "auth" and (len(words) == 1 or words[-2] in _WITH_USER):
        return Naming.PAIR
    # Clients of Confluent's registry.
    if words[-2:] == ["user", "info"] and "auth" in words:
        return Naming.PAIR
    at, found = _stem(words)
    if found is Naming.NONE or not _OPEN.isdisjoint(words[: at + 1]):
        return Naming.NONE
    after = words[at + 1 :]
    # ``secret key`` and ``password key`` name a key; ``secret key ref`` does not.
    if after and after[0] == "key":
        found, after = (Naming.KEY if found is Naming.KEY or "access" in words else Naming.NONE), after[1:]
    # Who logs in to Vault with an AppRole gives the id of a secret, which is one.
    if after == ["id"] and words[at] == "secret" and not _APP_ROLES.isdisjoint(words):
        return found
    if any(word in ABOUT or word in _OPEN or word.removesuffix("s") in ABOUT for word in after):
        return Naming.NONE
    return found


def _last(name: str) -> str:
    parts = [part for part in re.split(r"[./:\[\]\s]+", name[-200:]) if part]
    # ``tls.key`` and ``token.txt`` are files; of ``password.0`` the number says nothing.
    while len(parts) > 1 and (
        parts[-1].isdigit() or parts[-1].lower() in ("txt", "value", "default", "raw", "plain", "plaintext")
    ):
        parts.pop()
    # ``secretKeyRef.NAME`` tells which variable is taken from where.
    if len(parts) > 1 and parts[-2].endswith("Ref"):
        return ""
    if len(parts) > 1 and parts[-1].lower() in ("key", "token") and parts[-2].lower() in _OPENS:
        return f"{parts[-2]}_{parts[-1]}"
    return parts[-1] if parts else ""


def _stem(words: list[str]) -> tuple[int, Naming]:
    """Return where the last word (or pair of words) that names a secret stands, and what it names."""
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        if word in _PASSWORD or (word in ("phrase", "word") and at and words[at - 1] in ("pass", "seed")):
            return at, Naming.PASSWORD if word != "phrase" or words[at - 1] == "pass" else Naming.KEY
        if word == "secret" and at and words[at - 1] in _PHRASES and at == len(words) - 1:
            return at, Naming.PASSWORD
        if word in ("credential", "credentials") and at and words[at - 1] == "bind":
            return at, Naming.PASSWORD
        if word in _KEY:
            return at, Naming.KEY
        if word in ("key", "keys") and at and words[at - 1] in _OPENS:
            return at, Naming.KEY
        if at and ((words[at - 1], word) in _PAIRS or (word == "pat" and at == len(words) - 1)):
            return at, Naming.KEY
        joined = _joined(word)
        if joined is not Naming.NONE:
            return at, joined
    return 0, Naming.NONE


def _joined(word: str) -> Naming:
    """Return what a word means that is written together, such as ``mydbpassword``."""
    if word.endswith(_DIRECTORY_SUFFIXES):
        return Naming.NONE
    if word.endswith(("password", "passwd", "passphrase", "storepass", "keypass", "dbpass", "rootpass", "adminpass")):
        return Naming.PASSWORD
    if word.endswith(("apikey", "secretkey", "accesskey", "privatekey", "clientsecret", "accesstoken", "authtoken")):
        return Naming.KEY
    return Naming.NONE
