"""What of a log record may be shown: texts without credentials, and not without end."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from soc2.gather.redaction import MASK, masked

_LONGEST = 1_000
# Fields whose values are secrets, whatever they look like: by the end of their name, or by where they are.
_SECRET_NAME = re.compile(
    r"(password|passwd|passphrase|secret|token|credentials?|private_?key|secret_?access_?key|plaintext|secretstring|"
    r"secretbinary|authorization|cookie)$",
    re.I,
)
_SECRET_PLACE = re.compile(r"(^|\.)(data|stringData|binaryData)\.|(^|\.)env(\.|\[).*value$")


def shown_fields(fields: str) -> dict[str, Any]:
    """Read the JSON object of a rule's fields and return their values as reports may show them."""
    return {name: shown(name, value) for name, value in msgspec.json.decode(fields).items()}


def shown(name: str, value: Any) -> Any:
    """Return the value of the field ``name`` as reports may show it. Of objects only the keys are shown."""
    if not isinstance(value, str):
        return value
    if _SECRET_NAME.search(name) or _SECRET_PLACE.search(name):
        return MASK
    text = masked(_without_objects(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _without_objects(text: str) -> str:
    if "{" not in text or text[:1] not in ("{", "["):
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    items = value if isinstance(value, list) else [value]
    return ", ".join("{" + ", ".join(item) + "}" if isinstance(item, dict) else str(item) for item in items)
