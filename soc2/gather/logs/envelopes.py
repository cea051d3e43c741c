"""What stores, queues and collectors wrap records into. An envelope may hold another one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from soc2.gather.logs import otlp
from soc2.gather.logs.times import utc
from soc2.gather.logs.where import Where, of_cloudwatch, of_metadata

Inner = Iterable[tuple[Any, Where]]

_PROGRAMS = {"ssh.service": "sshd"}
LISTS = ("Records", "Events", "Findings", "findings", "records", "results", "items", "Items")
"""Names of lists beside which an answer or a file says nothing of the records in them."""
_MAY_BE_EMPTY = (*LISTS, "logEvents", "events", "resourceLogs", "streams")
_MESSAGES = frozenset(("message", "msg", "log"))
_HEC = frozenset(["sourcetype", "index", "source", "time", "host", "fields"])


def is_empty(value: Any) -> bool:
    """Whether a JSON value holds no record because it is an answer, or a list, without any."""
    if not isinstance(value, dict):
        return bool(value == [])
    if value.get("messageType") == "CONTROL_MESSAGE" or "digestStartTime" in value:
        return True  # of CloudWatch Logs to a new subscriber; the digest of a trail's files
    return any(value.get(name) == [] for name in _MAY_BE_EMPTY)


def unwrap(fields: dict[str, Any], where: Where) -> Inner | None:
    """What is in an envelope: JSON values, or texts, each with where it comes from. None if this is none."""
    for opened in _ENVELOPES:
        inner = opened(fields, where)
        if inner is not None:
            return inner
    return None


def _cloudwatch(fields: dict[str, Any], where: Where) -> Inner | None:
    """An event of CloudWatch Logs: as the API gives it, or as Logs Insights does; and lists of them."""
    if fields.get("messageType") == "CONTROL_MESSAGE":
        return []
    for name in ("logEvents", "events"):
        if isinstance(fields.get(name), list):
            outer = of_cloudwatch(fields, where)
            return [(_event(event) if isinstance(event, dict) else event, outer) for event in fields[name]]
    message = fields.get("message", fields.get("@message"))
    if message is None or not ("@message" in fields or ("timestamp" in fields and _is_event(fields))):
        return None
    return [(message, of_cloudwatch(fields, where))]


def _is_event(fields: dict[str, Any]) -> bool:
    return any(name in fields for name in ("logStreamName", "logStream", "eventId", "ingestionTime")) or fields.keys() == {
        "id",
        "timestamp",
        "message",
    }


def _event(event: dict[str, Any]) -> dict[str, Any]:
    """An event of a list, marked as one even if it says no more than its message and time."""
    return event if not {"message", "timestamp"} <= event.keys() or _is_event(event) else {**event, "ingestionTime": None}


def _list(fields: dict[str, Any], where: Where) -> Inner | None:
    if not _MESSAGES.isdisjoint(fields):
        return None  # a line of an application, which may mention any list
    for name in LISTS:
        inner = fields.get(name)
        if isinstance(inner, list) and any(isinstance(item, dict | list | str) for item in inner[:1]):
            return [(item, where) for item in inner]
        if isinstance(inner, list) and not inner and len(fields) <= 2:
            return []
    return None


def _search(fields: dict[str, Any], where: Where) -> Inner | None:
    """Hits of Elasticsearch or OpenSearch, alone or in an answer."""
    if isinstance(fields.get("_source"), dict):
        identity = fields.get("_id")
        return [(fields["_source"], {**where, "id": identity} if isinstance(identity, str) else where)]
    hits = fields.get("hits")
    if isinstance(hits, dict) and isinstance(hits.get("hits"), list):
        return [(hit, where) for hit in hits["hits"]]
    return None


def _splunk(fields: dict[str, Any], where: Where) -> Inner | None:
    """Results of a search of Splunk (and alerts of Wazuh), and events as the HTTP Event Collector takes them."""
    raw = fields.get("_raw", fields.get("full_log"))
    if isinstance(raw, str):
        told = dict(where)
        if isinstance(fields.get("host"), str):
            told["node"] = fields["host"]
        if time := utc(fields.get("_time")):
            told["time"] = time
        return [(raw, told)]
    result = fields.get("result")
    if isinstance(result, dict) and ("_raw" in result or "preview" in fields or "offset" in fields):
        return [(result, where)]
    event = fields.get("event")
    if isinstance(event, dict | str) and event and fields.keys() - {"event"} <= _HEC and len(fields) > 1:
        told = {**where, **({"node": fields["host"]} if isinstance(fields.get("host"), str) else {})}
        if time := utc(fields.get("time")):
            told["time"] = time
        return [(event, told)]
    return None


def _original(fields: dict[str, Any], where: Where) -> Inner | None:
    """A record of the Elastic Common Schema that keeps the original text."""
    event = fields.get("event")
    original = event.get("original") if isinstance(event, dict) else fields.get("event.original")
    return [(original, where)] if isinstance(original, str) and original else None


def _aws(fields: dict[str, Any], where: Where) -> Inner | None:
    """Answers and events of AWS that hold a record as JSON, or as a text of it."""
    for name in ("CloudTrailEvent", "eventJson", "eventjson", "eventData"):
        inner = fields.get(name)
        if isinstance(inner, str | dict) and inner:
            return [(inner, where)]
    if isinstance(fields.get("detail"), dict) and ("detail-type" in fields or "detailType" in fields):
        return [(fields["detail"], where)]
    if isinstance(fields.get("Message"), str) and ("TopicArn" in fields or "MessageId" in fields):
        return [(fields["Message"], where)]
    return None


def _azure(fields: dict[str, Any], where: Where) -> Inner | None:
    """A diagnostic record of Azure, as AKS sends its audit log."""
    inner = fields.get("properties")
    return [(inner, where)] if isinstance(inner, dict) and "category" in fields else None


def _loki(fields: dict[str, Any], where: Where) -> Inner | None:
    """Streams of Loki: answers to queries, pushes, and the lines that logcli writes."""
    data = fields.get("data")
    if isinstance(data, dict) and isinstance(data.get("result"), list):
        return _streams(data["result"], where)
    if isinstance(fields.get("streams"), list):
        return _streams(fields["streams"], where)
    if isinstance(fields.get("stream"), dict) and isinstance(fields.get("values"), list):
        return _streams([fields], where)
    if isinstance(fields.get("labels"), dict) and isinstance(fields.get("line"), str):
        return _streams([{"stream": fields["labels"], "values": [[fields.get("timestamp"), fields["line"]]]}], where)
    return None


def _streams(streams: list[Any], where: Where) -> Iterator[tuple[Any, Where]]:
    for stream in streams:
        if not isinstance(stream, dict):
            continue
        labels = stream.get("stream", stream.get("metric"))
        labels = labels if isinstance(labels, dict) else {}
        told = {**where, **of_metadata(labels)}
        told.setdefault("labels", labels)
        if isinstance(labels.get("level", labels.get("detected_level")), str):
            told["level"] = labels.get("level", labels.get("detected_level"))
        unit = labels.get("unit", labels.get("systemd_unit"))
        if isinstance(unit, str):
            told["unit"] = unit
            told["program"] = labels.get("syslog_identifier", _PROGRAMS.get(unit, unit.removesuffix(".service")))
        for entry in stream.get("values") or ():
            if isinstance(entry, list) and len(entry) >= 2:
                # Loki itself keeps one of the entries of a stream that have the same time and the same text.
                identity = hashlib.sha256(repr((sorted(labels.items()), entry[0], entry[1])).encode("utf-8", "replace"))
                yield entry[1], {**told, "time": utc(entry[0]), "id": identity.hexdigest()[:24]}


def _otlp(fields: dict[str, Any], where: Where) -> Inner | None:
    if otlp.is_batch(fields):
        return otlp.batch(fields, where)
    return [otlp.single(fields, where)] if otlp.is_record(fields) else None


_ENVELOPES: tuple[Callable[[dict[str, Any], Where], Inner | None], ...] = (
    _cloudwatch,
    _list,
    _search,
    _aws,
    _azure,
    _loki,
    _otlp,
    _splunk,
    _original,
)
