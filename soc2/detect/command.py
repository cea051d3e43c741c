"""The command ``soc2 detect``: the rules over any logs, without a cluster."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from soc2.detect.engine import Detector
from soc2.detect.rules import SHIPPED, RuleSet, load_rules
from soc2.detect.window import moment
from soc2.errors import UsageError
from soc2.gather.logs.framing import frame_paths
from soc2.gather.logs.segments import Framed
from soc2.model.logs import Alert
from soc2.model.outcome import EXIT_FAIL, EXIT_NOT_EVALUATED, EXIT_PASS

# What a table shows when it is not on a terminal, whose width would be known.
_WIDTH = 180


def detect(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code. Raises UsageError."""
    now = datetime.now(UTC)
    since = moment(arguments.since, now) if arguments.since else None
    until = moment(arguments.until, now) if arguments.until else None
    rules = _rules(arguments.sigma_rules, only_user=arguments.only_user_rules)
    for path in arguments.paths:
        if not path.exists():
            raise UsageError("no such file or folder", "name a log file or a folder of them", path)
    with tempfile.TemporaryDirectory(prefix="soc2-detect-") as spool:
        framed = frame_paths(arguments.paths, Path(spool))
        with Detector(rules, Path(spool), since=since, until=until) as detector:
            detector.add(framed.segments)
            found = detector.alerts(with_anomalies=arguments.anomalies)
            count = _print_json(found) if arguments.format == "json" else _print_table(found)
            missed = _tell(detector, rules, framed, count)
    if count:
        return EXIT_FAIL
    return EXIT_NOT_EVALUATED if missed else EXIT_PASS


def _rules(folders: Iterable[Path], *, only_user: bool) -> RuleSet:
    folders = list(folders)
    for folder in folders:
        if not folder.is_dir():
            raise UsageError("--sigma-rules: no such folder", "name a folder of Sigma rules", folder)
    if only_user and not folders:
        raise UsageError("--only-user-rules leaves no rules", "say where yours are: --sigma-rules DIR")
    loaded = load_rules(folders if only_user else [SHIPPED, *folders])
    if not loaded.rules and not loaded.problems:
        raise UsageError("--sigma-rules: there is no Sigma rule (.yml, .yaml) here", "name a folder of rules", folders[0])
    return loaded


def _print_json(alerts: Iterator[Alert]) -> int:
    count = 0
    for count, alert in enumerate(alerts, 1):  # noqa: B007
        sys.stdout.buffer.write(msgspec.json.encode(alert) + b"\n")
    sys.stdout.buffer.flush()
    return count


def _print_table(alerts: Iterator[Alert]) -> int:
    """Print alerts that tell the same (rule, actor and object) as one line, in the order of their first."""
    groups: dict[tuple[str, str | None, str | None], list[Alert]] = {}
    counts: dict[tuple[str, str | None, str | None], int] = {}
    for alert in alerts:
        key = (alert.rule_id, alert.actor, alert.object)
        groups.setdefault(key, [alert])
        counts[key] = counts.get(key, 0) + 1
    if groups:
        table = Table(
            "time (UTC)", "severity", "criterion", "what", "actor", "object", "first seen at", "times", box=box.SIMPLE
        )
        for key, (alert,) in groups.items():
            time = f"{alert.time:%Y-%m-%d %H:%M:%S}" if alert.time else "unknown"
            place = f"{alert.file}:{alert.line}" if alert.line else alert.file
            row = (time, alert.severity, alert.criterion, alert.title, alert.actor or "", alert.object or "", place)
            # As texts: what a log says is not markup.
            table.add_row(*(Text(cell, overflow="fold") for cell in row), Text(f"{counts[key]:,}", justify="right"))
        console = Console(width=None if sys.stdout.isatty() else _WIDTH)
        console.print(table)
    return sum(counts.values())


def _tell(detector: Detector, rules: RuleSet, framed: Framed, count: int) -> bool:
    """Say on standard error what was read and what was not; return whether something was not."""
    missed = False
    for problem in rules.problems:
        print(f"error: {problem}", file=sys.stderr)
        missed = True
    for path in framed.unrecognised:
        print(f"error: {path}: not a log of a known format", file=sys.stderr)
        missed = True
    malformed = [*framed.malformed, *(line for scanned in detector.scanned for line in scanned.malformed)]
    for line in malformed[:10]:
        print(f"error: {line.origin}:{line.line}: {line.reason} (byte {line.offset:,})", file=sys.stderr)
    if len(malformed) > 10:
        print(f"error: {len(malformed) - 10:,} more lines are no record", file=sys.stderr)
    if not detector.scanned and not missed:
        print("error: there is no record in these files", file=sys.stderr)
        missed = True
    read = ", ".join(f"{scanned.records:,} {scanned.kind}" for scanned in detector.scanned) or "no records"
    for scanned in detector.scanned:
        read += f" ({scanned.outside:,} outside of the window)" if scanned.outside else ""
    print(f"{count:,} alerts; read {read}; {len(rules.rules) + len(rules.correlations)} rules", file=sys.stderr)
    return missed or bool(malformed)
