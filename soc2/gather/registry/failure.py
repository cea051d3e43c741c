"""What keeps an image from being read."""

from __future__ import annotations

import time

from soc2.model.population import Cause, Problem


class PullError(Exception):
    """An image, or a part of it, cannot be read; ``again`` tells that another attempt may succeed."""

    def __init__(self, cause: Cause, detail: str, *, again: bool = False) -> None:
        super().__init__(detail)
        self.problem = Problem(cause, detail)
        self.again = again


class Deadline:
    """Until when something has to be done; ``what`` takes how long, for the message."""

    def __init__(self, seconds: float, what: str) -> None:
        self._end = time.monotonic() + seconds
        self._words = f"{what} takes longer than {seconds:g} s"

    @property
    def left(self) -> float:
        """Return the seconds that are left. Raises PullError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise PullError(Cause.TIMED_OUT, self._words)
        return left

    def sooner(self, seconds: float, what: str) -> Deadline:
        """Return the one of the two that ends first."""
        other = Deadline(seconds, what)
        return other if other._end < self._end else self
