"""The trust services criteria that the suite knows, by id, with labels of our own."""

from __future__ import annotations

import tomllib
from importlib import resources


def _load() -> dict[str, str]:
    text = resources.files("soc2").joinpath("data/criteria.toml").read_text(encoding="utf-8")
    return {str(name): str(label) for name, label in tomllib.loads(text)["criteria"].items()}


CRITERIA: dict[str, str] = _load()
