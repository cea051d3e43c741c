"""The precedence of outcomes, waivers, and what becomes of a rule that crashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from soc2.catalog import Check, make_check
from soc2.judge import Declarations, exempted, judge
from soc2.model.deviation import Deviation, Resource
from soc2.model.outcome import Outcome, decide, exit_code
from soc2.model.population import Cause, Population, Problem, SourceStatus
from soc2.system import About, Inherited, NotUsed, System
from soc2.waivers import Malformed, Waiver, Waivers

TODAY = date(2026, 6, 1)
CHECK: Check = make_check(
    "test_cc6_1_x",
    "test_x",
    "A question.",
    ("check-x",),
    {"severity": "high", "kind": "configuration", "official": ["CC6.1"], "remedy": "mend it"},
)


@dataclass(frozen=True, kw_only=True)
class Bad(Deviation):
    template: ClassVar[str] = "{word}"
    word: str


def rule(name: str) -> Iterator[Deviation]:
    if name == "crash":
        raise KeyError(name)
    if name.startswith("bad"):
        yield Bad(resource=Resource("Thing", name, "shop"), word="is bad")


def population(*names: str, problem: Problem | None = None) -> Population[str]:
    return Population(names, (SourceStatus("things", "GET", 1, len(names), None, problem),))


def declared(*waivers: Waiver, malformed: tuple[Malformed, ...] = (), system: System | None = None) -> Declarations:
    file = Waivers(Path("waivers.toml"), waivers, malformed, tuple(range(1, len(waivers) + 1)))
    return Declarations(system or System(system=About(name="s", owner="o")), file, TODAY)


def waiver(**changes: Any) -> Waiver:
    given: dict[str, Any] = {
        "check": "check-x",
        "resource": "Thing/shop/bad*",
        "owner": "Ada",
        "approver": "Ben",
        "reason": "for a time",
        "compensating_control": "watched",
        "created": TODAY - timedelta(days=10),
        "expires": TODAY + timedelta(days=10),
    }
    return Waiver(**{**given, **changes})


@pytest.mark.parametrize(
    ("crashed", "complete", "population", "open_", "waived", "event", "outcome"),
    [
        (True, False, 5, 1, 1, False, Outcome.TOOL_ERROR),
        (False, False, 5, 1, 1, False, Outcome.EVIDENCE_MISSING),
        (False, False, 0, 0, 0, True, Outcome.EVIDENCE_MISSING),
        (False, True, 5, 1, 1, False, Outcome.FAIL),
        (False, True, 5, 0, 1, False, Outcome.WAIVED),
        (False, True, 5, 0, 0, False, Outcome.PASS),
        (False, True, 0, 0, 0, False, Outcome.NOT_APPLICABLE),
        (False, True, 0, 0, 0, True, Outcome.NOT_OCCURRED),
        (False, True, 0, 1, 0, False, Outcome.FAIL),
    ],
)
def test_precedence(
    crashed: bool, complete: bool, population: int, open_: int, waived: int, event: bool, outcome: Outcome
) -> None:
    assert (
        decide(
            crashed=crashed,
            evidence_complete=complete,
            population=population,
            open_deviations=open_,
            waived_deviations=waived,
            event=event,
        )
        is outcome
    )


def test_exit_codes() -> None:
    assert exit_code({Outcome.PASS, Outcome.WAIVED, Outcome.NOT_APPLICABLE, Outcome.INHERITED}) == 0
    assert exit_code({Outcome.PASS, Outcome.FAIL}) == 1
    assert exit_code({Outcome.FAIL, Outcome.EVIDENCE_MISSING}) == 10
    assert exit_code({Outcome.PASS, Outcome.TOOL_ERROR}) == 10


def test_deviations_are_ordered_and_counted() -> None:
    verdict = judge(CHECK, population("bad2", "good", "bad1"), rule, declared())
    assert verdict.outcome is Outcome.FAIL
    assert [item.deviation.resource.name for item in verdict.deviations] == ["bad1", "bad2"]
    assert verdict.reason == "2 deviations in 3 items"


def test_partial_evidence_reports_both() -> None:
    verdict = judge(CHECK, population("bad1", problem=Problem(Cause.TRUNCATED, "page 2")), rule, declared())
    assert verdict.outcome is Outcome.EVIDENCE_MISSING
    assert len(verdict.deviations) == 1
    assert "page 2" in verdict.reason
    assert "1 deviation in 1 items" in verdict.reason


def test_a_crashing_rule_is_a_tool_error() -> None:
    verdict = judge(CHECK, population("good", "crash", "bad1"), rule, declared())
    assert verdict.outcome is Outcome.TOOL_ERROR
    assert "KeyError" in verdict.reason


def test_a_waiver_covers_what_it_names() -> None:
    verdict = judge(CHECK, population("bad1", "good"), rule, declared(waiver()))
    assert verdict.outcome is Outcome.WAIVED
    assert verdict.deviations[0].waiver == waiver()


def test_what_a_waiver_does_not_name_still_fails() -> None:
    verdict = judge(CHECK, population("bad1", "bad2"), rule, declared(waiver(resource="Thing/shop/bad1")))
    assert verdict.outcome is Outcome.FAIL
    assert [item.waiver is not None for item in verdict.deviations] == [True, False]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires": TODAY - timedelta(days=1)}, "expired"),
        ({"expires": TODAY + timedelta(days=400)}, "longer than the allowed 365"),
        ({"created": TODAY + timedelta(days=1)}, "in the future"),
        ({"approver": "ada"}, "same person"),
        ({"expires": TODAY - timedelta(days=10)}, "not after its creation"),
        ({"resource": "Thing/shop/other"}, "matches no deviation"),
    ],
)
def test_a_waiver_not_in_force_fails_its_check(changes: dict[str, Any], words: str) -> None:
    verdict = judge(CHECK, population("good"), rule, declared(waiver(**changes)))
    assert verdict.outcome is Outcome.FAIL
    (judged,) = verdict.deviations
    assert judged.deviation.resource.file == "waivers.toml"
    assert words in judged.deviation.message


def test_a_malformed_waiver_fails_the_check_it_names() -> None:
    entry = Malformed("check-x", "Thing/*", "the required key is missing", 4)
    assert judge(CHECK, population("good"), rule, declared(malformed=(entry,))).outcome is Outcome.FAIL
    other = Malformed("check-y", "Thing/*", "the required key is missing", 4)
    assert judge(CHECK, population("good"), rule, declared(malformed=(other,))).outcome is Outcome.PASS


def test_a_waiver_is_not_called_unmatched_when_evidence_is_missing() -> None:
    verdict = judge(CHECK, population(problem=Problem(Cause.DENIED, "no")), rule, declared(waiver()))
    assert verdict.outcome is Outcome.EVIDENCE_MISSING
    assert verdict.deviations == ()


def test_a_waiver_is_not_called_unmatched_when_only_a_part_is_examined() -> None:
    whole = declared(waiver())
    assert judge(CHECK, population("good"), rule, whole).outcome is Outcome.FAIL
    assert judge(CHECK, population("good"), rule, replace(whole, whole=False)).outcome is Outcome.PASS


def test_declared_controls_are_not_judged() -> None:
    inherited = Inherited(check="check-x", provider="Amazon", report="SOC 2 Type II", reviewed=date(2026, 5, 1))
    system = System(system=About(name="s", owner="o"), inherited=(inherited,))
    verdict = exempted(CHECK, declared(system=system))
    assert verdict is not None
    assert verdict.outcome is Outcome.INHERITED
    assert "SOC 2 Type II" in verdict.reason
    unused = System(system=About(name="s", owner="o"), not_used=(NotUsed(check="check-x", reason="no such thing"),))
    verdict = exempted(CHECK, declared(system=unused))
    assert verdict is not None
    assert verdict.outcome is Outcome.NOT_APPLICABLE
    assert exempted(CHECK, declared()) is None


@pytest.mark.parametrize(("days", "holds"), [(0, True), (400, True), (401, False), (-1, False)])
def test_a_review_of_a_report_gets_old(days: int, holds: bool) -> None:
    reviewed = declared().as_of - timedelta(days=days)
    inherited = Inherited(criterion="CC6.1", provider="Amazon", report="SOC 2 Type II", reviewed=reviewed)
    system = System(system=About(name="s", owner="o"), inherited=(inherited,))
    verdict = exempted(CHECK, declared(system=system))
    assert verdict is not None
    assert verdict.outcome is (Outcome.INHERITED if holds else Outcome.EVIDENCE_MISSING)
    assert ("review the report of now" in verdict.reason) is not holds


def test_what_is_out_of_scope_is_said_to_be() -> None:
    verdict = judge(CHECK, Population((), (), exempt="no cluster yet"), rule, declared())
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_APPLICABLE, "out of scope: no cluster yet")
