"""Lines of syslog: RFC 3164 (whose times tell no year), RFC 5424, and those that begin with an ISO time."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from soc2.gather.logs import auth
from soc2.gather.logs.times import dated, utc

FACILITIES = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
]
MOST_REPEATED = 1000
"""As often a repeated message is given at most, so that one line cannot fill the memory."""
_LONGEST_SAID = 1 << 14
SEVERITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]

_OLD = re.compile(
    r"(?:<(?P<priority>\d{1,3})>)?(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) (?:(?P<year>\d{4}) )?"
    r"(?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?):? (?P<host>\S+) (?P<rest>.*)",
    re.S,
)
_NEW = re.compile(
    r"(?:\d+ )?<(?P<priority>\d{1,3})>\d{1,2} (?P<time>\S+) (?P<host>\S+) (?P<program>\S+) (?P<pid>\S+) (?P<id>\S+) "
    r'(?P<data>-|(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])+)(?: (?P<message>.*))?',
    re.S,
)
_ISO = re.compile(
    r"(?:<(?P<priority>\d{1,3})>)?(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) "
    r"(?P<host>[\w.:-]+) (?P<rest>[A-Za-z(/][^\s:\[]*(?:\[[^\]]*\])?:(?: .*)?)$",
    re.S,
)
_TAG = re.compile(r"(?P<program>[^\s:\[]+)(?:\[(?P<pid>[^\]]*)\])?: *(?P<message>.*)", re.S)
_SPACED_TAG = re.compile(
    r"(?:-- )?(?P<program>[A-Za-z][\w./()-]{0,40}?)(?: [\d.]+)?(?:\[(?P<pid>\d+)\])?: *(?P<message>.*)", re.S
)
_LEVELS = frozenset(["info", "warn", "warning", "error", "err", "debug", "trace", "notice", "fatal", "critical", "crit"])
_REPEATED = re.compile(r"message repeated (\d{1,5}) times: \[ ?(.*)\]\s*$", re.S)
_PAM_SUFFIX = re.compile(r"\(pam_\w+\)$")
_DATA = re.compile(r'\[([^\s\]=]+)((?: [^\s=\]]+="(?:[^"\\]|\\.)*")*) ?\]')
_DATA_PAIR = re.compile(r'([^\s=\]]+)="((?:[^"\\]|\\.)*)"')


def parse(text: str, reference: date) -> list[dict[str, Any]] | None:
    """The records of a line; None if it has no syslog header. A line that says how often a message was repeated gives it so
    often. ``reference`` is the day that times without a year are not after."""
    first = text[:1]
    if first.isalpha():
        return _old(text, reference)
    if first == "<":
        return _new(text) or _old(text, reference) or _iso(text)
    if first.isdigit():
        return _iso(text) if text[4:5] == "-" else _new(text)
    return None


def entries(base: dict[str, Any], program: str | None, message: str) -> list[dict[str, Any]]:
    """The records of a program's message; ``base`` has the columns that its wrapping filled."""
    times = 1
    if message.startswith("message repeated ") and (repeated := _REPEATED.match(message)):
        times, message = min(int(repeated[1]), MOST_REPEATED), repeated[2]
    if program is None:
        return [{**base, "message": message}] * times
    columns = auth.columns(program, message) if len(message) <= _LONGEST_SAID else {}
    return [{**base, "program": program, "message": message, **columns}] * times


def priority(text: str | None) -> dict[str, str]:
    """Facility and severity by their names, from the number at the beginning of a line."""
    if text is None or int(text) > 191:
        return {}
    return {"facility": FACILITIES[int(text) >> 3], "severity": SEVERITIES[int(text) & 7]}


def _old(text: str, reference: date) -> list[dict[str, Any]] | None:
    header = _OLD.match(text)
    if header is None:
        return None
    number, month, day, year, clock, host, rest = header.groups()
    on = dated(month, day, date(int(year), 12, 30)) if year and year > "0010" else dated(month, day, reference)
    if on is None:
        return None
    base: dict[str, Any] = {"time": f"{on}T{clock}Z"}
    if host[-1:] == ":":
        rest = f"{host} {rest}"  # a program: the host was left out
    else:
        base["host"] = host
    if number is not None:
        base.update(priority(number))
    return _tagged(base, rest)


def _iso(text: str) -> list[dict[str, Any]] | None:
    header = _ISO.match(text)
    if header is None or header["host"].lower() in _LEVELS:
        return None
    base: dict[str, Any] = {"time": utc(header["time"]), "host": header["host"], **priority(header["priority"])}
    return _tagged(base, header["rest"])


def _tagged(base: dict[str, Any], rest: str) -> list[dict[str, Any]]:
    tag = _TAG.match(rest) or _SPACED_TAG.match(rest)
    if tag is None:
        return entries(base, None, rest)
    program, pid, message = tag.groups()
    if pid:
        base["pid"] = pid
    return entries(base, _PAM_SUFFIX.sub("", program) if program[-1:] == ")" else program, message)


def _new(text: str) -> list[dict[str, Any]] | None:
    header = _NEW.match(text)
    if header is None:
        return None
    base: dict[str, Any] = {"time": utc(header["time"]), "host": header["host"], **priority(header["priority"])}
    if header["pid"] != "-":
        base["pid"] = header["pid"]
    fields: dict[str, Any] = {"msgid": header["id"]} if header["id"] != "-" else {}
    for element, pairs in _DATA.findall(header["data"]):
        fields[element] = {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in _DATA_PAIR.findall(pairs)}
    if fields:
        base["fields"] = fields
    program = None if header["program"] == "-" else header["program"]
    return entries(base, program, (header["message"] or "").removeprefix("\ufeff"))
