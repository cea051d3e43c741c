"""TOML with positions: every mistake in a file becomes one error that names the file, the line and the mend."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from soc2.errors import UsageError

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)$")
_HEADER = re.compile(r"^\s*\[(\[)?\s*(.+?)\s*\]?\]\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""")
_KEY_PART = re.compile(r"""[^\s."']+|"[^"]*"|'[^']*'""")
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`")
_MISSING_FIELD = re.compile(r"missing required field `([^`]*)`")
_UNKNOWN_VALUE = re.compile(r"^Invalid enum value '([^']*)'$")
_MESSAGE_PATH = re.compile(r"\s+- at `(?:key in )?\$?(.*?)`$")
_PATH_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]")


@dataclass(frozen=True)
class TomlFile:
    """A file's content, and the lines (from 1) on which its keys stand."""

    path: Path
    content: dict[str, Any]
    lines: dict[KeyPath, int]

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Raises UsageError when the file is missing, unreadable or not TOML."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UsageError("no such file", "`soc2 init` writes one to start from", path) from None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot be read: {error}", file=path) from None
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            message = str(error)
            line = _SYNTAX_LINE.search(message)
            last = len(text.splitlines()) or 1
            what = f"not valid TOML: {_SYNTAX_LINE.sub('', message).strip()}"
            raise UsageError(what, file=path, line=int(line.group(1)) if line else last) from None
        return cls(path, content, _key_lines(text))

    def convert(self, kind: type[T]) -> T:
        """Convert the whole content to a typed section. Raises UsageError."""
        return self.convert_part((), self.content, kind)

    def convert_part(self, where: KeyPath, content: Any, kind: type[T]) -> T:
        """Convert what stands at ``where``. Raises UsageError."""
        try:
            return msgspec.convert(content, kind)
        except msgspec.ValidationError as error:
            raise self._conversion_error(where, str(error), kind) from None

    def line(self, path: KeyPath) -> int | None:
        """Return the line of a key, or of the nearest part of the file that encloses it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def error(self, path: KeyPath, what: str, mend: str = "") -> UsageError:
        return UsageError(what, mend, self.path, self.line(path))

    def unknown_name(self, path: KeyPath, thing: str, name: str, known: Iterable[str]) -> UsageError:
        return self.error(path, f'unknown {thing} "{name}"', _did_you_mean(name, list(known)))

    def _conversion_error(self, where: KeyPath, message: str, kind: Any) -> UsageError:
        at = _MESSAGE_PATH.search(message)
        path = where + (_key_path(at.group(1)) if at else ())
        what = _MESSAGE_PATH.sub("", message)
        if unknown := _UNKNOWN_FIELD.search(what):
            names = _field_names(kind, path[len(where) :])
            section = f" in {_show(path)}" if path else ""
            mend = _did_you_mean(unknown.group(1), names)
            return self.error((*path, unknown.group(1)), f'unknown key "{unknown.group(1)}"{section}', mend)
        if missing := _MISSING_FIELD.search(what):
            return self.error(path, f'the required key "{missing.group(1)}" is missing in {_show(path)}')
        if invalid := _UNKNOWN_VALUE.match(what):
            return self.unknown_name(path, str(path[-1]), invalid.group(1), _known_values(kind, path[len(where) :]))
        return self.error(path, f"{_show(path)}: {what[0].lower()}{what[1:]}")


def _did_you_mean(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(sorted(known))}"


def _show(path: KeyPath) -> str:
    return "[" + ".".join(str(part) for part in path if isinstance(part, str)) + "]" if path else "the file"


def _key_path(text: str) -> KeyPath:
    return tuple(name if name else (int(index) if index.isdigit() else 0) for name, index in _PATH_PART.findall(text))


def _field_names(kind: Any, path: KeyPath) -> list[str]:
    """Return the keys that the section at ``path`` knows."""
    return [field.encode_name for field in getattr(_type_at(kind, path), "fields", ())]


def _known_values(kind: Any, path: KeyPath) -> list[str]:
    """Return the values that the key at ``path`` may have."""
    found = _type_at(kind, path)
    values = found.cls if isinstance(found, msgspec.inspect.EnumType) else getattr(found, "values", ())
    return [str(value) for value in values]


def _type_at(kind: Any, path: KeyPath) -> Any:
    """Return the type of what stands at ``path``, by walking the types; None when nothing does."""
    info: Any = _section_of(msgspec.inspect.type_info(kind))
    for part in path:
        if not isinstance(part, int):
            field = next((field for field in getattr(info, "fields", ()) if field.encode_name == part), None)
            info = _section_of(field.type) if field else None
    return info


def _section_of(info: Any) -> Any:
    while True:
        if isinstance(info, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
            info = info.item_type
        elif isinstance(info, msgspec.inspect.Metadata):
            info = info.type
        elif isinstance(info, msgspec.inspect.UnionType) and len(given := _but_none(info)) == 1:
            (info,) = given
        else:
            return info


def _but_none(union: msgspec.inspect.UnionType) -> list[Any]:
    return [each for each in union.types if not isinstance(each, msgspec.inspect.NoneType)]


def _key_lines(text: str) -> dict[KeyPath, int]:
    """Find on which line each header and each key of a valid TOML text stands.

    Values that span lines (multi-line strings and arrays) are passed over by asking the real parser: a key's value
    ends on the first line at which the text from the key on is valid TOML by itself.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    section: KeyPath = ()
    rows = text.splitlines()
    row = 0
    while row < len(rows):
        header, key = _HEADER.match(rows[row]), _KEY.match(rows[row])
        if key:
            path = section + _parts(key.group(1))
            for length in range(len(section) + 1, len(path) + 1):
                lines.setdefault(path[:length], row + 1)
            end = _value_end(rows, row)
            for offset in range(row, end + 1):
                _note_inline_keys(rows[offset], offset + 1, path, lines)
            row = end
        elif header:
            section = _resolve(_parts(header.group(2)), counts)
            if header.group(1):
                counts[section] = counts.get(section, -1) + 1
                section = (*section, counts[section])
            for length in range(1, len(section) + 1):
                lines.setdefault(section[:length], row + 1)
        row += 1
    return lines


def _value_end(rows: list[str], start: int) -> int:
    for end in range(start, len(rows)):
        try:
            tomllib.loads("\n".join(rows[start : end + 1]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return start


def _note_inline_keys(row: str, number: int, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    for match in re.finditer(r"[{,]\s*([\w-]+)\s*=", row):
        lines.setdefault((*path, match.group(1)), number)


def _resolve(parts: tuple[str, ...], counts: dict[KeyPath, int]) -> KeyPath:
    """Insert the index of the newest entry of every array of tables on the way."""
    path: KeyPath = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if path in counts and index < len(parts) - 1:
            path = (*path, counts[path])
    return path


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _KEY_PART.findall(dotted))
