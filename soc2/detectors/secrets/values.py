"""Values: which of them can be a secret when their name says so, and which are something else that merely looks odd."""

from __future__ import annotations

import base64
import binascii
import itertools
import math
import re
from collections import Counter
from functools import lru_cache

from soc2.detectors.secrets.names import Naming
from soc2.detectors.secrets.stand_ins import stands_for_itself
from soc2.detectors.secrets.words import words

_LONGEST = 4096
_SHORTEST_PASSWORD = 4
_SHORTEST_KEY = 8

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)

_PLAIN = re.compile(
    r"""^(
      (true|false|yes|no|on|off|none|null|nil|undefined|empty|auto|default|optional|required|enabled|disabled|always|never|n/?a)
    | -?[\d.,]+\s*(ms|s|m|h|d|w|y|sec|secs|min|mins|hours?|days?|[kmgt]i?b?|%)?
    | \d{4}-\d\d-\d\d.*|v?\d+(\.\d+){1,3}([+-][\w.]+)?|(\d{1,3}\.){3}\d{1,3}(:\d+|/\d+)?
    | [\w.+-]+@[\w-]+(\.[\w-]+)+
    )$""",
    re.X | re.I,
)
_WORDS_OF_TYPES = words("types")
# What is no word for a type, but a password that people really set.
_WEAK = re.compile(
    r"(?i)pass|secret|s3cr3t|p[a@4]ss?w[o0]rd|p[a@4][s$5]{2}w|chang[e3]m[e3]|letmein|qwerty|hunter2|12345|abc123|welcome|admin|root"
)
_NAME = re.compile(r"^[a-z][a-z0-9]*([-._][a-z0-9]+)+$")
_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z_.:-]*$")
_CODE = re.compile(r"^[\w.]+\(.*\)?;?$|^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\(?|^\w+\[|^[=!<>|&+]+$|=>|::")
_HEX = re.compile(r"^[0-9a-fA-F]+$")
_LONGEST_ENCODED = 1_500_000
_PRINTABLE = bytes([9, 10, 13, *range(32, 127)])
_STANDARD = str.maketrans("-_", "+/")
_BASE64 = re.compile(r"^[A-Za-z0-9+/_-]+={0,2}$")


@lru_cache(maxsize=16_384)
def is_secret(value: str, named: Naming, *, file: bool = False) -> bool:
    """Tell whether a value can be what its name says. ``file`` says that both stand in a text that may be source code."""
    value = value.strip()
    if not value or len(value) > _LONGEST or named is Naming.NONE:
        return False
    if named is Naming.PAIR:
        return is_pair(value)
    if not stands_for_itself(value):
        return False
    if file and _CODE.search(value):
        return False
    if _PLAIN.match(value):
        return named is Naming.PASSWORD and value.isdigit() and len(value) >= _SHORTEST_PASSWORD
    if _is_sentence(value):
        return False
    decoded = decoded_text(value)
    if decoded is not None and _is_sentence(decoded):
        return False
    if named is Naming.PASSWORD:
        return _is_password(value, file=file)
    return _is_key(value)


def is_pair(value: str) -> bool:
    """Tell whether a value is base64 of ``user:password`` with a real password."""
    decoded = decoded_text(value, shortest=6)
    if decoded is None or len(decoded) > 512:
        return False
    user, colon, password = decoded.partition(":")
    return bool(colon and user and len(password) >= _SHORTEST_PASSWORD and stands_for_itself(password))


def _is_password(value: str, *, file: bool) -> bool:
    if len(value) < _SHORTEST_PASSWORD:
        return False
    lower = value.lower()
    if lower in _WORDS_OF_TYPES:
        # The word itself is the most common password there is; in source code it is the name of a field.
        return lower in ("password", "secret") and not file
    # ``db-credentials`` and ``app.password`` are names of things that hold it.
    return not (_NAME.match(value) and _is_named_after(value)) and not (file and _IDENTIFIER.match(value) and _camel(value))


def _is_key(value: str) -> bool:
    lower = value.lower()
    if len(value) < _SHORTEST_KEY or lower in _WORDS_OF_TYPES or " " in value:
        return False
    if is_random(value):
        return True
    # A weak secret is one, but names of Secrets, of keys and of code are none.
    if _NAME.match(value) or _camel(value) or (_IDENTIFIER.match(value) and ("_" in value or "." in value or ":" in value)):
        return False
    return bool(_WEAK.search(value)) or (any(character.isdigit() for character in value) and _mixed(value))


def _is_named_after(value: str) -> bool:
    words = re.split(r"[-._]", value)
    return any(
        word in ("secret", "secrets", "password", "credentials", "creds", "token", "key", "auth") for word in words
    ) and not any(any(map(str.isdigit, word)) and not word.isdigit() for word in words)


def _camel(value: str) -> bool:
    return bool(re.match(r"^[a-z]+([A-Z][a-z]+)+$|^([A-Z][a-z]+){2,}$|^[A-Z]+(_[A-Z]+)+$", value))


def _is_sentence(value: str) -> bool:
    words = value.split()
    if len(words) < 3:
        return False
    # Words of a mnemonic (BIP 39: 12 to 24 of them) are no sentence.
    if len(words) >= 12 and len(words) % 3 == 0 and all(re.fullmatch(r"[a-z]{3,8}", word) for word in words):
        return False
    return sum(word.strip(".,:;!?()'\"-").isalpha() for word in words) >= len(words) * 0.6


def _mixed(value: str) -> bool:
    return any(map(str.islower, value)) and any(map(str.isupper, value))


def entropy(text: str) -> float:
    """Return Shannon's entropy in bits per character; 0 for the empty text."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values()) if text else 0.0


def is_random(value: str) -> bool:
    """Tell whether a value looks generated: entropy near what its alphabet and length allow, and no words in it."""
    if _HEX.match(value):
        return len(value) >= 16 and any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and entropy(value) >= 2.8
    if _UUID.fullmatch(value):
        return True
    # The most that so many different characters can have.
    most = math.log2(min(len(value), 64))
    return entropy(value) >= 0.72 * most and _changes(value) >= 0.28 and any(map(str.isdigit, value))


def looks_generated(token: str) -> bool:
    """Tell whether a token without a telling name is a secret by its randomness alone: 32 to 128 characters of the
    base64 alphabets, of all three classes, in which classes change as often as only chance makes them."""
    if not 32 <= len(token) <= 128 or not _BASE64.match(token) or _HEX.match(token) or _UUID.search(token):
        return False
    if not (_mixed(token) and any(map(str.isdigit, token))):
        return False
    return entropy(token) >= 4.2 and _changes(token) >= 0.45 and not is_code_name(token) and stands_for_itself(token)


def is_code_name(token: str) -> bool:
    """Tell whether a token is put together from words, as paths and names of classes are."""
    letters = sum(len(word) for word in re.findall(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}", token))
    return letters > len(token) * 0.6


def _changes(text: str) -> float:
    """Return how often the class of the character (lower, upper, digit, other) changes, from 0 to 1."""
    kinds = [0 if c.islower() else 1 if c.isupper() else 2 if c.isdigit() else 3 for c in text]
    return sum(one != other for one, other in itertools.pairwise(kinds)) / max(len(text) - 1, 1)


def decoded_text(value: str, shortest: int = 8) -> str | None:
    """Return the text that base64 hides, one character for each byte, or None when it hides none, or more than 1 MB."""
    if not shortest <= len(value) <= _LONGEST_ENCODED or not _BASE64.match(value[:64]):
        return None
    whole = value.rstrip("=").translate(_STANDARD)
    # The first bytes tell of nearly everything else that it is no text.
    head = decoded_bytes(whole[: min(24, len(whole) - len(whole) % 4 or 24)])
    if head is None or not _is_text(head, whole=False):
        return None
    data = decoded_bytes(whole)
    return data.decode("latin-1") if data and _is_text(data, whole=True) else None


def decoded_bytes(value: str) -> bytes | None:
    """Return what base64 of either alphabet, with or without padding, says; None when it is none."""
    whole = value.rstrip("=").translate(_STANDARD)
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_text(data: bytes, *, whole: bool) -> bool:
    others = data.translate(None, _PRINTABLE)
    if not others:
        return True
    # Letters of other scripts are pairs of bytes in UTF-8.
    if min(others) < 128 or len(others) > len(data) * 0.4:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return not whole and len(others) <= len(data) * 0.2
    return True
