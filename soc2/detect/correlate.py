"""Correlations of Sigma: true sliding windows over the hits of rules, by window functions and without self-joins.

The engine makes a table ``hits`` with a row for each event that a rule matched (``create_hits``): ``rule`` VARCHAR (its id),
``kind`` VARCHAR and ``event`` BIGINT (which event), ``event_time`` TIMESTAMP (UTC), and ``fields`` VARCHAR[]: the values that
correlations ask of the rule, in the order that ``needed`` tells. Events without a time are left out.

A window ends at each event of a group and reaches back by the timespan, both ends inclusive, so that events at the same
time have the same window, whatever their order. One result is a maximal run of events whose windows all fulfil the
condition. An event that several rules matched counts once. Fields that are absent are a group of their own, and no value
to count. ``temporal_ordered`` asks that each rule has an event no earlier than one of the rule before it.

A correlation of correlations takes as events those whose windows fulfil the inner condition: each of them for the temporal
types, the first of each run for those that count. They have the values of the inner group-by and no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from soc2.detect.fields import RuleError, field_sql, identifier, literal
from soc2.detect.ruleset import Correlation, RuleSet
from soc2.detect.schema import SCHEMAS, LogSchema
from soc2.model.logs import LogKind

_TEMPORAL = {SigmaCorrelationType.TEMPORAL, SigmaCorrelationType.TEMPORAL_ORDERED}
_OPERATORS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "=", "NEQ": "!="}


@dataclass(frozen=True)
class EventRef:
    """Which event: its kind of log, and its number there, as the table of hits has it."""

    kind: LogKind
    event: int


@dataclass(frozen=True)
class Fired:
    """A run of events whose windows fulfil the condition. Times are UTC.

    ``time`` is when the condition was first fulfilled (at the event ``trigger``), ``end`` that of the ``last`` event of the
    run; ``first`` is the first event of the first window. ``count`` is how many events lie between ``first`` and ``last``.
    ``group`` are the values of the group-by fields, None for an absent one.
    """

    correlation: Correlation
    time: datetime
    end: datetime
    group: dict[str, str | None]
    first: EventRef
    trigger: EventRef
    last: EventRef
    count: int


def create_hits(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the empty table of hits."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE hits (rule VARCHAR, kind VARCHAR, event BIGINT, event_time TIMESTAMP, fields VARCHAR[])"
    )


def needed(rules: RuleSet) -> dict[str, str]:
    """For each rule that correlations refer to, by id: the SQL of ``fields``, over the columns of the rule's kind of log."""
    return {
        rule.id: f"[{', '.join(field_sql(SCHEMAS[rule.kind], name) for name in names)}]::VARCHAR[]"
        for rule in rules.rules
        if (names := _asked(rules, rule.id, SCHEMAS[rule.kind])) is not None
    }


def correlate(connection: duckdb.DuckDBPyConnection, rules: RuleSet) -> Iterator[Fired]:
    """What the correlations that alert found in the table of hits, one correlation after the other, each in order of time."""
    for number, correlation in enumerate(rules.correlations):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_table(number)} AS {_windows(rules, correlation)}")
        if correlation.alerts:
            yield from _fired(connection, correlation, _table(number))


def references(correlation: SigmaCorrelationRule) -> list[str]:
    """The ids or names that the correlation refers to, in their order."""
    if correlation.rules is not None:
        return [reference.reference for reference in correlation.rules]
    condition = correlation.condition
    return condition.get_referenced_rules() if isinstance(condition, SigmaExtendedCorrelationCondition) else []


def check(correlation: SigmaCorrelationRule) -> None:
    """Raises ``RuleError`` for what parses and has no meaning."""
    condition = correlation.condition
    if not references(correlation):
        raise RuleError("a correlation of no rules", "rules")
    if correlation.type is SigmaCorrelationType.TEMPORAL_ORDERED:
        if isinstance(condition, SigmaExtendedCorrelationCondition):
            if not _only_and(condition.parsed):
                raise RuleError("an order has a meaning only for rules joined by 'and'", "condition")
        elif condition.op.name not in {"GTE", "EQ"} or condition.count != len(references(correlation)):
            raise RuleError("temporal_ordered asks for all of its rules; a count of some has no order", "condition")
    if correlation.type is SigmaCorrelationType.VALUE_PERCENTILE and isinstance(condition, SigmaCorrelationCondition):
        if condition.percentile is None or not 0 <= condition.percentile <= 100:
            raise RuleError("value_percentile needs a percentile from 0 to 100", "condition")
    if len(_value_fields(correlation)) > 1 and correlation.type is not SigmaCorrelationType.VALUE_COUNT:
        raise RuleError("only value_count can take several fields", "condition")


def hit_fields(correlation: Correlation, step: str, schema: LogSchema) -> list[str]:
    """The fields that the correlation asks of a rule's events: those to group by, then those to count.

    Raises ``RuleError`` when the rule's kind of log has no such field.
    """
    names = [
        _aliased(correlation, step, name) for name in [*(correlation.sigma.group_by or []), *_value_fields(correlation.sigma)]
    ]
    for name in names:
        field_sql(schema, name)
    return names


def _only_and(node: Any) -> bool:
    if isinstance(node, CorrelationConditionAND):
        return all(map(_only_and, node.args))
    return isinstance(node, SigmaRuleReference)


def _value_fields(correlation: SigmaCorrelationRule) -> list[str]:
    condition = correlation.condition
    if not isinstance(condition, SigmaCorrelationCondition) or correlation.type in _TEMPORAL or not condition.fieldref:
        return []
    if correlation.type is SigmaCorrelationType.EVENT_COUNT:
        return []
    return [condition.fieldref] if isinstance(condition.fieldref, str) else list(condition.fieldref)


def _aliased(correlation: Correlation, step: str, name: str) -> str:
    alias = correlation.sigma.aliases.aliases.get(name)
    mapping = {reference.reference: field for reference, field in alias.mapping.items()} if alias else {}
    return mapping.get(correlation.names[step], mapping.get(step, name))


def _asked(rules: RuleSet, rule: str, schema: LogSchema) -> list[str] | None:
    """All fields that correlations ask of a rule, each once; None when none listens to it."""
    listening = [correlation for correlation in rules.correlations if rule in correlation.steps]
    if not listening:
        return None
    return list(dict.fromkeys(name for correlation in listening for name in hit_fields(correlation, rule, schema)))


# The events of a correlation: kind, event, t (microseconds), step, g0... (group), v0... (values)


def _events(rules: RuleSet, correlation: Correlation) -> str:
    names = [*(correlation.sigma.group_by or []), *_value_fields(correlation.sigma)]
    columns = [*(f"g{place}" for place in range(len(correlation.sigma.group_by or []))), *(_values(correlation))]
    schemas = {rule.id: SCHEMAS[rule.kind] for rule in rules.rules}
    inner = {each.id: number for number, each in enumerate(rules.correlations)}
    parts = []
    for number, step in enumerate(dict.fromkeys(correlation.steps)):
        if step in schemas:
            asked = _asked(rules, step, schemas[step]) or []
            places = [asked.index(name) + 1 for name in hit_fields(correlation, step, schemas[step])]
            shown = "".join(f", fields[{place}] AS {column}" for place, column in zip(places, columns, strict=True))
            parts.append(
                f"SELECT kind, event, epoch_us(event_time) AS t, {number} AS step{shown} FROM hits "
                f"WHERE rule = {literal(step)} AND event_time IS NOT NULL"
            )
        else:
            groups = rules.correlations[inner[step]].sigma.group_by or []
            found = [groups.index(own) if (own := _aliased(correlation, step, name)) in groups else None for name in names]
            shown = "".join(
                f", {'NULL::VARCHAR' if place is None else f'g{place}'} AS {column}"
                for place, column in zip(found, columns, strict=True)
            )
            which = "fulfilled" if correlation.sigma.type in _TEMPORAL else "begins"
            parts.append(f"SELECT kind, event, t, {number} AS step{shown} FROM {_table(inner[step])} WHERE {which}")
    if len(parts) == 1 or correlation.sigma.type in _TEMPORAL:
        return " UNION ALL ".join(parts)
    kept = ", ".join(["kind", "event", "t", *columns])
    return f"SELECT {kept}, 0 AS step FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL"


def _values(correlation: Correlation) -> list[str]:
    return [f"v{place}" for place in range(len(_value_fields(correlation.sigma)))]


def _table(number: int) -> str:
    return identifier(f"correlation {number}")


# Windows


def _windows(rules: RuleSet, correlation: Correlation) -> str:
    """SQL of the correlation's events with ``fulfilled``, ``begins`` (a run), ``run`` (its number in the group), ``place``
    (the event's number in the group) and ``since`` (the place of the first event in its window)."""
    groups = [f"g{place}" for place in range(len(correlation.sigma.group_by or []))]
    by = f"PARTITION BY {', '.join(groups)} " if groups else ""
    span = correlation.sigma.timespan.seconds * 1_000_000
    window = f"WINDOW w AS ({by}ORDER BY t RANGE BETWEEN {span} PRECEDING AND CURRENT ROW), p AS ({by}ORDER BY t, kind, event)"
    events, fulfilled = _condition(correlation, _events(rules, correlation), by, span)
    kept = ", ".join(["kind", "event", "t", *groups])
    judged = (
        f"SELECT {kept}, step, coalesce({fulfilled}, false) AS fulfilled, dense_rank() OVER p AS place, min(t) OVER w AS back "
        f"FROM ({events}) {window}"
    )
    order = f"({by}ORDER BY t, kind, event, step)"
    begun = f"SELECT *, fulfilled AND NOT coalesce(lag(fulfilled) OVER {order}, false) AS begins FROM ({judged})"
    return f"SELECT *, sum(begins::INTEGER) OVER {order[:-1]} ROWS UNBOUNDED PRECEDING) AS run FROM ({begun})"


def _condition(correlation: Correlation, events: str, by: str, span: int) -> tuple[str, str]:
    """The events, with columns added as the condition needs, and the condition over the window ``w``."""
    sigma, condition = correlation.sigma, correlation.sigma.condition
    if sigma.type is SigmaCorrelationType.TEMPORAL_ORDERED:
        return _ordered(correlation, events, by), f"max(reached) OVER (w0) >= t - {span}".replace(
            "OVER (w0)", f"OVER ({by}ORDER BY t)"
        )
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        steps = list(dict.fromkeys(correlation.names[step] for step in correlation.steps))
        return events, _boolean(condition.parsed, steps)
    measure = _measure(sigma, condition, len(_values(correlation)), len(set(correlation.steps)))
    return events, f"{measure} {_OPERATORS[condition.op.name]} {condition.count!r}"


def _measure(sigma: SigmaCorrelationRule, condition: SigmaCorrelationCondition, values: int, steps: int) -> str:
    number = "soc2_number(v0)"
    match sigma.type:
        case SigmaCorrelationType.EVENT_COUNT:
            return "count(*) OVER w"
        case SigmaCorrelationType.TEMPORAL:
            return " + ".join(f"({_seen(step)})::INTEGER" for step in range(steps)).join("()")
        case SigmaCorrelationType.VALUE_COUNT:
            present = " AND ".join(f"v{place} IS NOT NULL" for place in range(values))
            together = "v0" if values == 1 else f"[{', '.join(f'v{place}' for place in range(values))}]"
            return f"count(DISTINCT CASE WHEN {present} THEN {together} END) OVER w"
        case SigmaCorrelationType.VALUE_SUM:
            return f"sum({number}) OVER w"
        case SigmaCorrelationType.VALUE_AVG:
            return f"avg({number}) OVER w"
        case SigmaCorrelationType.VALUE_MEDIAN:
            return f"quantile_cont({number}, 0.5) OVER w"
        case SigmaCorrelationType.VALUE_PERCENTILE:
            return f"quantile_cont({number}, {(condition.percentile or 0) / 100}) OVER w"
    raise RuleError("correlations of this type are not supported", "type")


def _seen(step: int) -> str:
    return f"count(*) FILTER (WHERE step = {step}) OVER w > 0"


def _boolean(node: Any, steps: Sequence[str]) -> str:
    match node:
        case CorrelationConditionAND():
            return "(" + " AND ".join(_boolean(arg, steps) for arg in node.args) + ")"
        case CorrelationConditionOR():
            return "(" + " OR ".join(_boolean(arg, steps) for arg in node.args) + ")"
        case CorrelationConditionNOT():
            return f"NOT {_boolean(node.args[0], steps)}"
        case SigmaRuleReference():
            return f"({_seen(steps.index(node.reference))})"
    raise RuleError("the condition is empty", "condition")


def _ordered(correlation: Correlation, events: str, by: str) -> str:
    """Events with ``reached``: where one of the last rule ends a chain of all rules in their order, the latest time at
    which such a chain can have begun."""
    numbers = {step: number for number, step in enumerate(dict.fromkeys(correlation.steps))}
    first, *others = [numbers[step] for step in correlation.steps]
    query = f"SELECT *, CASE WHEN step = {first} THEN t END AS reached FROM ({events})"
    for number in others:
        latest = f"max(reached) OVER ({by}ORDER BY t)"
        query = f"SELECT * REPLACE (CASE WHEN step = {number} THEN {latest} END AS reached) FROM ({query})"
    return query


# Results


def _fired(connection: duckdb.DuckDBPyConnection, correlation: Correlation, table: str) -> Iterator[Fired]:
    names = correlation.sigma.group_by or []
    groups = [f"g{place}" for place in range(len(names))]
    kept = "".join(f", {group}" for group in groups)
    key = "{'kind': kind, 'event': event}"
    runs = (
        f"SELECT min(t) AS start, max(t) AS stop, min(back) AS back, arg_min({key}, place) AS trigger, "
        f"arg_max({key}, place) AS last, max(place) AS until{kept} FROM {table} WHERE fulfilled GROUP BY run{kept}"
    )
    # The first event of the first window is the first of the group at that time.
    firsts = f"SELECT t, min(place) AS place, arg_min({key}, place) AS first{kept} FROM {table} GROUP BY t{kept}"
    same = " AND ".join(["runs.back = firsts.t", *(f"runs.{group} IS NOT DISTINCT FROM firsts.{group}" for group in groups)])
    found = connection.execute(
        f"SELECT start, stop, first, trigger, last, until - firsts.place + 1{kept.replace(', ', ', runs.')} "
        f"FROM ({runs}) AS runs JOIN ({firsts}) AS firsts ON {same} ORDER BY start, trigger, stop"
    ).fetchall()
    for start, stop, first, trigger, last, count, *values in found:
        yield Fired(
            correlation,
            datetime.fromtimestamp(start / 1_000_000, UTC),
            datetime.fromtimestamp(stop / 1_000_000, UTC),
            dict(zip(names, values, strict=True)),
            _ref(first),
            _ref(trigger),
            _ref(last),
            count,
        )


def _ref(found: dict[str, Any]) -> EventRef:
    return EventRef(LogKind(found["kind"]), found["event"])
