"""One run of the whole suite against the demo, compared with what the demo documents: so it is also the smoke test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from soc2.demo.company.weaknesses import Expected, all_weaknesses

_ROOT = Path(__file__).resolve().parents[2]
_PYTEST_ENDED_EARLY = frozenset({2, 3, 4, 5})


def run_demo(variant: str, report_dir: Path) -> int:
    """Run the suite and return 0 when it reported exactly the planted deviations, 1 otherwise."""
    options = ["--target", "demo", "--demo-variant", variant, "--report-dir", str(report_dir.absolute())]
    command = [sys.executable, "-m", "pytest", "-q", *options, "tests_controls"]
    latest = report_dir / "latest"
    before = latest.resolve()
    code = subprocess.run(command, cwd=_ROOT, check=False).returncode
    folder = latest.resolve()
    if code < 0 or code in _PYTEST_ENDED_EARLY or folder == before:
        print(f"the suite did not run to its end (exit code {code})", file=sys.stderr)
        return 1
    results = msgspec.json.decode((folder / "results.json").read_bytes())
    planted = all_weaknesses() if variant == "default" else []
    surprises = compare(results, [expected for weakness in planted for expected in weakness.expected])
    for surprise in surprises:
        print(f"not as documented: {surprise}", file=sys.stderr)
    report = folder / "report.html"
    print(f"\nThe report: {report}")
    print("Open it in a browser: the table on top is one line per criterion; open a row to see its deviations, the")
    print("population they were found in and the digest of the evidence, which is kept in the folder beside it.")
    if not surprises:
        print(f"The demo behaved as documented: {len(planted)} planted weaknesses, each found, and nothing else.")
    return 1 if surprises else 0


def compare(results: dict[str, Any], expected: Iterable[Expected]) -> list[str]:
    """Return every difference between what a run reported and what was expected of it, in words."""
    wanted: dict[str, list[Expected]] = {}
    # Two weaknesses may show in the same deviation.
    for entry in dict.fromkeys(expected):
        wanted.setdefault(entry.check, []).append(entry)
    known = {check["id"] for check in results["checks"]}
    differences = [f"there is no check {check}" for check in wanted if check not in known]
    for check in results["checks"]:
        differences += _compare_check(check, wanted.get(check["id"], []))
    return differences


def _compare_check(check: dict[str, Any], wanted: list[Expected]) -> list[str]:
    name, outcome = check["id"], check["outcome"]
    differences = []
    if outcome in ("tool_error", "evidence_missing") and not any(entry.missing for entry in wanted):
        differences.append(f"{name}: {check['reason']}")
    if any(entry.missing for entry in wanted) and outcome != "evidence_missing":
        differences.append(f"{name}: evidence should be missing, but the outcome is {outcome}")
    left = [(_name(found["resource"]), found["waiver"] is not None) for found in check["deviations"]]
    for entry in wanted:
        if entry.missing:
            continue
        matching = [item for item in left if entry.matches(item[0]) and item[1] == entry.waived]
        resources = {resource for resource, _ in matching}
        if len(resources) != entry.count:
            differences.append(f"{name}: expected {entry.count} of {entry.resource}, found {len(resources)}")
        left = [item for item in left if item not in matching]
    differences += [f"{name}: {resource} was not planted" for resource, _ in left]
    return differences


def _name(resource: dict[str, Any]) -> str:
    return "/".join(part for part in (resource["kind"], resource["namespace"], resource["name"]) if part)
