"""Assignments in texts: which name is given which value, in properties, INI, shell, YAML, JSON, TOML, XML, HCL and URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.names import ABOUT, Naming, naming
from soc2.detectors.secrets.randomness import is_random
from soc2.detectors.secrets.tables import in_rows, is_header
from soc2.detectors.secrets.values import is_secret

STEMS = (
    "pass",
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
    "_pat",
    "psk",
    "community",
    "pw",
)
"""In small letters; a line without any of them names no secret."""

_QUOTED = r"\"(?:[^\"\\\n]|\\.){0,4096}\"|'(?:[^'\n]|''){0,4096}'|`[^`\n]{0,4096}`"
_ANYWHERE = re.compile(
    rf"(?<![\w./])(?<!\w:)(?!(?<=::)[A-Z])([A-Za-z_][\w.\-/]{{0,79}}+)(?:\\?[\"'])?\]?[ \t]{{0,8}}"
    r"(?:=>|:=|={1,3}|(?<=\w):-(?=[^\s}])|:(?!//)|\?=|\|=)"
    rf"[ \t]{{0,8}}({_QUOTED}|\\\"[^\"\\\n]{{0,4096}}\\\"|[^\s\"'`,;&|(){{}}\[\]<>?][^\s\"'`,;&|)\]}}<>]{{0,4095}})"
)
_WHOLE_LINE = re.compile(
    r"^[ \t]*+(?:-[ \t]+|--?)?"
    r"(?:(?:export|set|env|arg|let|const|var|final|local|declare|readonly|setenv)[ \t]+)?(?:-\w[ \t]+)?"
    r"[\"']?([A-Za-z_][\w.\-/ ]{0,79}?)[\"']?[ \t]*(?:=>|:=|=(?!=)|:(?=[ \t]|$)|[ \t](?=[^\s=:]+$))[ \t]*(.*)$",
    re.I,
)
_FLAG = re.compile(rf"(?<![\w-])--?([A-Za-z][\w.-]{{1,60}})[ \t]+({_QUOTED}|[^\s\"'`\-|;&<>][^\s\"'`|;&<>]{{0,400}})")
_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]{1,79}+)(?:\s[^<>]{0,200})?>([^<>\n]{1,4096})</")
_PAIR = re.compile(
    r"(?:name|key|ParameterKey|variable|parameter|Name|Key|NAME|KEY|property|option)\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?([A-Za-z_][\w.\-/]{1,79})\\?[\"']?"
    r"\s{0,4}[,;]?\s{0,40}\\?[\"']?(?:value|ParameterValue|Value|VALUE|val|default|content)\\?[\"']?\s{0,4}[:=]\s{0,4}"
    rf"({_QUOTED}|\\\"[^\"\\\n]{{0,4096}}\\\"|[^\s\"'`,;}}\]]{{1,4096}})"
)
_IN_OBJECT = re.compile(
    r"(?<![\w.\-])([A-Za-z_][\w.\-]{1,79}+)[\"']?\s{0,4}[:=]\s{0,4}\{[^{}\n]{0,400}?"
    r"[\"'\s{,](?:value|default|Value|Default)[\"']?\s{0,4}[:=]\s{0,4}"
    rf"({_QUOTED}|[^\s\"'`,;}}\]]{{1,4096}})"
)
_IN_CALL = re.compile(rf"\(\s{{0,4}}[\"']([A-Za-z_][\w.\-]{{1,79}})[\"']\s{{0,4}},\s{{0,4}}({_QUOTED})\s{{0,4}}[,)]")
_NAMED_ELEMENT = re.compile(
    r"<\w{1,40}\s[^<>]{0,200}?(?:key|name)=[\"']([A-Za-z_][\w.\-]{1,79})[\"'][^<>]{0,200}>([^<>\n]{1,4096})</"
)
_VALUE_ELEMENT = re.compile(r"<(\w{0,40}(?:[Pp]assword|[Ss]ecret|[Tt]oken))>\s{0,20}<[Vv]alue>([^<>\n]{1,400})</")
# Each with what a line must hold for it, which is found sooner.
_ELSEWHERE_IN_LINE = (
    ("-", _FLAG),
    ("</", _ELEMENT),
    ("</", _VALUE_ELEMENT),
    ("", _PAIR),
    ("</", _NAMED_ELEMENT),
    ("{", _IN_OBJECT),
    ("(", _IN_CALL),
)
# Aliases of YAML, and calls of functions; between backticks stand commands of a shell.
_NO_LITERAL = re.compile(r"^[*&(][A-Za-z_(*].*$|^[\w.]+\(.*\)[;:]?$|^\w+(::\w+)+[!(<].*$")
_PROSE = re.compile(r"[ \t]+[a-z]")
_SHELL = re.compile(r"^[ \t]*+[A-Z][A-Z0-9_]*+=\S+[ \t]+\S")
_COMMENT = re.compile(r"(?<=\s)(?:[#;]|//)\s.*$")
_NAMED = re.compile(
    r"^[ \t]*+(?:-[ \t]+)?[\"']?(?:name|key|ParameterKey|Name|Key)[\"']?[ \t]*[:=][ \t]*"
    r"[\"']?([A-Za-z_][\w.\-/]{1,79})[\"']?,?[ \t]*$"
)
_VALUE = re.compile(
    r"^[ \t]*+(?:-[ \t]+)?[\"']?(?:value|default|Value|Default|ParameterValue|content)[\"']?[ \t]*[:=][ \t]*(\S.*)$"
)
_HEADING = re.compile(
    r"^([ \t]*+)(?:-[ \t]+)?(?:variable[ \t]+)?[\"']?([A-Za-z_][\w.\-]{1,79})[\"']?[ \t]*"
    r"(?:[:=][ \t]*(?:[|>][-+0-9]{0,3}|\{)?|\{)[ \t]*$"
)
_ELSEWHERE = re.compile(r"^\s*+(?:[-{}\[\]]|$)")
_NESTED = re.compile(r"[:=]|^[-{\[#}]")
_OF_TABLE = -2
_LINES_AFTER = 8
_LONGEST_LINE = 4096


def in_line(line: str, start: int, *, file: bool) -> Iterator[Hit]:
    """Yield the secrets that a line gives a name; ``start`` is where the line begins."""
    match = _WHOLE_LINE.match(line) if len(line) <= _LONGEST_LINE else None
    # ``update users set password = null where …`` is a command: its value ends with the word.
    if match and " " in match[1].strip() and line[match.end(1) : match.start(2)].strip() == "=":
        match = None
    if match and naming(match[1]) is not Naming.NONE:
        opens = match[2][:1] in ("{", "[", "")
        hits = (
            []
            if opens or _is_prose(line, match)
            else list(_hit(match[1], _without_comment(match[2]), start + match.start(2), file))
        )
        yield from hits
        # ``NAME=value command`` of a shell goes on, and so does the beginning of an object.
        if hits or not (opens or _SHELL.match(line)):
            return
    yield from _in_assignments(line, start)
    for sign, pattern in _ELSEWHERE_IN_LINE:
        if sign in line:
            for match in pattern.finditer(line):
                yield from _hit(match[1], match[2], start + match.start(2), file)


def _is_prose(line: str, match: re.Match[str]) -> bool:
    """Tell whether a line without any sign between name and value merely says the two: ``how to pass server names``,
    ``Password forgotten?``, ``password reset``."""
    name, value = match[1], match[2]
    if not line[match.end(1) : match.start(2)].isspace() or any(map(str.isdigit, value)):
        return False
    return (
        " " in name
        or value.startswith("--")
        or value[-1:] in "?.:"
        or (name.istitle() and value.isalpha())
        or value.lower() in ABOUT
    )


def _in_assignments(line: str, start: int) -> Iterator[Hit]:
    match = _ANYWHERE.search(line)
    while match:
        named = naming(match[1])
        if named is not Naming.NONE:
            # In the middle of a line stands code, too; but not in URLs and connection strings.
            code = line[max(match.start() - 1, 0) : match.start()] not in ("&", "?", ";")
            # ``$name = what`` of Perl, PHP and PowerShell gives a text only in quotes.
            if line[max(match.start() - 1, 0) : match.start()] == "$" and match[2][0] not in "\"'":
                match = _ANYWHERE.search(line, match.end())
                continue
            says = (
                match[2].isalpha() and line[match.end(1) : match.start(2)].strip() == ":" and _PROSE.match(line, match.end())
            )
            if not says:
                yield from _hit(match[1], match[2], start + match.start(2), code)
        # What is quoted may be a list of assignments, such as a connection string.
        inside = match.start(2) + (match[2][0] in "\"'`\\")
        match = _ANYWHERE.search(line, inside if named is Naming.NONE else match.end())


class Above(NamedTuple):
    """A line that names a secret whose value stands on a line near it. ``indent`` is -1 for a ``name`` beside a ``value``, and
    -2 for the header of a table."""

    name: str
    indent: int


def above(line: str) -> Above | None:
    """Return what a line says of the lines near it, or None when it names no secret or gives it a value itself."""
    named = _NAMED.match(line)
    if named and naming(named[1]) is not Naming.NONE:
        return Above(named[1], -1)
    heading = _HEADING.match(line)
    if heading and naming(heading[2]) is not Naming.NONE:
        return Above(heading[2], len(heading[1].expandtabs()))
    return Above("", _OF_TABLE) if is_header(line) else None


def in_lines_near(lines: Sequence[str], index: int, line: Above, *, file: bool) -> Iterator[tuple[int, Hit]]:
    """Yield (number of the line, secret) where the line at ``index`` names a secret and one near it holds it: a YAML block,
    a ``value`` beside a ``name``, the ``default`` of a parameter."""
    if line.indent == _OF_TABLE:
        yield from in_rows(lines, index)
        return
    near = _beside(lines, index) if line.indent < 0 else _below(lines, index, line.indent)
    if near is not None:
        number, raw = near
        for hit in _hit(line.name, raw, lines[number].index(raw), file):
            yield number, hit


def _beside(lines: Sequence[str], index: int) -> tuple[int, str] | None:
    for number in range(index + 1, min(index + 4, len(lines))):
        if _ELSEWHERE.match(lines[number]) or _NAMED.match(lines[number]):
            break
        value = _VALUE.match(lines[number])
        if value:
            return number, _without_comment(value[1])
    # What begins an item of a list has nothing before it.
    value = _VALUE.match(lines[index - 1]) if index and not lines[index].lstrip().startswith(("-", "{")) else None
    return (index - 1, _without_comment(value[1])) if value else None


def _below(lines: Sequence[str], index: int, indent: int) -> tuple[int, str] | None:
    for number in range(index + 1, min(index + 1 + _LINES_AFTER, len(lines))):
        below = lines[number][:_LONGEST_LINE]
        stripped = below.strip()
        if stripped and len(below.expandtabs()) - len(below.expandtabs().lstrip()) <= indent:
            return None
        value = _VALUE.match(below)
        if value:
            return number, _without_comment(value[1])
        if number == index + 1 and stripped and not _NESTED.search(stripped):
            return number, stripped
    return None


def _hit(name: str, raw: str, start: int, file: bool) -> Iterator[Hit]:
    named = naming(name)
    if named is Naming.NONE:
        return
    value = unquoted(raw)
    plain = value == raw.rstrip(",")
    # ``this.password = password``
    if plain and "." in name and value == name.rpartition(".")[2]:
        return
    if (plain and _NO_LITERAL.match(value)) or (raw.startswith("`") and " " in raw):
        return
    # A comma after what has no quotes is one of a call.
    code = plain and (file or raw.endswith(","))
    if code and value.lower() in name.lower():
        return
    if is_secret(value, named, file=code):
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
    if len(raw) >= 6 and raw[:3] == raw[-3:] and raw[:3] in ('"""', "'''"):
        return raw[3:-3]
    if len(raw) >= 4 and raw.startswith('\\"') and raw.endswith('\\"'):
        return raw[2:-2]
    if len(raw) >= 2 and raw[0] == raw[-1] and raw[0] in "\"'`":
        return raw[1:-1]
    return raw


def _without_comment(raw: str) -> str:
    raw = raw.rstrip().removesuffix(";")
    if raw[:3] in ('"""', "'''"):
        return raw
    if raw[:1] in "\"'`" and raw:
        close = raw.find(raw[0], 1)
        while close > 0 and raw[close - 1] == "\\":
            close = raw.find(raw[0], close + 1)
        return raw[: close + 1] if close > 0 else raw
    return _COMMENT.sub("", raw).rstrip()
