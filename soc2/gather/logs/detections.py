"""What the logs show: all rules over all that was collected, in one scan, and from it the alerts of some criteria."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from soc2.detect import anomalies
from soc2.detect.engine import Detector
from soc2.detect.rules import SHIPPED, Correlation, Rule, RuleSet, load_rules
from soc2.gather.codec import canonical
from soc2.gather.logs.collection import LOGS, SomeLogs, source_name
from soc2.gather.logs.kept import kept_log
from soc2.gather.logs.questions import ACCESS_CHANGES, PRIVILEGED_USE, write_questions
from soc2.gather.source import Listing
from soc2.log_sources import OF_CLUSTERS
from soc2.model.log_health import CollectedLog, silences
from soc2.model.logs import Alert, LogKind
from soc2.model.population import Cause, Problem, SourceStatus

if TYPE_CHECKING:
    from soc2.gather.source import Gatherer
    from soc2.system import System

_HISTORY = timedelta(days=7)
_QUESTIONS = (*PRIVILEGED_USE, *ACCESS_CHANGES)


@dataclass(frozen=True)
class Scan:
    """What all rules found; ``reads`` are the kinds of log that rules read, by the rules' ids and criteria."""

    alerts: tuple[Alert, ...]
    reads: Mapping[tuple[str, str], frozenset[LogKind]]


@dataclass(frozen=True)
class LogScan:
    """All rules, the owner's among them, over all logs that were collected, and what is unusual in them.

    A rule that cannot be used is a problem of this source, for what it would have found is not known; the others run.
    """

    name: str = "scan of the logs"

    def gather(self, gatherer: Gatherer) -> Listing[Scan]:
        started = datetime.now(UTC)
        logs = gatherer.system.logs
        collected = {source_name(log.source): log for log in gatherer.get(LOGS).items}
        files: dict[LogKind, list[Path]] = {}
        with tempfile.TemporaryDirectory(prefix="soc2-scan-") as folder:
            questions = write_questions(gatherer.system.access, Path(folder))
            rules = load_rules([SHIPPED, questions, *(Path(name) for name in logs.sigma_rules)])
            window = None
            for source in logs.sources:
                if log := collected.get(source_name(source.name)):
                    window = (log.since, log.until)
                    # What was kept of the week before is what anomalies are compared with.
                    since = log.since - _HISTORY if source.kind in anomalies.KINDS else log.since
                    files.setdefault(source.kind, []).extend(kept_log(gatherer, source).files(since))
            first, until = window or (None, None)
            with Detector(rules, Path(folder), since=first, until=until) as detector:
                for kind, found in files.items():
                    if found:
                        detector.add_kept(kind, found)
                alerts = tuple(detector.alerts(with_anomalies=True))
        problem = Problem(Cause.MALFORMED, "; ".join(map(str, rules.problems))) if rules.problems else None
        status = gatherer.evidence.answered(
            self.name,
            f"{len(rules.rules) + len(rules.correlations)} rules over {', '.join(files) or 'no logs'}",
            identity="the caller",
            started=started,
            pages=1,
            items=len(alerts),
            sha256=gatherer.evidence.keep(canonical(alerts)),
            problem=problem,
        )
        return Listing((Scan(alerts, _reads(rules)),), (status,))


SCAN = LogScan()


@dataclass(frozen=True)
class Detections:
    """The alerts of some criteria, of all criteria but some, or of some rules.

    Only those logs count that the rules read: each that is declared and of their kinds has to be complete. When none is
    declared, nothing is known, unless the owner says why the system has no such logs; nor, of what ``sensors`` see, when the
    owner's sensors are declared and none of their logs.
    """

    name: str
    criteria: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    sensors: frozenset[LogKind] = frozenset()

    def has(self, rule_id: str, criterion: str) -> bool:
        """Tell whether a rule is one of those asked about."""
        if self.rules or rule_id in _QUESTIONS:
            return rule_id in self.rules
        return criterion in self.criteria if self.criteria else criterion not in self.besides

    def gather(self, gatherer: Gatherer) -> Listing[Alert]:
        scanned = gatherer.get(SCAN)
        (scan,) = scanned.items
        kinds = frozenset(kind for (rule, criterion), read in scan.reads.items() if self.has(rule, criterion) for kind in read)
        absent = absent_kinds(gatherer.system)
        if kinds and kinds <= absent.keys():
            return Listing((), (), exempt="; ".join(sorted({absent[kind] for kind in kinds})))
        alerts = tuple(alert for alert in scan.alerts if self.has(alert.rule_id, alert.criterion))
        logs = gatherer.get(SomeLogs(f"logs for {self.name}", kinds, current=True))
        statuses = logs.statuses
        if not any(source.kind in kinds for source in gatherer.system.logs.sources):
            statuses += (self._status(Problem(Cause.ABSENT, _UNDECLARED.format(", ".join(sorted(kinds - absent.keys()))))),)
        elif self._unheard(gatherer.system, frozenset(absent)):
            told = f"[agents] runtime names a sensor, whose log is not read: {_UNDECLARED}"
            statuses += (self._status(Problem(Cause.ABSENT, told.format(", ".join(sorted(self.sensors - absent.keys()))))),)
        if not alerts and (silent := [name for log in logs.items for name in silent_streams(log)]):
            statuses += (self._status(Problem(Cause.STALE, f"nothing is found, but silent was {', '.join(silent)}")),)
        return Listing(alerts, (*statuses, *scanned.statuses))

    def _unheard(self, system: System, absent: frozenset[LogKind]) -> bool:
        read = any(source.kind in self.sensors for source in system.logs.sources)
        return bool(system.agents.runtime and self.sensors - absent) and not read

    def _status(self, problem: Problem) -> SourceStatus:
        return SourceStatus(self.name, "the declared logs", 0, 0, None, problem)


_UNDECLARED = "declare under [[logs.sources]] where there are logs of one of {}, or under [[logs.absent]] why there are none"


def absent_kinds(system: System) -> dict[LogKind, str]:
    """Return why the system has no log of a kind, for those kinds of which it declares none."""
    reasons = {kind: f"out of scope: {system.kubernetes.absent}" for kind in OF_CLUSTERS if system.kubernetes.absent}
    reasons |= {
        kind: f"out of scope: {system.aws.absent}" for kind in LogKind if kind not in OF_CLUSTERS and system.aws.absent
    }
    reasons |= {entry.kind: entry.reason for entry in system.logs.absent}
    declared = {source.kind for source in system.logs.sources}
    return {kind: reason for kind, reason in reasons.items() if kind not in declared}


def silent_streams(log: CollectedLog) -> Iterator[str]:
    """Yield the streams that were silent, between their first record and their last, for longer than the log may be."""
    if log.gap_limit_minutes is None:
        return
    longest = timedelta(minutes=log.gap_limit_minutes)
    for stream in log.streams:
        if stream.oldest and stream.newest:
            for since, until in silences(stream.hours, max(log.since, stream.oldest), stream.newest):
                if until - since >= longest:
                    yield f"{log.source} {stream.name} from {since:%Y-%m-%dT%H:%MZ} until {until:%H:%MZ}"


def _reads(rules: RuleSet) -> dict[tuple[str, str], frozenset[LogKind]]:
    kinds = {rule.id: frozenset({rule.kind}) for rule in rules.rules}
    for correlation in rules.correlations:
        kinds[correlation.id] = frozenset(kind for step in correlation.steps for kind in kinds[step])
    every: tuple[Rule | Correlation, ...] = (*rules.rules, *rules.correlations)
    return {(one.id, one.criterion): kinds[one.id] for one in every if one.alerts}


UNAUTHORIZED_ACCESS = Detections("detections of unauthorized access", ("CC6.1", "CC6.2"))
CONTROL_TAMPERING = Detections("detections of control tampering", ("CC6.3",))
NETWORK_ATTACKS = Detections("detections in the network", ("CC6.6",))
DATA_ACCESS = Detections("detections of access to secrets", ("CC6.7",))
# Programs that are changed or brought in while a container runs, these alone see.
_SENSORS = frozenset({LogKind.FALCO, LogKind.TETRAGON, LogKind.GUARDDUTY})
MALWARE = Detections("detections of malware", ("CC6.8",), sensors=_SENSORS)
_NAMED = (UNAUTHORIZED_ACCESS, CONTROL_TAMPERING, NETWORK_ATTACKS, DATA_ACCESS, MALWARE)
ANOMALIES = Detections("detections of anomalies", besides=tuple(name for each in _NAMED for name in each.criteria))
ALL = Detections("detections")
PRIVILEGED_USES = Detections("uses of privileged identities", rules=PRIVILEGED_USE)
CHANGES_OF_ACCESS = Detections("changes of access", rules=ACCESS_CHANGES)
