"""Walks JSON values: every text in them, with the place where it stands and the name that it is given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from soc2.detectors.secrets.names import Naming, naming
from soc2.detectors.secrets.words import words

_DEEPEST = 150
_FLAG = re.compile(r"^--?[A-Za-z][\w.-]{1,60}$")

# Fields that name the value beside them, fields that are such values, and what holds ciphertexts only.
_NAMES = ("name", "Name", "key", "Key", "ParameterKey", "parameterName", "OptionName", "OutputKey", "variable", "header")
_VALUES = words("values")
_CIPHERTEXTS = frozenset({"encryptedData"})


class Placed(NamedTuple):
    """A text with its place and the name that it is given. ``again`` says that it is made of others: of arguments."""

    place: str
    name: str
    text: str
    again: bool = False


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
        for key, inner in value.items():
            key = str(key)
            if key in _CIPHERTEXTS:
                continue
            its_name = (beside or name) if key in _VALUES else key
            yield from texts(inner, its_name, _joined(place, key), depth + 1)
    elif isinstance(value, list | tuple):
        before = ""
        for index, inner in enumerate(value):
            flag = isinstance(inner, str) and _FLAG.match(before)
            yield from texts(inner, before.lstrip("-") if flag else name, f"{place}[{_label(index, inner)}]", depth + 1)
            before = inner if isinstance(inner, str) else ""
        if len(value) > 1 and all(isinstance(inner, str) for inner in value):
            # A command may take a password that only its place tells from other arguments.
            yield Placed(place, "", " ".join(inner if inner.isprintable() else "" for inner in value), again=True)


def _joined(place: str, key: str) -> str:
    key = key[:200]
    if re.fullmatch(r"[\w-]+", key):
        return f"{place}.{key}" if place else key
    return f"{place}[{key}]"


def _label(index: int, item: Any) -> str:
    name = next((item[key] for key in _NAMES if isinstance(item.get(key), str)), "") if isinstance(item, dict) else ""
    return name[:200] or str(index)
