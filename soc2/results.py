"""results.json: the one source of truth about a run. Its JSON Schema is ``soc2/data/results.schema.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from soc2 import __version__
from soc2.catalog import Check
from soc2.judge import Judged, Verdict
from soc2.model.matrix import Matrix
from soc2.model.outcome import Outcome

SCHEMA = "soc2-results/1"


@dataclass(frozen=True)
class CheckResult:
    check: Check
    verdict: Verdict
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution. ``not_run`` are the checks that exist and were not evaluated, with the reason."""

    id: str
    started: datetime
    finished: datetime
    commit: str | None
    target: str
    system: str
    identities: tuple[str, ...]
    exit_code: int
    results: tuple[CheckResult, ...]
    not_run: tuple[tuple[Check, str], ...]
    manifests: ManifestsRead | None = None


class ManifestsRead(Protocol):
    """What was read of manifests: the objects judged, kinds passed over, and documents that could not be read."""

    @property
    def files(self) -> int: ...

    @property
    def objects(self) -> int: ...

    @property
    def passed_over(self) -> Mapping[str, int]: ...

    @property
    def broken(self) -> Sequence[Broken]: ...


class Broken(Protocol):
    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def what(self) -> str: ...


def as_json(run: Run) -> dict[str, Any]:
    """Return the document, ready for a JSON encoder."""
    return {
        "schema": SCHEMA,
        "run": {
            "id": run.id,
            "started": run.started.isoformat(),
            "finished": run.finished.isoformat(),
            "suite_version": __version__,
            "commit": run.commit,
            "target": run.target,
            "system": run.system,
            "identities": list(run.identities),
            "exit_code": run.exit_code,
            **({"manifests": _manifests(run.manifests)} if run.manifests else {}),
        },
        "checks": [_check(result) for result in run.results],
        "not_run": [
            {"id": check.id, "criterion": check.criterion, "title": check.title, "reason": reason}
            for check, reason in run.not_run
        ],
        "totals": totals(result.verdict.outcome for result in run.results),
    }


def _manifests(read: ManifestsRead) -> dict[str, Any]:
    return {
        "files": read.files,
        "objects": read.objects,
        "passed_over": dict(sorted(read.passed_over.items())),
        "broken": [{"file": entry.file, "line": entry.line, "error": entry.what} for entry in read.broken],
    }


def totals(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return the number of checks by outcome, every outcome named."""
    counts = {outcome.value: 0 for outcome in Outcome}
    for outcome in outcomes:
        counts[outcome.value] += 1
    return counts


def _check(result: CheckResult) -> dict[str, Any]:
    check, verdict = result.check, result.verdict
    return {
        "id": check.id,
        "criterion": check.criterion,
        "official": list(check.official),
        "title": check.title,
        "kind": check.kind,
        "severity": check.severity,
        "seed": check.seed,
        "hipaa": list(check.hipaa),
        "gdpr": list(check.gdpr),
        "remedy": check.remedy,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "seconds": round(result.seconds, 3),
        "population": {
            "count": verdict.count,
            "complete": verdict.complete,
            "sources": [
                {
                    "source": source.source,
                    "query": source.query,
                    "pages": source.pages,
                    "items": source.items,
                    "complete": source.complete,
                    "sha256": source.sha256,
                    "error": str(source.problem) if source.problem else None,
                    "evidence": f"evidence/{source.sha256}.json.gz" if source.sha256 else None,
                }
                for source in verdict.sources
            ],
        },
        "deviations": [_deviation(judged) for judged in verdict.deviations],
        **({"matrix": _matrix(verdict.matrix)} if verdict.matrix else {}),
    }


def _matrix(matrix: Matrix) -> dict[str, Any]:
    return {
        "rows": list(matrix.rows),
        "columns": list(matrix.columns),
        "restricted": list(matrix.restricted),
        "cells": [
            {"row": cell.row, "column": cell.column, "state": cell.state.value, "ports": cell.ports, "why": cell.why}
            for cell in matrix.cells
        ],
    }


def _deviation(judged: Judged) -> dict[str, Any]:
    waiver = judged.waiver
    return {
        "resource": asdict(judged.deviation.resource),
        "message": judged.deviation.message,
        "fields": {name: _plain(value) for name, value in judged.deviation.fields.items()},
        "waiver": {name: _plain(getattr(waiver, name)) for name in waiver.__struct_fields__} if waiver else None,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)
