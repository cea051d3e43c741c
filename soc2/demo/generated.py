"""Passwords of the demo: made when it starts, so that none stands in a file."""

from __future__ import annotations

import secrets
import string
from typing import TypeVar

T = TypeVar("T")

MARK = "%generated%"
"""What stands in the demo's files where a password belongs."""


def password() -> str:
    """Return a new one."""
    # At least one of each class, as a real password has.
    alphabet = string.ascii_letters + string.digits
    return "Aa1-" + "".join(secrets.choice(alphabet) for _ in range(28))


def filled(value: T) -> T:
    """Return a value with a new password wherever the mark stands in it."""
    if isinstance(value, str):
        return value.replace(MARK, password()) if MARK in value else value  # type: ignore[return-value]
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items()}  # type: ignore[return-value]
    if isinstance(value, list):
        return [filled(inner) for inner in value]  # type: ignore[return-value]
    return value
