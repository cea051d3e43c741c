"""Values: which of them can be a secret when their name says so, and which are something else that merely looks odd."""

from __future__ import annotations

import re
from functools import lru_cache

from soc2.detectors.secrets.encoded import decoded_text
from soc2.detectors.secrets.names import Naming, naming
from soc2.detectors.secrets.randomness import is_mixed, is_random
from soc2.detectors.secrets.stand_ins import stands_for_itself
from soc2.detectors.secrets.words import words

_LONGEST = 4096
_SHORTEST_PASSWORD = 3
_SHORTEST_NUMBER = 4
_SHORTEST_KEY = 8
_LONGEST_LABEL = 120


_PLAIN = re.compile(
    r"""^(
      (true|false|yes|no|on|off|none|null|nil|undefined|empty|auto|default|optional|required|enabled|disabled|always|never|n/?a)
    | 0x[0-9a-f]+
    | -?[\d.,]+\s*(ms|s|m|h|d|w|y|sec|secs|min|mins|hours?|days?|[kmgt]i?b?|%)?
    | \d+/(tcp|udp|sctp)|((files|compat|systemd|sss|winbind|nis|ldap|db)\s*)+
    | \d{4}-\d\d-\d\d.*|[\^~<>=]{0,2}v?\d+(\.[\dx*]+){1,3}([+-][\w.]+)?|(\d{1,3}\.){3}\d{1,3}(:\d+|/\d+)?
    | [\w.+-]+@[\w-]+(\.[\w-]+)+
    | (required|nullable|optional|string)[|,].*
    | \[?(string|int|id|boolean|float)[!?\]]+
    | getent\ \w+|(cat|sed|awk|e?grep)\ +[-/].*
    )$""",
    re.X | re.I,
)
_WORDS_OF_TYPES = words("types")
_GLUE = words("glue")
_LABELS = words("labels")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
# What is no word for a type, but a password that people really set.
_WEAK = re.compile(
    r"(?i)pass|secret|s3cr3t|p[a@4]ss?w[o0]rd|p[a@4][s$5]{2}w|chang[e3]m[e3]|letmein|qwerty|hunter2|minio(123|admin)|12345|abc123|welcome|admin|root"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}$")
# Keys of GnuPG are called by the end of their fingerprint.
_OF_GPG = re.compile(r"(0x)?[0-9A-F]{16}([0-9A-F]{24})?")
_PLAIN_PAIR = re.compile(r"[^\s:/]{1,128}(?::|/(?!.*/))([^\s/]{1,256})")
_NAME = re.compile(r"^[a-z][a-z0-9]*([-._][a-z0-9]+)+$")
_FIELD = re.compile(r"^(?!my[A-Z])[a-z]{2,}([A-Z][a-z]+)+$")
_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z_.:-]*$")
# What is written in expressions that other texts match.
_PATTERN = re.compile(r"\[[^\]]+\][{*+]|\(\?[:=!<i]|^\^.*\$$|\\[dwsSbB][{*+]")
_ATTRIBUTE = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")
_CODE = re.compile(
    r"^[\w.]+\(.*\)?;?$|^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\(?|^\w+\[|^[=!<>|&+]+$|=>|::|^\w+:$|\s\|\s|^\.\w"
    r"|^(str|bytes|bool|int|Any|Optional|Literal)\b[,\[ ]"
)


@lru_cache(maxsize=4096)
def is_secret(value: str, named: Naming, *, file: bool = False) -> bool:
    """Tell whether a value can be what its name says. ``file`` says that both stand in a text that may be source code."""
    value = value.strip()
    if not value or len(value) > _LONGEST or named is Naming.NONE:
        return False
    if named is Naming.PAIR:
        return is_pair(value)
    if not stands_for_itself(value):
        return False
    if _PATTERN.search(value):
        return False
    if file and _CODE.search(value):
        return False
    if _PLAIN.match(value):
        return named is Naming.PASSWORD and value.isdigit() and len(value) >= _SHORTEST_NUMBER
    if "\n" in value:
        return any(is_pair(line) or (_BASE64.match(line) and is_random(line)) for line in value.split("\n"))
    if _is_mnemonic(value):
        return True
    if is_label(value):
        return False
    if _is_sentence(value, named):
        return False
    decoded = decoded_text(value)
    if decoded is not None and _is_sentence(decoded, Naming.KEY):
        return False
    if named is Naming.PASSWORD:
        return _is_password(value, file=file)
    return _is_key(value)


def is_pair(value: str) -> bool:
    """Tell whether a value is ``user:password``, plain or in base64, with a real password."""
    decoded = decoded_text(value, shortest=6)
    pair = _PLAIN_PAIR.fullmatch(value if decoded is None else decoded[:512])
    password = pair[1] if pair else ""
    # A host with its port is none, and neither are two words.
    if decoded is None and (password.isdigit() or (password.isalpha() and not is_mixed(password))):
        return False
    return len(password) > _SHORTEST_PASSWORD and stands_for_itself(password)


def _is_password(value: str, *, file: bool) -> bool:
    if len(value) < _SHORTEST_PASSWORD:
        return False
    lower = value.lower()
    if lower in _GLUE:
        return False
    if lower in _WORDS_OF_TYPES:
        # The word itself is the most common password there is; with a capital or in source code it names a field.
        return value in ("password", "secret") and not file
    # ``userPassword`` is the name of a field; ``db-credentials`` and ``app.password`` are names of things that hold it.
    if (_FIELD.match(value) or _ATTRIBUTE.match(value)) and naming(value) is not Naming.NONE:
        return False
    return not (_NAME.match(value) and _is_named_after(value)) and not (file and _IDENTIFIER.match(value) and _camel(value))


def _is_key(value: str) -> bool:
    lower = value.lower()
    if len(value) < _SHORTEST_KEY or lower in _WORDS_OF_TYPES or " " in value or _is_object_name(value):
        return False
    if _OF_GPG.fullmatch(value):
        return False
    # ``credentials: user:password``
    user, _, password = value.partition(":")
    if user.isidentifier() and any(map(str.isdigit, password)) and not _NAME.match(password) and is_pair(value):
        return True
    if is_random(value):
        return True
    # A weak secret is one, but names of Secrets, of keys and of code are none.
    if _NAME.match(value) or _camel(value) or (_IDENTIFIER.match(value) and ("_" in value or "." in value or ":" in value)):
        return False
    return bool(_WEAK.search(value)) or (any(character.isdigit() for character in value) and is_mixed(value))


def is_label(value: str) -> bool:
    """Tell whether a value is what a form calls a password in some language, with or without other words. The text is
    Latin-1 of its UTF-8, as everywhere."""
    if len(value) > _LONGEST_LABEL:
        return False
    text = value if value.isascii() else value.encode("latin-1", "replace").decode("utf-8", "replace")
    # JSON writes other letters so.
    text = _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 16)), text)
    if any(map(str.isdigit, text)):
        return False
    lower = text.lower()
    if not lower.isascii():
        return any(label in lower for label in _LABELS) or "mật khẩu" in lower
    words = re.findall(r"[a-z]+", lower)
    if not any(word.startswith(label) for word in words for label in _LABELS) and "mot de passe" not in lower:
        return False
    # ``passwort`` alone is what somebody may have set.
    return text[0].isupper() or (len(words) > 1 and text[-1] in "?:….*") if " " in text else text.istitle()


def _is_object_name(value: str) -> bool:
    """Tell whether a value is the name of an object, such as ``default-token-x7k2p``: mostly words."""
    if not _NAME.match(value):
        return False
    words = re.split(r"[-._]", value)
    return sum(len(word) for word in words if word.isalpha()) >= sum(map(len, words)) * 0.5


def _is_named_after(value: str) -> bool:
    words = re.split(r"[-._]", value)
    return any(
        word in ("secret", "secrets", "password", "credentials", "creds", "token", "key", "auth") for word in words
    ) and not any(any(map(str.isdigit, word)) and not word.isdigit() for word in words)


def _camel(value: str) -> bool:
    return bool(re.match(r"^[a-z]{2,}([A-Z][a-z]{2,})+$|^([A-Z][a-z]{2,}){2,}$|^[A-Z]+(_[A-Z]+)+$", value))


def _is_mnemonic(value: str) -> bool:
    """Tell whether a value is 12 to 24 short words in small letters, as BIP 39 has them."""
    words = value.split()
    return 12 <= len(words) <= 24 and len(words) % 3 == 0 and all(re.fullmatch(r"[a-z]{3,8}", word) for word in words)


def _is_sentence(value: str, named: Naming) -> bool:
    """Tell whether a value says something. Words that do not are a passphrase, where a password is expected."""
    words = [word.strip(".,:;!?()'\"-").lower() for word in value.split()]
    if len(words) < 3 or sum(map(str.isalpha, words)) < len(words) * 0.6:
        return False
    return named is not Naming.PASSWORD or value.endswith(".") or not _GLUE.isdisjoint(words)
