"""The sliding windows of a correlation, as SQL over the table of hits that ``soc2/detect/correlate.py`` describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

SECOND = 1_000_000
"""In the microseconds that ``t`` counts."""

_TEMPORAL = {SigmaCorrelationType.TEMPORAL, SigmaCorrelationType.TEMPORAL_ORDERED}
_OPERATORS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "=", "NEQ": "!="}


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
    if correlation.type is SigmaCorrelationType.VALUE_PERCENTILE:
        percentile = condition.percentile if isinstance(condition, SigmaCorrelationCondition) else None
        if percentile is None or not 0 <= percentile <= 100:
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


def asked_fields(rules: RuleSet, rule: str, schema: LogSchema) -> list[str] | None:
    """All fields that correlations ask of a rule, each once; None when none listens to it."""
    listening = [correlation for correlation in rules.correlations if rule in correlation.steps]
    if not listening:
        return None
    return list(dict.fromkeys(name for correlation in listening for name in hit_fields(correlation, rule, schema)))


# The events of a correlation: kind, event, t (microseconds), step, g0... (group), v0... (values)


def _events(rules: RuleSet, correlation: Correlation) -> str:
    names = [*(correlation.sigma.group_by or []), *_value_fields(correlation.sigma)]
    columns = [*groups_of(correlation), *_values(correlation)]
    schemas = {rule.id: SCHEMAS[rule.kind] for rule in rules.rules}
    inner = {each.id: number for number, each in enumerate(rules.correlations)}
    parts = []
    for number, step in enumerate(dict.fromkeys(correlation.steps)):
        if step in schemas:
            asked = asked_fields(rules, step, schemas[step]) or []
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
            parts.append(f"SELECT kind, event, t, {number} AS step{shown} FROM {table_of(inner[step])} WHERE {which}")
    if len(parts) == 1 or correlation.sigma.type in _TEMPORAL:
        return " UNION ALL ".join(parts)
    kept = ", ".join(["kind", "event", "t", *columns])
    return f"SELECT {kept}, 0 AS step FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL"


def _values(correlation: Correlation) -> list[str]:
    return [f"v{place}" for place in range(len(_value_fields(correlation.sigma)))]


# Windows


def judged(rules: RuleSet, correlation: Correlation) -> str:
    """SQL of the correlation's events, with ``fulfilled``: whether the window that ends at the event fulfils the condition."""
    groups = groups_of(correlation)
    by = _by(groups)
    span = correlation.sigma.timespan.seconds * SECOND
    events, fulfilled = _condition(correlation, _events(rules, correlation), by, span)
    return (
        f"SELECT {', '.join(['kind', 'event', 't', 'step', *groups])}, coalesce({fulfilled}, false) AS fulfilled "
        f"FROM ({events}) WINDOW w AS ({by}ORDER BY t RANGE BETWEEN {span} PRECEDING AND CURRENT ROW)"
    )


def runs(correlation: Correlation, table: str) -> str:
    """SQL of the judged events of those groups where any window fulfils the condition, with ``begins`` (a run), ``run``
    (its number in the group), ``place`` (the event's number in the group) and ``back`` (the start of its window)."""
    groups = groups_of(correlation)
    by = _by(groups)
    span = correlation.sigma.timespan.seconds * SECOND
    same = " AND ".join([f"outer_.{group} IS NOT DISTINCT FROM inner_.{group}" for group in groups] or ["true"])
    fulfilled = f"SELECT DISTINCT {', '.join(groups) or '1'} FROM {table} WHERE fulfilled"
    order = f"{by}ORDER BY t, kind, event, step"
    begun = (
        f"SELECT *, fulfilled AND (NOT coalesce(lag(fulfilled) OVER ({order}), false) "
        f"OR t - lag(t) OVER ({order}) > {span}) AS begins, "
        f"dense_rank() OVER ({by}ORDER BY t, kind, event) AS place, min(t) OVER w AS back "
        f"FROM {table} AS outer_ SEMI JOIN ({fulfilled}) AS inner_ ON {same} "
        f"WINDOW w AS ({by}ORDER BY t RANGE BETWEEN {span} PRECEDING AND CURRENT ROW)"
    )
    return f"SELECT *, sum(begins::INTEGER) OVER ({order} ROWS UNBOUNDED PRECEDING) AS run FROM ({begun})"


def table_of(number: int) -> str:
    """The table that keeps the events of a correlation, for the correlations that refer to it."""
    return identifier(f"correlation {number}")


def groups_of(correlation: Correlation) -> list[str]:
    """The columns of the group-by fields, in their order."""
    return [f"g{place}" for place in range(len(correlation.sigma.group_by or []))]


def _by(groups: Sequence[str]) -> str:
    return f"PARTITION BY {', '.join(groups)} " if groups else ""


def _condition(correlation: Correlation, events: str, by: str, span: int) -> tuple[str, str]:
    """The events, with columns added as the condition needs, and the condition over the window ``w``."""
    sigma, condition = correlation.sigma, correlation.sigma.condition
    if sigma.type is SigmaCorrelationType.TEMPORAL_ORDERED:
        return _ordered(correlation, events, by), f"max(reached) OVER ({by}ORDER BY t) >= t - {span}"
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
