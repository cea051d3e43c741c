"""YARA rules: those that are shipped, and those of the user."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
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
    sources = [("added", None, added), *((str(file), file, _source(file)) for file in _files((str(_SHIPPED), *folders)))]
    compiled = _compiled(sources)
    if isinstance(compiled, UsageError):
        raise compiled
    return YaraRules(compiled, hashlib.sha256("".join(source for _, _, source in sources).encode()).hexdigest())


def _compiled(sources: Iterable[tuple[str, Path | None, str]]) -> yara_x.Rules | UsageError:
    """Return the rules, or the first mistake: no exception, because the compiler has to end in the thread that it began in,
    and exceptions lead to it by their tracebacks."""
    compiler = yara_x.Compiler(includes_enabled=False)
    for namespace, file, source in sources:
        compiler.new_namespace(namespace)
        try:
            compiler.add_source(source, origin=namespace)
        except yara_x.CompileError:
            error = compiler.errors()[-1]
            what = f"no valid YARA rule: {error['title']}" + "".join(f": {each['text']}" for each in error["labels"][:1])
            return UsageError(what, "mend it or take it out", file, error["line"])
    return compiler.build()


def rule_files(folder: Path) -> list[Path]:
    """Return the files with rules in a folder and those below it."""
    return sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file())


def _files(folders: Iterable[str]) -> Iterator[Path]:
    for folder in folders:
        yield from rule_files(Path(folder))


def _source(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", file=file) from None
