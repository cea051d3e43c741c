"""The outcomes of a check, and the one function that chooses between them."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What a check came to. Only PASS counts as evidence that a control operates."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    INHERITED = "inherited"
    NOT_OCCURRED = "not_occurred"
    WAIVED = "waived"
    MANUAL = "manual"
    PROBE_DISABLED = "probe_disabled"
    EVIDENCE_MISSING = "evidence_missing"
    TOOL_ERROR = "tool_error"


EXIT_PASS, EXIT_FAIL, EXIT_NOT_EVALUATED = 0, 1, 10

_NOT_EVALUATED = frozenset({Outcome.EVIDENCE_MISSING, Outcome.TOOL_ERROR})


def decide(
    *,
    crashed: bool,
    evidence_complete: bool,
    population: int,
    open_deviations: int,
    waived_deviations: int,
    event: bool,
) -> Outcome:
    """Return the outcome of a check that was evaluated; the first line that holds wins.

    ``event`` says that the population is made of events, so that an empty one means that nothing occurred.
    """
    if crashed:
        return Outcome.TOOL_ERROR
    if not evidence_complete:
        return Outcome.EVIDENCE_MISSING
    if open_deviations:
        return Outcome.FAIL
    if waived_deviations:
        return Outcome.WAIVED
    if population == 0:
        return Outcome.NOT_OCCURRED if event else Outcome.NOT_APPLICABLE
    return Outcome.PASS


def exit_code(outcomes: set[Outcome]) -> int:
    """Return the exit code of a run: 10 when something was not evaluated, else 1 when something failed, else 0."""
    if outcomes & _NOT_EVALUATED:
        return EXIT_NOT_EVALUATED
    return EXIT_FAIL if Outcome.FAIL in outcomes else EXIT_PASS
