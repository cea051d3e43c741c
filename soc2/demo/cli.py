"""``soc2 demo``: keeps the demo environment running to play with, or runs the whole suite against it once."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from soc2.demo.environment import Environment, running, start
from soc2.demo.process import StartError
from soc2.demo.run import run_demo
from soc2.errors import UsageError

VARIANTS = ("default", "compliant")


def add_parser(commands: Any) -> None:
    demo = commands.add_parser("demo", help="the embedded demo environment")
    actions = demo.add_subparsers(dest="action", required=True)
    for name, text in (("up", "start it and keep it running"), ("run", "start it, run the whole suite, stop it")):
        action = actions.add_parser(name, help=text)
        action.add_argument("--demo-variant", choices=VARIANTS, default="default")
        if name == "run":
            action.add_argument("--report-dir", type=Path, default=Path("reports"))
    actions.add_parser("down", help="stop every environment of this user")
    actions.add_parser("status", help="tell what runs")
    kubeconfig = actions.add_parser("kubeconfig", help="print the path of a kubeconfig")
    kubeconfig.add_argument("--user", choices=("admin", "auditor", "denied"), default="admin")
    demo.set_defaults(run=_main)


def _main(arguments: argparse.Namespace) -> int:
    try:
        return _ACTIONS[arguments.action](arguments)
    except StartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _up(arguments: argparse.Namespace) -> int:
    environment = start(arguments.demo_variant, lambda line: print(line, file=sys.stderr), detached=True)
    _print_exports(environment)
    return 0


def _down(_: argparse.Namespace) -> int:
    environments = running()
    for environment in environments:
        environment.stop()
        print(f"stopped {environment.folder.name}")
    if not environments:
        print("no demo environment is running")
    return 0


def _status(_: argparse.Namespace) -> int:
    environments = running()
    for environment in environments:
        print(f"{environment.folder.name}: {environment.variant}, {environment.state.server}")
        _print_exports(environment)
    if not environments:
        print("no demo environment is running; `soc2 demo up` starts one")
    return 0


def _kubeconfig(arguments: argparse.Namespace) -> int:
    environments = running()
    if not environments:
        raise UsageError("no demo environment is running", "`soc2 demo up` starts one")
    print(getattr(environments[-1], f"{arguments.user}_kubeconfig"))
    return 0


def _print_exports(environment: Environment) -> None:
    variables = {"KUBECONFIG": str(environment.admin_kubeconfig), **environment.aws_env}
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


def _run(arguments: argparse.Namespace) -> int:
    return run_demo(arguments.demo_variant, arguments.report_dir)


_ACTIONS = {"up": _up, "down": _down, "status": _status, "kubeconfig": _kubeconfig, "run": _run}
