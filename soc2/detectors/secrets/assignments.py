"""Assignments in texts: which name is given which value, in properties, INI, shell, YAML, JSON, TOML, XML, HCL and URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.names import Naming, naming
from soc2.detectors.secrets.values import is_random, is_secret

STEMS = (
    "pass",
    "pwd",
    "secret",
    "token",
    "cred",
    "key",
    "auth",
    "bearer",
    "kennwort",
    "senha",
    "contrase",
    "mnemonic",
    "pat",
    "bindpw",
)
"""In small letters; a line without any of them names no secret."""

_QUOTED = r"\"(?:[^\"\\\n]|\\.){0,4096}\"|'(?:[^'\n]|''){0,4096}'|`[^`\n]{0,4096}`"
_ANYWHERE = re.compile(
    rf"(?<![\w.])([A-Za-z_][\w.\-]{{0,79}})(?:\\?[\"'])?\]?[ \t]{{0,8}}(?:=>|:=|={{1,3}}|:(?!//)|\?=|\|=)[ \t]{{0,8}}"
    rf"({_QUOTED}|\\\"[^\"\\\n]{{0,4096}}\\\"|[^\s\"'`,;&|)\]}}<>]{{1,4096}})"
)
_WHOLE_LINE = re.compile(
    r"^[ \t]*(?:-[ \t]+)?(?:(?:export|set|env|arg|let|const|var|final|local|declare|readonly|setenv)[ \t]+)?(?:-\w[ \t]+)?"
    r"[\"']?([A-Za-z_][\w.\-/ ]{0,79}?)[\"']?[ \t]*(?:=>|:=|=|:(?=[ \t]|$)|[ \t](?=[^\s=:]+$))[ \t]*(.*)$",
    re.I,
)
_FLAG = re.compile(rf"(?<![\w-])--?([A-Za-z][\w.-]{{1,60}})[ \t]+({_QUOTED}|[^\s\"'`\-|;&<>][^\s\"'`|;&<>]{{0,400}})")
_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]{1,79})(?:\s[^<>]{0,200})?>([^<>\n]{1,4096})</")
_PAIR = re.compile(
    r"(?:name|key|ParameterKey|variable|parameter|Name|Key|NAME|KEY|property|option)\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?([A-Za-z_][\w.\-/]{1,79})\\?[\"']?"
    r"\s{0,4}[,;]?\s{0,40}\\?[\"']?(?:value|ParameterValue|Value|VALUE|val|default|content)\\?[\"']?\s{0,4}[:=]\s{0,4}"
    rf"({_QUOTED}|\\\"[^\"\\\n]{{0,4096}}\\\"|[^\s\"'`,;}}\]]{{1,4096}})"
)
_COMMENT = re.compile(r"(?<=\s)(?:[#;]|//)\s.*$")
_NAMED = re.compile(
    r"^[ \t]*(?:-[ \t]+)?[\"']?(?:name|key|ParameterKey|Name|Key)[\"']?[ \t]*[:=][ \t]*"
    r"[\"']?([A-Za-z_][\w.\-/]{1,79})[\"']?,?[ \t]*$"
)
_VALUE = re.compile(
    r"^[ \t]*(?:-[ \t]+)?[\"']?(?:value|default|Value|Default|ParameterValue|content)[\"']?[ \t]*[:=][ \t]*(\S.*)$"
)
_HEADING = re.compile(
    r"^([ \t]*)(?:-[ \t]+)?(?:variable[ \t]+)?[\"']?([A-Za-z_][\w.\-]{1,79})[\"']?[ \t]*"
    r"(?:[:=][ \t]*(?:[|>][-+0-9]{0,3}|\{)?|\{)[ \t]*$"
)
_INDENT = re.compile(r"[ \t]*")
_LINES_AFTER = 8


def in_line(line: str, start: int, *, file: bool) -> Iterator[Hit]:
    """Yield the secrets that a line gives a name; ``start`` is where the line begins."""
    match = _WHOLE_LINE.match(line) if len(line) <= 4096 else None
    if match:
        yield from _hit(match[1], _without_comment(match[2]), start + match.start(2), file)
    for pattern in (_ANYWHERE, _FLAG, _ELEMENT, _PAIR):
        for match in pattern.finditer(line):
            yield from _hit(match[1], match[2], start + match.start(2), file)


def in_lines_after(text: str, line: str, start: int, end: int, *, file: bool) -> Iterator[Hit]:
    """Yield the secret whose name stands on this line and whose value on one near it: a YAML block, a ``value`` beside a
    ``name``, the ``default`` of a parameter."""
    named = _NAMED.match(line)
    if named and naming(named[1]) is not Naming.NONE:
        yield from _beside(text, named[1], start, end, file)
        return
    heading = _HEADING.match(line)
    if not heading or naming(heading[2]) is Naming.NONE:
        return
    indent = len(heading[1].expandtabs())
    for number, (at, below) in enumerate(_lines(text, end)):
        stripped = below.strip()
        if number >= _LINES_AFTER or (stripped and len(_INDENT.match(below)[0].expandtabs()) <= indent):  # type: ignore[index]
            return
        value = _VALUE.match(below)
        if value:
            yield from _hit(heading[2], _without_comment(value[1]), at + value.start(1), file)
            return
        if (
            number == 0
            and ":" not in stripped
            and "=" not in stripped
            and stripped
            and not stripped.startswith(("-", "{", "[", "#", "}"))
        ):
            yield from _hit(heading[2], stripped, at + below.index(stripped), file)
            return


def _beside(text: str, name: str, start: int, end: int, file: bool) -> Iterator[Hit]:
    for number, (at, below) in enumerate(_lines(text, end)):
        value = _VALUE.match(below)
        if value:
            yield from _hit(name, _without_comment(value[1]), at + value.start(1), file)
            return
        if number >= 2 or not below.strip() or _NAMED.match(below):
            break
    before = text.rfind("\n", 0, max(start - 1, 0)) + 1
    above = text[before : max(start - 1, 0)]
    value = _VALUE.match(above) if len(above) <= 4096 else None
    if value:
        yield from _hit(name, _without_comment(value[1]), before + value.start(1), file)


def _lines(text: str, end: int) -> Iterator[tuple[int, str]]:
    while end < len(text):
        begin = end + 1
        end = text.find("\n", begin, begin + 4096)
        end = end if end >= 0 else min(len(text), begin + 4096)
        yield begin, text[begin:end]


def _hit(name: str, raw: str, start: int, file: bool) -> Iterator[Hit]:
    named = naming(name)
    if named is Naming.NONE:
        return
    value = unquoted(raw)
    if is_secret(value, named, file=file and value == raw):
        yield Hit(start + max(raw.find(value), 0), value, detector_of(value, named))


@lru_cache(maxsize=4096)
def detector_of(value: str, named: Naming) -> str:
    """Return what says that a value is a secret."""
    if named is Naming.PAIR:
        return "registry credentials"
    return "name and randomness" if is_random(value) else "name"


def unquoted(raw: str) -> str:
    """Return a value without the quotes around it."""
    raw = raw.strip().rstrip(",")
    if len(raw) >= 4 and raw.startswith('\\"') and raw.endswith('\\"'):
        return raw[2:-2]
    if len(raw) >= 2 and raw[0] == raw[-1] and raw[0] in "\"'`":
        return raw[1:-1]
    return raw


def _without_comment(raw: str) -> str:
    raw = raw.rstrip().removesuffix(",").removesuffix(";")
    if raw[:1] in "\"'`" and raw:
        close = raw.find(raw[0], 1)
        while close > 0 and raw[close - 1] == "\\":
            close = raw.find(raw[0], close + 1)
        return raw[: close + 1] if close > 0 else raw
    return _COMMENT.sub("", raw).rstrip()
