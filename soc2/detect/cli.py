"""The parser of ``soc2 detect``; the command itself is imported only when it runs, because it loads a database."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
Exit code: 0 nothing found, 1 something found, 4 a mistake in the command line, 10 nothing found but not all was read:
a file of no known format, lines that are no record, or a rule that does not compile (each is named on standard error).
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "detect",
        help="look for attacks in log files",
        description="Reads log files (Kubernetes audit, CloudTrail, VPC flow, container, node OS, auditd, Falco, Tetragon, "
        "GuardDuty, Hubble; plain, gzip or zstd; the format is recognised by content) and runs Sigma rules over them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="log file, or a folder of them")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="json: one object a line per alert")
    parser.add_argument(
        "--sigma-rules", action="append", type=Path, default=[], metavar="DIR", help="more rules; may be repeated"
    )
    parser.add_argument("--only-user-rules", action="store_true", help="leave out the shipped rules")
    parser.add_argument("--since", metavar="TIME", help="only events from then on: 2026-06-01T12:00Z, 24h, 7d")
    parser.add_argument("--until", metavar="TIME", help="only events before")
    parser.add_argument("--anomalies", action="store_true", help="also what is unusual beside the earlier part of the logs")
    parser.set_defaults(run=_detect)


def _detect(arguments: argparse.Namespace) -> int:
    from soc2.detect.command import detect

    return detect(arguments)
