"""The command ``soc2``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from soc2.catalog import CatalogError, all_checks
from soc2.detect.cli import add_parser as add_detect
from soc2.errors import UsageError
from soc2.prune import duration, prune

_USAGE_ERROR = 4  # as pytest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1, or 4 for a mistake of the user's."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (UsageError, CatalogError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has enough; what is left must not raise again when the interpreter flushes it.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soc2", description="A SOC 2 examination that runs as a pytest suite")
    commands = parser.add_subparsers(dest="command", required=True)
    try:
        from soc2.demo.cli import add_parser
    except ModuleNotFoundError as error:
        _explain_missing_demo(commands, error.name or "")
    else:
        add_parser(commands)
    add_detect(commands)
    init = commands.add_parser("init", help="write a system.toml from what the current context has")
    init.add_argument("--kubeconfig", type=Path)
    init.add_argument("--kube-context")
    init.add_argument("--output", type=Path, default=Path("system.toml"))
    init.add_argument("--force", action="store_true", help="overwrite the file")
    init.set_defaults(run=_init)
    clean = commands.add_parser("prune", help="remove old runs")
    clean.add_argument("--keep", required=True, metavar="400d", help="age up to which runs are kept: 36h, 400d, 12w")
    clean.add_argument("--report-dir", type=Path, default=Path("reports"))
    clean.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    clean.set_defaults(run=_prune)
    checks = commands.add_parser("checks", help="list all checks by criterion")
    checks.add_argument("--markdown", action="store_true", help="as docs/CHECKS.md")
    checks.set_defaults(run=_checks)
    return parser


def _explain_missing_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser], module: str) -> None:
    demo = commands.add_parser("demo", help="the embedded demo environment (needs the extra soc2-controls[demo])")
    demo.add_argument("action", nargs="*")

    def explain(_: argparse.Namespace) -> int:
        raise UsageError(f"the demo needs the module {module}", "install soc2-controls[demo]")

    demo.set_defaults(run=explain)


def _init(arguments: argparse.Namespace) -> int:
    from soc2.init import write_system

    write_system(arguments.output, arguments.kubeconfig, arguments.kube_context, force=arguments.force)
    print(f"wrote {arguments.output}; read it, and name what is in scope")
    return 0


def _prune(arguments: argparse.Namespace) -> int:
    removed = prune(arguments.report_dir, duration(arguments.keep), dry_run=arguments.dry_run)
    for path in removed:
        print(f"{'would remove' if arguments.dry_run else 'removed'} {path}")
    print(f"{len(removed)} runs {'would be ' if arguments.dry_run else ''}removed")
    return 0


def _checks(arguments: argparse.Namespace) -> int:
    from soc2.report.catalogue import as_markdown, as_text

    print(as_markdown(all_checks()) if arguments.markdown else as_text(all_checks()), end="")
    return 0
