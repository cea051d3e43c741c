"""Reads manifests: files of YAML or JSON become documents with their place, and what cannot be read becomes Broken."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STANDARD_INPUT = "-"
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_SEPARATOR = re.compile(r"^---(?=\s|$)[ \t]*", re.M)
_DIRECTIVE = re.compile(r"^%.*$", re.M)
_STATED_KIND = re.compile(r"""^kind:\s*["']?([A-Za-z]+)["']?\s*(?:#.*)?$""", re.M)
_JSON_ITEMS = re.compile(r'"items"\s*:\s*\[')
_JSON_SPACE = re.compile(r"[\s,]*")
_MERGE = "tag:yaml.org,2002:merge"
_STRING = "tag:yaml.org,2002:str"
# More values than any object that an API server takes (1.5 MB): only aliases that multiply themselves come there.
_MOST_VALUES = 500_000
_DEEPEST = 200


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: without the dates, the base-60 numbers and the value key of YAML 1.1."""

    yaml_implicit_resolvers = {}


for _tag, _pattern, _first in (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


@dataclass(frozen=True)
class Document:
    """One object: its content as kubectl sends it, and the file and line (from 1) where it begins."""

    content: dict[str, Any]
    file: str
    line: int

    @property
    def kind(self) -> str:
        return str(self.content["kind"])

    @property
    def group(self) -> str:
        return str(self.content["apiVersion"]).rpartition("/")[0]

    @property
    def type(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


@dataclass(frozen=True, order=True)
class Broken:
    """What could not be read, and what is wrong with it. ``kind`` is what it says it is, or empty."""

    file: str
    line: int
    what: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def manifest_files(path: Path) -> tuple[Path, ...]:
    """Return the YAML and JSON files of a folder, of its folders too, in order; or the one file that is named.

    What cannot be looked into (a folder without permission, a link to nothing) is among them, so that reading it fails.
    Folders behind links are left out, as kubectl leaves them out.
    """
    if not path.is_dir():
        return (path,)
    barred: list[Path] = []
    inside = [
        Path(folder, name)
        for folder, _, names in os.walk(path, onerror=lambda error: barred.append(Path(error.filename)))
        for name in names
    ]
    files = [file for file in inside if file.suffix in _SUFFIXES and (file.is_file() or not file.exists())]
    return tuple(sorted(files + barred))


def read_file(path: Path) -> Iterator[Document | Broken]:
    """Yield the documents of a file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        yield Broken(path.as_posix(), 1, f"cannot be read: {error.strerror}")
        return
    yield from read_bytes(data, path.as_posix())


def read_bytes(data: bytes, file: str) -> Iterator[Document | Broken]:
    """Yield the documents of what was read from a file or from standard input."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield Broken(file, 1, "not a text in UTF-8")
        return
    yield from read_text(text, file)


def read_text(text: str, file: str) -> Iterator[Document | Broken]:
    """Yield the documents of a text. A document that cannot be read does not keep the others from being read."""
    for part in _parts(text, file):
        if isinstance(part, Broken):
            yield part
        else:
            yield from _documents(*part, file)


Part = tuple[Any, int, list[int]]
"""A value, the line where it begins, and the lines of its items when it is a list of objects."""


def _parts(text: str, file: str) -> Iterator[Part | Broken]:
    starts = [0, *(match.end() for match in _SEPARATOR.finditer(text))]
    ends = [*(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    before = counted = 0
    for start, end in zip(starts, ends, strict=True):
        before += text.count("\n", counted, start)
        counted = start
        chunk = _DIRECTIVE.sub("", text[start:end])
        if not chunk.strip(". \r\n"):
            continue
        values = _json_values(chunk, before, file) if chunk.lstrip()[0] == "{" else None
        # Flow mappings of YAML begin as JSON objects do.
        yield from values or _yaml_values(chunk, before, file)


def _yaml_values(chunk: str, before: int, file: str) -> Iterator[Part | Broken]:
    try:
        yield from _composed(chunk, before, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"not valid YAML: {error.problem or error.context}"
        what += "; render templates before they are examined" * ("{{" in chunk)
        yield Broken(file, before + 1 + (mark.line if mark else 0), what, _stated_kind(chunk))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        blank = chunk.count("\n", 0, len(chunk) - len(chunk.lstrip()))
        yield Broken(file, before + 1 + blank, f"not valid YAML: {str(error).splitlines()[0]}", _stated_kind(chunk))


def _composed(chunk: str, before: int, file: str) -> Iterator[Part | Broken]:
    _require_shallow(chunk)
    loader = _Loader(chunk)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None, "check_node said that there is one"
            _require_bounded(node)
            for key, line in _repeated_keys(node):
                yield Broken(file, before + 1 + line, _repeated(key), _stated_kind(chunk))
            items = []
            if isinstance(node, yaml.MappingNode):
                of_items = next((value for key, value in node.value if key.value == "items"), None)
                if isinstance(of_items, yaml.SequenceNode):
                    items = [before + 1 + item.start_mark.line for item in of_items.value]
            yield loader.construct_document(node), before + 1 + node.start_mark.line, items
    finally:
        loader.dispose()


def _require_shallow(chunk: str) -> None:
    """Refuse what is nested so deeply that composing it would end the process. Raises ValueError."""
    deepest_line = max((len(line) - len(line.lstrip(" ")) + line.count("- ") for line in chunk.splitlines()), default=0)
    if deepest_line < _DEEPEST and chunk.count("[") + chunk.count("{") < _DEEPEST:
        return
    depth = 0
    for event in yaml.parse(chunk, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} levels deep")


def _require_bounded(root: yaml.Node) -> None:
    """Refuse documents that aliases make endless or huge. Raises ValueError."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known is not None:
            if known < 0:
                raise ValueError("an alias refers to what contains it")
            return known
        sizes[id(node)] = -1
        total = 1
        if isinstance(node, yaml.MappingNode):
            total += sum(size(key) + size(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(map(size, node.value))
        if total > _MOST_VALUES:
            raise ValueError(f"aliases make more than {_MOST_VALUES:,} values of it")
        sizes[id(node)] = total
        return total

    size(root)


def _repeated_keys(root: yaml.Node) -> Iterator[tuple[str, int]]:
    """Yield keys that a mapping gives more than once, with the line (from 0) of each repetition.

    Keys become strings on the way, as they do in Kubernetes: to Python, 1 and true would be the same one.
    """
    waiting, known = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                    continue
                key.tag = _STRING
                if key.value in names:
                    yield key.value, key.start_mark.line
                names.add(key.value)
            inner = [value for _, value in node.value]
        else:
            inner = node.value if isinstance(node, yaml.SequenceNode) else []
        waiting += [value for value in inner if id(value) not in known]
        known.update(map(id, inner))


def _repeated(key: str) -> str:
    return f"not valid: {key} is given twice in one mapping; the last one is judged"


def _json_values(text: str, before: int, file: str) -> list[Part | Broken] | None:
    """Return the values of a stream of JSON, or None when it is none."""
    repeated: list[str] = []

    def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return made

    decoder = json.JSONDecoder(object_pairs_hook=as_object)
    values: list[Part | Broken] = []
    at, line, counted = _after_space(text, 0), before + 1, 0
    try:
        while at < len(text):
            value, end = decoder.raw_decode(text, at)
            line += text.count("\n", counted, at)
            counted = at
            values += [Broken(file, line, _repeated(key), _stated_kind(value)) for key in repeated]
            repeated.clear()
            values.append((value, line, [line + of_item for of_item in _json_item_lines(text, at, end, value)]))
            at = _after_space(text, end)
    except (json.JSONDecodeError, RecursionError):
        return None
    return values


def _json_item_lines(text: str, start: int, end: int, value: Any) -> list[int]:
    """Return the lines, from that of ``start``, of a list's items: read again, because the decoder keeps no places."""
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list):
        return []
    decoder = json.JSONDecoder()
    for match in _JSON_ITEMS.finditer(text, start, end):
        at, line, counted, lines, found = match.end(), 0, start, [], []
        try:
            for _ in items:
                at = _after_space(text, at)
                line += text.count("\n", counted, at)
                counted = at
                lines.append(line)
                item, at = decoder.raw_decode(text, at)
                found.append(item)
        except json.JSONDecodeError:
            continue
        if found == items:
            return lines
    return []


def _after_space(text: str, at: int) -> int:
    match = _JSON_SPACE.match(text, at)
    return match.end() if match else at


def _documents(value: Any, line: int, item_lines: list[int], file: str) -> Iterator[Document | Broken]:
    if value is None:
        return
    problem = _not_an_object(value)
    if problem:
        yield Broken(file, line, problem, _stated_kind(value))
        return
    if not (value["kind"].endswith("List") and isinstance(value.get("items", []), list)):
        yield Document(_as_sent(value), file, line)
        return
    inherited = {} if value["kind"] == "List" else {"kind": value["kind"][: -len("List")], "apiVersion": value["apiVersion"]}
    items = value.get("items") or []
    for item, item_line in zip(items, item_lines or [line] * len(items), strict=True):
        whole = {**inherited, **item} if isinstance(item, dict) else item
        yield from _documents(whole, item_line, [], file)


def _not_an_object(value: Any) -> str:
    if not isinstance(value, dict):
        return f"not a Kubernetes object: expected a mapping, got {type(value).__name__}"
    for key in ("apiVersion", "kind"):
        if not isinstance(value.get(key), str) or not value[key]:
            return f"not a Kubernetes object: {key} is missing; take files that are none out of the folder"
    return ""


def _as_sent(value: Any) -> Any:
    """Return a value as kubectl sends it: a null is as good as nothing said, and ``1e3`` is the integer 1000."""
    if isinstance(value, dict):
        return {str(key): _as_sent(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_as_sent(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _stated_kind(source: Any) -> str:
    """Return the kind that an object or the text of a document says it has, or the empty string."""
    if isinstance(source, str):
        kinds = _STATED_KIND.findall(source)
        return kinds[0] if len(kinds) == 1 else ""
    kind = source.get("kind") if isinstance(source, dict) else ""
    return kind if isinstance(kind, str) else ""


def read_all(path: Path | None, standard_input: bytes = b"") -> tuple[int, tuple[Document, ...], tuple[Broken, ...]]:
    """Read every manifest under ``path``, or those of ``standard_input`` when it is None. Return the number of files too.

    When there is no document at all, that is what is broken: a gate must not pass because a template rendered nothing.
    """
    files = manifest_files(path) if path else (Path(STANDARD_INPUT),)
    if path:
        found = [part for file in files for part in read_file(file)]
    else:
        found = list(read_bytes(standard_input, STANDARD_INPUT))
    if not found:
        found = [Broken(path.as_posix() if path else STANDARD_INPUT, 1, "there is no document in it")]
    documents = tuple(part for part in found if isinstance(part, Document))
    broken = tuple(part for part in found if isinstance(part, Broken))
    return len(files), documents, broken
