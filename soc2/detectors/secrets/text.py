"""Searches a text for secrets. What costs much looks only at what a cheap pass over the whole text points at."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from soc2.detectors.secrets import assignments, commands, shapes, tables
from soc2.detectors.secrets.encoded import decoded_text, is_file, unpacked_text
from soc2.detectors.secrets.formats import ANCHOR, SMALL_ANCHORS, in_token
from soc2.detectors.secrets.generated import is_known_name, is_unexplained
from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.names import naming
from soc2.detectors.secrets.randomness import looks_generated
from soc2.detectors.secrets.stand_ins import stands_for_itself
from soc2.detectors.secrets.values import is_secret

_SHORTEST = 3
_SHORTEST_TOKEN = 16
_LAYERS = 2
_SHORTEST_ENCODED = 24
_OFTEN = 20
_LONGEST_CACHED = 300
_FEW = 0.8

# Everything that no token of a known format holds becomes a space.
_TOKENS = bytes(byte if byte < 128 and (chr(byte).isalnum() or chr(byte) in "+/_.~-") else 32 for byte in range(256))
# Base64 as programs break it: 64 or 76 characters in a line, all but the last.
_SHORTEST_LINE, _LONGEST_LINE = 60, 76
_BLOCK = re.compile(
    r"(?:^[ \t]{0,40}[A-Za-z0-9+/]{60,76}\r?\n){1,20000}(?:[ \t]{0,40}[A-Za-z0-9+/]{1,76}={0,2}[ \t]*$)?", re.M
)
_DATA_URLS = ("data:,", "data:text/", "data:app")
_DATA_URL = re.compile(r"data:(?![\w/+.;=-]{0,80};base64)[\w/+.;=-]{0,80},([^\s\"'<>()]{8,100000})")
_STEMS = (*assignments.STEMS, *commands.STEMS)
_BINARY_HEAD = 8192


def in_value(name: str, text: str) -> list[Hit]:
    """Return the secrets in a text that a name is given to: a variable, an entry of a ConfigMap, a field of an object."""
    if len(text) < _SHORTEST:
        return []
    # The whole may be a reference or a ciphertext, whose parts look random.
    bare = not is_known_name(name) and (len(text.split(None, 1)) > 1 or stands_for_itself(text))
    found = in_text(text, bare=bare) if len(text) >= 8 else []
    if any(hit.detector != "randomness" for hit in found):
        return found
    named = naming(name)
    if is_secret(text, named):
        value = text.strip()
        return [Hit(text.find(value), value, assignments.detector_of(value, named))]
    return found


def in_text(text: str, *, bare: bool = True, file: bool = False, decode: int = _LAYERS) -> list[Hit]:
    """Return the secrets in a text, in order, without overlaps. The text is Latin-1: one character for each byte.

    ``bare`` asks for random tokens without a name that says what they are, too. ``file`` says that the text may be source
    code, or no text at all; ``decode`` how many layers of base64 are decoded.
    """
    found, text = shapes.private_keys(text)
    lines = text.split("\n")
    # Of manifests, most lines come again and again.
    distinct = dict.fromkeys(lines)
    few = len(distinct) < len(lines) * _FEW
    once = "\n".join(distinct) if few else text
    if not few or _by_shape(once, bare=bare, decode=decode):
        found += _by_shape(text, bare=bare, decode=decode)
    if not (file and "\0" in text[:_BINARY_HEAD]):
        found += _in_lines(lines, _lines_with_stems(once), file=file)
    return _without_overlaps(found)


def _by_shape(text: str, *, bare: bool, decode: int) -> list[Hit]:
    data = text.encode("latin-1", "replace")
    urls = shapes.in_urls(text) if "://" in text else ()
    inner = _in_data_urls(text, decode) if decode else ()
    return [
        *urls,
        *shapes.in_surroundings(text),
        *tables.in_properties(text),
        *inner,
        *_in_tokens(text, data, bare=bare, decode=decode),
    ]


def _in_data_urls(text: str, decode: int) -> Iterator[Hit]:
    """Yield the secrets in data URLs whose signs are escaped."""
    if any(begin in text for begin in _DATA_URLS):
        for match in _DATA_URL.finditer(text):
            inner = unquote_to_bytes(match[1]).decode("latin-1")
            for hit in in_text(inner, bare=False, decode=decode - 1):
                yield Hit(match.start(1), hit.value, hit.detector)


def _in_wrapped(text: str, decode: int) -> Iterator[Hit]:
    """Yield the secrets in base64 that is broken into lines."""
    for match in _BLOCK.finditer(text):
        lines = match[0].split()
        # What follows in letters only may be the end of a shell's document.
        inner = _hidden_text("".join(lines), decode) or _hidden_text("".join(lines[:-1]), decode)
        for hit in in_text(inner, bare=False, decode=decode - 1) if inner else ():
            yield Hit(match.start(), hit.value, f"{hit.detector}, in base64")


def _in_tokens(text: str, data: bytes, *, bare: bool, decode: int) -> Iterator[Hit]:
    tokens = {token for token in data.translate(_TOKENS).split() if len(token) >= _SHORTEST_TOKEN}
    if decode and any(_SHORTEST_LINE <= len(token) <= _LONGEST_LINE and not token.islower() for token in tokens):
        yield from _in_wrapped(text, decode)
    for raw in tokens:
        # Nearly everything that is long in a manifest is written in small letters, and few formats are.
        if raw.islower():
            if raw.startswith(SMALL_ANCHORS) or b"-us" in raw:
                yield from _placed(text, raw.decode("latin-1"), list(in_token(raw.decode("latin-1"), 0)))
            continue
        token = raw.decode("latin-1")
        if b"eyJ" in raw or ANCHOR.search(raw):
            yield from _placed(text, token, list(in_token(token, 0)))
        if len(raw) < _SHORTEST_ENCODED:
            continue
        inner = _hidden_text(token, decode) if decode else None
        if inner is not None:
            hidden = {hit.value: hit.detector for hit in in_text(inner, bare=False, decode=decode - 1)}
            yield from _placed(text, token, [Hit(0, value, f"{detector}, in base64") for value, detector in hidden.items()])
        elif bare and not is_file(token) and looks_generated(token) and stands_for_itself(token):
            hits = _placed(text, token, [Hit(0, token, "randomness")])
            yield from (hit for hit in hits if is_unexplained(text, hit.start, hit.start + len(token)))


def _hidden_text(token: str, decode: int) -> str | None:
    # What is packed in what is packed would grow without end.
    unpacked = unpacked_text(token) if decode == _LAYERS else None
    return decoded_text(token) if unpacked is None else unpacked


def _placed(text: str, token: str, hits: list[Hit]) -> Iterator[Hit]:
    """Yield the hits in a token wherever it stands, but not more often than anybody needs to read."""
    at, times = text.find(token) if hits else -1, 0
    while at >= 0 and times < _OFTEN:
        yield from (hit._replace(start=at + hit.start) for hit in hits)
        at, times = text.find(token, at + len(token)), times + 1


def _lines_with_stems(text: str) -> Iterator[str]:
    """Yield the lines that may name a secret or hold a command, each place once."""
    lower = text.lower()
    seen: set[int] = set()
    for stem in _STEMS:
        at = lower.find(stem) if all(map(lower.__contains__, stem)) else -1
        while at >= 0:
            start = lower.rfind("\n", 0, at) + 1
            end = lower.find("\n", at)
            end = end if end >= 0 else len(lower)
            if start not in seen:
                seen.add(start)
                yield text[start:end]
            at = lower.find(stem, end)


def _in_lines(lines: list[str], telling: Iterable[str], *, file: bool) -> Iterator[Hit]:
    said = {}
    for line in telling:
        hits, above = (_in_line_again if len(line) <= _LONGEST_CACHED else _in_line)(line, file)
        if hits or above:
            said[line] = hits, above
    if not said:
        return
    found: list[tuple[int, Hit]] = []
    for index in itertools.compress(range(len(lines)), map(said.__contains__, lines)):
        hits, above = said[lines[index]]
        found += ((index, hit) for hit in hits)
        if above is not None:
            found += assignments.in_lines_near(lines, index, above, file=file)
    start, before = 0, 0
    for number, hit in sorted(found, key=itemgetter(0)):
        start += sum(map(len, lines[before:number])) + number - before
        before = number
        yield hit._replace(start=start + hit.start)


def _in_line(line: str, file: bool) -> tuple[tuple[Hit, ...], assignments.Above | None]:
    lower = line.lower()
    hits = (
        *assignments.in_line(line, 0, file=file),
        *commands.in_commands(line, lower, 0),
        *tables.in_insert(line, lower, 0),
    )
    return hits, assignments.above(line)


_in_line_again = lru_cache(maxsize=8192)(_in_line)


def _without_overlaps(hits: list[Hit]) -> list[Hit]:
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
