"""What a text or a JSON value holds: records of known kinds, however they are wrapped."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import msgspec

from soc2.gather.logs import auditd, container, findings, flow, journal, laurel, syslog, table, trail
from soc2.gather.logs.envelopes import unwrap
from soc2.gather.logs.records import AS_LOGGED, Record, Unreadable, as_logged, decode, kind_of, of_hubble
from soc2.gather.logs.times import day_of, utc
from soc2.gather.logs.where import Where
from soc2.model.logs import LogKind

_DEPTH = 12
_LONGEST_TEXT = 1 << 16
"""Characters. A longer text is not taken apart, for which expressions may need the square of its length."""
# Lines that tools write between records.
_IGNORED = re.compile(
    r"----$|time->|-- (?:Logs begin|Journal begins|Boot |No entries|Reboot)|[\[\],]+$|Permission check Successful"
    r"|<no matches>$|\{\"(?:index|create)\": ?\{[^{}]*\}\}$"
    # What Hubble exports besides flows: of its agent, of its peers, and for debugging.
    r"|\{\"(?:agent_event|node_status|debug_event)\": ?\{.*\"node_name\":"
)
_STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)) (.*)$", re.S)
_AUDIT = re.compile(r"([A-Z_]{3,}) (\w+=.*)", re.S)
_POD = ("pod", "namespace", "container")


class Recogniser:
    """Recognises the records of one log.

    ``hint`` is the kind that its source declares; it decides what plain texts are. ``reference`` is the day that times
    without a year are not after. ``flow_fields`` are the fields of flow lines, if known; a header among the lines sets them.
    """

    def __init__(self, hint: LogKind | None, reference: date, flow_fields: tuple[str, ...] | None = None) -> None:
        self._hint = hint
        self._reference = reference
        self._flow_fields = flow_fields
        self._last = LogKind.KUBERNETES_AUDIT
        self._columns: tuple[str, ...] | None = None

    def ignored(self, text: str) -> bool:
        """Whether a text is no record and none is missing for it: a header, or what tools write between records."""
        fields = flow.header(text) if text[:1].isalpha() or text[:1] == "$" else None
        if fields is not None:
            self._flow_fields = fields
            return True
        columns = table.header(text)
        if columns is not None:
            self._columns = columns
            return True
        return _IGNORED.match(text) is not None

    def as_last(self, text: bytes) -> Record | None:
        """The record in a line, if it is one of the last kind that needs no framing of its fields."""
        return Record(self._last, text) if b"\n" not in text and as_logged(text, self._last) else None

    def text(self, text: str, where: Where, enveloped: bool = False, depth: int = _DEPTH) -> list[Record]:
        """The records of a text, without blanks before it; none if it has no known form. What an envelope held is a line of
        a container if it is nothing else."""
        if not depth:
            return []
        if self._columns is not None and depth == _DEPTH and (row := table.row(text, self._columns)):
            return self.value(row, where, enveloped, depth - 1)
        if text[:1] in ("{", "["):
            return self._json(text, where, enveloped, depth)
        if len(text) > _LONGEST_TEXT:
            return self._plain(text, where, enveloped)
        if "audit(" in text and (audit := auditd.parse(text, where.get("node") or _host(text))):
            return [Record(LogKind.AUDITD, audit, where.get("id"))]
        if text[:1].isdigit() and text[4:5] == "-" and (line := container.CRI.match(text)):
            return self.message(line[4] or "", {**where, "time": utc(line[1]), "stream": line[2]})
        if any(name in where for name in _POD) and (enveloped or self._hint is LogKind.CONTAINER):
            return [self._line(text, where)]
        if flowing := flow.line(text, self._flow_fields):
            return [Record(LogKind.VPC_FLOW, flowing, where.get("id"))]
        return self._syslog(text, where) or self._stamped(text, where, depth) or self._plain(text, where, enveloped)

    def message(self, message: str, where: Where, others: dict[str, Any] | None = None) -> list[Record]:
        """The records of what a container wrote: of another kind if it is one whole, else a line of the container."""
        if message[:1] == "{":
            try:
                inside = decode(message)
            except Unreadable:
                inside = None
            if isinstance(inside, dict):
                known = self._known(inside, where, message)
                if known:
                    return known
                others = {**others, **inside} if others else inside
        elif "audit(" in message and len(message) <= _LONGEST_TEXT and (audit := auditd.parse(message, where.get("node"))):
            return [Record(LogKind.AUDITD, audit, where.get("id"))]
        return [self._line(message, where, others)]

    def value(
        self, value: Any, where: Where, enveloped: bool = False, depth: int = _DEPTH, raw: str | None = None
    ) -> list[Record]:
        """The records of a JSON value; ``raw`` is its text, if it is on one line."""
        if not depth:
            return []
        if isinstance(value, str):
            return self.text(value.strip(), where, enveloped, depth - 1)
        if isinstance(value, list):
            pairs = _pairs(value)
            if pairs is not None:
                return self.value(pairs, where, enveloped, depth - 1)
            return [record for item in value for record in self.value(item, where, enveloped, depth - 1)]
        if not isinstance(value, dict):
            return []
        return self._known(value, where, raw) or self._wrapped(value, where, enveloped, depth, raw)

    def _json(self, text: str, where: Where, enveloped: bool, depth: int) -> list[Record]:
        encoded = text.encode("utf-8", "replace")
        if as_logged(encoded, self._last) and "\n" not in text:
            return [Record(self._last, encoded, where.get("id"))]
        try:
            value = decode(text)
        except Unreadable:
            if text[0] == "[" or any(name in where for name in _POD) or self._hint is LogKind.CONTAINER:
                return self._syslog(text, where) or self._plain(text, where, enveloped)
            return []
        return self.value(value, where, enveloped, depth - 1, text)

    def _known(self, value: dict[str, Any], where: Where, raw: str | None) -> list[Record]:
        """The record that the fields of a JSON object themselves make it."""
        identity = where.get("id")
        kind = kind_of(value)
        if kind is not None:
            self._last = kind
            if kind is LogKind.TETRAGON and not isinstance(value.get("node_name"), str):
                value, raw = {**value, "node_name": where.get("node", "")}, None
            if kind is LogKind.HUBBLE and (told := of_hubble(value, where.get("node", ""))) and told != value:
                value, raw = told, None
            if raw is not None and "\n" not in raw and as_logged(encoded := raw.strip().encode("utf-8", "replace"), kind):
                return [Record(kind, encoded, identity)]
            return [Record(kind, value, identity)]
        if flow_of_hubble := of_hubble(value, where.get("node", "")):
            return [Record(LogKind.HUBBLE, flow_of_hubble, identity)]
        if trail.is_row(value):
            return [Record(LogKind.CLOUDTRAIL, trail.row(value), identity)]
        if findings.is_finding(value):
            return [Record(LogKind.GUARDDUTY, findings.finding(value), identity)]
        if flow.is_named(value):
            made = flow.named(value)
            return [Record(LogKind.VPC_FLOW, made, identity)] if made else []
        if laurel.is_event(value):
            return laurel.records(value, where)
        return []

    def _wrapped(self, value: dict[str, Any], where: Where, enveloped: bool, depth: int, raw: str | None) -> list[Record]:
        if journal.is_entry(value):
            message = journal.text_of(value["MESSAGE"])
            node = {**where, "node": journal.text_of(value.get("_HOSTNAME")) or where.get("node")}
            return self._foreign(message, node, depth) or journal.entry(value)
        if container.is_collected(value) and (found := container.collected(value, where)):
            message, told, others = found
            message = message.removesuffix("\n").removesuffix("\r")
            if container.CRI.match(message):
                return self.text(message, told, True, depth - 1)
            if not any(name in told for name in _POD) and (foreign := self._foreign(message, told, depth)):
                return foreign
            return self.message(message, told, others)
        unwrapped = self._unwrapped(value, where, enveloped, depth)
        if unwrapped or (unwrapped is not None and not enveloped):
            return unwrapped
        if journal.is_parsed(value):
            return self._foreign(str(value.get("message", "")), where, depth) or journal.parsed(value, where)
        return self._application(value, where, enveloped, depth, raw)

    def _unwrapped(self, value: dict[str, Any], where: Where, enveloped: bool, depth: int) -> list[Record] | None:
        """The records in an envelope; None if the value is none."""
        inner = unwrap(value, where)
        if inner is None:
            return None
        return [record for item, told in inner for record in self.value(item, told, enveloped or "time" in told, depth - 1)]

    def _application(self, value: dict[str, Any], where: Where, enveloped: bool, depth: int, raw: str | None) -> list[Record]:
        """The record of a JSON object that is a message of something else."""
        if enveloped:
            if self._hint is LogKind.NODE:
                return self._plain(raw or msgspec.json.encode(value).decode(), where, True)
            return [self._line(raw or msgspec.json.encode(value).decode(), where, value)]
        if "message" in value or "log" in value:
            inner = value.get("message", value.get("log"))
            if isinstance(inner, dict) and (known := self.value(inner, where, False, depth - 1)):
                return known
            if isinstance(inner, str) and (known := self._foreign(inner.strip(), where, depth)):
                return known
        if container.is_application(value) or self._hint is LogKind.CONTAINER:
            found = container.collected(value, where)
            if found is not None:
                return [self._line(found[0], found[1], value)]
        return []

    def _foreign(self, text: str, where: Where, depth: int) -> list[Record]:
        """The records of a text that has a header of its own, whatever it was wrapped into."""
        if text[:1] == "{":
            try:
                inside = decode(text)
            except Unreadable:
                return []
            if not isinstance(inside, dict) or not depth:
                return []
            return self._known(inside, where, text) or self._unwrapped(inside, where, False, depth) or []
        if not text or len(text) > _LONGEST_TEXT:
            return []
        if "audit(" in text and (audit := auditd.parse(text, where.get("node"))):
            return [Record(LogKind.AUDITD, audit, where.get("id"))]
        if flowing := flow.line(text, self._flow_fields):
            return [Record(LogKind.VPC_FLOW, flowing, where.get("id"))]
        return self._syslog(text, where)

    def _syslog(self, text: str, where: Where) -> list[Record]:
        entries = syslog.parse(text, day_of(where.get("time"), self._reference)) or []
        if len(entries) == 1 and entries[0].get("program") == "audit" and (said := _AUDIT.match(entries[0]["message"])):
            # As journalctl shows what the audit transport of the journal holds.
            audit = auditd.record(said[1], said[2], entries[0]["time"], None, entries[0].get("host"))
            return [Record(LogKind.AUDITD, audit, where.get("id"))]
        if len(entries) == 1 and "{" in entries[0]["message"]:
            # A record that was sent through syslog, as Falco and rsyslog do, perhaps after a cookie (@cee:).
            start = entries[0]["message"].find("{")
            if start <= 6 and (known := self._foreign(entries[0]["message"][start:].strip(), where, 1)):
                return known
        return [Record(LogKind.NODE, entry, where.get("id")) for entry in entries]

    def _stamped(self, text: str, where: Where, depth: int) -> list[Record]:
        """A time, a blank, and any text: an export of CloudWatch Logs to S3, or what kubectl shows with times."""
        stamped = _STAMPED.match(text)
        if stamped is None:
            return []
        return self.text(stamped[2].strip(), {**where, "time": utc(stamped[1])}, True, depth - 1)

    def _plain(self, text: str, where: Where, enveloped: bool) -> list[Record]:
        if self._hint is LogKind.NODE or "unit" in where:
            base = {"time": where.get("time"), "host": where.get("node"), "unit": where.get("unit")}
            base = {name: told for name, told in base.items() if told is not None}
            if not base and not enveloped:
                return []
            return [Record(LogKind.NODE, entry, where.get("id")) for entry in syslog.entries(base, where.get("program"), text)]
        if enveloped or self._hint is LogKind.CONTAINER:
            return [self._line(text, where)]
        return []

    @staticmethod
    def _line(message: str, where: Where, others: dict[str, Any] | None = None) -> Record:
        made = container.record(message, where, others)
        if "level" in where:
            made.setdefault("level", where["level"])
        return Record(LogKind.CONTAINER, made, where.get("id"))


def direct_kind(texts: list[bytes]) -> LogKind | None:
    """The kind of which all lines are records, just as DuckDB reads them; None if there is none."""
    return next((kind for kind in AS_LOGGED if all(as_logged(text, kind) for text in texts)), None) if texts else None


def _pairs(value: list[Any]) -> dict[str, Any] | None:
    """A row of Logs Insights, which is a list of names and values."""
    if value and all(isinstance(item, dict) and item.keys() == {"field", "value"} for item in value):
        return {str(item["field"]): item["value"] for item in value}
    return None


def _host(text: str) -> str | None:
    """The host of a syslog header before an audit record."""
    if text.startswith(("type=", "node=")):
        return None
    entries = syslog.parse(text, date(2000, 1, 1))
    return entries[0].get("host") if entries else None
