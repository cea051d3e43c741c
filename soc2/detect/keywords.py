"""Values without a field, which are found anywhere in any value of a record.

A record has many places for values and a rule may have many words, so they are not looked for one by one: words in one text
of all columns, where they cannot reach from one value into the next, and other values in a list of all values. Documents are
only taken apart when their text has a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sigma.types import SigmaCasedString, SigmaString, SigmaType, SpecialChars

from soc2.detect.fields import Many, One, every_value, literal
from soc2.detect.schema import LogSchema
from soc2.detect.values import Operand, Placeholders, Test, filled, fold, keyword

# Stands between values, and in none of the words that are looked for.
_BETWEEN = "chr(31)"
_COST = 300


def anywhere(
    values: Sequence[SigmaType], schema: LogSchema, lowered: Callable[[str], str | None], placeholders: Placeholders
) -> Test:
    """A test that holds when any value of a record matches any of the values; it is never NULL.

    Raises ``RuleError`` as ``keyword`` does.
    """
    places = list(every_value(schema))
    columns = [place for place in places if isinstance(place, One)]
    lists = [place.texts for place in places if isinstance(place, Many) and place.document is None]
    documents = [place for place in places if isinstance(place, Many) and place.document is not None]
    tests = [test for value in values for test in keyword(value, Operand.of_text("v"), placeholders)]
    exactly = " OR ".join(test.sql for test in tests) or "false"
    words = _words(values, placeholders)

    found = _some(_flat([f"[{', '.join(place.text for place in columns)}]", *lists]), exactly)
    if words is not None:
        folded = [Operand.of(place, lowered).folded for place in columns]
        folded += [f"lower(array_to_string({each}, {_BETWEEN}))" for each in lists]
        there = _some(_joined(folded), words)
        found = there if _only_words(values, placeholders) else _guarded(there, found)
    if documents:
        within = _some(_flat([place.texts for place in documents]), exactly)
        if words is not None:
            folded = [(place.path and lowered(place.path)) or f"lower({place.document})" for place in documents]
            within = _guarded(_some(_joined(folded), words), within)
        found = f"({found} OR {within})"
    return Test(found, _COST + sum(test.cost for test in tests))


def _some(texts: str, predicate: str) -> str:
    return f"soc2_some(list_transform({texts}, lambda v: {predicate}))"


def _guarded(likely: str, found: str) -> str:
    """What AND would say; CASE leaves out the second part everywhere, and AND only in filters."""
    return f"CASE WHEN {likely} THEN {found} ELSE false END"


def _flat(lists: Sequence[str]) -> str:
    return f"flatten([{', '.join(f'coalesce({each}, [])' for each in lists)}])"


def _joined(texts: Sequence[str]) -> str:
    return f"[concat_ws({_BETWEEN}, {', '.join(texts)})]"


def _words(values: Sequence[SigmaType], placeholders: Placeholders) -> str | None:
    """A predicate of a text in lower case, that holds when any of the values can be in it. None when that cannot be said
    of the text of a JSON document as well, which writes some letters otherwise."""
    found = []
    for value in values:
        if not isinstance(value, SigmaString):
            return None
        for parts in filled(value, placeholders):
            word = max((part for part in parts if isinstance(part, str)), key=len, default="")
            if not word or not all(letter.isprintable() and letter not in '"\\' for letter in word):
                return None
            found.append(f"contains(v, {literal(fold(word))})")
    return " OR ".join(found) or None


def _only_words(values: Sequence[SigmaType], placeholders: Placeholders) -> bool:
    """Whether the values are words without wildcards in them, in any case of letters."""
    for value in values:
        if not isinstance(value, SigmaString) or isinstance(value, SigmaCasedString):
            return False
        for parts in filled(value, placeholders):
            if any(part is SpecialChars.WILDCARD_SINGLE for part in parts) or sum(isinstance(part, str) for part in parts) > 1:
                return False
    return True
