"""Canaries: what was sent to be found again in a log, and how long that took."""

from __future__ import annotations

import math
from dataclasses import dataclass

from soc2.model.deviation import Resource
from soc2.model.logs import LogKind


@dataclass(frozen=True)
class CanaryRun:
    """One canary: for how many seconds it was on its way (None: it was not found in time), and whom the record names as
    the one who sent it (empty when the record names nobody, as a line of a container does)."""

    seconds: float | None
    actor: str = ""


@dataclass(frozen=True)
class CanaryPath:
    """All canaries that were to arrive in one declared log, within ``limit_seconds`` each. ``sender`` is who the server
    says sent them."""

    log: str
    kind: LogKind
    limit_seconds: int
    sender: str
    runs: tuple[CanaryRun, ...]

    @property
    def resource(self) -> Resource:
        return Resource("LogSource", self.log)

    @property
    def lost(self) -> int:
        """Return how many were not found in time."""
        return sum(run.seconds is None for run in self.runs)

    def percentile(self, share: float) -> float | None:
        """Return the seconds within which ``share`` (0 to 1) of the canaries were found, by nearest rank; None when
        that many were not."""
        times = sorted(math.inf if run.seconds is None else run.seconds for run in self.runs)
        found = times[max(0, math.ceil(share * len(times)) - 1)] if times else math.inf
        return None if math.isinf(found) else found

    @property
    def latency(self) -> str:
        """Return how fast the log is, in words."""
        found = len(self.runs) - self.lost
        times = " and ".join(
            f"{'later than the limit' if seconds is None else f'{seconds:.3f} s'} (p{share * 100:.0f})"
            for share in (0.5, 0.95)
            for seconds in (self.percentile(share),)
        )
        return f"{found} of {len(self.runs)} found, after {times}"
