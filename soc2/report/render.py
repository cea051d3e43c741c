"""The one renderer of verdicts as text."""

from __future__ import annotations

from soc2.catalog import Check
from soc2.judge import Judged, Verdict
from soc2.model.outcome import Outcome
from soc2.results import Run

_SHOWN = 10


def render_verdict(check: Check, verdict: Verdict, rerun: str) -> str:
    """Return the text that a check which did not pass prints: count, population, first items, mend, how to re-run."""
    lines = [f"{check.id} ({check.criterion}, {check.severity}): {check.title}", f"  {verdict.reason}"]
    if verdict.deviations:
        lines += [f"  - {render_deviation(judged)}" for judged in verdict.deviations[:_SHOWN]]
        if len(verdict.deviations) > _SHOWN:
            lines.append(f"  - and {len(verdict.deviations) - _SHOWN} more, all in results.json")
    if verdict.outcome in (Outcome.FAIL, Outcome.WAIVED) or verdict.open:
        lines.append(f"  mend: {check.remedy}")
    lines.append(f"  population: {render_population(verdict)}")
    lines.append(f"  re-run: {rerun}")
    return "\n".join(lines)


def render_deviation(judged: Judged) -> str:
    deviation, waiver = judged.deviation, judged.waiver
    accepted = f" [waived until {waiver.expires} by {waiver.approver}: {waiver.reason}]" if waiver else ""
    place = f" ({deviation.resource.file}:{deviation.resource.line})" if deviation.resource.file else ""
    return printable(f"{deviation.resource}{place}: {deviation.message}{accepted}")


def printable(text: str) -> str:
    """Replace control characters: what a cluster holds must not steer the reader's terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def render_population(verdict: Verdict) -> str:
    if not verdict.sources:
        return "not listed"
    listed = [f"{s.source} ({s.items:,})" if s.complete else f"{s.source} ({s.problem})" for s in verdict.sources]
    return f"{verdict.count:,} items from {', '.join(listed)}"


def manifest_lines(run: Run) -> list[str]:
    """Return what was read of manifests: a line of counts, and one for each document that is broken."""
    read = run.manifests
    if read is None:
        return []
    over = ", ".join(f"{count} {kind}" for kind, count in sorted(read.passed_over.items())) or "none"
    counts = f"manifests: {read.files} files, {read.objects} objects judged; passed over: {over}; broken: {len(read.broken)}"
    return [counts, *(f"  {entry.file}:{entry.line}: {entry.what}" for entry in read.broken)]
