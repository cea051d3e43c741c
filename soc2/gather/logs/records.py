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


class _HubbleFlow(msgspec.Struct):
    verdict: str


class _Hubble(msgspec.Struct):
    node_name: str
    time: str
    flow: _HubbleFlow | None = None


AS_LOGGED = (LogKind.KUBERNETES_AUDIT, LogKind.CLOUDTRAIL, LogKind.FALCO, LogKind.TETRAGON, LogKind.HUBBLE)
"""Kinds whose records are kept as they were logged: the log's own fields are the columns."""

_FORMS: dict[LogKind, msgspec.json.Decoder[Any]] = {
    LogKind.KUBERNETES_AUDIT: msgspec.json.Decoder(_Audit),
    LogKind.CLOUDTRAIL: msgspec.json.Decoder(_Trail),
    LogKind.FALCO: msgspec.json.Decoder(_Falco),
    LogKind.TETRAGON: msgspec.json.Decoder(_Tetragon),
    LogKind.HUBBLE: msgspec.json.Decoder(_Hubble),
}
_TETRAGON_EVENTS = frozenset(
    f"process_{name}" for name in ("exec", "exit", "kprobe", "tracepoint", "uprobe", "loader", "lsm", "throttle")
)
_TETRAGON_MARKS = tuple(f'"{name}":'.encode() for name in _TETRAGON_EVENTS)
# What a line of Hubble tells of: a flow, or how many of them were lost.
_HUBBLE_EVENTS = ("flow", "lost_events")
_HUBBLE_MARKS = tuple(f'"{name}":'.encode() for name in _HUBBLE_EVENTS)
_MARKS = {LogKind.TETRAGON: _TETRAGON_MARKS, LogKind.HUBBLE: _HUBBLE_MARKS}
Unreadable = (msgspec.MsgspecError, ValueError, RecursionError)


def as_logged(line: bytes, kind: LogKind) -> bool:
    """Whether the line is, as it stands, a record of a kind that is kept as it was logged."""
    if line[:1] != b"{" or line[-1:] != b"}":
        return False
    if kind in _MARKS and not any(mark in line for mark in _MARKS[kind]):
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
    if _is_flow(fields.get("flow")) or ("lost_events" in fields and "node_name" in fields):
        return LogKind.HUBBLE
    return None


def of_hubble(fields: dict[str, Any], node: str) -> dict[str, Any] | None:
    """Return a flow of Hubble with the node and the time beside it, as an export has them, be it alone (as older versions
    of ``hubble observe`` print it) or as a field mask left it; None when it is none."""
    flow = fields if _is_flow(fields) else fields.get("flow", {})
    if not isinstance(flow, dict) or not (flow or "lost_events" in fields):
        return None
    told = fields if flow is not fields else {"flow": flow}
    beside = {"node_name": flow.get("node_name") or node, "time": flow.get("time") or ""}
    return {**told, **{name: value for name, value in beside.items() if not isinstance(told.get(name), str)}}


def _is_flow(fields: Any) -> bool:
    return isinstance(fields, dict) and isinstance(fields.get("verdict"), str) and not _FLOW_FIELDS.isdisjoint(fields)


_FLOW_FIELDS = frozenset({"IP", "l4", "traffic_direction", "Type", "event_type"})


def decode(text: bytes | str) -> Any:
    """Decode JSON, forgiving what is no UTF-8 and bare control characters in texts. Raises one of ``Unreadable``."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        return json.loads(text, strict=False)
