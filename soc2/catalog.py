"""The catalogue of checks: what each check's marker and docstring say, validated, and read without running anything."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from soc2.criteria import CRITERIA

Severity = Literal["critical", "high", "medium", "low"]
Kind = Literal["configuration", "probe", "writing_probe", "log"]

CONTROLS = Path(__file__).resolve().parents[1] / "tests_controls"

_CRITERION_IN_FILE_NAME = re.compile(r"^test_([a-z]+)(\d)_(\d)_")
_ID = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
_HIPAA = re.compile(r"^164\.3\d\d(\([a-zA-Z0-9]+\))*$")
_GDPR = re.compile(r"^\d{1,2}(\(\d+\))?(\([a-z]\))?$")


class CatalogError(Exception):
    """A check's metadata is wrong; the text names the check, its place and the mend."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is known of a check before it runs.

    ``official`` are the criteria whose own text the check supports; ``seed`` marks the container reading of its
    criterion; ``event`` says that its population is made of events, so that an empty one means that none occurred.
    """

    id: str
    criterion: str
    title: str
    severity: Severity
    kind: Kind
    official: tuple[str, ...]
    hipaa: tuple[str, ...]
    gdpr: tuple[str, ...]
    remedy: str
    seed: bool
    event: bool
    module: str
    function: str

    @property
    def node_id(self) -> str:
        return f"tests_controls/{self.module}.py::{self.function}"


def criterion_of(module: str) -> str:
    """Return the criterion that a module's name tells: ``test_cc6_1_logical_access`` is CC6.1."""
    match = _CRITERION_IN_FILE_NAME.match(module)
    name = f"{match[1].upper()}{match[2]}.{match[3]}" if match else ""
    if name not in CRITERIA:
        raise CatalogError(f"tests_controls/{module}.py: name it test_<criterion>_<words>.py, as in test_cc6_1_access.py")
    return name


def make_check(
    module: str, function: str, docstring: str | None, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> Check:
    """Validate what a ``check`` marker says. Raises CatalogError."""
    place = f"tests_controls/{module}.py::{function}"

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise CatalogError(f"{place}: {what}")

    need(len(arguments) == 1 and isinstance(arguments[0], str), "the check marker takes one positional argument, the id")
    known = {"severity", "official", "hipaa", "gdpr", "kind", "remedy", "seed", "event"}
    need(set(keywords) <= known, f"unknown key in the check marker: {', '.join(sorted(set(keywords) - known))}")
    given: dict[str, Any] = {"seed": False, "event": False, **keywords}
    need(bool(_ID.match(arguments[0])), f"id {arguments[0]!r} is not lower-case words joined by hyphens")
    need(bool(docstring and docstring.strip()), "a check needs a docstring: its first line is its title")
    need(given.get("severity") in get_args(Severity), f"severity is one of {', '.join(get_args(Severity))}")
    need(given.get("kind") in get_args(Kind), f"kind is one of {', '.join(get_args(Kind))}")
    need(bool(str(given.get("remedy", "")).strip()), "a check needs a remedy")
    official = tuple(given.get("official", ()))
    need(all(name in CRITERIA for name in official), f"official names an unknown criterion: {official}")
    need(bool(official), "official names at least one criterion")
    need(all(_HIPAA.match(cite) for cite in given.get("hipaa", ())), "hipaa cites read like 164.312(a)(1)")
    need(all(_GDPR.match(cite) for cite in given.get("gdpr", ())), "gdpr cites read like 32(1)(b)")
    return Check(
        id=arguments[0],
        criterion=criterion_of(module),
        title=(docstring or "").strip().splitlines()[0].rstrip("."),
        severity=given["severity"],
        kind=given["kind"],
        official=official,
        hipaa=tuple(given.get("hipaa", ())),
        gdpr=tuple(given.get("gdpr", ())),
        remedy=str(given["remedy"]).strip(),
        seed=bool(given["seed"]),
        event=bool(given["event"]),
        module=module,
        function=function,
    )


@cache
def all_checks(folder: Path = CONTROLS) -> tuple[Check, ...]:
    """Read every check of a folder from its source, in order of criterion. Raises CatalogError."""
    checks = [check for path in sorted(folder.glob("test_*.py")) for check in _checks_in(path)]
    by_id: dict[str, Check] = {}
    for check in checks:
        if check.id in by_id:
            raise CatalogError(f"{check.node_id}: id {check.id} is taken by {by_id[check.id].node_id}")
        by_id[check.id] = check
    order = list(CRITERIA)
    return tuple(sorted(checks, key=lambda check: order.index(check.criterion)))


def known_ids() -> frozenset[str]:
    return frozenset(check.id for check in all_checks())


def _checks_in(path: Path) -> Iterable[Check]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        call = next((call for call in node.decorator_list if _is_check_marker(call)), None)
        if not isinstance(call, ast.Call):
            raise CatalogError(f"tests_controls/{path.name}::{node.name}: a control test needs @pytest.mark.check(...)")
        arguments = tuple(ast.literal_eval(argument) for argument in call.args)
        keywords = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
        yield make_check(path.stem, node.name, ast.get_docstring(node), arguments, keywords)


def _is_check_marker(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.check"
