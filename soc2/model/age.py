"""How old something is: what is dated in the future is not new, it is not to be believed."""

from __future__ import annotations

from datetime import datetime, timedelta

# Clocks differ, and scans go on while the suite runs.
_AHEAD = timedelta(days=1)


def within(at: datetime | None, max_days: int, as_of: datetime) -> bool:
    """Tell whether something happened, and not more than so many days before a moment."""
    return at is not None and -_AHEAD <= as_of - at <= timedelta(days=max_days)


def age(at: datetime, as_of: datetime) -> str:
    """Return how old something is, as words that follow its name: ``is 3 days old``."""
    return f"is {(as_of - at).days} days old" if at - as_of <= _AHEAD else f"is dated {at:%Y-%m-%d}, which is yet to come"
