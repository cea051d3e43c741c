"""OpenTelemetry's logs: OTLP as JSON, as its file exporter writes it, and single records as other exporters flatten them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from soc2.gather.logs.times import utc
from soc2.gather.logs.where import Where, of_metadata


def is_batch(fields: dict[str, Any]) -> bool:
    """Whether a JSON object is a batch of OTLP logs."""
    return isinstance(fields.get("resourceLogs"), list) or isinstance(fields.get("resource_logs"), list)


def is_record(fields: dict[str, Any]) -> bool:
    """Whether a JSON object is one record with its attributes beside it."""
    if "body" not in fields and "Body" not in fields:
        return False
    names = ("resource", "resources", "attributes", "Resource", "Attributes", "ResourceAttributes", "timeUnixNano")
    return any(name in fields for name in names)


def batch(fields: dict[str, Any], where: Where) -> Iterator[tuple[Any, Where]]:
    """The bodies in a batch, and where each comes from."""
    for resource in _dicts(fields.get("resourceLogs", fields.get("resource_logs"))):
        inner = resource.get("resource")
        outer = {**where, **_told(inner.get("attributes") if isinstance(inner, dict) else None)}
        scopes = resource.get("scopeLogs", resource.get("scope_logs", resource.get("instrumentationLibraryLogs")))
        for scope in _dicts(scopes):
            for record in _dicts(scope.get("logRecords", scope.get("log_records", scope.get("logs")))):
                yield single(record, outer)


def single(fields: dict[str, Any], where: Where) -> tuple[Any, Where]:
    """The body of one record, and where it comes from."""
    found = dict(where)
    for name in ("resource", "resources", "Resource", "ResourceAttributes", "attributes", "Attributes"):
        attributes = fields.get(name)
        if isinstance(attributes, dict) and isinstance(attributes.get("attributes"), dict | list):
            attributes = attributes["attributes"]
        found.update(_told(attributes))
    names = ("timeUnixNano", "time_unix_nano", "timestamp", "Timestamp", "observedTimeUnixNano", "observed_time_unix_nano")
    for name in names:
        stamp = fields.get(name)
        if stamp not in (None, 0, "0", "") and (time := utc(stamp)):
            found["time"] = time
            break
    level = fields.get("severityText", fields.get("severity_text", fields.get("SeverityText")))
    if isinstance(level, str) and level:
        found["level"] = level
    return _plain(fields.get("body", fields.get("Body"))), found


def _told(attributes: Any) -> Where:
    if isinstance(attributes, list):
        attributes = {entry.get("key"): _plain(entry.get("value")) for entry in _dicts(attributes)}
    return of_metadata(attributes) if isinstance(attributes, dict) else {}


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _plain(value: Any) -> Any:
    """A value without the name of its type around it."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    (name, inner), *_ = value.items()
    if name in ("kvlistValue", "kvlist_value") and isinstance(inner, dict):
        return {str(entry.get("key")): _plain(entry.get("value")) for entry in _dicts(inner.get("values"))}
    if name in ("arrayValue", "array_value") and isinstance(inner, dict):
        values = inner.get("values")
        return [_plain(entry) for entry in values] if isinstance(values, list) else []
    if name.endswith(("Value", "_value")):
        return inner
    return value
