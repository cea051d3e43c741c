"""Randomness: what is made by chance, and what is made of words."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

_HEX = re.compile(r"^[0-9a-fA-F]+$")
_BASE64 = re.compile(r"^[A-Za-z0-9+/_-]+={0,2}$")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_PREFIXED_UUID = re.compile(rf"([a-z]{{1,8}}[-_.:]){{1,2}}{_UUID.pattern}")
_DASHED_HEX = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{8,})+")
_WORDS = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}")


def entropy(text: str) -> float:
    """Return Shannon's entropy in bits per character; 0 for the empty text."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values()) if text else 0.0


def is_random(value: str) -> bool:
    """Tell whether a value looks generated: entropy near what its alphabet and length allow, and no words in it."""
    if not value:
        return False
    if _HEX.match(value):
        return len(value) >= 16 and any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and entropy(value) >= 2.8
    if _UUID.fullmatch(value) or _PREFIXED_UUID.fullmatch(value) or _DASHED_HEX.fullmatch(value):
        return True
    # The most that so many different characters can have.
    most = math.log2(min(len(value), 64))
    if entropy(value) < 0.72 * most:
        return False
    digits = any(map(str.isdigit, value))
    # Words have less.
    if digits and value.isalnum() and len(value) >= 32 and entropy(value) >= 4.3:
        return True
    return _changes(value) >= 0.28 if digits else len(value) >= 16 and is_mixed(value) and _changes(value) >= 0.38


def looks_generated(token: str) -> bool:
    """Tell whether a token without a telling name is a secret by its randomness alone: 32 to 128 characters of the
    base64 alphabets, of all three classes, in which classes change as often as only chance makes them."""
    if not 32 <= len(token) <= 128 or not _BASE64.match(token) or _HEX.match(token) or _UUID.search(token):
        return False
    if not (is_mixed(token) and any(map(str.isdigit, token))):
        return False
    # Of signs, base64 has a few; paths and lists of names have many.
    if sum(not character.isalnum() for character in token) > len(token) * 0.12:
        return False
    return entropy(token) >= 4.2 and _changes(token) >= 0.37 and not is_code_name(token)


def is_code_name(token: str) -> bool:
    """Tell whether a token is put together from words, as paths and names of classes are."""
    letters = sum(len(word) for word in _WORDS.findall(token))
    return letters > len(token) * 0.6


def _changes(text: str) -> float:
    """Return how often the class of the character (lower, upper, digit, other) changes, from 0 to 1."""
    kinds = [0 if c.islower() else 1 if c.isupper() else 2 if c.isdigit() else 3 for c in text]
    return sum(one != other for one, other in itertools.pairwise(kinds)) / max(len(text) - 1, 1)


def is_mixed(value: str) -> bool:
    """Tell whether a text has small letters and capitals."""
    return any(map(str.islower, value)) and any(map(str.isupper, value))
