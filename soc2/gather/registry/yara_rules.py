"""YARA rules: those that are shipped, and those of the user."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yara_x

from soc2.errors import UsageError

_SHIPPED = Path(__file__).parents[2] / "data" / "yara"
_SUFFIXES = (".yar", ".yara")


@dataclass(frozen=True)
class YaraRules:
    """Compiled rules; ``key`` is another one when any of them changes."""

    rules: yara_x.Rules
    key: str


@lru_cache(maxsize=4)
def load_rules(folders: tuple[str, ...] = (), *, added: str = "") -> YaraRules:
    """Compile the shipped rules, ``added`` (source, in the namespace ``added``) and those of the user's folders.

    Raises UsageError with file and line for a rule that cannot be compiled.
    """
    compiler = yara_x.Compiler(includes_enabled=False)
    key = hashlib.sha256(added.encode())
    compiler.new_namespace("added")
    compiler.add_source(added)
    for namespace, file in _files((str(_SHIPPED), *folders)):
        source = _source(file)
        key.update(source.encode())
        compiler.new_namespace(namespace)
        try:
            compiler.add_source(source, origin=str(file))
        except yara_x.CompileError:
            error = compiler.errors()[-1]
            what = f"no valid YARA rule: {error['title']}" + "".join(f": {each['text']}" for each in error["labels"][:1])
            raise UsageError(what, "mend it or take it out", file, error["line"]) from None
    return YaraRules(compiler.build(), key.hexdigest())


def rule_files(folder: Path) -> list[Path]:
    """Return the files with rules in a folder and those below it."""
    return sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file())


def _files(folders: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for file in rule_files(Path(folder)):
            yield str(file), file


def _source(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", file=file) from None
