"""SQL that asks a store of CloudTrail events for a window, and the records that its rows become again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from soc2.gather.logs.readers import Window

_TEXTS = (
    "eventVersion",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestID",
    "eventID",
    "eventType",
    "apiVersion",
    "recipientAccountId",
    "sharedEventID",
    "vpcEndpointId",
    "userIdentity.type",
    "userIdentity.principalId",
    "userIdentity.arn",
    "userIdentity.accountId",
    "userIdentity.accessKeyId",
    "userIdentity.userName",
    "userIdentity.invokedBy",
    "userIdentity.sessionContext.attributes.creationDate",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "userIdentity.sessionContext.sessionIssuer.type",
    "userIdentity.sessionContext.sessionIssuer.principalId",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.accountId",
    "userIdentity.sessionContext.sessionIssuer.userName",
)
_OBJECTS = ("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails")


@dataclass(frozen=True)
class Column:
    """A field of a record by its dotted path, and the SQL that selects it. ``json`` is a text to be parsed."""

    field: str
    sql: str
    json: bool = False


_ALIKE = (*(Column(name, name.lower()) for name in _TEXTS), Column("readOnly", "readonly", json=True))
# The whole event, which not every event of a store has: its columns stand in for it.
_WHOLE = "event"

LAKE = (
    Column(_WHOLE, "eventjson", json=True),
    *_ALIKE,
    # Maps of texts: without the cast they would come in a notation of the engine's own.
    *(Column(name, f"json_format(CAST({name.lower()} AS JSON))", json=True) for name in _OBJECTS),
    Column("managementEvent", "managementevent", json=True),
    Column("eventCategory", "eventcategory"),
    Column("sessionCredentialFromConsole", "sessioncredentialfromconsole"),
)
"""The columns of an event data store. Source: CloudTrail user guide, "Supported SQL schemas for event data stores"."""

ATHENA = (*_ALIKE, *(Column(name, name.lower(), json=True) for name in _OBJECTS))
"""The columns that tables over a trail's files share, whichever of AWS's statements they were created with. Source:
Athena user guide, "Create a table for CloudTrail logs"."""


def lake_statement(store: str, window: Window) -> str:
    """Return the query of an event data store by its id, for whole seconds that hold the window."""
    since, until = _seconds(window)
    form = "%Y-%m-%d %H:%M:%S"
    return _statement(LAKE, store, f"eventtime >= '{since:{form}}' AND eventtime < '{until:{form}}'")


def athena_statement(table: str, window: Window, day_column: str) -> str:
    """Return the query of a quoted table; ``day_column`` is a partition by day (YYYY/MM/DD) that limits what is read."""
    since, until = _seconds(window)
    form = "%Y-%m-%dT%H:%M:%SZ"
    where = f"eventtime >= '{since:{form}}' AND eventtime < '{until:{form}}'"
    if day_column:
        first, last = since - timedelta(days=1), until + timedelta(days=1)
        where = f"\"{day_column}\" >= '{first:%Y/%m/%d}' AND \"{day_column}\" <= '{last:%Y/%m/%d}' AND {where}"
    return _statement(ATHENA, table, where)


def labels(columns: Sequence[Column]) -> list[str]:
    """Return the names under which the columns are selected."""
    return [f"c{number}" for number in range(len(columns))]


def record_of(columns: Sequence[Column], values: Sequence[str | None]) -> dict[str, Any]:
    """Return the CloudTrail record of a row, without what is null; raise ValueError for a row of another form."""
    record: dict[str, Any] = {}
    for column, value in zip(columns, values, strict=True):
        if value is None or value in ("", "null"):
            continue
        *path, name = column.field.split(".")
        inner = record
        for part in path:
            inner = inner.setdefault(part, {})
        inner[name] = json.loads(value) if column.json else value
    whole = record.pop(_WHOLE, None)
    record = whole if isinstance(whole, dict) and whole.get("eventID") == record.get("eventID") else record
    return {**record, "eventTime": f"{event_time(record):%Y-%m-%dT%H:%M:%SZ}"}


def event_time(record: dict[str, Any]) -> datetime:
    """Return the time of a record, as either store writes it."""
    text = record["eventTime"].replace(" UTC", "").rstrip("Z")
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _statement(columns: Sequence[Column], table: str, where: str) -> str:
    selected = ", ".join(f"{column.sql} AS {label}" for column, label in zip(columns, labels(columns), strict=True))
    return f"SELECT {selected} FROM {table} WHERE {where}"


def _seconds(window: Window) -> tuple[datetime, datetime]:
    whole = window.until.replace(microsecond=0)
    return window.since.replace(microsecond=0), whole if whole == window.until else whole + timedelta(seconds=1)
