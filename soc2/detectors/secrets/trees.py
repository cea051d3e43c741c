"""Walks JSON values: every text in them, with the place where it stands and the name that it is given."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from soc2.detectors.secrets.names import Naming, naming
from soc2.detectors.secrets.text import in_text
from soc2.detectors.secrets.words import words

_DEEPEST = 150
_FLAG = re.compile(r"^--?[A-Za-z][\w.-]{1,60}$")

# Fields that name the value beside them, fields that are such values, and what holds ciphertexts only.
_NAMES = ("name", "Name", "key", "Key", "ParameterKey", "parameterName", "OptionName", "OutputKey", "variable", "header")
_VALUES = words("values")
_FIELDS_OF_NAMES = ("key", "Key")
_LONGEST_SHOWN = 200
_HIDDEN = "…"
_LONG_KEY = 16
_LONG_HEX = re.compile(r"[0-9a-fA-F]{24,}")
_CIPHERTEXTS = frozenset({"encryptedData"})


class Placed(NamedTuple):
    """A text with its place and the name that it is given.

    ``again`` says that its words stand elsewhere, too; ``arguments`` are the elements of the list that it is made of.
    """

    place: str
    name: str
    text: str
    again: bool = False
    arguments: tuple[str, ...] = ()

    def without(self, places: Container[str]) -> str:
        """Return the text, with nothing where arguments stand of which something was found by themselves."""
        if not self.arguments:
            return self.text
        return " ".join('""' if f"{self.place}[{i}]" in places else each for i, each in enumerate(self.arguments))


def texts(value: Any, name: str = "", place: str = "", depth: int = 0) -> Iterator[Placed]:
    """Yield every text in a value. Raises TypeError for what is nested more than 150 levels deep."""
    if depth > _DEEPEST:
        raise TypeError(f"nested more than {_DEEPEST} levels deep")
    if isinstance(value, str):
        yield Placed(place, name, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        # Of numbers, only passwords are secrets.
        if naming(name) is Naming.PASSWORD:
            yield Placed(place, name, str(value))
    elif isinstance(value, dict):
        beside = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), "")
        # Beside a ``name``, it is one of the keys of the object that is called so.
        alone = _VALUES.isdisjoint(value) and "name" not in value
        keys = [key for key in map(str, value) if len(key) >= _LONG_KEY]
        if keys:
            # A token may be what something else is looked up by.
            yield Placed(place, "", "\n".join(keys), again=True)
        for key, inner in value.items():
            key = str(key)
            if key in _CIPHERTEXTS:
                continue
            if key in _VALUES:
                its_name = beside or name
            else:
                its_name = name if alone and key in _FIELDS_OF_NAMES else key
            yield from texts(inner, its_name, _joined(place, key), depth + 1)
    elif isinstance(value, list | tuple):
        before = ""
        for index, inner in enumerate(value):
            flag = isinstance(inner, str) and _FLAG.match(before)
            yield from texts(inner, before.lstrip("-") if flag else name, f"{place}[{_label(index, inner)}]", depth + 1)
            before = inner if isinstance(inner, str) else ""
        if len(value) > 1 and all(isinstance(inner, str) for inner in value):
            # A command may take a password that only its place tells from other arguments.
            yield Placed(place, "", "", again=True, arguments=tuple(inner if inner.isprintable() else "" for inner in value))


def _joined(place: str, key: str) -> str:
    key = shown(key)
    if re.fullmatch(r"[\w-]+", key):
        return f"{place}.{key}" if place else key
    return f"{place}[{key}]"


def _label(index: int, item: Any) -> str:
    if not isinstance(item, dict):
        return str(index)
    # A ``key`` names what stands beside it; alone, it may be a key that opens something.
    names = (key for key in _NAMES if key not in _FIELDS_OF_NAMES or not _VALUES.isdisjoint(item))
    name = next((item[key] for key in names if isinstance(item.get(key), str)), "")
    return shown(name) if name and shown(name) != _HIDDEN else str(index)


@lru_cache(maxsize=4096)
def shown(name: str) -> str:
    """Return a name as the place of a finding may tell it: cut, and without what may be a secret itself."""
    return _HIDDEN if in_text(name) or _LONG_HEX.fullmatch(name) else name[:_LONGEST_SHOWN]
