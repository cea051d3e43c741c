"""Rules that are ready to run: each of a kind of log, or a correlation of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

from soc2.detect.schema import SCHEMAS
from soc2.detect.sql import CompiledRule, compile_rule
from soc2.detect.values import Placeholders
from soc2.model.logs import LogKind


@dataclass(frozen=True)
class Rule:
    """A rule whose log source is a kind of log of ours. ``limit`` is the SQL of what the log source limits records to.

    ``alerts`` is False for a rule that only correlations listen to (their ``generate`` is false).
    """

    id: str
    title: str
    level: str
    criterion: str
    tags: tuple[str, ...]
    kind: LogKind
    limit: str | None
    path: Path
    sigma: SigmaRule
    alerts: bool = True
    placeholders: Placeholders = field(default_factory=dict)

    def compile(self, lowered: Callable[[str], str | None] = lambda _: None) -> CompiledRule:
        """The rule in SQL, limited to its log source. ``lowered`` is as in ``compile_rule``."""
        compiled = compile_rule(self.sigma, SCHEMAS[self.kind], lowered=lowered, placeholders=self.placeholders)
        if self.limit is None:
            return compiled
        return CompiledRule((f"coalesce({self.limit}, false)", *compiled.parts), compiled.fields)


@dataclass(frozen=True)
class Correlation:
    """A correlation. ``steps`` are the ids of the rules and correlations that it refers to, in their order.

    ``names`` tells for each of these ids what the correlation calls it.
    """

    id: str
    title: str
    level: str
    criterion: str
    tags: tuple[str, ...]
    path: Path
    sigma: SigmaCorrelationRule
    steps: tuple[str, ...]
    names: Mapping[str, str]
    alerts: bool = True


@dataclass(frozen=True)
class RuleProblem:
    """Why a rule is left out; ``rule`` is its title or id, ``field`` the place in it, None where there is none to name."""

    path: Path
    rule: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        return ": ".join([str(self.path), *(part for part in (self.rule, self.field, self.message) if part)])


@dataclass(frozen=True)
class RuleSet:
    """``correlations`` stand after those that they refer to."""

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...] = ()
    problems: tuple[RuleProblem, ...] = ()
