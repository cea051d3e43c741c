"""The declared logs: fetched, framed, kept and measured, each by itself, so that what fails of one harms no other."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from soc2.detect.schema import SCHEMAS
from soc2.detect.store import keep
from soc2.errors import UsageError
from soc2.gather.codec import canonical
from soc2.gather.logs.content import Content
from soc2.gather.logs.fetching import Brought, fetch, identity_of, place_of
from soc2.gather.logs.framing import frame, locate_malformed
from soc2.gather.logs.kept import (
    BROKEN_OFF,
    KeptLog,
    MalformedCount,
    Reading,
    State,
    counted,
    kept_log,
    malformed_files,
    malformed_share,
    since_then,
)
from soc2.gather.logs.readers import Fetched, Window
from soc2.gather.logs.segments import Framed, Segment
from soc2.gather.logs.statistics import Arrivals, Statistics, measure
from soc2.gather.source import Listing
from soc2.model.log_health import CollectedLog
from soc2.model.logs import LogKind
from soc2.model.population import Cause, Problem, SourceStatus

if TYPE_CHECKING:
    from soc2.gather.source import Gatherer
    from soc2.log_sources import LogSource

# Readers wait for a network; what they bring is taken in one log after the other, for that is bound by the processor.
_FETCHED_AT_ONCE = 4
_MEMORY = "1GB"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class LogCollections:
    """Every declared log, with a status for each: ``log: <name>``.

    Evidence is what was measured of a log, never a line of it. How far a log was read is kept only once all of it is.
    """

    name: str = "logs"

    def gather(self, gatherer: Gatherer) -> Listing[CollectedLog]:
        now = datetime.now(UTC)
        try:
            since, until = gatherer.system.logs.window(now)
        except UsageError as error:
            problem = Problem(Cause.MALFORMED, str(error))
            return Listing((), (SourceStatus(self.name, "read the window of logs", 0, 0, None, problem),))
        taking_in = threading.Lock()

        def collect(source: LogSource) -> tuple[CollectedLog, SourceStatus]:
            return _Collection(gatherer, source, Window(since, until), now, taking_in).run()

        with ThreadPoolExecutor(_FETCHED_AT_ONCE, thread_name_prefix="log") as pool:
            collected = list(pool.map(collect, gatherer.system.logs.sources))
        return Listing(tuple(log for log, _ in collected), tuple(status for _, status in collected))


LOGS = LogCollections()


@dataclass(frozen=True)
class SomeLogs:
    """Those of the declared logs that are of some kinds, or that each node, account or cluster delivers.

    With ``current``, a log that does not show what happened until the window's end is no complete evidence.
    """

    name: str
    kinds: frozenset[LogKind] | None = None
    per: str | None = None
    current: bool = False

    def gather(self, gatherer: Gatherer) -> Listing[CollectedLog]:
        everything = gatherer.get(LOGS)
        wanted = {source_name(source.name) for source in gatherer.system.logs.sources if self._wants(source)}
        logs = {source_name(log.source): log for log in everything.items}
        statuses = tuple(
            _aged(status, logs[status.source]) if self.current and status.source in logs else status
            for status in everything.statuses
            if status.source in wanted or status.source == LOGS.name
        )
        return Listing(tuple(log for name, log in logs.items() if name in wanted), statuses)

    def _wants(self, source: LogSource) -> bool:
        return (self.kinds is None or source.kind in self.kinds) and self.per in (None, source.stream)


NODE_LOGS = SomeLogs("logs of nodes", per="node")
CURRENT_LOGS = SomeLogs("logs up to date", current=True)


def source_name(log: str) -> str:
    """Return how the status of a declared log is named."""
    return f"log: {log}"


def _aged(status: SourceStatus, log: CollectedLog) -> SourceStatus:
    return replace(status, problem=status.problem or log.staleness)


class _Collection:
    """One log, read once."""

    def __init__(
        self, gatherer: Gatherer, source: LogSource, window: Window, now: datetime, taking_in: threading.Lock
    ) -> None:
        self._gatherer = gatherer
        self._source = source
        self._window = window
        self._now = now
        self._taking_in = taking_in
        self._kept: KeptLog = kept_log(gatherer, source)
        self._brought = Brought(Fetched((), {}, 0, 0))
        self._problems: list[Problem] = []
        self._readings: tuple[Reading, ...] = ()
        self._measured = Statistics(0, 0, ())
        self._raw: list[dict[str, Any]] = []

    def run(self) -> tuple[CollectedLog, SourceStatus]:
        started = datetime.now(UTC)
        try:
            self._read()
        except UsageError as error:
            self._problems.append(Problem(Cause.MALFORMED, str(error)))
        except OSError as error:
            self._problems.append(Problem(Cause.SERVER_ERROR, f"{error.filename or 'the log'}: {error.strerror or error}"))
        except duckdb.Error as error:
            # Its message may cite what stands in the log.
            self._problems.append(Problem(Cause.MALFORMED, f"the records cannot be taken in ({type(error).__name__})"))
        finally:
            self._kept.drop_spool()
        log = self._collected()
        return log, self._status(log, started)

    def _read(self) -> None:
        state = self._kept.open(place_of(self._source))
        self._readings = state.readings
        self._brought = fetch(self._source, self._gatherer, self._window, state.cursor, self._kept.spool)
        if self._brought.fetched.problem:
            self._problems.append(self._brought.fetched.problem)
        self._raw = [{"origin": origin, **_digest(path)} for path, origin in self._brought.fetched.files]
        with self._taking_in, self._connection() as connection:
            self._take_in(connection, state)
            self._measured = self._measure(connection)

    def _connection(self) -> duckdb.DuckDBPyConnection:
        self._kept.spool.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "temp_directory": str(self._kept.spool / "duckdb"),
        }
        return duckdb.connect(":memory:", config=config)

    def _take_in(self, connection: duckdb.DuckDBPyConnection, state: State) -> None:
        framed, whole = Framed(), True
        for path, origin, part in self._brought.new():
            try:
                framed += frame(path, origin, self._kept.spool, self._source.kind, part=part, flow_fields=self._source.format)
            except UsageError as error:
                self._problems.append(Problem(Cause.MALFORMED, f"{origin}: {error.what}"))
                whole = False
        segments = [segment for segment in framed.segments if segment.kind is self._source.kind]
        malformed, records = list(framed.malformed), 0
        if segments:
            kept = keep(connection, self._source.kind, segments, self._kept.days)
            malformed += kept.malformed
            self._put_aside(segments, {each.origin for each in kept.malformed})
            records = kept.records
        elif framed.segments:
            found = ", ".join(sorted({segment.kind for segment in framed.segments}))
            custom = self._source.kind is LogKind.VPC_FLOW and self._source.format is None
            mend = '; if its lines have a custom format, declare that: format = "${version} …"' if custom else ""
            self._problems.append(Problem(Cause.MALFORMED, f"the log is of kind {found}, not {self._source.kind}{mend}"))
        self._kept.set_aside()
        counts = counted(malformed)
        unknown = set(framed.unrecognised) - {count.origin for count in counts}
        counts += [MalformedCount(origin, 1, 0, "no known format") for origin in sorted(unknown)]
        counts += self._strangers(framed.segments) if segments else []
        reading = Reading(self._now, records, tuple(counts))
        self._readings = since_then((*state.readings, reading), self._window.since)
        # What could not be framed is read again by the next run, and the rest of it is known again.
        cursor = self._brought.cursor() if whole else state.cursor
        self._kept.save(State(state.place, cursor, self._readings))

    def _strangers(self, segments: Iterable[Segment]) -> Iterator[MalformedCount]:
        """Yield the records of another kind than the one that is declared, which nothing reads.

        A node's system log and the kernel's audit log are often one stream, so there each may hold the other.
        """
        own = self._source.kind
        for segment in segments:
            if segment.kind is not own and {segment.kind, own} != {LogKind.NODE, LogKind.AUDITD}:
                records = sum(chunk.count(b"\n") for chunk in Content(segment.path).chunks())
                yield MalformedCount(segment.origin, records, 0, f"of kind {segment.kind}, not {own}")

    def _put_aside(self, segments: Iterable[Segment], origins: set[str]) -> None:
        """Have the malformed lines of files that are read as they are kept beside those that framing found."""
        for segment in segments:
            if segment.origin in origins and not segment.framed:
                locate_malformed(segment, SCHEMAS[segment.kind].required, self._kept.spool)

    def _measure(self, connection: duckdb.DuckDBPyConnection) -> Statistics:
        source, expected = self._source, self._expected()
        files = self._kept.files(self._window.since)
        brought, by_origin = self._brought.fetched.files, {}
        if source.path is not None or source.s3 is not None:
            by_origin = {origin: datetime.fromtimestamp(path.stat().st_mtime, UTC) for path, origin in brought}
        known = tuple(path for path, _ in brought) if source.cloudwatch is not None else ()
        return measure(
            connection,
            SCHEMAS[source.kind],
            files,
            per=source.stream,
            unnamed=expected[0] if len(expected) == 1 else "",
            window=(self._window.since, self._window.until),
            arrivals=Arrivals(datetime.now(UTC), known, by_origin, objects=source.s3 is not None),
        )

    def _expected(self) -> tuple[str, ...]:
        """Return the accounts or the cluster that have to deliver; nodes are not declared."""
        system, source = self._gatherer.system, self._source
        if source.stream == "cluster":
            return (source.cluster or system.kubernetes.cluster,)
        if source.stream == "account":
            alone = [each.kind for each in system.logs.sources].count(source.kind) == 1
            return (source.account,) if source.account else system.aws.accounts if alone else ()
        return ()

    def _collected(self) -> CollectedLog:
        source, share = self._source, malformed_share(self._readings)
        limit = self._gatherer.system.logs.max_malformed_share
        if share > limit:
            what = f"{share:.2%} of the records cannot be read, the limit is {limit:.2%}"
            self._problems.append(Problem(Cause.MALFORMED, what))
        if source.s3 is not None:  # Other files may be half written yet.
            for file in malformed_files(self._readings):
                if file.reason.startswith(BROKEN_OFF):
                    self._problems.append(Problem(Cause.TRUNCATED, f"{file.origin}: {file.reason}"))
        return CollectedLog(
            source=source.name,
            kind=source.kind,
            origin=place_of(source),
            per=source.stream,
            since=self._window.since,
            until=self._window.until,
            read_at=self._now,
            records=self._measured.records,
            undated=self._measured.undated,
            streams=self._measured.streams,
            malformed=malformed_files(self._readings),
            malformed_share=share,
            expected=self._expected(),
            age_limit_minutes=source.age_limit_minutes,
            gap_limit_minutes=source.gap_limit_minutes,
            complete=not self._problems,
        )

    def _status(self, log: CollectedLog, started: datetime) -> SourceStatus:
        sha256 = self._gatherer.evidence.keep(canonical(msgspec.to_builtins({"log": log, "read": self._raw}, str_keys=True)))
        return self._gatherer.evidence.answered(
            source_name(log.source),
            f"read {log.origin} from {log.since:%Y-%m-%dT%H:%M:%SZ} until {log.until:%Y-%m-%dT%H:%M:%SZ}",
            identity=identity_of(self._source, self._gatherer),
            started=started,
            pages=self._brought.fetched.pages,
            items=log.records,
            sha256=sha256,
            problem=self._problems[0] if self._problems else None,
        )


def _digest(path: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return {"sha256": digest.hexdigest(), "bytes": size}
