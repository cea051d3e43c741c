"""The audit canary: requests that are refused, each under a user agent of its own, looked for in the audit log."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from soc2.gather.codec import canonical
from soc2.gather.kubernetes.connection import GatherError, KubeConnection, now
from soc2.gather.kubernetes.sources import NAMESPACES
from soc2.gather.logs.readers import Stopped
from soc2.gather.logs.sightings import MARK, CanaryStore, Sightings, open_store
from soc2.gather.source import Gatherer, Listing
from soc2.log_sources import LogSource
from soc2.model.canaries import CanaryPath, CanaryRun
from soc2.model.logs import LogKind
from soc2.model.population import Cause, Problem, SourceStatus

# So that canaries meet a shipper that sends in batches at different moments.
_APART_SECONDS = 0.3
# A page of Loki holds an event inside of a collector's record at a depth of nine.
_DEEPEST = 12


@dataclass(frozen=True)
class AuditCanary:
    """``runs`` requests for a Secret that does not exist, refused to the examiner; one item for each declared audit log.

    How long each was on its way is measured by this clock, from the answer to the first sight of the event.
    """

    runs: int = 5
    name: str = "audit canary"

    def gather(self, gatherer: Gatherer) -> Listing[CanaryPath]:
        namespaces = gatherer.get(NAMESPACES)
        exempt = namespaces.exempt or gatherer.system.logs.absence(LogKind.KUBERNETES_AUDIT)
        if exempt:
            return Listing((), (), exempt)
        scope = [namespace.name for namespace in namespaces.items if gatherer.system.in_scope(namespace.name)]
        logs = gatherer.system.logs
        search = CanarySearch(gatherer, self.name, logs.of(LogKind.KUBERNETES_AUDIT), logs.canary_seconds)
        if not scope:
            return Listing((), namespaces.statuses)
        found = search.run(partial(_refused, gatherer.kubernetes, scope[0]), self.runs, sender=gatherer.kubernetes.identity)
        return Listing(found.items, (*namespaces.statuses, *found.statuses))


def _refused(connection: KubeConnection, namespace: str, digits: str) -> None:
    answer = connection.ask(f"/api/v1/namespaces/{namespace}/secrets/{MARK}-{digits}", f"{MARK}/{digits}")
    if answer.status != 403:
        why = "the examiner may read Secrets, so nothing is refused to it" if answer.status in (200, 404) else ""
        detail = f"a request that should be refused was answered with {answer.status}"
        raise GatherError(Problem(Cause.INCONCLUSIVE, f"{detail}: {why}" if why else detail), answer.status)


@dataclass
class CanarySearch:
    """Sends canaries and watches all stores that they should arrive in, each from a thread of its own."""

    gatherer: Gatherer
    name: str
    logs: tuple[LogSource, ...]
    limit_seconds: int
    sent: dict[str, float] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(
        self, send: Callable[[str], None], runs: int, sender: str = "", doubt: Callable[[], Problem | None] = lambda: None
    ) -> Listing[CanaryPath]:
        """Send ``runs`` canaries by ``send(digits)``, which raises GatherError, and return what became of them.

        ``sender`` is who the server knows the sender as; where it is empty, records name nobody. ``doubt`` is asked when
        some were lost, and says what else than the log may have been the reason.
        """
        if not self.logs:
            return self._nowhere()
        started = now()
        wanted = [secrets.token_hex(8) for _ in range(runs)]
        paths: list[CanaryPath] = []
        statuses: list[SourceStatus] = []
        with TemporaryDirectory(prefix="soc2-canary-") as folder, ThreadPoolExecutor(len(self.logs)) as pool:
            stores = [self._opened(source, Path(folder) / str(number)) for number, source in enumerate(self.logs)]
            watches = [pool.submit(self._watch, store, wanted) for store in stores]
            # Where nobody could see them, none are sent.
            problem = None if all(isinstance(store, Problem) for store in stores) else self._send_all(send, wanted)
            for source, watch in zip(self.logs, watches, strict=True):
                seen = watch.result()
                if problem or isinstance(seen, Problem):
                    failed = seen if isinstance(seen, Problem) else problem
                    statuses.append(self._status(source, started, None, failed))
                    continue
                path = self._path(source, wanted, seen, sender)
                if path.lost and (why := doubt()):
                    statuses.append(self._status(source, started, None, why))
                    continue
                paths.append(path)
                statuses.append(self._status(source, started, path, None))
        return Listing(tuple(paths), tuple(statuses))

    def _nowhere(self) -> Listing[CanaryPath]:
        detail = "no such log is declared under [[logs.sources]]"
        query = "look for canaries"
        status = self.gatherer.evidence.answered(
            self.name,
            query,
            identity="the caller",
            started=now(),
            pages=0,
            items=0,
            sha256=None,
            problem=Problem(Cause.ABSENT, detail),
        )
        return Listing((), (status,))

    def _opened(self, source: LogSource, folder: Path) -> CanaryStore | Problem:
        try:
            return open_store(source, lambda: self.gatherer.aws, folder, datetime.now(UTC))
        except Stopped as error:
            return error.problem

    def _send_all(self, send: Callable[[str], None], wanted: list[str]) -> Problem | None:
        try:
            for number, digits in enumerate(wanted):
                if number:
                    time.sleep(_APART_SECONDS)
                send(digits)
                self.sent[digits] = time.monotonic()
        except GatherError as error:
            self.ended.set()
            return error.problem
        return None

    def _watch(self, store: CanaryStore | Problem, wanted: list[str]) -> dict[str, tuple[float, bytes]] | Problem:
        """Look until all are there, or until the last one that was sent had its time."""
        if isinstance(store, Problem):
            return store
        seen: dict[str, tuple[float, bytes]] = {}
        while not self.ended.is_set():
            late = self._overdue(wanted)
            try:
                found: Sightings = store.look(frozenset(wanted) - seen.keys())
            except Stopped as error:
                return error.problem
            moment = time.monotonic()
            seen.update({digits: (moment, record) for digits, record in found.items()})
            # One more look after the time is up: what arrived while the one before it ended counts.
            if len(seen) == len(wanted) or late:
                break
            self.ended.wait(store.interval)
        return seen

    def _overdue(self, wanted: list[str]) -> bool:
        sent = list(self.sent.values())
        return len(sent) == len(wanted) and time.monotonic() - max(sent) > self.limit_seconds

    def _path(self, source: LogSource, wanted: list[str], seen: dict[str, tuple[float, bytes]], sender: str) -> CanaryPath:
        def run(digits: str) -> CanaryRun:
            if digits not in seen:
                return CanaryRun(None)
            moment, record = seen[digits]
            # The event may be written, and seen, before the answer to its request arrives.
            seconds = max(0.0, round(moment - self.sent[digits], 3))
            if seconds > self.limit_seconds:
                return CanaryRun(None)
            return CanaryRun(seconds, sender_of(record, f"{MARK}/{digits}") if sender else "")

        return CanaryPath(source.name, source.kind, self.limit_seconds, sender, tuple(map(run, wanted)))

    def _status(self, source: LogSource, started: datetime, path: CanaryPath | None, problem: Problem | None) -> SourceStatus:
        sha256 = self.gatherer.evidence.keep(canonical(path)) if path else None
        return self.gatherer.evidence.answered(
            self.name,
            f"look for canaries in {source.name}" + (f": {path.latency}" if path else ""),
            identity=self.gatherer.kubernetes.identity,
            started=started,
            pages=len(self.sent),
            items=1 if path else 0,
            sha256=sha256,
            problem=problem,
            parameters={"log": source.name, "limit_seconds": self.limit_seconds},
        )


def sender_of(record: bytes, user_agent: str) -> str:
    """Return the user name in the audit event with that user agent, in whatever it is wrapped; empty without one."""
    for event in _objects(record, 0):
        if event.get("userAgent") == user_agent:
            user = event.get("user")
            name = user.get("username") if isinstance(user, dict) else None
            return name if isinstance(name, str) else ""
    return ""


def _objects(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, bytes | str) and depth < _DEEPEST:
        try:
            yield from _objects(msgspec.json.decode(value), depth + 1)
        except msgspec.DecodeError:
            # Some collectors put a time and a stream before the record.
            at = value.find(b"{" if isinstance(value, bytes) else "{")  # type: ignore[arg-type]
            if at > 0:
                yield from _objects(value[at:], depth + 1)
    elif isinstance(value, dict) and depth < _DEEPEST:
        yield value
        for inner in value.values():
            yield from _objects(inner, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for inner in value:
            yield from _objects(inner, depth + 1)
