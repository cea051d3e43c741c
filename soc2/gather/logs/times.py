"""Times as the columns have them: ISO 8601 in UTC, whatever form a log gives them in."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE]\+?\d+)?")
_MONTHS = {
    name: number
    for number, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}
# A number of this many seconds or more is one of milliseconds, then of microseconds, then of nanoseconds.
_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000))


def utc(value: Any) -> str | None:
    """An ISO time, or a number since 1970 of seconds, milliseconds, microseconds or nanoseconds (told by its size), in UTC.
    A time without an offset is taken for UTC. None when it is no time."""
    if isinstance(value, str):
        if value[-1:] == "Z" and value[4:5] == "-":
            return value
        if _NUMBER.fullmatch(value):
            return epoch(float(value) if "." in value or "e" in value.lower() else int(value))
        return _iso(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return epoch(value)
    return None


def epoch(value: float) -> str | None:
    """A number since 1970, of seconds or a fraction of them, in UTC; microseconds are kept."""
    unit = next((unit for limit, unit in _UNITS if abs(value) < limit), 1_000_000_000)
    micros = round(value * 1_000_000) if unit == 1 else int(value) * 1_000_000 // unit
    return micro_time(micros)


def micro_time(micros: int) -> str | None:
    """Microseconds since 1970, in UTC."""
    seconds, rest = divmod(micros, 1_000_000)
    try:
        return f"{_second(seconds)}.{rest:06d}Z"
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


@lru_cache(maxsize=1024)
def _iso(text: str) -> str | None:
    text = text.strip().replace(",", ".")
    if text.endswith((" UTC", " GMT")):
        text = text[:-4] + "Z"
    try:
        parsed = datetime.fromisoformat(text.replace(" ", "T", 1) if text[10:11] == " " else text)
    except ValueError:
        return None
    if parsed.tzinfo is not None:
        try:
            parsed = parsed.astimezone(UTC)
        except OverflowError:
            return None
    return parsed.replace(tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=1024)
def dated(month: str, day: str, reference: date) -> str | None:
    """The date of a month's English name and a day of a log that tells no year: the latest that is not after the reference
    (but for a day, since clocks and zones differ). None when there is no such day."""
    number = _MONTHS.get(month)
    if number is None:
        return None
    for year in range(reference.year + 1, reference.year - 9, -1):
        try:
            found = date(year, number, int(day))
            if found <= reference + timedelta(days=1):
                return found.isoformat()
        except (ValueError, OverflowError):
            continue
    return None


def day_of(time: str | None, otherwise: date) -> date:
    """The day of an ISO time, or another."""
    try:
        return date.fromisoformat(time[:10]) if time else otherwise
    except ValueError:
        return otherwise
