"""Times that the company tells from now on: ``-20m``, ``+3d``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_RELATIVE = re.compile(r"^([+-]\d+)([dhm])$")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def relative_time(text: str, now: datetime) -> datetime | None:
    """Return the moment, or None for a text that is none."""
    found = _RELATIVE.match(text)
    return now + timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
