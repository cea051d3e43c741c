"""Samples of collected audit logs: what records of secrets, access control, exec and token requests keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from soc2.detect.relations import parquet_relation
from soc2.detect.schema import SCHEMAS
from soc2.gather.codec import canonical
from soc2.gather.logs.collection import SomeLogs
from soc2.gather.logs.kept import kept_log
from soc2.gather.source import Gatherer, Listing
from soc2.model.audit_records import AuditClassSample
from soc2.model.log_health import CollectedLog
from soc2.model.logs import LogKind
from soc2.model.population import Cause, Problem, SourceStatus

AUDIT_LOGS = SomeLogs("audit logs", kinds=frozenset({LogKind.KUBERNETES_AUDIT}))

_MEMORY = "1GB"
_CLASSES = {
    "secrets": "objectRef.resource = 'secrets' AND coalesce(objectRef.apiGroup, '') = ''",
    "access control": "objectRef.apiGroup = 'rbac.authorization.k8s.io' "
    "AND verb IN ('create', 'update', 'patch', 'delete', 'deletecollection')",
    "exec": "objectRef.resource = 'pods' AND objectRef.subresource IN ('exec', 'attach', 'portforward')",
    "token requests": "objectRef.resource = 'serviceaccounts' AND objectRef.subresource = 'token'",
}
# Whoever is not authenticated has no name, and what is refused is not read any further.
_NAMED = "coalesce(responseStatus.code, 0) <> 401"
_WITH_BODY = (
    "objectRef.apiGroup = 'rbac.authorization.k8s.io' AND verb IN ('create', 'update', 'patch') "
    "AND coalesce(responseStatus.code, 0) < 400"
)


@dataclass(frozen=True)
class AuditRecords:
    """One item for each declared audit log and class of requests that it has records of in the window."""

    name: str = "audit records"

    def gather(self, gatherer: Gatherer) -> Listing[AuditClassSample]:
        exempt = gatherer.system.kubernetes.absent or gatherer.system.logs.absence(LogKind.KUBERNETES_AUDIT)
        if exempt:
            return Listing((), (), exempt)
        sources = {source.name: source for source in gatherer.system.logs.of(LogKind.KUBERNETES_AUDIT)}
        logs = gatherer.get(AUDIT_LOGS)
        if not sources:
            undeclared = Problem(Cause.ABSENT, "no audit log is declared under [[logs.sources]]")
            return Listing((), (SourceStatus(self.name, "read what records keep", 0, 0, None, undeclared),))
        samples: list[AuditClassSample] = []
        statuses = list(logs.statuses)
        for log in logs.items:
            started = datetime.now(UTC)
            problem: Problem | None = None
            found: list[AuditClassSample] = []
            try:
                files = kept_log(gatherer, sources[log.source]).files(log.since)
                if files:
                    relation = parquet_relation(SCHEMAS[LogKind.KUBERNETES_AUDIT], files)
                    with duckdb.connect(":memory:", config={"memory_limit": _MEMORY}) as connection:
                        connection.execute("SET enable_progress_bar = false")
                        found = audit_samples(connection, log.source, f"({relation})", log.since, log.until)
            except (OSError, duckdb.Error) as error:
                problem = Problem(Cause.SERVER_ERROR, f"{type(error).__name__}: {str(error).splitlines()[0]}")
            samples += found
            statuses.append(self._status(gatherer, log, found, started, problem))
        return Listing(tuple(samples), tuple(statuses))

    def _status(
        self,
        gatherer: Gatherer,
        log: CollectedLog,
        found: list[AuditClassSample],
        started: datetime,
        problem: Problem | None,
    ) -> SourceStatus:
        return gatherer.evidence.answered(
            self.name,
            f"read what {sum(sample.count for sample in found):,} records of {log.source} keep",
            identity="the caller",
            started=started,
            pages=1,
            items=len(found),
            sha256=gatherer.evidence.keep(canonical(found)),
            problem=problem,
        )


def audit_samples(
    connection: duckdb.DuckDBPyConnection, log: str, relation: str, since: datetime, until: datetime
) -> list[AuditClassSample]:
    """Count what records in [since, until) lack, by class, without the classes that have none.

    ``relation`` is SQL that stands after FROM and has the columns of the schema. A request has a record for each stage;
    the first, which some policies omit, is written before anything is known of it, and is not looked at. A record that
    was read twice counts once.
    """
    schema = SCHEMAS[LogKind.KUBERNETES_AUDIT]
    time = schema.normal["event_time"]
    classes = " ".join(f"WHEN {condition} THEN '{name}'" for name, condition in _CLASSES.items())
    rows = connection.execute(
        f"WITH told AS (SELECT CASE {classes} END AS class, any_value(coalesce(\"user\".username, '') = '' AND {_NAMED}) "
        "AS nobody, any_value(coalesce(verb, '') = '') AS nothing, "
        "any_value(len(coalesce(sourceIPs, [])) = 0) AS nowhere, "
        f"any_value(coalesce({_WITH_BODY}, false) AND requestObject IS NULL) AS empty "
        f"FROM {relation} WHERE stage IS DISTINCT FROM 'RequestReceived' AND ({time} IS NULL OR ({time} >= ? AND {time} < ?)) "
        f"GROUP BY class, {schema.identity}) "
        "SELECT class, count(*), count(*) FILTER (nobody), count(*) FILTER (nothing), count(*) FILTER (nowhere), "
        "count(*) FILTER (empty) FROM told WHERE class IS NOT NULL GROUP BY class ORDER BY class",
        [_naive(since), _naive(until)],
    ).fetchall()
    return [
        AuditClassSample(
            log=log,
            name=name,
            count=count,
            without_identity=nobody,
            without_verb=nothing,
            without_source=nowhere,
            without_body=empty,
        )
        for name, count, nobody, nothing, nowhere, empty in rows
    ]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
