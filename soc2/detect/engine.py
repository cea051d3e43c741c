"""Runs all rules over logs, one scan for each kind of log, and lists what they found in the order of time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from soc2.detect import anomalies, macros
from soc2.detect.correlate import Fired, correlate, create_hits, needed
from soc2.detect.fields import Many, One, every_value, identifier, literal
from soc2.detect.lines import LineNumbers
from soc2.detect.relations import FILE, RECORD, create_from_json, normalised, packed, parquet_relation
from soc2.detect.ruleset import RuleSet
from soc2.detect.schema import ID, LINE, SCHEMAS, LogSchema
from soc2.detect.shown import shown, shown_fields
from soc2.detect.sql import CompiledRule, any_of
from soc2.gather.logs.framing import locate_malformed
from soc2.gather.logs.segments import Malformed, Segment
from soc2.model.logs import Alert, LogKind

_LOWERED = "@lower"
_RULES = "@rules"
# Parsing needs little memory, and what does not fit is spilled.
_MEMORY = "1GB"
_ROWS_AT_ONCE = 10_000
_NOT_OPTIMISED = "expression_rewriter,common_subexpressions,statistics_propagation"
_ANOMALY_CRITERION = "CC7.2"


@dataclass(frozen=True)
class Scanned:
    """How much of a kind of log was read: ``records`` in the window, those outside of it, and lines that are no record."""

    kind: LogKind
    records: int
    outside: int
    malformed: tuple[Malformed, ...]


@dataclass(frozen=True)
class _Heading:
    """What an alert says of its rule."""

    rule_id: str
    title: str
    criterion: str
    severity: str


class Detector:
    """Scans logs with a set of rules. Add segments or kept files, each kind of log once, then ask for the alerts.

    ``folder`` takes what does not fit in memory. ``since`` (inclusive) and ``until`` (exclusive) are UTC; records without
    a time are always in the window. Events that were read twice are told by their identity and count once.
    """

    def __init__(self, rules: RuleSet, folder: Path, *, since: datetime | None = None, until: datetime | None = None) -> None:
        self.rules = rules
        self.scanned: list[Scanned] = []
        # In a file, because tables in memory only are not bounded by it.
        database = Path(tempfile.mkdtemp(prefix="detect-", dir=folder)) / "events.duckdb"
        self.connection = duckdb.connect(str(database), config={"memory_limit": _MEMORY, "temp_directory": str(folder)})
        self.connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        # Of hundreds of rules in one query the planner makes more work than these save.
        self.connection.execute(f"SET disabled_optimizers = '{_NOT_OPTIMISED}'")
        macros.install(self.connection)
        self._since, self._until = since, until
        self._listened = needed(rules)
        self._segments: dict[str, Segment] = {}
        self._first: dict[str, int] = {}
        self._lines = LineNumbers()

    def __enter__(self) -> Detector:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    @property
    def kinds(self) -> tuple[LogKind, ...]:
        return tuple(scanned.kind for scanned in self.scanned)

    def add(self, segments: Iterable[Segment]) -> None:
        """Scan segments, as framing gives them."""
        by_kind: dict[LogKind, list[Segment]] = {}
        for segment in segments:
            by_kind.setdefault(segment.kind, []).append(segment)
            self._segments[str(segment.path)] = segment
        for kind, found in by_kind.items():
            schema, files = SCHEMAS[kind], [segment.path for segment in found]
            create_from_json(self.connection, schema, files, partial(self._scan, schema))
            self._count(schema)

    def add_kept(self, kind: LogKind, files: Sequence[Path]) -> None:
        """Scan files that ``soc2.detect.store`` kept."""
        self.connection.execute(self._scan(SCHEMAS[kind], parquet_relation(SCHEMAS[kind], files)))
        self._count(SCHEMAS[kind])

    def events(self, kind: LogKind) -> str:
        """Return the name of the table of a kind that was added: a row for each record, read twice or not, with the
        normalised columns, ``valid`` (it is a record) and ``inside`` (the window); ``record`` only where a rule matched."""
        return identifier(f"events {kind}")

    def alerts(self, *, with_anomalies: bool = False) -> Iterator[Alert]:
        """Yield what the rules found, in the order of time, and, when asked, what is unusual beside the baseline.

        The baseline is what was added from before the window, when that is long enough, else the earlier part of the window.
        """
        self.connection.execute(
            "CREATE OR REPLACE TABLE alerts (rule_id VARCHAR, title VARCHAR, criterion VARCHAR, severity VARCHAR, "
            "kind VARCHAR, event BIGINT, event_time TIMESTAMP, file VARCHAR, line BIGINT, actor VARCHAR, object VARCHAR, "
            "fields VARCHAR)"
        )
        create_hits(self.connection)
        for kind in self.kinds:
            self._match(SCHEMAS[kind])
        for fired in list(correlate(self.connection, self.rules)):
            self._take_correlation(fired)
        if with_anomalies:
            for kind in sorted(anomalies.KINDS.intersection(self.kinds)):
                self._take_anomalies(kind)
        return self._listed()

    # One scan: every record is normalised, and the predicates of all rules are asked of it together.

    def _scan(self, schema: LogSchema, relation: str) -> str:
        compiled = self._compiled(schema)
        counts = f"{identifier(schema.required)} IS NOT NULL AND {self._inside(schema.normal['event_time'])}"
        alerting = any_of([rule.parts for number, rule in compiled if self.rules.rules[number].alerts])
        identity = f"coalesce({schema.identity or 'NULL'}, {identifier(ID)})"
        # CASE short-circuits where a plain expression would not: dear predicates see only what cheap ones left.
        return (
            f"CREATE OR REPLACE TABLE {self.events(schema.kind)} AS SELECT {normalised(schema)}, {identifier(FILE)}, "
            f"{identifier(LINE)}, {identifier(schema.required)} IS NOT NULL AS valid, "
            f"{self._inside(schema.normal['event_time'])} AS inside, "
            f"CASE WHEN {identity} IS NOT NULL THEN hash({identity}) END AS identity, "
            f"hit, CASE WHEN hit THEN {packed(schema)} END AS {RECORD}, heard "
            f"FROM (SELECT *, CASE WHEN {counts} AND ({alerting}) THEN true ELSE false END AS hit, "
            f"{self._heard(compiled, counts)} AS heard FROM (SELECT *{_lowered_columns(schema)} FROM ({relation})))"
        )

    def _heard(self, compiled: Sequence[tuple[int, CompiledRule]], counts: str) -> str:
        """Return the SQL of what only correlations listen to: of that, which may be every second record, no more is kept
        than the fields they ask."""
        quiet = [(number, rule) for number, rule in compiled if not self.rules.rules[number].alerts]
        if not quiet:
            return "NULL"
        fields = ", ".join(
            f"{_member(number)} := CASE WHEN {rule.where} THEN {self._listened[self.rules.rules[number].id]} END"
            for number, rule in quiet
        )
        return f"CASE WHEN {counts} AND ({any_of([rule.parts for _, rule in quiet])}) THEN struct_pack({fields}) END"

    def _compiled(self, schema: LogSchema) -> list[tuple[int, CompiledRule]]:
        return [(number, rule.compile(_lowered)) for number, rule in enumerate(self.rules.rules) if rule.kind is schema.kind]

    def _inside(self, time: str) -> str:
        limits = [f"{time} >= TIMESTAMP '{self._since:%Y-%m-%d %H:%M:%S.%f}'"] if self._since else []
        limits += [f"{time} < TIMESTAMP '{self._until:%Y-%m-%d %H:%M:%S.%f}'"] if self._until else []
        return f"coalesce({' AND '.join(limits)}, true)" if limits else "true"

    def _count(self, schema: LogSchema) -> None:
        table = self.events(schema.kind)
        first = self.connection.execute(f"SELECT {identifier(FILE)}, min(rowid) FROM {table} GROUP BY ALL").fetchall()
        self._first.update(first)
        self._drop_duplicates(table)
        unread = self.connection.execute(f"SELECT DISTINCT {identifier(FILE)} FROM {table} WHERE NOT valid").fetchall()
        malformed = [line for (file,) in unread for line in locate_malformed(self._segments[file], schema.required)]
        (records, outside) = self.connection.execute(
            f"SELECT count(*) FILTER (inside), count(*) FILTER (NOT inside) FROM {table} WHERE valid"
        ).fetchall()[0]
        self.scanned.append(Scanned(schema.kind, records, outside, tuple(malformed)))

    def _drop_duplicates(self, table: str) -> None:
        twice = f"SELECT count(identity) > count(DISTINCT identity) FROM {table} WHERE valid"
        if self.connection.execute(twice).fetchone() == (True,):
            copies = f"SELECT rowid AS row, row_number() OVER (PARTITION BY identity ORDER BY rowid) AS copy FROM {table}"
            again = f"SELECT row FROM ({copies} WHERE valid AND identity IS NOT NULL) WHERE copy > 1"
            self.connection.execute(f"DELETE FROM {table} WHERE rowid IN ({again})")

    # Which rules matched is asked only of the records that any rule matched.

    def _match(self, schema: LogSchema) -> None:
        compiled = dict(self._compiled(schema))
        for number in compiled:
            if not self.rules.rules[number].alerts:
                self._hear(
                    schema, number, f"SELECT rowid AS event, heard.{_member(number)} AS fields FROM {self.events(schema.kind)}"
                )
        alerting = {number: rule for number, rule in compiled.items() if self.rules.rules[number].alerts}
        if not alerting or not self._copy_hits(schema):
            return
        matching = ", ".join(f"CASE WHEN {rule.where} THEN {number} END" for number, rule in alerting.items())
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE matched AS SELECT *, list_filter([{matching}], lambda rule: rule IS NOT NULL) "
            f"AS {identifier(_RULES)} FROM hit_records"
        )
        found = self.connection.execute(
            f"SELECT DISTINCT unnest({identifier(_RULES)}) AS rule FROM matched ORDER BY rule"
        ).fetchall()
        for (number,) in found:
            self._take(schema, number, alerting[number])

    def _copy_hits(self, schema: LogSchema) -> bool:
        """Make a table of the records that a rule matched, with the copies that rules use, and tell whether it has any."""
        records = ", ".join(f"{RECORD}.{identifier(name)} AS {identifier(name)}" for name in schema.columns)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE hit_records AS SELECT *{_lowered_columns(schema)} "
            f"FROM (SELECT rowid AS event, {records} FROM {self.events(schema.kind)} WHERE hit)"
        )
        return self.connection.execute("SELECT count(*) FROM hit_records").fetchone() != (0,)

    def _take(self, schema: LogSchema, number: int, compiled: CompiledRule) -> None:
        rule, matched = self.rules.rules[number], f"FROM matched WHERE list_contains({identifier(_RULES)}, {number})"
        fields = ", ".join(f"{literal(name)}, {value}" for name, value in compiled.fields)
        heading = _Heading(rule.id, rule.title, rule.criterion, rule.level)
        self._insert(heading, schema.kind, f"SELECT event, json_object({fields}) AS fields {matched}")
        if rule.id in self._listened:
            self._hear(schema, number, f"SELECT event, {self._listened[rule.id]} AS fields {matched}")

    def _hear(self, schema: LogSchema, number: int, found: str) -> None:
        """Add to the hits that correlations listen to the (event, fields) of a query, fields being NULL for none."""
        rule = literal(self.rules.rules[number].id)
        self.connection.execute(
            f"INSERT INTO hits SELECT {rule}, {literal(schema.kind)}, event, event_time, fields "
            f"FROM ({found}) JOIN {self.events(schema.kind)} AS events ON event = events.rowid WHERE fields IS NOT NULL"
        )

    def _take_correlation(self, fired: Fired) -> None:
        rule = fired.correlation
        heading = _Heading(rule.id, rule.title, rule.criterion, rule.level)
        told = {**fired.group, "events": fired.count, "first": fired.time, "last": fired.end}
        found = f"SELECT {fired.last.event} AS event, {literal(msgspec.json.encode(told).decode())} AS fields"
        self._insert(heading, fired.last.kind, found)

    def _take_anomalies(self, kind: LogKind) -> None:
        baseline = anomalies.baseline_of(self.connection, self.events(kind))
        if baseline is None:
            return
        for found in list(anomalies.find(self.connection, self.events(kind), baseline)):
            fields = msgspec.json.encode({"why": found.why, "baseline": str(baseline)}).decode()
            heading = _Heading(f"anomaly-{found.statistic}", found.title, _ANOMALY_CRITERION, found.severity)
            self._insert(heading, kind, f"SELECT {found.row} AS event, {literal(fields)} AS fields")

    def _insert(self, heading: _Heading, kind: LogKind, found: str) -> None:
        """Add alerts for the (event, fields) of a query."""
        texts = (heading.rule_id, heading.title, heading.criterion, heading.severity, kind)
        self.connection.execute(
            f"INSERT INTO alerts SELECT {', '.join(map(literal, texts))}, event, event_time, "
            f"{identifier(FILE)}, {identifier(LINE)}, "
            f"actor, object, fields FROM ({found}) JOIN {self.events(kind)} AS events ON event = events.rowid"
        )

    def _listed(self) -> Iterator[Alert]:
        listed = self.connection.execute("SELECT * FROM alerts ORDER BY event_time NULLS LAST, kind, event, rule_id")
        while rows := listed.fetchmany(_ROWS_AT_ONCE):
            for row in rows:
                yield self._alert(*row)

    def _alert(
        self,
        rule_id: str,
        title: str,
        criterion: str,
        severity: str,
        kind: str,
        event: int,
        time: datetime | None,
        file: str,
        line: int | None,
        actor: str | None,
        of: str | None,
        fields: str,
    ) -> Alert:
        segment = self._segments.get(file)
        if segment is not None and line is None:
            line = self._lines.line(segment.path, event - self._first[file])
        return Alert(
            rule_id=rule_id,
            title=title,
            criterion=criterion,
            severity=severity,
            time=time.replace(tzinfo=UTC) if time else None,
            source=LogKind(kind),
            file=segment.origin if segment else file,
            line=line or 0,
            actor=shown("actor", actor),
            object=shown("object", of),
            fields=shown_fields(fields),
        )


def _member(number: int) -> str:
    return identifier(f"rule {number}")


def _lowered(path: str) -> str:
    return identifier(path + _LOWERED)


def _lowered_columns(schema: LogSchema) -> str:
    """Return lower-cased copies of texts and documents, made once for all rules; DuckDB leaves out those that none asks."""
    copies = ""
    for place in every_value(schema):
        if isinstance(place, One) and place.type == "VARCHAR":
            copies += f", lower({place.sql}) AS {_lowered(place.path)}"
        elif isinstance(place, Many) and place.document and place.path:
            copies += f", lower({place.document}) AS {_lowered(place.path)}"
    return copies
