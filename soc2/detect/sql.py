"""Sigma rules as SQL predicates over the columns of a kind of log.

A predicate is never NULL, so that NOT keeps records where a field is absent. It is a tree of AND and OR alone, whose
leaves are negated, because DuckDB stops early within these when it filters; parts of AND and OR stand cheapest first. The
predicates are written in the macros of ``soc2/detect/macros.py``, which the connection must know.

Letter case is folded by Unicode's simple lower-case mapping, which is DuckDB's ``lower``; references to other fields compare
without regard to it too. Regular expressions are RE2's and match anywhere in a text. Values without a field are found
anywhere in any value of the record. Numbers match texts that JSON would read as that number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.types import (
    SigmaBool,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
)

from soc2.detect.fields import Access, Many, One, RuleError, field_sql, literal, resolve
from soc2.detect.keywords import anywhere
from soc2.detect.schema import LogSchema
from soc2.detect.values import Operand, Placeholders, Test, filled, fold, predicate

__all__ = ["CompiledRule", "RuleError", "compile_rule", "field_sql"]

_LIST_COST = 50  # of looking at the values of a list, compared to a comparison of a column
_JSON_COST = 200
_FALSE = Test("false", 0)
_TRUE = Test("true", 0)


@dataclass(frozen=True)
class CompiledRule:
    """``parts`` are the predicates that must all hold, cheapest first; ``fields`` are the fields that the rule names, with
    the SQL of each as a text."""

    parts: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]

    @property
    def where(self) -> str:
        """The predicate."""
        return "(" + " AND ".join(self.parts) + ")"


def any_of(rules: Sequence[Sequence[str]]) -> str:
    """The predicate that any of several rules holds, which are given by their parts.

    What many rules ask is asked once, before the rest of each: most records fail at one of the first few questions.
    """
    asked = Counter(part for parts in rules for part in dict.fromkeys(parts))
    if any(not parts for parts in rules):
        return "true"
    part, count = asked.most_common(1)[0] if asked else ("", 0)
    if count < 2:
        return " OR ".join("(" + " AND ".join(parts) + ")" for parts in rules) or "false"
    rest = [[other for other in parts if other != part] for parts in rules if part in parts]
    others = [parts for parts in rules if part not in parts]
    shared = f"({part} AND ({any_of(rest)}))"
    return f"{shared} OR {any_of(others)}" if others else shared


def compile_rule(
    rule: SigmaRule,
    schema: LogSchema,
    *,
    lowered: Callable[[str], str | None] = lambda _: None,
    placeholders: Placeholders | None = None,
) -> CompiledRule:
    """The rule in SQL. What the rule's log source limits records to is not part of it.

    ``lowered`` gives the SQL of a lower-cased copy of a text column, or None where there is none. ``placeholders`` are the
    values for the modifier ``expand``.

    Raises ``RuleError``, which names the field, for what has no meaning for this kind of log.
    """
    compiler = _Compiler(schema, lowered, placeholders or {})
    try:
        conditions = [condition.parsed for condition in rule.detection.parsed_condition]
    except SigmaError as error:
        raise RuleError(str(error), "condition") from error
    tests = [compiler.compile(condition, negated=False) for condition in conditions]
    test = _any(tests)
    return CompiledRule(tuple(part.whole for part in test.parts or (test,)), tuple(compiler.named.items()))


@dataclass
class _Compiler:
    schema: LogSchema
    lowered: Callable[[str], str | None]
    placeholders: Placeholders
    named: dict[str, str] = field(default_factory=dict)

    def compile(self, node: Any, *, negated: bool) -> Test:
        match node:
            case ConditionNOT():
                return self.compile(node.args[0], negated=not negated)
            case ConditionAND():
                tests = [self.compile(arg, negated=negated) for arg in node.args]
                return _any(tests) if negated else _all(tests)
            case ConditionOR():
                tests = list(self._alternatives(node.args, negated=negated))
                return _all(tests) if negated else _any(tests)
            case ConditionFieldEqualsValueExpression():
                return self._field(node.field, [node.value], negated=negated)
            case ConditionValueExpression():
                return self._keywords([node.value], negated=negated)
        raise RuleError("the condition is empty", "condition")

    def _alternatives(self, nodes: Sequence[Any], *, negated: bool) -> Iterator[Test]:
        """Alternatives for one field are looked at together, so that lists are gone through once."""

        def about(node: Any) -> str:
            match node:
                case ConditionFieldEqualsValueExpression():
                    return f"field {node.field}"
                case ConditionValueExpression():
                    return "keywords"
            return ""

        for subject, group in groupby(nodes, about):
            members = list(group)
            if subject == "keywords":
                yield self._keywords([node.value for node in members], negated=negated)
            elif subject:
                yield self._field(members[0].field, [node.value for node in members], negated=negated)
            else:
                for node in members:
                    yield self.compile(node, negated=negated)

    def _field(self, name: str, values: Sequence[SigmaType], *, negated: bool) -> Test:
        access = self._resolve(name)
        tests, plain = [], []
        try:
            for value in _expanded(values):
                match value:
                    case SigmaNull():
                        tests.append(_exists(access, negated=not negated))
                    case SigmaExists():
                        tests.append(_exists(access, negated=negated is value.exists))
                    case SigmaFieldReference():
                        tests.append(_sure(_reference(access, self._resolve(value.field), value), negated=negated))
                    case SigmaTimestampPart():
                        tests.append(_sure(_time_part(access, value), negated=negated))
                    case _:
                        plain.append(value)
            if plain:
                tests += self._plain(access, plain, negated=negated)
        except RuleError as error:
            raise RuleError(error.message, error.field or name) from error
        return _all(tests) if negated else _any(tests)

    def _plain(self, access: Access, values: Sequence[SigmaType], *, negated: bool) -> list[Test]:
        if isinstance(access, One):
            operand = Operand.of(access, self.lowered)
            tests = _together([test for value in values for test in predicate(value, operand, self.placeholders)])
            return [_sure(test, negated=negated) for test in tests]
        operand = Operand.of_text("v")
        tests = _together([test for value in values for test in predicate(value, operand, self.placeholders)])
        if not tests:  # a placeholder of no values
            return [_sure(_FALSE, negated=negated)]
        some = f"soc2_some(list_transform({access.texts}, lambda v: {' OR '.join(test.sql for test in tests)}))"
        return [self._if_there(Test(some, _cost(access) + sum(test.cost for test in tests)), values, access, negated=negated)]

    def _keywords(self, values: Sequence[SigmaType], *, negated: bool) -> Test:
        try:
            found = anywhere(list(_expanded(values)), self.schema, self.lowered, self.placeholders)
        except RuleError as error:
            raise RuleError(error.message, error.field or "keywords") from error
        return Test(f"NOT {found.sql}" if negated else found.sql, found.cost)

    def _if_there(self, some: Test, values: Sequence[SigmaType], access: Many, *, negated: bool) -> Test:
        """The test, made only where the text of the document shows that it can hold."""
        hint = self._hint(values, access)
        if negated:
            return Test(f"(NOT ({hint}) OR NOT {some.sql})" if hint else f"NOT {some.sql}", some.cost)
        return Test(some.sql, some.cost, hint=f"({hint})" if hint else None)

    def _hint(self, values: Sequence[SigmaType], access: Many) -> str | None:
        """A cheap predicate of the JSON text of a record's part, that holds when any of the values can be in it."""
        if access.document is None or access.path is None:
            return None
        document = self.lowered(access.path) or f"lower({access.document})"
        found = []
        for value in values:
            if isinstance(value, SigmaBool):
                found.append(f"coalesce(contains({document}, {literal(str(value.boolean).lower())}), false)")
                continue
            if not isinstance(value, SigmaString):
                return None
            for parts in filled(value, self.placeholders):
                word = max((part for part in parts if isinstance(part, str)), key=len, default="")
                if not word or not all(letter.isprintable() and letter not in '"\\' for letter in word):
                    return None
                found.append(f"coalesce(contains({document}, {literal(fold(word))}), false)")
        return " OR ".join(found) or None

    def _resolve(self, name: str) -> Access:
        access = resolve(self.schema, name)
        self.named.setdefault(name, field_sql(self.schema, name))
        return access


def _expanded(values: Sequence[SigmaType]) -> Iterator[SigmaType]:
    for value in values:
        if isinstance(value, SigmaExpansion):
            yield from _expanded(value.values)
        else:
            yield value


# Tests of a whole field


def _cost(access: Many) -> int:
    return _JSON_COST if "json" in access.texts or "soc2_" in access.texts else _LIST_COST


def _exists(access: Access, *, negated: bool) -> Test:
    if isinstance(access, One):
        return Test(f"{access.sql} IS {'' if negated else 'NOT '}NULL", 1)
    count = f"coalesce(len(list_filter({access.texts}, lambda v: v IS NOT NULL)), 0)"
    return Test(f"{count} {'=' if negated else '>'} 0", _cost(access))


def _reference(left: Access, right: Access, reference: SigmaFieldReference) -> Test:
    def compare(own: str, other: str) -> str:
        own, other = f"lower({own})", f"lower({other})"
        if reference.starts_with and reference.ends_with:
            return f"contains({own}, {other})"
        if reference.starts_with:
            return f"starts_with({own}, {other})"
        return f"ends_with({own}, {other})" if reference.ends_with else f"{own} = {other}"

    if isinstance(left, One) and isinstance(right, One):
        return Test(compare(left.text, right.text), 6)
    inner = f"soc2_some(list_transform({right.texts}, lambda w: {compare('v', 'w')}))"
    return Test(f"soc2_some(list_transform({left.texts}, lambda v: {inner}))", 2 * _JSON_COST)


def _time_part(access: Access, value: SigmaTimestampPart) -> Test:
    part = value.timestamp_part.name.lower()
    if isinstance(access, One) and access.type in {"BIGINT", "INTEGER", "DOUBLE"}:
        return Test(f"date_part('{part}', soc2_seconds({access.sql})) = {value.number}", 10)
    if isinstance(access, One):
        return Test(f"date_part('{part}', soc2_time({access.text})) = {value.number}", 25)
    test = f"date_part('{part}', soc2_time(v)) = {value.number}"
    return Test(f"soc2_some(list_transform({access.texts}, lambda v: {test}))", _cost(access))


# Tests together


def _together(tests: Sequence[Test]) -> list[Test]:
    """Equalities of one thing become one IN, and networks of one address ask for it once."""
    equal: dict[str, list[str]] = {}
    networks: dict[str, list[tuple[str, str]]] = {}
    others = []
    for test in tests:
        if test.equal:
            equal.setdefault(test.equal[0], []).append(test.equal[1])
        elif test.network:
            networks.setdefault(test.network[0], []).append(test.network[1:])
        else:
            others.append(test)
    joined = [
        Test(f"{left} = {rights[0]}", 1, (left, rights[0]))
        if len(rights) == 1
        else Test(f"{left} IN ({', '.join(dict.fromkeys(rights))})", 1 + len(rights) // 4)
        for left, rights in equal.items()
    ]
    for address, ranges in networks.items():
        likely = " OR ".join(dict.fromkeys(likely for _, likely in ranges))
        inside = " OR ".join(f"n {between}" for between, _ in ranges)
        found = f"CASE WHEN {likely} THEN list_transform([{address}], lambda n: {inside})[1] END"
        others.append(Test(found, 12 + len(ranges)))
    return sorted(joined + others, key=lambda test: test.cost)


def _sure(test: Test, *, negated: bool) -> Test:
    """The test without a third value."""
    if test.equal:
        left, right = test.equal
        return Test(f"{left} IS {'' if negated else 'NOT '}DISTINCT FROM {right}", test.cost)
    sql = test.sql if test in (_TRUE, _FALSE) or test.sql.endswith(" IS NOT NULL") else f"coalesce({test.sql}, false)"
    return Test(f"NOT {sql}" if negated else sql, test.cost)


def _all(tests: Sequence[Test]) -> Test:
    parts = [part for test in tests for part in test.parts or (test,)]
    return _joined(parts, " AND ", _TRUE)


def _any(tests: Sequence[Test]) -> Test:
    """Tests with the same hint, which are about parts of one document, ask for it once."""
    hinted: dict[str | None, list[Test]] = {}
    for test in tests:
        hinted.setdefault(test.hint, []).append(test)
    together = [
        replace(_joined([replace(test, hint=None) for test in same], " OR ", _FALSE), hint=hint)
        for hint, same in hinted.items()
        if hint
    ]
    return _joined([*hinted.get(None, []), *together], " OR ", _FALSE)


def _joined(tests: Sequence[Test], word: str, neutral: Test) -> Test:
    """Cheapest first. The cost of the whole is that of the first part, which decides most often, and a share of the rest."""
    if not tests:
        return neutral
    if len(tests) == 1:
        return tests[0]
    ordered = sorted(tests, key=lambda test: test.cost)
    cost = ordered[0].cost + sum(test.cost for test in ordered[1:]) // 4
    sql = "(" + word.join(test.whole for test in ordered) + ")"
    return Test(sql, cost, parts=tuple(ordered) if word == " AND " else ())
