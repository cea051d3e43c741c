"""Audit events that LAUREL wrote as JSON: all records of an event in one object, by their type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from soc2.detect.schema import SCHEMAS
from soc2.gather.logs.records import Record
from soc2.gather.logs.times import utc
from soc2.gather.logs.where import Where
from soc2.model.logs import LogKind

_ID = re.compile(r"(\d+\.\d+):(\d+)$")
_TYPE = re.compile(r"[A-Z][A-Z_]{2,}$")
_COLUMNS = frozenset(SCHEMAS[LogKind.AUDITD].columns) - {"time", "host", "serial", "type", "command", "fields"}


def is_event(fields: dict[str, Any]) -> bool:
    """Whether a JSON object is an event of LAUREL."""
    return isinstance(fields.get("ID"), str) and _ID.match(fields["ID"]) is not None and any(_parts(fields))


def records(fields: dict[str, Any], where: Where) -> list[Record]:
    """The records of an event, as auditd would have written them."""
    found = _ID.match(fields["ID"])
    if found is None:
        return []
    node = fields.get("NODE")
    base: dict[str, Any] = {"time": utc(found[1]), "serial": found[2], "type": ""}
    host = node if isinstance(node, str) else where.get("node")
    if host is not None:
        base["host"] = host
    return [Record(LogKind.AUDITD, {**base, "type": kind, **_columns(part)}) for kind, part in _parts(fields)]


def _parts(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, value in fields.items():
        if _TYPE.match(kind) and kind != "PARENT_INFO":
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, dict):
                    yield kind, part


def _columns(part: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    others: dict[str, Any] = {}
    arguments = part.get("ARGV")
    if isinstance(arguments, list):
        made["command"] = " ".join(map(str, arguments))
        made.update({f"a{number}": str(argument) for number, argument in enumerate(arguments[:10])})
    elif isinstance(part.get("ARGV_STR"), str):
        made["command"] = part["ARGV_STR"]
    for name, value in part.items():
        if name in _COLUMNS and isinstance(value, str | int):
            made[name] = str(value)
        elif name not in ("ARGV", "ARGV_STR"):
            others[name] = value
    return {**made, "fields": others} if others else made
