"""Judging: a population and a rule become a verdict. Pure: no clock, no file, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, TypeVar

from soc2.catalog import Check
from soc2.model.deviation import Deviation, Resource
from soc2.model.matrix import Matrix
from soc2.model.outcome import Outcome, decide
from soc2.model.population import Population, SourceStatus
from soc2.system import System
from soc2.waivers import Waiver, Waivers

T = TypeVar("T")
Rule = Callable[[T], Iterable[Deviation]]

# Of the sources that are no evidence, those whose problems are told in a reason; each is in the results by itself.
_CAUSES_SAID = 4


@dataclass(frozen=True, kw_only=True)
class WaiverNotInForce(Deviation):
    """A waiver of the check that does not hold: it is a deviation of that very check."""

    template: ClassVar[str] = "the waiver is not in force: {problem}"
    problem: str


@dataclass(frozen=True)
class Judged:
    """A deviation, and the waiver in force that covers it."""

    deviation: Deviation
    waiver: Waiver | None = None


@dataclass(frozen=True)
class Verdict:
    """What a check came to, with everything that a report shows of it."""

    outcome: Outcome
    reason: str = ""
    count: int = 0
    complete: bool = True
    sources: tuple[SourceStatus, ...] = ()
    deviations: tuple[Judged, ...] = ()
    matrix: Matrix | None = None

    @property
    def open(self) -> tuple[Deviation, ...]:
        return tuple(judged.deviation for judged in self.deviations if judged.waiver is None)


@dataclass(frozen=True)
class Declarations:
    """What the owner declared: the system, the waivers, and the day on which they are applied.

    ``whole`` says that the whole system is examined, so that every waiver has something to match.
    """

    system: System
    waivers: Waivers
    as_of: date
    whole: bool = True


def exempted(check: Check, declared: Declarations) -> Verdict | None:
    """Return the verdict on a check that the owner declared inherited, not used or not to be tried, or None."""
    for entry in declared.system.inherited:
        if check.id == entry.check or check.criterion == entry.criterion:
            reason = f"inherited from {entry.provider}: {entry.report}, reviewed {entry.reviewed}"
            if 0 <= (declared.as_of - entry.reviewed).days <= entry.max_age_days:
                return Verdict(Outcome.INHERITED, reason)
            why = (
                f"a review holds for {entry.max_age_days} days; review the report of now, and put its day under [[inherited]]"
            )
            return Verdict(Outcome.EVIDENCE_MISSING, f"{reason}: {why}", complete=False)
    for unused in declared.system.not_used:
        if check.id == unused.check:
            return Verdict(Outcome.NOT_APPLICABLE, f"declared not used: {unused.reason}")
    if check.kind == "writing_probe" and not declared.system.probes.writing:
        return Verdict(Outcome.PROBE_DISABLED, "writing probes are off; --writing-probes switches them on")
    return None


def judge(check: Check, population: Population[T], rule: Rule[T], declared: Declarations) -> Verdict:
    """Apply a rule to every item and return the verdict, waivers applied to each deviation."""
    if population.exempt:
        return Verdict(Outcome.NOT_APPLICABLE, f"out of scope: {population.exempt}")
    if population.manual:
        return Verdict(Outcome.MANUAL, population.manual)
    crash = ""
    found: list[Deviation] = []
    for item in population.items:
        try:
            found.extend(rule(item))
        except Exception as error:
            where = getattr(item, "resource", None)
            crash = f"the rule crashed on {where or type(item).__name__}: {type(error).__name__}: {error}"
            break
    judged = tuple(Judged(deviation, _waiver_for(check, deviation, declared)) for deviation in _ordered(found))
    judged += tuple(
        Judged(problem) for problem in _waiver_problems(check, found, population.complete and declared.whole, declared)
    )
    waived = sum(entry.waiver is not None for entry in judged)
    outcome = decide(
        crashed=bool(crash),
        evidence_complete=population.complete,
        population=len(population.items),
        open_deviations=len(judged) - waived,
        waived_deviations=waived,
        event=check.event,
    )
    return Verdict(
        outcome=outcome,
        reason=crash or _reason(outcome, population, len(judged), waived),
        count=len(population.items),
        complete=population.complete,
        sources=population.sources,
        deviations=judged,
        matrix=population.matrix,
    )


def _ordered(found: list[Deviation]) -> list[Deviation]:
    # The order in which a server lists must not change a report.
    return sorted(found, key=lambda deviation: (str(deviation.resource), deviation.message))


def _waiver_for(check: Check, deviation: Deviation, declared: Declarations) -> Waiver | None:
    longest = declared.system.thresholds.waiver_max_days
    for waiver in declared.waivers.of(check.id):
        if waiver.covers(check.id, deviation.resource) and waiver.problem(declared.as_of, longest) is None:
            return waiver
    return None


def _waiver_problems(check: Check, found: list[Deviation], complete: bool, declared: Declarations) -> Iterator[Deviation]:
    """Yield what is wrong with the waivers of a check: each is a deviation of that very check."""
    waivers = declared.waivers
    name = waivers.path.name
    for entry in waivers.malformed:
        if entry.check == check.id:
            resource = Resource("Waiver", entry.resource or "entry", file=name, line=entry.line)
            yield WaiverNotInForce(resource=resource, problem=entry.problem)
    for waiver in waivers.of(check.id):
        problem = waiver.problem(declared.as_of, declared.system.thresholds.waiver_max_days)
        # What was not read completely may hold the deviation that the waiver is for.
        if problem is None and complete and not any(waiver.covers(check.id, item.resource) for item in found):
            problem = "it matches no deviation, so it is not needed or its pattern is wrong"
        if problem is not None:
            resource = Resource("Waiver", waiver.resource, file=name, line=waivers.line_of(waiver))
            yield WaiverNotInForce(resource=resource, problem=problem)


def _causes(population: Population[T]) -> str:
    """Return why evidence is missing: the first sources with what they said, and the names of the others."""
    said = [f"{source}: {problem}" for source, problem in population.problems[:_CAUSES_SAID]]
    others = [source for source, _ in population.problems[_CAUSES_SAID:]]
    return "; ".join(said) + (f"; and so for {len(others)} more sources: {', '.join(others)}" if others else "")


def _reason(outcome: Outcome, population: Population[T], deviations: int, waived: int) -> str:
    share = f"{deviations} deviation{'s' * (deviations != 1)} in {len(population.items):,} items"
    match outcome:
        case Outcome.EVIDENCE_MISSING:
            return f"evidence missing: {_causes(population)}" + (f"; what was read shows {share}" if deviations else "")
        case Outcome.NOT_APPLICABLE:
            return f"nothing to examine: {population.empty}"
        case Outcome.NOT_OCCURRED:
            return "no such event: the source is healthy and has none"
        case Outcome.PASS:
            return f"no deviation in {len(population.items):,} items"
        case Outcome.WAIVED:
            return f"{share}, all covered by waivers in force"
        case _:
            return share + (f", {waived} of them waived" if waived else "")
