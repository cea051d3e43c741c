"""What sshd, sudo, su, PAM and cron say of who tried what, from where, and whether it succeeded.

``result`` is ``success`` or ``failure``, and only of lines that tell how an attempt ended; one failed login may give several
such lines (of PAM and of sshd), told apart by ``method``: that of sshd (``password``, ``publickey``…), ``pam``, or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ADDRESS = r"(?P<address>(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9A-Fa-f]*:){2,7}[0-9A-Fa-f.]+(?:%\w+)?|\w[\w.-]*)"
_PEER = _ADDRESS + r"(?: port (?P<port>\d+))?(?=[\s:]|$)"
_PEER_PORT = _ADDRESS + r" port (?P<port>\d+)"
# The user's name comes from the network and may hold anything: the last " from " is sshd's own.
_SSHD_FORMS = (
    (rf"Accepted (?P<method>\S+) for (?P<user>.*) from {_PEER}", "success"),
    (rf"Failed (?P<method>\S+) for (?:(?:invalid|illegal) user )?(?P<user>.*) from {_PEER}", "failure"),
    (rf"(?:Postponed|Partial) (?P<method>\S+) for (?:invalid user )?(?P<user>.*) from {_PEER}", None),
    (rf"(?:Invalid|Illegal) user (?P<user>.*) from {_PEER}", "failure"),
    (rf"maximum authentication attempts exceeded for (?:invalid user )?(?P<user>.*) from {_PEER}", "failure"),
    (rf"PAM: .*? for (?:illegal user )?(?P<user>.*) from {_PEER}", "failure"),
    (rf"ROOT LOGIN REFUSED FROM {_PEER}", "failure"),
    (rf"User (?P<user>.*) from {_PEER} not allowed because", "failure"),
    (r"User (?P<user>\S+) not allowed because", "failure"),
    (rf"Connection (?:closed|reset) by (?:authenticating|invalid|illegal) user (?P<user>.*) {_PEER_PORT}", "failure"),
    (rf"(?:Disconnected|Disconnecting)(?: from)? (?:authenticating|invalid) user (?P<user>.*) {_PEER_PORT}", "failure"),
    (rf"Disconnected from user (?P<user>.*) {_PEER_PORT}", None),
    (r"Disconnecting: Too many authentication failures(?: for (?:invalid user )?(?P<user>.*?))?(?: \[preauth\])?$", "failure"),
    (r"input_userauth_request: invalid user (?P<user>.*?)(?: \[preauth\])?$", None),
    (rf"Starting session: .* for (?P<user>\S+) from {_PEER}", None),
    (rf"Received disconnect from {_PEER}", None),
    (rf"(?:Connection (?:closed by|reset by|from)|Disconnected from) {_PEER}", None),
    (rf"Did not receive identification string from {_PEER}", None),
    (rf"Bad protocol version identification .* from {_PEER}", None),
    (rf"Unable to negotiate with {_PEER}", None),
    (r"reverse mapping checking getaddrinfo for \S+ \[(?P<address>[^\]]+)\] failed", None),
    (r"Address (?P<address>\S+) maps to", None),
)
_SSHD: dict[str, list[tuple[re.Pattern[str], str | None]]] = {}
for _form, _result in _SSHD_FORMS:
    for _word in re.findall(r"\w+", _form.split(" ")[0].replace("?:", "").replace("from", "")):
        _SSHD.setdefault(_word, []).append((re.compile(_form, re.S), _result))
_PAM = re.compile(r"pam_\w+\((?P<service>[^:)]+)(?::(?P<phase>\w+))?\): (?P<text>.*)", re.S)
_PAM_FAILURE = re.compile(r"(?:PAM \d+ more )?authentication failures?;(?P<pairs>.*)", re.S)
_PAM_SESSION = re.compile(
    r"session opened for user (?P<target>[^\s(]+)(?:\(uid=\d+\))?(?: by (?P<by>[^\s(]*)(?:\(uid=\d+\))?)?"
)
_PAM_CLOSED = re.compile(r"session closed for user (?P<target>[^\s(]+)")
_PAIRS = re.compile(r"\b(logname|tty|ruser|rhost|user)=(\S*)")
_SUDO = re.compile(r"\s*(?P<user>\S+) : (?P<rest>.*)", re.S)
_SUDO_PART = re.compile(r"\b(TTY|PWD|USER|COMMAND)=((?<=COMMAND=).*|.*?)(?= ; |$)", re.S)
_SUDO_COLUMNS = {"TTY": "tty", "PWD": "pwd", "USER": "target_user", "COMMAND": "command"}
_SU = (
    (re.compile(r"FAILED SU \(to (?P<target_user>\S+)\) (?P<user>\S+) on (?P<tty>\S+)"), "failure"),
    (re.compile(r"\(to (?P<target_user>\S+)\) (?P<user>\S+) on (?P<tty>\S+)"), "success"),
    (re.compile(r"Successful su for (?P<target_user>\S+) by (?P<user>\S+)"), "success"),
    (re.compile(r"FAILED su for (?P<target_user>\S+) by (?P<user>\S+)"), "failure"),
    (re.compile(r"\+ (?P<tty>\S+) (?P<user>[^\s:]+):(?P<target_user>\S+)"), "success"),
    (re.compile(r"- (?P<tty>\S+) (?P<user>[^\s:]+):(?P<target_user>\S+)"), "failure"),
)
_CONNECTION = re.compile(rf"connection from {_PEER}")
_CRON = re.compile(r"\((?P<user>[^)]+)\) CMD \((?P<command>.*)\)\s*$", re.S)
_LOGIND = re.compile(r"New session \S+ of user (?P<user>[^\s.]+)")
_ACCOUNT = re.compile(r"(?:new|delete|change) (?:user|group)[^:]*: name=(?P<target>[^,\s]+)")


def columns(program: str, message: str) -> dict[str, str]:
    """The columns of a node's log that the message of a program fills."""
    name = program.lower()
    if message.startswith("pam_") and (pam := _PAM.match(message)):
        return _pam(pam["text"])
    if "authentication failure" in message and (failure := _PAM_FAILURE.match(message)):
        return _pam_failure(failure["pairs"])
    if name.startswith("sshd"):
        return _sshd(message)
    if name == "sudo":
        return _sudo(message)
    if name == "su":
        return _first(_SU, message) or _pam(message)
    if "connection from " in message and (peer := _CONNECTION.match(message)):
        return {"address": peer["address"]}
    if name in ("cron", "crond", "/usr/sbin/cron") and (job := _CRON.match(message)):
        return {"user": job["user"], "command": job["command"]}
    if name == "systemd-logind" and (session := _LOGIND.match(message)):
        return {"user": session["user"]}
    if account := _ACCOUNT.match(message):
        return {"target_user": account["target"]}
    return {}


def _sshd(message: str) -> dict[str, str]:
    for level in ("error: ", "fatal: "):
        message = message.removeprefix(level)
    word = message.partition(" ")[0].rstrip(":")
    return _first(_SSHD.get(word, ()), message) or _pam(message)


def _first(patterns: Iterable[tuple[re.Pattern[str], str | None]], message: str) -> dict[str, str]:
    for pattern, result in patterns:
        if found := pattern.match(message):
            columns = {name: value for name, value in found.groupdict().items() if value is not None}
            if result is not None:
                columns["result"] = result
            return columns
    return {}


def _pam(text: str) -> dict[str, str]:
    if failure := _PAM_FAILURE.match(text):
        return _pam_failure(failure["pairs"])
    if opened := _PAM_SESSION.match(text):
        by = opened["by"]
        who = {"user": by, "target_user": opened["target"]} if by else {"user": opened["target"]}
        return {**who, "method": "pam", "result": "success"}
    if closed := _PAM_CLOSED.match(text):
        return {"user": closed["target"], "method": "pam"}
    return {}


def _pam_failure(text: str) -> dict[str, str]:
    pairs = {name: value for name, value in _PAIRS.findall(text) if value}
    found = {"method": "pam", "result": "failure"}
    by = pairs.get("ruser") or pairs.get("logname")
    if "user" in pairs:
        found["user"] = pairs["user"]
    elif by:
        found["user"] = by
    if "rhost" in pairs:
        found["address"] = pairs["rhost"]
    if "tty" in pairs:
        found["tty"] = pairs["tty"]
    return found


def _sudo(message: str) -> dict[str, str]:
    line = _SUDO.match(message)
    if line is None:
        return _pam(message)
    rest = line["rest"]
    found = {_SUDO_COLUMNS[name]: value for name, value in _SUDO_PART.findall(rest)}
    if not found:
        return {"user": line["user"]}
    # What stands before the first pair says why it was refused.
    refused = not re.match(r"(?:HOST|TTY|PWD|USER|GROUP|ENV|TSID|CHROOT|COMMAND)=", rest)
    return {"user": line["user"], **found, "result": "failure" if refused else "success"}
