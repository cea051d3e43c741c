"""What Sigma rules mean, said slowly and obviously, to compare the compiler with: one event at a time, in plain Python.

``python -m tests.detect.reference RULE.yml EVENTS.yaml`` tells whether the rule (or the correlation, when the file ends
with one) matches what stands under ``match`` and leaves alone what stands under ``near_miss``.

The meaning of a field: its name leads to no, one or several values. Arrays are transparent: a rule matches when any of the
elements does. A field that is absent, null or an empty array has no value; ``null`` and ``exists: false`` match just that.
Letter case is folded a character at a time, by Unicode's simple lower-case mapping.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import yaml
from sigma.collection import SigmaCollection
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
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
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)

from soc2.detect.schema import SCHEMAS, LogSchema
from soc2.model.logs import LogKind

Event = Mapping[str, Any]

# Objects whose keys are chosen by users, and so may contain dots.
_OPEN = {"labels", "annotations", "extra", "matchLabels", "nodeSelector", "data", "fields", "output_fields"}
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_INDEX = re.compile(r"(.*)\[([0-9]+)\]")


class UnknownFieldError(Exception):
    """No such field in this kind of log."""


# The fields of an event


def matches(rule: SigmaRule, event: Event, schema: LogSchema, placeholders: Mapping[str, Sequence[str]] | None = None) -> bool:
    """Whether the event fulfils any of the rule's conditions. What its log source limits records to is not looked at."""
    return any(_holds(condition.parsed, event, schema, placeholders or {}) for condition in rule.detection.parsed_condition)


def field_values(schema: LogSchema, event: Event, name: str) -> list[Any]:
    """The values that a rule's field has: scalars and objects, no arrays, no nulls."""
    return [value for path in _paths(schema, name) for value in _reach(_typed(schema, event, path[0]), path[1:])]


def field_text(schema: LogSchema, event: Event, name: str) -> str | None:
    """As reports and groups tell it: several values with a comma between them, None for no value."""
    values = field_values(schema, event, name)
    return ", ".join(map(text, values)) if values else None


def _paths(schema: LogSchema, name: str) -> list[list[str]]:
    """The ways to read a dotted name as a path, from a column on."""
    found = _column_path(schema, name)
    if found is None:
        raise UnknownFieldError(name)
    column, rest = found
    return [[column, *path] for path in _splits(rest, open_keys=column in _OPEN)]


def _column_path(schema: LogSchema, name: str) -> tuple[str, str] | None:
    columns = schema.columns
    if direct := _longest_column(columns, name):
        return direct
    if name in schema.aliases:
        return _column_path(schema, schema.aliases[name])
    for prefix, full in schema.aliases.items():
        if prefix.endswith(".") and name.startswith(prefix):
            return _column_path(schema, full + name.removeprefix(prefix))
    if schema.kind is LogKind.AUDITD and name.isupper():
        return "fields", name  # the interpreted twin of a column, never the column
    column, dot, rest = name.partition(".")
    alike = [known for known in columns if known.lower() == column.lower()]
    if len(alike) == 1 and (not rest or _nested(columns[alike[0]])):
        return alike[0], rest
    if not dot:
        alike = [known for known in schema.aliases if known.lower() == name.lower()]
        if len(alike) == 1:
            return _column_path(schema, schema.aliases[alike[0]])
    if "fields" in columns:
        return "fields", name
    return None


def _longest_column(columns: Mapping[str, str], name: str) -> tuple[str, str] | None:
    if name in columns:
        return name, ""
    bare = re.sub(r"(\[\*?\]|\{\})$", "", name)
    if bare in columns:
        return bare, ""
    for column in sorted(columns, key=len, reverse=True):
        rest = re.sub(r"^(\[\*?\]|\{\})", "", name.removeprefix(column))
        if name.startswith(column) and rest[:1] in {".", "["} and _nested(columns[column]):
            return column, rest.removeprefix(".")
    return None


def _nested(kind: str) -> bool:
    return kind == "JSON" or kind.startswith(("STRUCT", "MAP")) or kind.endswith("[]")


def _splits(rest: str, *, open_keys: bool) -> list[list[str]]:
    if not rest:
        return [[]]
    if "." not in rest:
        return [[rest]]
    head, _, tail = rest.partition(".")
    paths = [[head, *path] for path in _splits(tail, open_keys=_bare(head) in _OPEN)]
    return [[rest], *paths] if open_keys else paths


def _bare(key: str) -> str:
    return re.sub(r"(\[\*?\]|\{\})$", "", key)


def _typed(schema: LogSchema, event: Event, column: str) -> Any:
    """The value as the column's type holds it."""
    value = event.get(column)
    kind = schema.columns[column]
    if kind == "VARCHAR" and value is not None:
        return text(value)
    if kind == "DOUBLE" and value is not None:
        return float(value)
    if kind.startswith("STRUCT") and isinstance(value, Mapping):
        return _struct(kind, value)
    return value


class _Struct(dict[str, Any]):
    """A value of a STRUCT type: the case of its names does not matter."""

    def get(self, name: str, default: Any = None) -> Any:
        if name in self:
            return self[name]
        alike = [known for known in self if known.lower() == name.lower()]
        return self[alike[0]] if len(alike) == 1 else default


def _struct(kind: str, value: Mapping[str, Any]) -> _Struct:
    """All fields that the type has, null where they are absent, and no others."""
    members: dict[str, str] = {}
    depth, word = 0, ""
    for letter in kind.removeprefix("STRUCT(").removesuffix(")") + ",":
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            name, _, member = word.strip().partition(" ")
            members[name.strip('"')] = member
            word = ""
        else:
            word += letter
    result = _Struct()
    for name, member in members.items():
        inner = value.get(name)
        if member == "VARCHAR" and inner is not None:
            inner = text(inner)
        elif member.startswith("STRUCT") and isinstance(inner, Mapping):
            inner = _struct(member, inner)
        result[name] = inner
    return result


def _reach(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        if path and (index := _INDEX.fullmatch(path[0])) and not index[1]:
            yield from _reach(value[int(index[2])] if int(index[2]) < len(value) else None, path[1:])
            return
        for element in value:
            if isinstance(element, list) and not path:
                yield element
            elif not isinstance(element, list):
                yield from _reach(element, path)
    elif value is None:
        return
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        key, rest = path[0], path[1:]
        if index := _INDEX.fullmatch(key):
            inner = value.get(index[1])
            if isinstance(inner, list) and int(index[2]) < len(inner):
                yield from _reach(inner[int(index[2])], rest)
        else:
            yield from _reach(value.get(_bare(key)), rest)


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for element in value:
            yield from _leaves(element)
    elif value is not None:
        yield value


# Conditions


def _holds(node: Any, event: Event, schema: LogSchema, placeholders: Mapping[str, Sequence[str]]) -> bool:
    match node:
        case ConditionAND():
            return all(_holds(arg, event, schema, placeholders) for arg in node.args)
        case ConditionOR():
            return any(_holds(arg, event, schema, placeholders) for arg in node.args)
        case ConditionNOT():
            return not _holds(node.args[0], event, schema, placeholders)
        case ConditionFieldEqualsValueExpression():
            return _field_is(node.field, node.value, event, schema, placeholders)
        case ConditionValueExpression():
            words = [text(leaf) for name in schema.columns for leaf in _leaves(_typed(schema, event, name))]
            return any(_keyword(node.value, word, placeholders) for word in words)
    raise TypeError(type(node))


def _field_is(name: str, value: SigmaType, event: Event, schema: LogSchema, placeholders: Mapping[str, Sequence[str]]) -> bool:
    values = field_values(schema, event, name)
    match value:
        case SigmaExpansion():
            return any(_field_is(name, inner, event, schema, placeholders) for inner in value.values)
        case SigmaNull():
            return not values
        case SigmaExists():
            return bool(values) == value.exists
        case SigmaFieldReference():
            others = [fold(text(other)) for other in field_values(schema, event, value.field)]
            return any(_alike(fold(text(own)), other, value) for own in values for other in others)
        case SigmaTimestampPart():
            return any(_time_part(own, value.timestamp_part) == value.number for own in values)
    return any(_value_is(value, own, placeholders) for own in values)


def _alike(own: str, other: str, reference: SigmaFieldReference) -> bool:
    if reference.starts_with and reference.ends_with:
        return other in own
    if reference.starts_with:
        return own.startswith(other)
    if reference.ends_with:
        return own.endswith(other)
    return own == other


def _value_is(value: SigmaType, own: Any, placeholders: Mapping[str, Sequence[str]]) -> bool:
    match value:
        case SigmaExpansion():
            return any(_value_is(inner, own, placeholders) for inner in value.values)
        case SigmaCasedString():
            return any(_pattern(string, str).fullmatch(text(own)) is not None for string in _filled(value, placeholders))
        case SigmaString():
            return any(
                _pattern(string, fold).fullmatch(fold(text(own))) is not None for string in _filled(value, placeholders)
            )
        case SigmaBool():
            return fold(text(own)) == text(value.boolean)
        case SigmaNumber():
            return number(own) == value.number
        case SigmaRegularExpression():
            return _regex(value, placeholders).search(text(own)) is not None
        case SigmaCIDRExpression():
            return _in_network(text(own), value.network)
        case SigmaCompareExpression():
            found = number(own)
            return found is not None and _compare(value.op, found, value.number.number)
    raise TypeError(type(value))


def _keyword(value: SigmaType, word: str, placeholders: Mapping[str, Sequence[str]]) -> bool:
    match value:
        case SigmaExpansion():
            return any(_keyword(inner, word, placeholders) for inner in value.values)
        case SigmaString():
            same = str if isinstance(value, SigmaCasedString) else fold
            return any(_pattern(string, same).search(same(word)) is not None for string in _filled(value, placeholders))
        case SigmaNumber():
            return str(value.number) in word
    return _value_is(value, word, placeholders)


def fold(word: str) -> str:
    """Lower case by Unicode's simple mapping: one character for one, wherever it stands."""
    return "".join("i" if letter == "\u0130" else letter.lower() for letter in word)


def number(value: Any) -> float | None:
    if isinstance(value, bool) or not _NUMBER.fullmatch(text(value)):
        return None
    return float(text(value))


def _compare(operator: CompareOperators, left: float, right: float) -> bool:
    match operator:
        case CompareOperators.LT:
            return left < right
        case CompareOperators.LTE:
            return left <= right
        case CompareOperators.GT:
            return left > right
        case CompareOperators.GTE:
            return left >= right
    return left != right


def _filled(value: SigmaString, placeholders: Mapping[str, Sequence[str]]) -> Iterator[list[Any]]:
    """The parts of the string, once for each combination of the values of its placeholders."""
    strings: list[list[Any]] = [[]]
    for part in value.s:
        options = list(placeholders[part.name]) if isinstance(part, Placeholder) else [part]
        strings = [[*string, option] for string in strings for option in options]
    yield from strings


def _pattern(parts: Iterable[Any], same: Any) -> re.Pattern[str]:
    wild = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
    return re.compile("".join(re.escape(same(part)) if isinstance(part, str) else wild[part] for part in parts), re.DOTALL)


def _regex(value: SigmaRegularExpression, placeholders: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    """``$`` means the end of the text, as in RE2, and classes such as ``\\w`` are ASCII's."""
    pattern = ""
    for part in value.regexp.s:
        if isinstance(part, Placeholder):
            pattern += "(?:" + "|".join(map(re.escape, placeholders[part.name])) + ")"
        else:
            pattern += part if isinstance(part, str) else "*" if part is SpecialChars.WILDCARD_MULTI else "?"
    flags = re.ASCII
    if SigmaRegularExpressionFlag.MULTILINE in value.flags:
        flags |= re.MULTILINE
    else:
        pattern = re.sub(r"(?<!\\)\$", r"\\Z", pattern)
    if SigmaRegularExpressionFlag.IGNORECASE in value.flags:
        flags |= re.IGNORECASE
    if SigmaRegularExpressionFlag.DOTALL in value.flags:
        flags |= re.DOTALL
    return re.compile(pattern, flags)


def _in_network(address: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """IPv4-mapped IPv6 addresses and networks are IPv4's; a zone (``%eth0``) does not matter."""
    try:
        bare, _, zone = address.partition("%")
        found = ipaddress.ip_address(bare if ":" in bare and zone else address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        network = ipaddress.IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return found in network


def _time_part(value: Any, part: TimestampPart) -> int | None:
    """Of a time in ISO 8601 (UTC, or with an offset that is taken off), or of seconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        moment = datetime.fromtimestamp(value, UTC)
    else:
        try:
            moment = datetime.fromisoformat(text(value))
        except ValueError:
            return None
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return moment.isocalendar().week if part is TimestampPart.WEEK else int(getattr(moment, part.name.lower()))


# Correlations


@dataclass(frozen=True)
class Hit:
    """That a rule matched an event: ``rule`` is what correlations call it (name or id), ``row`` tells events apart."""

    rule: str
    time: datetime
    row: int
    event: Event
    schema: LogSchema


@dataclass(frozen=True)
class Run:
    """A maximal run of a group's events whose windows all fulfil the condition, none of them a timespan after the last.

    ``start`` and ``end`` are the times of its first and last event, ``count`` how many events lie in its windows.
    """

    group: tuple[str | None, ...]
    start: datetime
    end: datetime
    first: int
    last: int
    count: int


def correlate(correlation: SigmaCorrelationRule, hits: Sequence[Hit]) -> list[Run]:
    """Where the correlation holds. A window ends at an event and reaches back by the timespan, both ends inclusive.

    The windows of events at the same time are the same, whatever their order. Absent values of group-by fields are a
    value of their own. Only for correlations of rules, not of other correlations.
    """
    span = timedelta(seconds=correlation.timespan.seconds)
    wanted = _references(correlation)
    groups: dict[tuple[str | None, ...], list[Hit]] = {}
    for hit in sorted(hits, key=lambda hit: (hit.time, hit.row)):
        if hit.rule in wanted:
            groups.setdefault(_group(correlation, hit), []).append(hit)
    runs = []
    for group, members in groups.items():
        run: list[Hit] = []
        for end in (*members, None):
            goes_on = end and _fulfilled(correlation, [m for m in members if end.time - span <= m.time <= end.time], wanted)
            if run and not (goes_on and end and end.time - run[-1].time <= span):
                rows = {m.row for m in members if run[0].time - span <= m.time <= run[-1].time}
                runs.append(Run(group, run[0].time, run[-1].time, run[0].row, run[-1].row, len(rows)))
                run = []
            if end and goes_on:
                run.append(end)
    return sorted(runs, key=lambda run: (run.start, run.first))


def _references(correlation: SigmaCorrelationRule) -> list[str]:
    if isinstance(correlation.condition, SigmaExtendedCorrelationCondition) and correlation.rules is None:
        return correlation.condition.get_referenced_rules()
    return [reference.reference for reference in correlation.rules or []]


def _group(correlation: SigmaCorrelationRule, hit: Hit) -> tuple[str | None, ...]:
    names = []
    for name in correlation.group_by or []:
        alias = correlation.aliases.aliases.get(name)
        mapping = {reference.reference: field for reference, field in alias.mapping.items()} if alias else {}
        names.append(mapping.get(hit.rule, name))
    return tuple(field_text(hit.schema, hit.event, name) for name in names)


def _fulfilled(correlation: SigmaCorrelationRule, window: Sequence[Hit], wanted: Sequence[str]) -> bool:
    condition = correlation.condition
    seen = {hit.rule for hit in window}
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        if correlation.type is SigmaCorrelationType.TEMPORAL_ORDERED:
            return _in_order(window, wanted)
        return _present(condition.parsed, seen)
    match correlation.type:
        case SigmaCorrelationType.EVENT_COUNT:
            value: float | None = len({hit.row for hit in window})
        case SigmaCorrelationType.TEMPORAL:
            value = len(seen)
        case SigmaCorrelationType.TEMPORAL_ORDERED:
            return _in_order(window, wanted)
        case SigmaCorrelationType.VALUE_COUNT:
            names = [condition.fieldref] if isinstance(condition.fieldref, str) else condition.fieldref or []
            tuples = {tuple(field_text(hit.schema, hit.event, name) for name in names) for hit in window}
            value = sum(None not in found for found in tuples)
        case _:
            value = _statistic(correlation.type, condition, window)
    operators = {"GT": ">", "GTE": ">=", "LT": "<", "LTE": "<=", "EQ": "==", "NEQ": "!="}
    return value is not None and _operate(operators[condition.op.name], value, condition.count)


def _operate(operator: str, left: float, right: float) -> bool:
    outcomes = {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}
    return {**outcomes, "==": left == right, "!=": left != right}[operator]


def _statistic(kind: SigmaCorrelationType, condition: SigmaCorrelationCondition, window: Sequence[Hit]) -> float | None:
    name = condition.fieldref
    assert isinstance(name, str)
    found = sorted(
        value
        for hit in {hit.row: hit for hit in window}.values()
        if (shown := field_text(hit.schema, hit.event, name)) is not None and (value := number(shown)) is not None
    )
    if not found:
        return None
    match kind:
        case SigmaCorrelationType.VALUE_SUM:
            return sum(found)
        case SigmaCorrelationType.VALUE_AVG:
            return sum(found) / len(found)
        case SigmaCorrelationType.VALUE_MEDIAN:
            return median(found)
    place = (condition.percentile or 0) / 100 * (len(found) - 1)
    low = int(place)
    return found[low] + (found[min(low + 1, len(found) - 1)] - found[low]) * (place - low)


def _present(node: Any, seen: set[str]) -> bool:
    match node:
        case CorrelationConditionAND():
            return all(_present(arg, seen) for arg in node.args)
        case CorrelationConditionOR():
            return any(_present(arg, seen) for arg in node.args)
        case CorrelationConditionNOT():
            return not _present(node.args[0], seen)
        case SigmaRuleReference():
            return node.reference in seen
    raise TypeError(type(node))


def _in_order(window: Sequence[Hit], wanted: Sequence[str]) -> bool:
    """Whether each rule has an event no earlier than one of the rule before it."""
    reached: datetime | None = datetime.min.replace(tzinfo=window[0].time.tzinfo)
    for name in wanted:
        reached = min((hit.time for hit in window if hit.rule == name and reached and hit.time >= reached), default=None)
        if reached is None:
            return False
    return True


# The command line


def schema_of(rule: SigmaRule) -> tuple[LogSchema, str | None]:
    """The schema that the rule's log source names, and the SQL that limits its records."""
    source = (rule.logsource.category, rule.logsource.product, rule.logsource.service)
    for schema in SCHEMAS.values():
        for known, limit in schema.logsources.items():
            if (known.category, known.product, known.service) == source:
                return schema, limit
    raise SystemExit(f"no kind of log has the log source {source}")


def _limited(schema: LogSchema, limit: str | None, event: Event) -> bool:
    if limit is None:
        return True
    names = [name for name, kind in schema.columns.items() if kind == "VARCHAR"]
    row = ", ".join(f'?::VARCHAR AS "{name}"' for name in names)
    found = duckdb.execute(f"SELECT {limit} FROM (SELECT {row})", [event.get(name) for name in names]).fetchone()
    return bool(found and found[0])


def _time(schema: LogSchema, event: Event) -> datetime:
    for name in ("requestReceivedTimestamp", "stageTimestamp", "eventTime", "time", "start", "updatedAt", "createdAt"):
        if name in event and name in schema.columns:
            value = event[name]
            if isinstance(value, int):
                return datetime.fromtimestamp(value, UTC)
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise SystemExit("an event of a correlation has no time")


def _fires(collection: SigmaCollection, events: Sequence[Event]) -> bool:
    rules = [rule for rule in collection.rules if isinstance(rule, SigmaRule)]
    correlations = [rule for rule in collection.rules if isinstance(rule, SigmaCorrelationRule)]
    hits = []
    for row, event in enumerate(events):
        for rule in rules:
            schema, limit = schema_of(rule)
            if _limited(schema, limit, event) and matches(rule, event, schema):
                if not correlations:
                    return True
                names = {str(rule.name), str(rule.id)}
                hits += [Hit(name, _time(schema, event), row, event, schema) for name in names if name != "None"]
    return any(correlate(correlation, hits) for correlation in correlations)


def main(arguments: Sequence[str]) -> int:
    rule_file, events_file = map(Path, arguments)
    proofs = yaml.safe_load(events_file.read_text())
    failed = False
    for name, expected in (("match", True), ("near_miss", False)):
        events = proofs[name] if isinstance(proofs[name], list) else [proofs[name]]
        found = _fires(SigmaCollection.from_yaml(rule_file.read_text()), events)
        print(f"{rule_file.name}: {name} {'matches' if found else 'does not match'}{'' if found is expected else '  WRONG'}")
        failed |= found is not expected
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
