"""Searches a text for secrets. What costs much looks only at what a cheap pass over the whole text points at."""

from __future__ import annotations

from collections.abc import Iterator

from soc2.detectors.secrets import assignments, commands, shapes
from soc2.detectors.secrets.formats import ANCHOR, in_token
from soc2.detectors.secrets.generated import is_known_name, is_unexplained
from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.names import naming
from soc2.detectors.secrets.values import decoded_text, is_secret, looks_generated

_SHORTEST = 4
_SHORTEST_TOKEN = 16
_SHORTEST_ENCODED = 24
_OFTEN = 20

# Everything that no token of a known format holds becomes a space.
_TOKENS = bytes(byte if byte < 128 and (chr(byte).isalnum() or chr(byte) in "+/_.~-") else 32 for byte in range(256))
_STEMS = (*assignments.STEMS, *commands.STEMS)
_BINARY_HEAD = 8192


def in_value(name: str, text: str) -> list[Hit]:
    """Return the secrets in a text that a name is given to: a variable, an entry of a ConfigMap, a field of an object."""
    if len(text) < _SHORTEST:
        return []
    found = in_text(text, bare=not is_known_name(name)) if len(text) >= 8 else []
    if any(hit.detector != "randomness" for hit in found):
        return found
    named = naming(name)
    if is_secret(text, named):
        value = text.strip()
        return [Hit(text.find(value), value, assignments.detector_of(value, named))]
    return found


def in_text(text: str, *, bare: bool = True, file: bool = False, decode: bool = True) -> list[Hit]:
    """Return the secrets in a text, in order, without overlaps. The text is Latin-1: one character for each byte.

    ``bare`` asks for random tokens without a name that says what they are, too. ``file`` says that the text may be source
    code, or no text at all; ``decode`` that base64 in it is decoded (once).
    """
    found, text = shapes.private_keys(text)
    data = text.encode("latin-1", "replace")
    if "://" in text:
        found += shapes.in_urls(text)
    found += shapes.in_surroundings(text)
    found += _in_tokens(text, data, bare=bare, decode=decode)
    if not (file and b"\0" in data[:_BINARY_HEAD]):
        found += _in_lines(text, file=file)
    return _distinct(found)


def _in_tokens(text: str, data: bytes, *, bare: bool, decode: bool) -> Iterator[Hit]:
    for raw in {token for token in data.translate(_TOKENS).split() if len(token) >= _SHORTEST_TOKEN}:
        token = raw.decode("latin-1")
        if b"eyJ" in raw or ANCHOR.search(raw):
            yield from _placed(text, token, list(in_token(token, 0)))
        if len(raw) < _SHORTEST_ENCODED or raw.islower():
            continue
        inner = decoded_text(token) if decode else None
        if inner is not None:
            hidden = in_text(inner, bare=False, decode=False)
            yield from _placed(text, token, [Hit(0, hit.value, f"{hit.detector}, in base64") for hit in hidden])
        elif bare and looks_generated(token):
            hits = _placed(text, token, [Hit(0, token, "randomness")])
            yield from (hit for hit in hits if is_unexplained(text, hit.start, hit.start + len(token)))


def _placed(text: str, token: str, hits: list[Hit]) -> Iterator[Hit]:
    """Yield the hits in a token wherever it stands, but not more often than anybody needs to read."""
    at, times = text.find(token) if hits else -1, 0
    while at >= 0 and times < _OFTEN:
        yield from (hit._replace(start=at + hit.start) for hit in hits)
        at, times = text.find(token, at + len(token)), times + 1


def _in_lines(text: str, *, file: bool) -> Iterator[Hit]:
    lower = text.lower()
    seen: set[int] = set()
    for stem in _STEMS:
        at = lower.find(stem)
        while at >= 0:
            start = lower.rfind("\n", 0, at) + 1
            end = lower.find("\n", at)
            end = end if end >= 0 else len(lower)
            if start not in seen:
                seen.add(start)
                line = text[start:end]
                yield from assignments.in_line(line, start, file=file)
                yield from assignments.in_lines_after(text, line, start, end, file=file)
                yield from commands.in_commands(line, lower[start:end], start)
            at = lower.find(stem, end)


def _distinct(hits: list[Hit]) -> list[Hit]:
    """Return the hits in order; of those that overlap, the first that was found, because formats are asked before names."""
    kept: list[Hit] = []
    for rank, hit in sorted(enumerate(hits), key=lambda item: (item[1].start, item[0])):
        del rank
        last = kept[-1] if kept else None
        if last and hit.start < last.start + len(last.value):
            # A name is the weaker witness, wherever it begins.
            if last.detector in _WEAK and hit.detector not in _WEAK:
                kept[-1] = hit
            continue
        kept.append(hit)
    return kept


_WEAK = frozenset({"name", "name and randomness", "randomness", "password in a command", "bearer token"})
