"""CloudTrail records as rows of a table of Athena, which knows small letters only and keeps JSON as texts."""

from __future__ import annotations

import re
from typing import Any

from soc2.detect.schema import SCHEMAS
from soc2.gather.logs.records import Unreadable, decode
from soc2.model.logs import LogKind

_COLUMNS = SCHEMAS[LogKind.CLOUDTRAIL].columns
_TOP = {name.lower(): name for name in _COLUMNS} | {"useridentity": "userIdentity", "requestid": "requestID"}
_IDENTITY = {name.lower(): name for name in re.findall(r"(\w+) (?:VARCHAR|JSON|STRUCT)", _COLUMNS["userIdentity"])}


def is_row(fields: dict[str, Any]) -> bool:
    """Whether a JSON object is such a row."""
    return "eventname" in fields and ("eventsource" in fields or "useridentity" in fields)


def row(fields: dict[str, Any]) -> dict[str, Any]:
    """The record that a row tells of."""
    made: dict[str, Any] = {}
    for name, value in fields.items():
        name = _TOP.get(name, name)
        if _COLUMNS.get(name, "VARCHAR") not in ("VARCHAR", "BOOLEAN") and isinstance(value, str):
            try:
                value = decode(value)
            except Unreadable:
                continue
        if name == "userIdentity":
            value = _renamed(value)
        if value not in (None, ""):
            made[name] = value
    return made


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {_IDENTITY.get(name, name): _renamed(inner) for name, inner in value.items() if inner not in (None, "")}
    return value
