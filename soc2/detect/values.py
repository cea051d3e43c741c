"""Values of Sigma rules as SQL predicates of one value of a field. A predicate of NULL is NULL or false."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from soc2.detect.fields import One, RuleError, literal
from soc2.detect.regex import check

_EXACT = 2**53  # up to here a DOUBLE holds every integer
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_NUMBERS = _INTEGERS | {"DOUBLE", "FLOAT"}
_OPERATORS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "!=",
}
Placeholders = Mapping[str, Sequence[str]]
"""The values that ``%name%`` stands for in values with the modifier ``expand``."""


@dataclass(frozen=True)
class Operand:
    """One value, in SQL: as text, as text in lower case, and as a number (NULL when it is none)."""

    text: str
    folded: str
    number: str

    @classmethod
    def of_text(cls, sql: str) -> Operand:
        return cls(sql, f"lower({sql})", f"soc2_number({sql})")

    @classmethod
    def of(cls, place: One, lowered: Callable[[str], str | None]) -> Operand:
        if place.type in _NUMBERS:
            return cls(place.text, f"lower({place.text})", place.sql)
        if place.type == "BOOLEAN":
            return cls(place.text, place.text, "CAST(NULL AS DOUBLE)")
        # Elements of lists, which a lambda names, have no copy.
        own = place.sql.removeprefix("struct_extract(" * place.path.count(".")).startswith('"')
        folded = lowered(place.path) if place.type == "VARCHAR" and own else None
        return cls(place.text, folded or f"lower({place.text})", f"soc2_number({place.text})")


@dataclass(frozen=True)
class Test:
    """A predicate, and roughly what it costs. ``equal`` is set when it is ``left = right``, so that several become IN;
    ``network`` when it is ``address`` and BETWEEN, so that several read the address once, with what is cheap to ask before.
    ``parts`` are the tests that it joins by AND. A ``hint`` is a cheaper predicate that holds wherever the test does; it is
    to be asked first."""

    sql: str
    cost: int
    equal: tuple[str, str] | None = None
    network: tuple[str, str, str] | None = None
    parts: tuple[Test, ...] = ()
    hint: str | None = None

    @property
    def whole(self) -> str:
        """The SQL with the hint before it."""
        return f"({self.hint} AND {self.sql})" if self.hint else self.sql


def predicate(value: SigmaType, operand: Operand, placeholders: Placeholders) -> list[Test]:
    """Tests of which one must hold. All but NULL, existence, references to fields and parts of times.

    Raises ``RuleError`` for a placeholder without values and a regular expression that RE2 cannot do.
    """
    match value:
        case SigmaString():
            return [
                _matches(parts, operand, cased=isinstance(value, SigmaCasedString)) for parts in filled(value, placeholders)
            ]
        case SigmaBool():
            return [_equal(operand.folded, literal("true" if value.boolean else "false"))]
        case SigmaNumber():
            return [_number(value.number, operand)]
        case SigmaCompareExpression():
            return [Test(f"{operand.number} {_OPERATORS[value.op]} {_written(value.number.number)}", 8)]
        case SigmaRegularExpression():
            return [Test(f"regexp_matches({operand.text}, {literal(_regex(value, placeholders))})", 20)]
        case SigmaCIDRExpression():
            return [_network(value.network, operand.text)]
    raise RuleError(f"values of this kind ({type(value).__name__.removeprefix('Sigma')}) are not supported")


def keyword(value: SigmaType, operand: Operand, placeholders: Placeholders) -> list[Test]:
    """Like ``predicate``, for values without a field: a text or number is found anywhere in the operand."""
    if isinstance(value, SigmaNumber):
        return [Test(f"contains({operand.text}, {literal(str(value.number))})", 5)]
    if isinstance(value, SigmaString):
        anything = SpecialChars.WILDCARD_MULTI
        cased = isinstance(value, SigmaCasedString)
        return [_matches([anything, *parts, anything], operand, cased=cased) for parts in filled(value, placeholders)]
    return predicate(value, operand, placeholders)


Parts = list[str | SpecialChars]


def filled(value: SigmaString, placeholders: Placeholders) -> list[Parts]:
    """The parts of a text, once for each combination of the values of its placeholders."""
    options = [list(_values_of(part, placeholders)) if isinstance(part, Placeholder) else [part] for part in value.s]
    return [list(parts) for parts in product(*options)]


def _values_of(placeholder: Placeholder, placeholders: Placeholders) -> Sequence[str]:
    values = placeholders.get(placeholder.name)
    if values is None:
        raise RuleError(f"nothing is declared for the placeholder %{placeholder.name}%")
    return values


def fold(text: str) -> str:
    """Lower case as DuckDB makes it: Unicode's simple mapping, one character for one."""
    return "".join("i" if letter == "\u0130" else letter.lower() for letter in text)


def _matches(parts: Parts, operand: Operand, *, cased: bool) -> Test:
    multi, single = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE
    merged: Parts = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part and not (part is multi and merged and merged[-1] is multi):
            merged.append(part)
    plain = "".join(part for part in merged if isinstance(part, str))
    # Where there are no letters, their case does not matter either.
    cased = cased or plain.lower() == plain.upper()
    text = operand.text if cased else operand.folded
    merged = [part if cased or isinstance(part, SpecialChars) else fold(part) for part in merged]
    match merged:
        case []:
            return _equal(text, "''")
        case [str(word)]:
            return _equal(text, literal(word))
        case [SpecialChars.WILDCARD_MULTI]:
            return Test(f"{operand.text} IS NOT NULL", 1)
        case [str(word), SpecialChars.WILDCARD_MULTI]:
            return Test(f"starts_with({text}, {literal(word)})", 3)
        case [SpecialChars.WILDCARD_MULTI, str(word)]:
            return Test(f"ends_with({text}, {literal(word)})", 3)
        case [SpecialChars.WILDCARD_MULTI, str(word), SpecialChars.WILDCARD_MULTI]:
            return Test(f"contains({text}, {literal(word)})", 5)
    wild = {multi: "%", single: "_"}
    pattern = "".join(wild[part] if isinstance(part, SpecialChars) else _unlike(part) for part in merged)
    return Test(f"{text} LIKE {literal(pattern)} ESCAPE '\\'", 7)


def _unlike(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _equal(left: str, right: str) -> Test:
    return Test(f"{left} = {right}", 1, equal=(left, right))


def _number(number: int | float, operand: Operand) -> Test:
    if isinstance(number, int) and abs(number) > _EXACT:
        return _equal(operand.text, literal(str(number)))
    return _equal(operand.number, _written(number))


def _written(number: int | float) -> str:
    """A number in SQL, which knows no integers of any size."""
    return repr(number if isinstance(number, float) or abs(number) < 2**63 else float(number))


def _regex(value: SigmaRegularExpression, placeholders: Placeholders) -> str:
    pattern = ""
    for part in value.regexp.s:
        if isinstance(part, Placeholder):
            pattern += "(?:" + "|".join(map(_quoted, _values_of(part, placeholders))) + ")"
        elif isinstance(part, SpecialChars):
            pattern += "*" if part is SpecialChars.WILDCARD_MULTI else "?"
        else:
            pattern += part
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    whole = f"(?{flags})" + pattern if flags else pattern
    check(whole)
    return whole


def _quoted(text: str) -> str:
    return "".join(letter if letter.isalnum() or ord(letter) > 127 else "\\" + letter for letter in text)


def _network(network: ipaddress.IPv4Network | ipaddress.IPv6Network, text: str) -> Test:
    """IPv6 networks of mapped IPv4 addresses are networks of these; other IPv6 networks hold no IPv4 address."""
    low, high = int(network.network_address), int(network.broadcast_address)
    colon = f"contains({text}, ':')"
    if isinstance(network, ipaddress.IPv6Network):
        if network.prefixlen < 96 or network.network_address.ipv4_mapped is None:
            return _within(f"soc2_ip6({text})", f"BETWEEN CAST('{low}' AS UHUGEINT) AND CAST('{high}' AS UHUGEINT)", colon)
        return _network(ipaddress.IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96)), text)
    # An address of version 4 begins with the whole octets of its network; numbers in octets have no zeros before them.
    octets = str(network.network_address).split(".")[: network.prefixlen // 8]
    begins = "".join(f"{octet}." for octet in octets) if len(octets) < 4 else ".".join(octets)
    return _within(f"soc2_ip4({text})", f"BETWEEN {low} AND {high}", f"starts_with({text}, {literal(begins)}) OR {colon}")


def _within(address: str, between: str, likely: str) -> Test:
    return Test(f"{address} {between}", 30, network=(address, between, likely))
