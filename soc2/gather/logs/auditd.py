"""Records of the Linux audit daemon, from its own file, syslog, the journal or the kernel's log."""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from soc2.detect.schema import SCHEMAS
from soc2.gather.logs.times import micro_time
from soc2.model.logs import LogKind

_HEADER = re.compile(
    r"(?:(?<!\S)node=(?P<node>\S+) +)?type=(?P<type>\w+(?:\[\d+\])?) +(?:msg=)?audit\("
    r"(?:(?P<seconds>\d{1,12})\.(?P<fraction>\d{1,9})|(?P<date>\d\d/\d\d/\d{2,4} \d\d:\d\d:\d\d)\.(?P<millis>\d{1,3}))"
    r":(?P<serial>\d+)\) ?: ?(?P<rest>.*)",
    re.S,
)
_PAIR = re.compile(r"""(?<![\w.\[\]-])([A-Za-z_][\w.\[\]-]*)=("[^"]*"|'[^']*'|\{[^}]*\}|\(null\)|[^\s]*)""")
_HEX = re.compile(r"(?:[0-9A-F]{2})+")
_ARGUMENT = re.compile(r"a(\d+)(?:\[(\d+)\])?$")
# The kernel and auditd write these texts in hexadecimal digits when they hold blanks, quotes or control characters.
_UNTRUSTED = frozenset(("proctitle", "comm", "ocomm", "exe", "name", "cwd", "cmd", "key", "acct", "path", "dir", "file"))
_COLUMNS = frozenset(SCHEMAS[LogKind.AUDITD].columns) - {"time", "host", "serial", "type", "command", "fields"}
# The numbers of types that the kernel's own log shows, as linux/audit.h gives them.
_TYPES = {
    "1006": "LOGIN",
    "1100": "USER_AUTH",
    "1101": "USER_ACCT",
    "1103": "CRED_ACQ",
    "1104": "CRED_DISP",
    "1105": "USER_START",
    "1106": "USER_END",
    "1107": "USER_AVC",
    "1110": "CRED_REFR",
    "1112": "USER_LOGIN",
    "1123": "USER_CMD",
    "1130": "SERVICE_START",
    "1131": "SERVICE_STOP",
    "1300": "SYSCALL",
    "1302": "PATH",
    "1305": "CONFIG_CHANGE",
    "1306": "SOCKADDR",
    "1307": "CWD",
    "1309": "EXECVE",
    "1320": "EOE",
    "1325": "NETFILTER_CFG",
    "1326": "SECCOMP",
    "1327": "PROCTITLE",
    "1330": "KERN_MODULE",
    "1334": "BPF",
    "1400": "AVC",
    "1404": "MAC_STATUS",
    "1700": "ANOM_PROMISCUOUS",
    "1701": "ANOM_ABEND",
}


def parse(text: str, host: str | None = None) -> dict[str, Any] | None:
    """The record in a line, whatever stands before it (a syslog header, ``audit:``); None if there is none."""
    header = _HEADER.search(text)
    if header is None:
        return None
    if header["date"]:
        time = _local(header["date"], header["millis"])
    else:
        time = micro_time(int(header["seconds"]) * 1_000_000 + int(header["fraction"][:6].ljust(6, "0")))
    return record(header["type"], header["rest"], time, header["serial"], header["node"] or host)


def record(kind: str, text: str, time: str | None, serial: str | None, host: str | None) -> dict[str, Any]:
    """A record of the given type, whose ``key=value`` pairs are in the text."""
    kind = _TYPES.get(kind, kind)
    body, _, enriched = text.partition("\x1d")
    found: dict[str, Any] = {"type": kind}
    for name, header in (("time", time), ("host", host), ("serial", serial)):
        if header is not None:
            found[name] = header
    fields: dict[str, Any] = {}
    arguments: dict[int, list[str]] = {}
    # What a title holds was interpreted already if it has blanks.
    for key, value in [("proctitle", body.strip()[10:])] if body.startswith("proctitle=") else _pairs(body):
        argument = _ARGUMENT.match(key) if kind == "EXECVE" else None
        if argument is not None:
            arguments.setdefault(int(argument[1]), []).append(_text("cmd", value) or "")
            continue
        told = value if value.isalnum() and key not in _UNTRUSTED else _text(key, value)
        if told is None:
            continue
        if key not in _COLUMNS:
            fields[key] = told
        elif key not in found:
            found[key] = told
    if arguments:
        ordered = ["".join(arguments[number]) for number in sorted(arguments)]
        found["command"] = " ".join(ordered)
        found.update({f"a{number}": "".join(parts) for number, parts in arguments.items() if number < 10})
    if "saddr" in fields:
        address = _address(str(fields["saddr"]))
        if address is not None:
            found.setdefault("addr", address)
    if enriched:
        fields.update({key: _text("", value) for key, value in _PAIR.findall(enriched)})
    if fields:
        found["fields"] = fields
    return found


def _pairs(text: str) -> list[tuple[str, str]]:
    """The pairs of a record; those that a program wrote stand in ``msg='…'``, and are given as all others."""
    if "msg='" not in text:
        return _PAIR.findall(text)
    before, _, after = text.partition("msg='")
    inner, _, rest = after.rpartition("'")
    return _PAIR.findall(before) + _PAIR.findall(inner or after) + _PAIR.findall(rest if inner else "")


def _text(key: str, value: str) -> str | None:
    if value[:1] in ('"', "'", "{") and len(value) > 1:
        return value[1:-1].strip() if value[0] == "{" else value[1:-1]
    if value in ("(null)", "(none)", ""):
        return None
    if key in _UNTRUSTED and _HEX.fullmatch(value):
        raw = bytes.fromhex(value).rstrip(b"\0")
        raw = raw.replace(b"\x01", b",") if key == "key" else raw.replace(b"\0", b" ")
        return raw.decode("utf-8", "replace")
    return value


def _address(saddr: str) -> str | None:
    """The address in the hexadecimal digits of a socket address of the families inet (2) and inet6 (10)."""
    if not _HEX.fullmatch(saddr):
        return None
    raw = bytes.fromhex(saddr)
    if raw[:2] == b"\x02\0" and len(raw) >= 8:
        return str(ip_address(raw[4:8]))
    if raw[:2] == b"\x0a\0" and len(raw) >= 24:
        return str(ip_address(raw[8:24]))
    return None


def _local(text: str, millis: str) -> str | None:
    """The time as ausearch interprets it; it tells no zone, so it is taken for UTC."""
    for form in ("%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M:%S"):
        try:
            return datetime.strptime(text, form).isoformat() + f".{millis.ljust(3, '0')}Z"
        except ValueError:
            continue
    return None
