"""Names, values and texts, one by one: what is told to be a secret, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from soc2.detectors.secrets.names import Naming, naming
from soc2.detectors.secrets.text import in_value

_HEX = "9f2c4e8a1b7d3f605c9e2a4b8d1f7c3e"
_RANDOM = {
    "@R@": "Zx9qL7vT2mK8wR4pN6s",
    "@HEX@": _HEX,
    "@SHA@": _HEX + _HEX,
    "@B64@": "kT3nqL0xVb8ZyW5sRe1UhJ7cMpA9oDfG2iXv4QwE6tY=",
}
_TABLES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("told_apart.yaml").read_text(encoding="utf-8"))


def found(name: str, text: str) -> bool:
    for mark, value in _RANDOM.items():
        text = text.replace(mark, value)
    return bool(in_value(name, text.encode().decode("latin-1")))


@pytest.mark.parametrize("expected", _TABLES["names"])
def test_names(expected: str) -> None:
    names = _TABLES["names"][expected]
    assert {name: naming(name).name.lower() for name in names} == dict.fromkeys(names, expected)


def test_passwords_and_keys() -> None:
    assert [value for value in _TABLES["passwords"] if not found("DB_PASSWORD", value)] == []
    assert [value for value in _TABLES["keys"] if not found("JWT_SECRET", value)] == []


@pytest.mark.parametrize("name", ["DB_PASSWORD", "API_KEY"])
def test_what_stands_for_something_else(name: str) -> None:
    assert naming(name) in (Naming.PASSWORD, Naming.KEY)
    assert [value for value in _TABLES["stand_ins"] if found(name, value)] == []


def _around(text: str) -> str:
    return f"level: info\n{text}\nport: 80\n"


def test_texts_with_a_secret() -> None:
    texts = _TABLES["texts_with"]
    assert [text for text in texts if not found("file", text) or not found("file", _around(text))] == []


def test_texts_without_a_secret() -> None:
    texts = _TABLES["texts_without"]
    assert [text for text in texts if found("file", text) or found("file", _around(text))] == []
