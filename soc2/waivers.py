"""Waivers: deviations that management accepted, for a time, with a compensating control."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from soc2.errors import UsageError
from soc2.model.deviation import Resource
from soc2.toml_file import TomlFile

Text = Annotated[str, Meta(min_length=3)]


class Waiver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``resource`` is a pattern (``*``, ``?``) over ``Kind/namespace/name`` or ``Kind/name``."""

    check: Annotated[str, Meta(min_length=1)]
    resource: Annotated[str, Meta(min_length=1)]
    owner: Text
    approver: Text
    reason: Text
    compensating_control: Text
    created: date
    expires: date

    def problem(self, as_of: date, max_days: int) -> str | None:
        """Return what keeps the waiver from being in force, or None."""
        if self.owner.strip().casefold() == self.approver.strip().casefold():
            return "owner and approver are the same person"
        if self.expires <= self.created:
            return f"it expires on {self.expires}, not after its creation on {self.created}"
        if self.created > as_of:
            return f"it is created in the future, on {self.created}"
        if (self.expires - self.created).days > max_days:
            return f"it lasts {(self.expires - self.created).days} days, longer than the allowed {max_days}"
        if self.expires < as_of:
            return f"it expired on {self.expires}"
        return None

    def covers(self, check: str, resource: Resource) -> bool:
        return self.check == check and fnmatchcase(str(resource), self.resource)


@dataclass(frozen=True)
class Malformed:
    """An entry that names a known check and is not a waiver: what is wrong with it, and the line it stands on."""

    check: str
    resource: str
    problem: str
    line: int | None


@dataclass(frozen=True)
class Waivers:
    """The waivers of a file. Malformed entries fail their check; they do not stop a run."""

    path: Path
    valid: tuple[Waiver, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    lines: tuple[int, ...] = ()

    def of(self, check: str) -> tuple[Waiver, ...]:
        return tuple(waiver for waiver in self.valid if waiver.check == check)

    def line_of(self, waiver: Waiver) -> int | None:
        return self.lines[self.valid.index(waiver)] if waiver in self.valid else None


def load_waivers(path: Path, known_checks: frozenset[str]) -> Waivers:
    """Read ``waivers.toml``; a missing file has no waivers.

    A malformed waiver fails the check it names. Raises UsageError when the file is not TOML, or an entry names no check.
    """
    if not path.exists():
        return Waivers(path)
    file = TomlFile.read(path)
    if unknown := sorted(set(file.content) - {"waiver"}):
        raise file.unknown_name((unknown[0],), "key", unknown[0], ["waiver"])
    entries = file.content.get("waiver", [])
    if not isinstance(entries, list):
        raise file.error(("waiver",), "waivers are an array of tables", "write [[waiver]]")
    valid: list[Waiver] = []
    lines: list[int] = []
    malformed: list[Malformed] = []
    for index, entry in enumerate(entries):
        check = entry.get("check") if isinstance(entry, dict) else None
        if not isinstance(check, str):
            raise file.error(("waiver", index), "a waiver names its check", 'write check = "..."')
        if check not in known_checks:
            raise file.unknown_name(("waiver", index, "check"), "check", check, known_checks)
        try:
            valid.append(file.convert_part(("waiver", index), entry, Waiver))
            lines.append(file.line(("waiver", index)) or 1)
        except UsageError as error:
            problem = f"{error.what}; {error.mend}" if error.mend else error.what
            malformed.append(Malformed(check, str(entry.get("resource", "")), problem, error.line))
    return Waivers(path, tuple(valid), tuple(malformed), tuple(lines))
