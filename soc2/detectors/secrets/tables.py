"""Tables: rows whose columns are named above them or before them, in CSV, Markdown and SQL, and properties in XML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.names import Naming, naming
from soc2.detectors.secrets.values import is_secret

_SEPARATORS = "|,;\t"
_COLUMN = re.compile(r"[\w .-]{1,40}")
# Tables of passwords tell whose they are.
_WHOSE = frozenset({"user", "username", "user name", "login", "email", "account", "host", "url", "service"})
_MOST_ROWS = 1000
_PROPERTY = re.compile(
    r"<(?:[\w-]{0,20}name|key)>\s{0,20}([\w.-]{1,100})\s{0,20}</(?:[\w-]{0,20}name|key)>\s{0,60}<(?:[\w-]{0,20}value|string)>([^<>\n]{1,4096})</(?:[\w-]{0,20}value|string)>"
)
_INSERT = re.compile(r"\binsert\s+into\s+\S{1,100}\s*\(([^()\n]{1,1000})\)\s*values\s*\((.{1,4000})", re.I)
_LITERAL = re.compile(r"'((?:[^'\n]|''){0,400})'|[^\s,()']+")


def in_insert(line: str, lower: str, start: int) -> Iterator[Hit]:
    """Yield the passwords that a line of SQL writes into a table; ``lower`` is the line in small letters."""
    for match in _INSERT.finditer(line) if "insert" in lower else ():
        columns = [column.strip(' `"[]') for column in match[1].split(",")]
        for number, value in enumerate(_LITERAL.finditer(match[2])):
            if value[1] and is_secret(value[1], naming(columns[number % len(columns)])):
                yield Hit(start + match.start(2) + value.start(1), value[1], "name")


def in_properties(text: str) -> Iterator[Hit]:
    """Yield the secrets that elements give a name beside them: ``<name>db.password</name> <value>…</value>``."""
    if "value>" in text or "<string>" in text:
        for match in _PROPERTY.finditer(text):
            if is_secret(match[2], naming(match[1])):
                yield Hit(match.start(2), match[2], "name")


def is_header(line: str) -> bool:
    """Tell whether a line names the columns of a table that holds secrets, and whose they are."""
    columns = _cells(line)
    if len(columns) < 2 or not all(map(_COLUMN.fullmatch, columns)):
        return False
    names = {column.lower() for column in columns}
    return (
        len(columns) == len(names)
        and not _WHOSE.isdisjoint(names)
        and any(naming(column) is not Naming.NONE for column in columns)
    )


def in_rows(lines: Sequence[str], index: int) -> Iterator[tuple[int, Hit]]:
    """Yield (number of the line, secret) of the rows below the header at ``index``."""
    named = [naming(column) for column in _cells(lines[index])]
    for number in range(index + 1, min(index + 1 + _MOST_ROWS, len(lines))):
        row = _cells(lines[number])
        # Where the next table begins, this one ends.
        if len(row) != len(named) or is_header(lines[number]):
            return
        for cell, kind in zip(row, named, strict=True):
            if kind is not Naming.NONE and is_secret(cell, kind):
                yield number, Hit(lines[number].find(cell), cell, "name")


def _cells(line: str) -> list[str]:
    separator = next((each for each in _SEPARATORS if each in line), ",")
    return [cell.strip(" \r\"'`") for cell in line.strip().strip("|").split(separator)]
