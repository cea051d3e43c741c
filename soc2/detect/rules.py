"""Sigma rules, correlations and filters read from folders. What cannot be used is a problem; the others run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.rule import SigmaDetectionItem, SigmaLogSource, SigmaRule, SigmaRuleBase

from soc2.detect.fields import RuleError
from soc2.detect.regex import POLICY
from soc2.detect.ruleset import Correlation, Rule, RuleProblem, RuleSet
from soc2.detect.schema import SCHEMAS, LogSchema, LogSource
from soc2.detect.values import Placeholders
from soc2.detect.windows import check, hit_fields, references

__all__ = ["SHIPPED", "Correlation", "Rule", "RuleProblem", "RuleSet", "load_rules"]

SHIPPED = Path(__file__).parent.parent / "data" / "sigma"
"""The folder of our own rules."""

# As quick as there is one here.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEFAULT_CRITERION = "CC7.2"
_DEFAULT_LEVEL = "medium"
_SAYS_WHAT_IT_IS = ("title", "logsource", "detection", "correlation", "filter", "action")


def load_rules(folders: Sequence[Path], *, placeholders: Placeholders | None = None) -> RuleSet:
    """Reads ``*.yml`` and ``*.yaml`` of the folders, with theirs. ``placeholders`` are the values for ``expand``.

    Documents that are no Sigma at all are passed over; so are files in hidden folders.
    """
    loading = _Loading(placeholders or {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's regular expressions warn of what RE2 takes
        for folder in folders:
            for path in sorted(folder.rglob("*.y*ml")):
                if path.suffix in {".yml", ".yaml"} and not any(
                    part.startswith(".") for part in path.relative_to(folder).parts
                ):
                    loading.read(path)
        return loading.finish()


@dataclass
class _Loading:
    placeholders: Placeholders
    read_rules: list[tuple[Path, SigmaRuleBase]] = field(default_factory=list)
    problems: list[RuleProblem] = field(default_factory=list)
    ids: dict[str, Path] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        try:
            documents = list(yaml.load_all(path.read_bytes(), _LOADER))
        except (yaml.YAMLError, OSError, ValueError) as error:
            self.problems.append(RuleProblem(path, None, None, " ".join(str(error).split())))
            return
        documents = [found for found in documents if isinstance(found, dict) and any(key in found for key in _SAYS_WHAT_IT_IS)]
        together = any("action" in found for found in documents)
        for group in [documents] if together else [[found] for found in documents]:
            self._parse(path, group)

    def _parse(self, path: Path, documents: list[dict[str, Any]]) -> None:
        title = str(documents[0].get("title", "")) or None
        place = _broken_item(documents)
        try:
            parsed = SigmaCollection.from_dicts(
                documents, collect_errors=True, collect_filters=True, resolve_references=False, policy=POLICY
            )
        except Exception as error:
            self.problems.append(RuleProblem(path, title, place, _said(error)))
            return
        for rule in [*parsed.rules, *parsed.filters]:
            if rule.errors:
                name = rule.title or str(rule.id or "") or title
                self.problems += [RuleProblem(path, name, place, _said(error)) for error in rule.errors]
            else:
                self.read_rules.append((path, rule))

    def finish(self) -> RuleSet:
        rules: dict[str, Rule] = {}
        filters = [(path, found) for path, found in self.read_rules if isinstance(found, SigmaFilter)]
        for path, found in self.read_rules:
            if isinstance(found, SigmaRule) and (rule := self._rule(path, found, [each for _, each in filters])):
                rules[rule.id] = rule
        for path, found in filters:
            self._look_at_filter(path, found, rules)
        correlations = self._correlations(rules)
        heard = {step: False for each in correlations.values() for step in each.steps}
        for each in correlations.values():
            heard.update({step: True for step in each.steps if each.sigma.generate})
        return RuleSet(
            tuple(_silenced(rule, heard) for rule in rules.values()),
            tuple(_silenced(each, heard) for each in correlations.values()),
            tuple(self.problems),
        )

    # Rules

    def _rule(self, path: Path, found: SigmaRule, filters: Sequence[SigmaFilter]) -> Rule | None:
        source = _schema(found.logsource)
        identity = self._identity(path, found)
        if source is None:
            named = {"category": found.logsource.category, "product": found.logsource.product}
            said = ", ".join(f"{key} {value}" for key, value in {**named, "service": found.logsource.service}.items() if value)
            self._problem(path, found, "logsource", f"no kind of log that is read here has the log source {said}")
            return None
        if identity is None:
            return None
        schema, limit = source
        try:
            for each in filters:
                each.apply_on_rule(found)
            rule = Rule(
                identity, found.title, _level(found), _criterion(found), _tags(found), schema.kind, limit, path, found,
                placeholders=self.placeholders,
            )  # fmt: skip
            rule.compile()
        except RuleError as error:
            self._problem(path, found, error.field, error.message)
            return None
        except SigmaError as error:
            self._problem(path, found, None, _said(error))
            return None
        return rule

    def _identity(self, path: Path, found: SigmaRuleBase) -> str | None:
        """The rule's id; its name or its title when it has none. None, and a problem, when another rule has it."""
        identity = str(found.id or found.name or found.title)
        if identity in self.ids:
            self._problem(path, found, "id", f"{self.ids[identity]} has a rule of this id too")
            return None
        self.ids[identity] = path
        return identity

    def _look_at_filter(self, path: Path, found: SigmaFilter, rules: Mapping[str, Rule]) -> None:
        wanted = found.filter.rules
        if isinstance(wanted, str):
            return
        known = {*rules, *(str(rule.sigma.name) for rule in rules.values())}
        for missing in [each.reference for each in wanted if each.reference not in known]:
            self._problem(path, found, "rules", f"no usable rule has the id or name {missing!r}")

    # Correlations

    def _correlations(self, rules: Mapping[str, Rule]) -> dict[str, Correlation]:
        """In an order in which each stands after those that it refers to."""
        usable: dict[str, Correlation] = {}
        waiting = [(path, found) for path, found in self.read_rules if isinstance(found, SigmaCorrelationRule)]
        while waiting:
            named = _by_reference(rules, usable)
            ready = [(path, found) for path, found in waiting if all(_known(named, name) for name in references(found))]
            if not ready:
                for path, found in waiting:
                    missing = next(name for name in references(found) if not _known(named, name))
                    self._problem(path, found, "rules", f"no usable rule has the id or name {missing!r}")
                break
            waiting = [each for each in waiting if each not in ready]
            for path, found in ready:
                if (made := self._correlation(path, found, named, rules)) is not None:
                    usable[made.id] = made
        return usable

    def _correlation(
        self, path: Path, found: SigmaCorrelationRule, named: Mapping[str, str], rules: Mapping[str, Rule]
    ) -> Correlation | None:
        identity = self._identity(path, found)
        if identity is None:
            return None
        steps = {name: _known(named, name) or name for name in references(found)}
        made = Correlation(
            identity, found.title, _level(found), _criterion(found), _tags(found), path, found,
            tuple(steps[name] for name in references(found)), {step: name for name, step in steps.items()},
        )  # fmt: skip
        try:
            check(found)
            for step in made.steps:
                if step in rules:
                    hit_fields(made, step, SCHEMAS[rules[step].kind])
        except RuleError as error:
            self._problem(path, found, error.field, error.message)
            return None
        return made

    def _problem(self, path: Path, found: SigmaRuleBase, place: str | None, message: str) -> None:
        self.problems.append(RuleProblem(path, found.title or str(found.id), place, message))


def _by_reference(rules: Mapping[str, Rule], correlations: Mapping[str, Correlation]) -> dict[str, str]:
    """Ids by what correlations may call them: the id or the name."""
    named: dict[str, str] = {}
    known: list[Rule | Correlation] = [*rules.values(), *correlations.values()]
    for rule in known:
        named[rule.id] = rule.id
        if rule.sigma.name:
            named[rule.sigma.name] = rule.id
    return named


def _known(named: Mapping[str, str], reference: str) -> str | None:
    """The id of the rule that is meant; the letters of an id may be upper case."""
    return named.get(reference) or named.get(reference.lower())


_Listed = TypeVar("_Listed", Rule, Correlation)


def _silenced(rule: _Listed, heard: Mapping[str, bool]) -> _Listed:
    return replace(rule, alerts=heard.get(rule.id, True))


def _schema(source: SigmaLogSource) -> tuple[LogSchema, str | None] | None:
    """The kind of log of a log source, and the SQL that limits its records. A service says more than a category."""

    def lower(value: str | None) -> str | None:
        return value.lower() if value else None

    category, product, service = lower(source.category), lower(source.product), lower(source.service)
    for wanted in [LogSource(category, product, service), *([LogSource(None, product, service)] if service else [])]:
        for schema in SCHEMAS.values():
            if wanted in schema.logsources:
                return schema, schema.logsources[wanted]
    return None


def _level(rule: SigmaRuleBase) -> str:
    return rule.level.name.lower() if rule.level else _DEFAULT_LEVEL


def _tags(rule: SigmaRuleBase) -> tuple[str, ...]:
    return tuple(str(tag) for tag in rule.tags)


def _criterion(rule: SigmaRuleBase) -> str:
    ours = [tag.name.upper() for tag in rule.tags if tag.namespace == "soc2"]
    return ours[0] if ours else _DEFAULT_CRITERION


def _said(error: Exception) -> str:
    """The error without the place, which a problem says by itself."""
    return str(error.args[0]) if error.args else type(error).__name__


def _broken_item(documents: Sequence[Mapping[str, Any]]) -> str | None:
    """Which item of the rules' detections pySigma refuses, which its errors do not say."""
    for document in documents:
        for part in ("detection", "filter"):
            for key, value in _items(document.get(part)):
                try:
                    SigmaDetectionItem.from_mapping(key, value, policy=POLICY)
                except Exception:
                    return key.partition("|")[0] or key
    return None


def _items(found: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(found, Mapping):
        for key, value in found.items():
            if isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(part, Mapping) for part in value)):
                for part in value if isinstance(value, list) else [value]:
                    yield from _leaf_items(part)
            elif key not in {"condition", "rules", "timeframe"} and key.startswith("|"):
                yield key, value


def _leaf_items(found: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(found, Mapping):
        for key, value in found.items():
            yield str(key), value
