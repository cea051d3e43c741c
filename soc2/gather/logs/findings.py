"""GuardDuty findings: the API's names begin with a capital, those of exports and events do not, and neither do ours."""

from __future__ import annotations

from typing import Any


def is_finding(fields: dict[str, Any]) -> bool:
    """Whether a JSON object is a finding, of either spelling."""
    return ("SchemaVersion" in fields and "Severity" in fields and "Type" in fields and "Service" in fields) or (
        "schemaVersion" in fields and "severity" in fields and "type" in fields and "service" in fields
    )


def finding(fields: dict[str, Any]) -> dict[str, Any]:
    """The finding with all names beginning with a small letter."""
    return _small(fields) if "SchemaVersion" in fields else fields


def _small(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _small(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_small(inner) for inner in value]
    return value
