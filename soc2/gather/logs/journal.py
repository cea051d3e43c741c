"""Entries of systemd's journal as JSON, and messages of syslog whose parts a collector put into JSON."""

from __future__ import annotations

from typing import Any

from soc2.gather.logs import auditd, syslog
from soc2.gather.logs.records import Record
from soc2.gather.logs.times import micro_time, utc
from soc2.model.logs import LogKind

_COLUMNS = {
    "_HOSTNAME": "host",
    "_PID": "pid",
    "SYSLOG_PID": "pid",
    "_UID": "uid",
    "_EXE": "exe",
    "_SYSTEMD_UNIT": "unit",
    "UNIT": "unit",
}
# Told by a column already, or of use to the journal alone.
_LEFT_OUT = frozenset(
    [
        "__CURSOR",
        "__MONOTONIC_TIMESTAMP",
        "__REALTIME_TIMESTAMP",
        "__SEQNUM",
        "__SEQNUM_ID",
        "_BOOT_ID",
        "_SOURCE_REALTIME_TIMESTAMP",
        "_SOURCE_MONOTONIC_TIMESTAMP",
        "MESSAGE",
        "PRIORITY",
        "SYSLOG_FACILITY",
        "SYSLOG_IDENTIFIER",
        "SYSLOG_TIMESTAMP",
        "SYSLOG_RAW",
    ]
)
_PROGRAM = ("ident", "appname", "app_name", "program", "PROGRAM", "syslogtag", "syslog-tag", "syslog_identifier", "app-name")


def is_entry(fields: dict[str, Any]) -> bool:
    """Whether a JSON object is an entry of the journal."""
    return "MESSAGE" in fields and any(
        name in fields for name in ("__REALTIME_TIMESTAMP", "_BOOT_ID", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT")
    )


def text_of(value: Any) -> str:
    """The text of a field: an array of numbers is one of bytes, an array of texts has the last that was set."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        if all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
            return bytes(value).decode("utf-8", "replace")
        return text_of(value[-1])
    return "" if value is None else str(value)


def entry(fields: dict[str, Any]) -> list[Record]:
    """The records of an entry of the journal; those of its audit transport are audit records."""
    stamp = text_of(fields.get("_SOURCE_REALTIME_TIMESTAMP") or fields.get("__REALTIME_TIMESTAMP"))
    time = micro_time(int(stamp)) if stamp.isdigit() and len(stamp) < 20 else utc(fields.get("@timestamp"))
    message = text_of(fields.get("MESSAGE"))
    host = text_of(fields.get("_HOSTNAME")) or None
    identity = text_of(fields.get("__CURSOR")) or None
    if "_AUDIT_TYPE_NAME" in fields:
        kind = text_of(fields["_AUDIT_TYPE_NAME"])
        text = message.removeprefix(kind).lstrip()
        return [
            Record(LogKind.AUDITD, auditd.record(kind, text, time, text_of(fields.get("_AUDIT_ID")) or None, host), identity)
        ]
    base: dict[str, Any] = {"time": time}
    others: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _COLUMNS:
            base.setdefault(_COLUMNS[name], text_of(value))
        elif name not in _LEFT_OUT:
            others[name] = value
    base.update(_levels(text_of(fields.get("SYSLOG_FACILITY")), text_of(fields.get("PRIORITY"))))
    base["fields"] = others
    program = text_of(fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM")) or None
    return [Record(LogKind.NODE, value, identity) for value in syslog.entries(base, program, message)]


def is_parsed(fields: dict[str, Any]) -> bool:
    """Whether a JSON object is a syslog message that its collector took apart."""
    named = any(isinstance(fields.get(name), str) for name in _PROGRAM)
    return named and any(isinstance(fields.get(name), str) for name in ("message", "MESSAGE", "msg", "log"))


def parsed(fields: dict[str, Any], where: dict[str, Any]) -> list[Record]:
    """The records of a syslog message that its collector took apart; ``where`` is what its wrapping told."""

    def first(*names: str) -> str | None:
        return next(
            (str(fields[name]) for name in names if isinstance(fields.get(name), str | int) and fields[name] != ""), None
        )

    stamp = next(
        (fields[name] for name in ("time", "timestamp", "@timestamp", "date", "DATE", "timegenerated") if name in fields), None
    )
    base: dict[str, Any] = {
        "time": utc(stamp) or where.get("time"),
        "host": first("host", "hostname", "HOST", "logsource") or where.get("node"),
        "pid": first("pid", "procid", "PID", "proc_id"),
        "facility": first("facility", "FACILITY", "syslogfacility-text"),
        "severity": first("severity", "severity_label", "level", "PRIORITY", "syslogseverity-text"),
    }
    pri = first("pri")
    if pri is not None and pri.isdigit():
        base.update(syslog.priority(pri[:4]))
    program = first(*_PROGRAM)
    if program and program[-1:] == ":":
        program = program[:-1]
    if program and program[-1:] == "]":
        program, _, base["pid"] = program[:-1].partition("[")
    message = first("message", "MESSAGE", "msg", "log") or ""
    base = {name: value for name, value in base.items() if value is not None}
    return [Record(LogKind.NODE, value, where.get("id")) for value in syslog.entries(base, program, message.strip("\n"))]


def _levels(facility: str, severity: str) -> dict[str, str]:
    found = {}
    if facility.isdigit() and int(facility) < len(syslog.FACILITIES):
        found["facility"] = syslog.FACILITIES[int(facility)]
    if severity.isdigit() and int(severity) < len(syslog.SEVERITIES):
        found["severity"] = syslog.SEVERITIES[int(severity)]
    return found
