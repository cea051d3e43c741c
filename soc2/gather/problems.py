"""One problem of several: a source tells what kept it from being complete in one line."""

from __future__ import annotations

from collections.abc import Sequence

from soc2.model.population import Problem

_SHOWN = 5


def together(problems: Sequence[Problem]) -> Problem | None:
    """Return the first one with the words of the next, or None when there are none."""
    if not problems:
        return None
    first, *others = problems
    rest = [each.detail if each.cause is first.cause else str(each) for each in others[: _SHOWN - 1]]
    more = [f"and {len(problems) - _SHOWN} more"] * (len(problems) > _SHOWN)
    return Problem(first.cause, "; ".join((first.detail, *rest, *more)))
