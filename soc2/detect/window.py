"""Moments as users write them."""

from __future__ import annotations

from datetime import UTC, datetime

from soc2.errors import UsageError
from soc2.prune import duration


def moment(text: str, now: datetime) -> datetime:
    """Read an ISO 8601 date or time (UTC unless it names a zone), or how long ago: ``24h``, ``7d``. Raises UsageError."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - duration(text)
        except UsageError:
            raise UsageError(f'"{text}" is no time', "write 2026-06-01T12:00Z, or how long ago as in 24h or 7d") from None
    return read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)
