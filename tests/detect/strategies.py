"""Rules and events of the kind that shows differences: few names and few letters, chosen to be confused."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# Letters of both cases, some beyond ASCII, what LIKE and Sigma treat as wildcards, escapes, quotes and line breaks.
_LETTERS = "aAbB%_*?\\'\"-/ .,[]{}:1é\u0130\u0131\u03c3\u03a3\u03c2ß\n"
_plain = st.text(st.sampled_from(_LETTERS), max_size=5)
_words = st.sampled_from(
    [
        "",
        "a",
        "A",
        "ab",
        "a_b",
        "a%b",
        "a*b",
        "axb",
        "axbb",
        "Ax",
        "\u03a3",
        "\u03c2",
        "\u0130",
        "1",
        "10",
        "1.5",
        "-1",
        "true",
        "a b",
        "a\nb",
    ]
)
texts = _words | _plain
# What has the same text in Python's JSON and in DuckDB's.
numbers = st.sampled_from([0, 1, -1, 10, 403, 0.5, 1.5, 2**53])
_scalars = texts | numbers | st.booleans() | st.none()
_keys = st.sampled_from(["a", "b", "labels", "a.b"])
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3), max_leaves=6
)

_ADDRESSES = ["10.0.0.1", "10.0.1.1", "::ffff:10.0.0.1", "2001:db8::1", "::1", "10.0.0", "fe80::1%a", "1::2::3", "::ffff:1"]
_NETWORKS = ["10.0.0.0/24", "10.0.0.0/15", "0.0.0.0/0", "::/0", "2001:db8::/32", "::ffff:10.0.0.0/120", "::1/128"]

events = st.fixed_dictionaries(
    {},
    optional={
        "verb": texts,
        "level": texts,
        "user": st.fixed_dictionaries({}, optional={"username": texts, "groups": st.lists(texts, max_size=3)}),
        "responseStatus": st.fixed_dictionaries({"code": st.sampled_from([None, 0, 1, 10, 403])}),
        "sourceIPs": st.lists(st.sampled_from(_ADDRESSES), max_size=2),
        "requestObject": st.dictionaries(_keys, _json, max_size=3) | _json,
        "annotations": st.dictionaries(_keys, texts, max_size=2),
    },
)
"""Kubernetes audit events, as far as the types of their fields go."""

fields = st.sampled_from(
    [
        "verb",
        "level",
        "user.username",
        "user.groups",
        "responseStatus.code",
        "annotations.a.b",
        "annotations.a",
        "requestObject",
    ]
    + [f"requestObject.{path}" for path in ("a", "a.b", "b.a.b", "labels.a.b", "labels.a", "a[].b", "a[0]", "b[1].a")]
)
# Backslashes before wildcards escape them; half of them by chance.
_patterns = st.lists(texts | st.sampled_from(["*", "?", "\\*", "\\?", "\\\\"]), max_size=3).map("".join) | st.sampled_from(
    ["a_b?", "*_b*b", "?_b", "a%?", "?%b", "a\\*?", "A?b*", "*a_*", "*%*b", "a?b\\"]
)
_expressions = st.sampled_from(
    ["a", "^a", "b$", "a.b", "[aA]b?", "a|b", "", "^$", "a{2}", "\\.", "^.{2}$", "(a)(b)?", "\\w+", "[^a]$"]
)


def _listed(values: st.SearchStrategy[Any], minimum: int = 1) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=minimum, max_size=3)


def _named(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


_shapes = st.sampled_from(["", "|contains", "|startswith", "|endswith"])
_cased = st.sampled_from(["", "", "|cased"])
_linked = st.sampled_from(["", "", "|all", "|neq", "|all|neq"])
_compared = st.sampled_from(["|gt", "|gte", "|lt", "|lte"])
_flags = st.sampled_from(["", "|i", "|m", "|s", "|i|m|s"])
_negated = st.sampled_from(["", "|neq"])


def _shared_items(names: st.SearchStrategy[str], patterns: st.SearchStrategy[str]) -> list[st.SearchStrategy[tuple[str, Any]]]:
    return [
        st.tuples(_named(names, _shapes, _cased, _linked), _listed(patterns)),
        st.tuples(_named(names, st.just("|re"), _flags, st.sampled_from(["", "|all", "|neq"])), _listed(_expressions)),
        st.tuples(_named(names, st.just("|exists")), st.booleans()),
        st.tuples(_named(names, st.just("|fieldref"), _shapes, _negated), names),
        st.tuples(_named(names, st.just("|windash|contains")), st.sampled_from(["-a", "/a", " -a-b"])),
        st.tuples(_named(names, st.just("|base64offset|contains")), st.sampled_from(["a", "ab"])),
    ]


def _items(names: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, Any]]:
    networks = _listed(st.sampled_from(_NETWORKS))
    return st.one_of(
        *_shared_items(names, _patterns),
        st.tuples(_named(names, _negated), _listed(_scalars)),
        st.tuples(_named(names, _compared), numbers),
        st.tuples(_named(st.just("sourceIPs|cidr"), st.sampled_from(["", "|all", "|neq"])), networks),
    )


def _flat_items(names: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.one_of(
        *_shared_items(names, _patterns.filter(str.isascii)),
        st.tuples(_named(names, _negated), _listed(st.none() | _patterns.filter(str.isascii))),
        st.tuples(_named(st.just("n"), _negated), _listed(st.none() | st.integers(-1, 12))),
        st.tuples(_named(st.just("n"), _compared), st.integers(-1, 12) | st.just(1.5)),
    )


def _keywords() -> st.SearchStrategy[Any]:
    words = (_patterns | numbers.filter(lambda number: isinstance(number, int))).filter(lambda word: word != "")
    return st.lists(words, min_size=1, max_size=3) | st.fixed_dictionaries(
        {"|all": st.lists(_patterns.filter(bool), min_size=1, max_size=2)}
    )


_CONDITIONS = [
    "a", "not a", "a and b", "a or b", "a and not b", "not (a or b)", "not (a and not b)", "a or not b", "1 of them",
    "all of them", "not 1 of them", "not (not a or b)",
]  # fmt: skip


def detections(names: st.SearchStrategy[str] = fields, *, flat: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Detections of two selections and a condition over them."""
    mappings = st.lists(_flat_items(names) if flat else _items(names), min_size=1, max_size=2).map(dict)
    selection = st.one_of(mappings, mappings, st.lists(mappings, min_size=1, max_size=2), *([] if flat else [_keywords()]))
    return st.fixed_dictionaries({"a": selection, "b": selection, "condition": st.sampled_from(_CONDITIONS)})


_ascii = texts.filter(str.isascii)
flat_events = st.fixed_dictionaries(
    {"a": _ascii | st.none(), "b": _ascii | st.none(), "n": st.none() | st.integers(-1, 12)},
)
"""For an implementation that knows only columns."""

flat_detections = detections(st.sampled_from(["a", "b"]), flat=True)
