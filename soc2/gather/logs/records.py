"""Records, and how the kind of a JSON object is told by its own fields."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from soc2.model.logs import LogKind


class Record(NamedTuple):
    """One record: its columns, or (bytes) a JSON object on one line that has the columns already; ``id`` is its store's."""

    kind: LogKind
    value: bytes | dict[str, Any]
    id: str | None = None


class _Audit(msgspec.Struct):
    auditID: str  # noqa: N815
    stage: str = ""
    verb: str = ""


class _Trail(msgspec.Struct):
    eventName: str  # noqa: N815
    eventSource: str  # noqa: N815
    eventTime: str  # noqa: N815


class _Falco(msgspec.Struct):
    rule: str
    priority: str
    output: str


class _Tetragon(msgspec.Struct):
    node_name: str
    time: str


AS_LOGGED = (LogKind.KUBERNETES_AUDIT, LogKind.CLOUDTRAIL, LogKind.FALCO, LogKind.TETRAGON)
"""Kinds whose records are kept as they were logged: the log's own fields are the columns."""

_FORMS: dict[LogKind, msgspec.json.Decoder[Any]] = {
    LogKind.KUBERNETES_AUDIT: msgspec.json.Decoder(_Audit),
    LogKind.CLOUDTRAIL: msgspec.json.Decoder(_Trail),
    LogKind.FALCO: msgspec.json.Decoder(_Falco),
    LogKind.TETRAGON: msgspec.json.Decoder(_Tetragon),
}
_TETRAGON_EVENTS = frozenset(
    f"process_{name}" for name in ("exec", "exit", "kprobe", "tracepoint", "uprobe", "loader", "lsm", "throttle")
)
_TETRAGON_MARKS = tuple(f'"{name}":'.encode() for name in _TETRAGON_EVENTS)
Unreadable = (msgspec.MsgspecError, ValueError, RecursionError)


def as_logged(line: bytes, kind: LogKind) -> bool:
    """Whether the line is, as it stands, a record of a kind that is kept as it was logged."""
    if line[:1] != b"{" or line[-1:] != b"}":
        return False
    if kind is LogKind.TETRAGON and not any(mark in line for mark in _TETRAGON_MARKS):
        return False
    try:
        _FORMS[kind].decode(line)
        return line.isascii() or bool(line.decode())
    except Unreadable:
        return False


def kind_of(fields: dict[str, Any]) -> LogKind | None:
    """The kind of log that has such a record, if it is one that is kept as it was logged."""
    if "auditID" in fields and ("stage" in fields or "verb" in fields or "requestURI" in fields):
        return LogKind.KUBERNETES_AUDIT
    if "eventName" in fields and ("eventSource" in fields or "userIdentity" in fields):
        # Notifications of buckets and queues look alike.
        return None if str(fields.get("eventSource")).startswith("aws:") else LogKind.CLOUDTRAIL
    if "rule" in fields and "priority" in fields and ("output" in fields or "output_fields" in fields):
        return LogKind.FALCO
    if not _TETRAGON_EVENTS.isdisjoint(fields) and any(isinstance(fields.get(name), dict) for name in _TETRAGON_EVENTS):
        return LogKind.TETRAGON
    return None


def decode(text: bytes | str) -> Any:
    """Decode JSON, forgiving what is no UTF-8 and bare control characters in texts. Raises one of ``Unreadable``."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        return json.loads(text, strict=False)
