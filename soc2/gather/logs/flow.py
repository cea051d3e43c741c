"""VPC flow logs: lines of fields in the order of a header, of the format that AWS takes by default, or JSON by name."""

from __future__ import annotations

import re
from typing import Any

from soc2.detect.schema import SCHEMAS
from soc2.model.logs import LogKind
from soc2.model.network.flow_delivery import VERSION_2

_COLUMNS = SCHEMAS[LogKind.VPC_FLOW].columns
_NUMBERS = frozenset(name for name, kind in _COLUMNS.items() if kind in ("INTEGER", "BIGINT"))
_DEFAULT = tuple(VERSION_2.split())
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*$")
_ACTIONS = frozenset(["ACCEPT", "REJECT", "-"])
_STATUSES = frozenset(["OK", "NODATA", "SKIPDATA"])
_INTERFACE = re.compile(r"eni-[0-9a-f]+$")
# Older tables of Athena name some fields otherwise.
_TABLE_NAMES = {
    "account": "account-id",
    "interfaceid": "interface-id",
    "sourceaddress": "srcaddr",
    "destinationaddress": "dstaddr",
    "sourceport": "srcport",
    "destinationport": "dstport",
    "numpackets": "packets",
    "numbytes": "bytes",
    "starttime": "start",
    "endtime": "end",
    "logstatus": "log-status",
}


def header(text: str) -> tuple[str, ...] | None:
    """The fields that a header names (``version account-id …`` or ``${version} ${account-id} …``); None if it is none.

    Versions of the format add fields, so not every one has to be known.
    """
    names = tuple(name.strip("${}").replace("_", "-") for name in text.split())
    if "interface-id" not in names or not all(map(_NAME.match, names)):
        return None
    return names if sum(name in _COLUMNS for name in names) >= max(3, len(names) / 2) else None


def line(text: str, names: tuple[str, ...] | None) -> dict[str, Any] | None:
    """The record in a line of fields with these names (None: of the default format); None if it does not fit them."""
    if names is None and (text.count(" ") < len(_DEFAULT) - 1 or not text[:1].isdigit()):
        return None
    values = text.split()
    if names is None:
        if len(values) != len(_DEFAULT) or not _INTERFACE.match(values[2]) or not values[0].isdigit():
            return None
        if values[12] not in _ACTIONS or values[13] not in _STATUSES:
            return None  # a custom format of as many fields
        names = _DEFAULT
    if len(values) != len(names):
        return None
    return named(dict(zip(names, values, strict=True)))


def named(values: dict[str, Any]) -> dict[str, Any] | None:
    """A record whose values have names, of a table or of JSON (with hyphens or underscores). What is ``-`` is left out.
    None if it names no network interface, or a number is none."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value is None or value == "-" or value == "":
            continue
        if name not in _COLUMNS:
            name = name.lower().replace("_", "-")
            name = _TABLE_NAMES.get(name, name)
            if name not in _COLUMNS:
                continue
        if name in _NUMBERS:
            try:
                value = int(value)
            except (TypeError, ValueError, OverflowError):
                return None
        found[name] = value
    return found if "interface-id" in found else None


def is_named(values: dict[str, Any]) -> bool:
    """Whether a JSON object is a flow, by the names of its fields."""
    names = values.keys()
    interface = "interface-id" in names or "interface_id" in names or "interfaceid" in names
    return interface and any(name in names for name in ("srcaddr", "dstaddr", "sourceaddress", "log-status", "log_status"))
