"""Writes the company's logs to a folder: ``python -m soc2.demo.company.logs FOLDER [--seed N] [--hours N] [--end TIME]``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from soc2.demo.company.logs.scene import Day
from soc2.demo.company.logs.store import quiet_logs, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m soc2.demo.company.logs", description="Write a quiet day of logs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--end", type=datetime.fromisoformat, default=datetime.now(UTC))
    given = parser.parse_args()
    made = quiet_logs(Day(given.end, given.hours, given.seed))
    write(made, given.folder)
    print(", ".join(f"{len(events):,} {name}" for name, events in made.items()))


if __name__ == "__main__":
    main()
