"""The meta-test: every check has its three cases, and its own function judges them as they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from soc2.catalog import Check, all_checks
from soc2.model.outcome import Outcome
from tests.case import CASES, read_case, run_check, sources_of_check

CHECKS = all_checks()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_compliant_input_passes(check: Check) -> None:
    verdict = run_check(check, read_case(check.id, "compliant"))
    assert (verdict.outcome, verdict.deviations) == (Outcome.PASS, ())
    assert verdict.count > 0


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_violating_input_fails_with_exactly_these_deviations(check: Check) -> None:
    case = read_case(check.id, "violating")
    verdict = run_check(check, case)
    assert verdict.outcome is Outcome.FAIL
    assert case.expected
    found = [{"resource": str(item.deviation.resource), **item.deviation.fields} for item in verdict.deviations]
    assert [_only(given, expected) for given, expected in zip(found, case.expected, strict=True)] == case.expected


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_denied_evidence_is_missing_evidence(check: Check) -> None:
    denied = read_case(check.id, "denied").denied
    needed = [source.name for source in sources_of_check(check)]
    assert sorted(denied) == sorted(needed)
    compliant = read_case(check.id, "compliant")
    for name in denied:
        verdict = run_check(check, compliant, denied=name)
        assert verdict.outcome is Outcome.EVIDENCE_MISSING, f"with {name} denied"
        assert verdict.deviations == (), "what is missing must not look like a deviation"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_an_empty_system_never_passes(check: Check) -> None:
    """Nothing to examine may be not applicable, not occurred, or a deviation; never a pass."""
    case = read_case(check.id, "compliant")
    empty = type(case)(system=case.system)
    assert run_check(check, empty).outcome is not Outcome.PASS


def test_no_case_is_left_over() -> None:
    folders = {path.name for path in CASES.iterdir() if path.is_dir()}
    assert folders == {check.id for check in CHECKS}


def _only(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return {key: value for key, value in plain.items() if key in expected}
