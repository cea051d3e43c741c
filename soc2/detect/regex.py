"""Regular expressions of rules: RE2's syntax, which pySigma checks when it reads a rule and DuckDB when one is compiled."""

from __future__ import annotations

import functools
import re
from typing import cast

import duckdb
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine, RegexPattern

from soc2.detect.fields import RuleError

# Other engines know these and RE2 does not; by how a pattern says them.
_OTHERS = {
    r"\(\?[=!]": "lookahead is",
    r"\(\?<[=!]": "lookbehind is",
    r"\(\?>": "atomic groups are",
    r"[*+?}]\+": "possessive repetitions are",
    r"\\[1-9]|\(\?P=": "references to groups are",
}
_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}


class _Quiet(RE2RegexEngine):
    """RE2 that does not write to standard error, and says what of other engines it leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self._options = self._re2.Options()
        self._options.log_errors = False

    def __deepcopy__(self, _: object) -> _Quiet:
        return self  # pySigma copies detections with their policy, and a module has no copy

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        inline = "".join(letter for flag, letter in _FLAGS.items() if flags & flag)
        try:
            return cast(RegexPattern, self._re2.compile(f"(?{inline}){pattern}" if inline else pattern, self._options))
        except self.error as error:
            raise self.error(explained(pattern, error)) from error


POLICY = SigmaPolicy(regex_engine=_Quiet())
"""With which rules are to be read."""


def check(pattern: str) -> None:
    """Raises ``RuleError`` when DuckDB cannot use the pattern."""
    try:
        _database().execute("SELECT regexp_matches('', ?)", [pattern])
    except duckdb.Error as error:
        raise RuleError(f"Regular expression {pattern!r} is invalid: {explained(pattern, error)}") from error


def explained(pattern: str, error: Exception) -> str:
    """Why a pattern is refused: what it uses of other engines, else what RE2 says."""
    for mark, name in _OTHERS.items():
        if re.search(mark, pattern):
            return f"{name} not part of RE2's syntax"
    said = error.args[0] if error.args else error
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said).splitlines()[0]


@functools.cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()
