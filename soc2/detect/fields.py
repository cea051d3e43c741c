"""How a field that a Sigma rule names is read from a log's columns: as SQL of its one value, or of the list of its values.

A name is a column, a dotted path into a STRUCT, or a path into a JSON column. Arrays are transparent at each step (also
written ``containers[]``, ``containers[*]``, ``containers{}``), ``containers[0]`` is one element; an array within an array is
a value. Keys that users choose may contain dots: below ``labels``, ``annotations`` and the like, the rest of a name is one
key as well as a path. What is absent, null or an empty array has no value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from soc2.detect.schema import LogSchema
from soc2.model.logs import LogKind

OPEN_KEYS = frozenset({"labels", "annotations", "extra", "matchLabels", "nodeSelector", "data", "fields", "output_fields"})
"""Objects whose keys are chosen by users, and so may contain dots."""

_EACH = re.compile(r"(\[\*?\]|\{\})$")
_INDEX = re.compile(r"(.*)\[([0-9]+)\]")
# A key that JSON writes as it is.
_PLAIN_KEY = re.compile(r"[ !#-\[\]-~]+")


class RuleError(Exception):
    """Why a rule has no meaning for these logs; ``field`` is what the rule calls the place, if any."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


@dataclass(frozen=True)
class One:
    """A field of at most one value: the SQL of it, and its DuckDB type. ``path`` names it by the columns' own names."""

    sql: str
    type: str
    path: str

    @property
    def text(self) -> str:
        if self.type == "VARCHAR":
            return self.sql
        return f"CAST({f'to_json({self.sql})' if self.type.startswith('STRUCT') else self.sql} AS VARCHAR)"

    @property
    def texts(self) -> str:
        return f"[{self.text}]"


@dataclass(frozen=True)
class Many:
    """A field of any number of values: the SQL of a list of texts, which is NULL or holds NULLs where there are none.

    ``document`` is the SQL of the JSON text that they are parts of, if they are, and ``path`` what that is called.
    """

    texts: str
    document: str | None = None
    path: str | None = None


Access = One | Many


def literal(value: str) -> str:
    """A text in SQL.

    Raises ``RuleError`` for what is no Unicode text (half of a surrogate pair).
    """
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RuleError("a value is no valid Unicode text") from error
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split("\0")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(0) || ".join(parts) + ")"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def resolve(schema: LogSchema, name: str) -> Access:
    """How to read the field.

    Raises ``RuleError`` when this kind of log has no such field.
    """
    found = _find(schema, name)
    if found is None:
        raise RuleError(f"logs of {schema.kind} have no such field", name)
    column, rest = found
    return _walk(_Place(identifier(column), schema.columns[column], column, name), rest)


def field_sql(schema: LogSchema, name: str) -> str:
    """SQL of the field as one text, for reports and groups: several values with a comma between them, NULL for none."""
    access = resolve(schema, name)
    return access.text if isinstance(access, One) else f"soc2_joined({access.texts})"


def every_value(schema: LogSchema) -> Iterator[Access]:
    """Each place of a record that holds values."""
    for column, kind in schema.columns.items():
        yield from _scalars(One(identifier(column), kind, column))


def _scalars(place: One) -> Iterator[Access]:
    if place.type == "JSON":
        yield Many(f"soc2_leaves({place.sql})", f"CAST({place.sql} AS VARCHAR)", place.path)
    elif place.type.startswith("STRUCT") and not place.type.endswith("[]"):
        for name, kind in _members(place.type).items():
            yield from _scalars(One(f"struct_extract({place.sql}, {literal(name)})", kind, f"{place.path}.{name}"))
    elif place.type == "VARCHAR[]":
        yield Many(place.sql)
    elif place.type.endswith("[]") or place.type.startswith("MAP"):
        yield Many(f"soc2_leaves(to_json({place.sql}))")
    else:
        yield place


# Which column a name begins with


def _find(schema: LogSchema, name: str) -> tuple[str, str] | None:
    """The column, and the rest of the name."""
    columns = schema.columns
    if direct := _longest_column(columns, name):
        return direct
    if name in schema.aliases:
        return _find(schema, schema.aliases[name])
    for prefix, full in schema.aliases.items():
        if prefix.endswith(".") and name.startswith(prefix):
            return _find(schema, full + name.removeprefix(prefix))
    if schema.kind is LogKind.AUDITD and name.isupper():
        return "fields", name  # the interpreted twin of a column, never the column itself
    head, _, rest = name.partition(".")
    column = only_alike(columns, head)
    if column is not None and (not rest or _nested(columns[column])):
        return column, rest
    alias = only_alike(schema.aliases, name)
    if alias is not None:
        return _find(schema, schema.aliases[alias])
    return ("fields", name) if "fields" in columns else None


def _longest_column(columns: Mapping[str, str], name: str) -> tuple[str, str] | None:
    for whole in (name, _EACH.sub("", name)):
        if whole in columns:
            return whole, ""
    for column in sorted(columns, key=len, reverse=True):
        if name.startswith(column) and _nested(columns[column]):
            rest = re.sub(r"^(\[\*?\]|\{\})", "", name.removeprefix(column))
            if rest[:1] in {".", "["}:
                return column, rest.removeprefix(".")
    return None


def only_alike(names: Iterable[str], name: str) -> str | None:
    """The name that differs only in case, when there is just one."""
    alike = [known for known in names if known.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def _nested(kind: str) -> bool:
    return kind == "JSON" or kind.startswith(("STRUCT", "MAP")) or kind.endswith("[]")


# The way into a column


@dataclass(frozen=True)
class _Place(One):
    """Where the walk is; ``name`` is the whole name that the rule uses."""

    name: str
    depth: int = 0


def _walk(place: _Place, rest: str) -> Access:
    kind = place.type
    if kind == "JSON":
        return Many(_json(place, rest), *((f"CAST({place.sql} AS VARCHAR)", place.path) if not place.depth else ()))
    if kind.endswith("[]"):
        return _elements(place, rest)
    if not rest:
        return One(place.sql, kind, place.path)
    if kind.startswith("MAP"):
        return One(f"{place.sql}[{literal(rest)}]", kind.rpartition(",")[2].removesuffix(")").strip(), f"{place.path}.{rest}")
    if kind.startswith("STRUCT"):
        head, _, rest = rest.partition(".")
        key = _EACH.sub("", head)
        if index := _INDEX.fullmatch(head):
            key, rest = index[1], f"[{index[2]}]" + (f".{rest}" if rest else "")
        members = _members(kind)
        member = key if key in members else only_alike(members, key)
        if member is not None:
            sql = f"struct_extract({place.sql}, {literal(member)})"
            return _walk(replace(place, sql=sql, type=members[member], path=f"{place.path}.{member}"), rest)
    raise RuleError(f"{place.path} has no such part", place.name)


def _elements(place: _Place, rest: str) -> Many:
    element = place.type.removesuffix("[]")
    if index := re.match(r"\[([0-9]+)\]\.?", rest):
        sql = f"{place.sql}[{int(index[1]) + 1}]"
        found = _walk(replace(place, sql=sql, type=element), rest.removeprefix(index[0]))
        return Many(found.texts)
    if element == "VARCHAR" and not rest:
        return Many(place.sql)
    name = f"e{place.depth}"
    found = _walk(replace(place, sql=name, type=element, depth=place.depth + 1), rest)
    if isinstance(found, One):
        return Many(f"list_transform({place.sql}, lambda {name}: {found.text})")
    return Many(f"flatten(list_transform({place.sql}, lambda {name}: {found.texts}))")


def _members(kind: str) -> dict[str, str]:
    """The fields of a STRUCT type, and their types."""
    members: dict[str, str] = {}
    depth, start = 0, len("STRUCT(")
    inner = kind[: kind.rindex(")")] + ","
    for position in range(start, len(inner)):
        letter = inner[position]
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            name, _, member = inner[start:position].strip().partition(" ")
            members[name.strip('"')] = member
            start = position + 1
    return members


# The way into JSON


def _json(place: _Place, rest: str) -> str:
    paths = _splits(rest, open_keys=place.path.rpartition(".")[2] in OPEN_KEYS)
    texts = [_json_path(place.sql, path) for path in paths]
    return texts[0] if len(texts) == 1 else " || ".join(f"coalesce({found}, [])" for found in texts)


def _splits(rest: str, *, open_keys: bool) -> list[list[str]]:
    """The ways to read a dotted name as keys."""
    head, dot, tail = rest.partition(".")
    if not dot:
        return [[rest]] if rest else [[]]
    paths = [[head, *path] for path in _splits(tail, open_keys=_EACH.sub("", head) in OPEN_KEYS)]
    return [[rest], *paths] if open_keys else paths


def _json_path(document: str, keys: list[str]) -> str:
    """The texts at a path. Most often there is no array on the way, which is tried first; most often there is nothing,
    which the text of the document shows (DuckDB writes plain keys as they are). Looking for text is far cheaper than
    parsing a document, which each step of the way does again."""
    steps = [_step(key) for key in keys]
    if not steps:
        return f"soc2_texts(soc2_spread([{document}]))"
    straight = f"json_extract({document}, {literal('$' + ''.join(steps))})"
    through = f"soc2_spread([{document}])"
    for step in steps:
        through = f"soc2_step({through}, {literal('$' + step)})"
    found = f"soc2_texts(CASE WHEN {straight} IS NOT NULL THEN soc2_spread([{straight}]) ELSE {through} END)"
    plain = [key for key in (_INDEX.sub(r"\1", _EACH.sub("", key)) for key in reversed(keys)) if _PLAIN_KEY.fullmatch(key)]
    if not plain:
        return found
    written = (literal(f'"{key}"') for key in dict.fromkeys(plain))
    there = " AND ".join(f"contains(CAST({document} AS VARCHAR), {key})" for key in written)
    return f"CASE WHEN {there} THEN {found} END"


def _step(key: str) -> str:
    index = _INDEX.fullmatch(key)
    bare = index[1] if index else _EACH.sub("", key)
    quoted = bare.replace("\\", "\\\\").replace('"', '\\"')
    return (f'."{quoted}"' if quoted else "") + (f"[{index[2]}]" if index else "")
