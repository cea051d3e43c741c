"""What stands around a random token: whether it explains that the token is known to anybody anyway."""

from __future__ import annotations

import re
from functools import lru_cache

from soc2.detectors.secrets.words import words

# Words in names that say that what looks random may be known.
_KNOWN = words("known")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+[0-9]*|[0-9]+")
_NAME_BEFORE = re.compile(r"([A-Za-z_][\w.\-#]{0,79})[\"']?\]?[ \t]{0,8}(?:=>|:=|[:=])[ \t]{0,8}[\"']?[^\s\"']{0,80}$")
_ELEMENT_BEFORE = re.compile(r"<(?:\w{1,40}:)?([A-Za-z_][\w.-]{0,79})(?:\s[^<>]{0,80})?>\s{0,20}$")
_ELEMENT_AFTER = re.compile(r"={0,2}\s{0,20}</(?:\w{1,40}:)?([A-Za-z_][\w.-]{0,79})>")
_PREFIX = re.compile(
    r"(?:sha\d+|md5|h1|hmac|sri|pin|spki)[-:=/]$|://[^\s\"']*$|[/@#?&$]$|v\d+:$|\bTXT[ \t]+\"?$"
    r"|(?:data|iv|tag|mac|enc):$|[A-Za-z0-9+/]{20}={0,2}[=:]$",
    re.I,
)
_BLOB = (64, 76, 72, 70)


@lru_cache(maxsize=16_384)
def is_known_name(name: str) -> bool:
    """Tell whether a name says that its value is a digest, an identifier, a certificate or another thing that is known."""
    parts = re.split(r"[^a-z0-9]+", name[-200:].lower())
    return not (_KNOWN.isdisjoint(parts) and _KNOWN.isdisjoint(word.lower() for word in _WORD.findall(name[-200:])))


def is_unexplained(text: str, start: int, end: int) -> bool:
    """Tell whether nothing around ``text[start:end]`` says that it is a digest, a part of a URL, or a line of a blob."""
    line = text.rfind("\n", max(start - 200, 0), start) + 1 or max(start - 200, 0)
    before = text[line:start]
    if _PREFIX.search(before):
        return False
    if any(name and is_known_name(name[1]) for name in (_NAME_BEFORE.search(before), _ELEMENT_BEFORE.search(before))):
        return False
    closing = _ELEMENT_AFTER.match(text, end)
    if closing and is_known_name(closing[1]):
        return False
    # Wrapped base64: a line that is nothing but characters of it, as long as such lines are.
    return not (end - start in _BLOB and not before.strip() and text[end : end + 1] in ("\n", ""))
