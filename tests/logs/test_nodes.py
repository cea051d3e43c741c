"""Logs of nodes: syslog, the journal and audit records, with what sshd, sudo, su and PAM say taken apart."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from soc2.gather.logs import auditd, auth
from soc2.gather.logs.framing import frame
from soc2.model.logs import LogKind
from tests.logs.framed import frame_text, read

SYSLOG: list[tuple[str, dict[str, Any]]] = [
    (
        "<38>2026-01-02T03:04:05.678901+02:00 web-1 sshd[12]: Accepted publickey for ann from 192.0.2.1 port 22 ssh2: RSA x",
        {
            "time": "2026-01-02T01:04:05.678901Z",
            "host": "web-1",
            "facility": "auth",
            "severity": "info",
            "pid": "12",
            "program": "sshd",
            "message": "Accepted publickey for ann from 192.0.2.1 port 22 ssh2: RSA x",
            "method": "publickey",
            "user": "ann",
            "address": "192.0.2.1",
            "port": "22",
            "result": "success",
        },
    ),
    (
        '<165>1 2026-01-02T03:04:05.6Z web-1 app 77 ID47 [one@1 a="x\\"]y" b="z"][two c="d"] \ufeffit works',
        {
            "time": "2026-01-02T03:04:05.6Z",
            "host": "web-1",
            "facility": "local4",
            "severity": "notice",
            "pid": "77",
            "program": "app",
            "message": "it works",
            "fields": {"msgid": "ID47", "one@1": {"a": 'x"]y', "b": "z"}, "two": {"c": "d"}},
        },
    ),
    (
        "<13>1 2026-01-02T03:04:05Z web-1 - - - - no tag",
        {
            "time": "2026-01-02T03:04:05Z",
            "host": "web-1",
            "facility": "user",
            "severity": "notice",
            "message": "no tag",
        },
    ),
    (
        "2026-01-02 03:04:05 web-1 cron[3]: (root) CMD (run-parts /etc/cron.hourly)",
        {
            "time": "2026-01-02T03:04:05Z",
            "host": "web-1",
            "pid": "3",
            "program": "cron",
            "message": "(root) CMD (run-parts /etc/cron.hourly)",
            "user": "root",
            "command": "run-parts /etc/cron.hourly",
        },
    ),
]


@pytest.mark.parametrize(("line", "record"), SYSLOG, ids=[line[:24] for line, _ in SYSLOG])
def test_syslog(line: str, record: dict[str, Any]) -> None:
    assert frame_text(line) == [(LogKind.NODE, {"@line": 1, **record})]


@pytest.mark.parametrize(
    ("written", "line", "time"),
    [
        ("2026-06-01", "Jun  1 00:00:00 h cron: x", "2026-06-01T00:00:00Z"),
        ("2026-06-01", "Jun  2 23:59:59 h cron: x", "2026-06-02T23:59:59Z"),
        ("2026-06-01", "Jun  3 00:00:00 h cron: x", "2025-06-03T00:00:00Z"),
        ("2026-01-01", "Dec 31 00:00:00 h cron: x", "2025-12-31T00:00:00Z"),
        ("2026-06-01", "Feb 29 00:00:00 h cron: x", "2024-02-29T00:00:00Z"),
        ("2026-06-01", "Feb 3 2020 00:00:00 h cron: x", "2020-02-03T00:00:00Z"),
    ],
)
def test_the_year_is_the_latest_before_the_file_was_written(tmp_path: Path, written: str, line: str, time: str) -> None:
    path = tmp_path / "syslog"
    path.write_text(line)
    when = datetime.fromisoformat(written).replace(hour=12, tzinfo=UTC).timestamp()
    os.utime(path, (when, when))
    ((_, record),) = read(frame(path, "syslog", tmp_path / "spool"))
    assert record["time"] == time


def test_a_line_without_a_host() -> None:
    ((_, record),) = frame_text("Dec 10 07:07:45 sshd[2]: Invalid user x from 192.0.2.1")
    assert record.pop("time").endswith("-12-10T07:07:45Z")
    assert record == {
        "@line": 1,
        "pid": "2",
        "program": "sshd",
        "message": "Invalid user x from 192.0.2.1",
        "user": "x",
        "address": "192.0.2.1",
        "result": "failure",
    }


def test_a_repeated_message_is_given_as_often() -> None:
    found = frame_text(
        "Dec 10 07:07:45 h sshd[2]: message repeated 3 times: [ Failed password for root from 192.0.2.1 port 4 ssh2]"
    )
    assert len({record.pop("@id") for _, record in found}) == 3
    assert [record.pop("time")[4:] for _, record in found] == ["-12-10T07:07:45Z"] * 3
    assert [record for _, record in found] == [
        {
            "@line": 1,
            "host": "h",
            "pid": "2",
            "program": "sshd",
            "message": "Failed password for root from 192.0.2.1 port 4 ssh2",
            "method": "password",
            "user": "root",
            "address": "192.0.2.1",
            "port": "4",
            "result": "failure",
        }
    ] * 3


def test_a_line_gives_no_more_than_a_thousand_records() -> None:
    line = "Dec 10 07:07:45 h sshd[2]: message repeated 99999 times: [ message repeated 99999 times: [ x]]"
    assert len(frame_text(line)) == 1000


FAILED = {"result": "failure"}
PEER = {"address": "2001:db8::1", "port": "4"}
AUTH: list[tuple[str, str, dict[str, str]]] = [
    (
        "sshd",
        "Failed none for invalid user a b from 2001:db8::1 port 4 ssh2",
        {"user": "a b", "method": "none", **PEER, **FAILED},
    ),
    (
        "sshd",
        "Failed password for x from 1.1.1.1 port 9 ssh2 from 2001:db8::1 port 4 ssh2",
        {"method": "password", **PEER, **FAILED},
    ),
    ("sshd", "Invalid user  from 2001:db8::1", {"user": "", "address": "2001:db8::1", **FAILED}),
    ("sshd", "Illegal user test from 2001:db8::1", {"user": "test", "address": "2001:db8::1", **FAILED}),
    (
        "sshd",
        "error: maximum authentication attempts exceeded for root from 2001:db8::1 port 4 ssh2 [preauth]",
        {"user": "root", **PEER, **FAILED},
    ),
    (
        "sshd",
        "error: PAM: Authentication failure for illegal user x from 2001:db8::1",
        {"user": "x", "address": "2001:db8::1", **FAILED},
    ),
    ("sshd", "Connection closed by authenticating user root 2001:db8::1 port 4 [preauth]", {"user": "root", **PEER, **FAILED}),
    ("sshd", "Connection reset by invalid user x 2001:db8::1 port 4 [preauth]", {"user": "x", **PEER, **FAILED}),
    (
        "sshd",
        "Disconnecting invalid user x 2001:db8::1 port 4: Too many authentication failures [preauth]",
        {"user": "x", **PEER, **FAILED},
    ),
    ("sshd", "Disconnected from user ann 2001:db8::1 port 4", {"user": "ann", **PEER}),
    (
        "sshd",
        "User root from 2001:db8::1 not allowed because not listed in AllowUsers",
        {"user": "root", "address": "2001:db8::1", **FAILED},
    ),
    ("sshd", "Received disconnect from 192.0.2.1: 11: Bye Bye [preauth]", {"address": "192.0.2.1"}),
    ("sshd", "Received disconnect from 192.0.2.1 port 4:11: Bye [preauth]", {"address": "192.0.2.1", "port": "4"}),
    ("sshd", "Connection from 192.0.2.1 port 4 on 192.0.2.2 port 22", {"address": "192.0.2.1", "port": "4"}),
    ("sshd", "Did not receive identification string from 192.0.2.1", {"address": "192.0.2.1"}),
    (
        "sshd",
        "reverse mapping checking getaddrinfo for a.b [192.0.2.1] failed - POSSIBLE BREAK-IN ATTEMPT!",
        {"address": "192.0.2.1"},
    ),
    ("sshd", "Disconnecting: Too many authentication failures for root [preauth]", {"user": "root", **FAILED}),
    ("sshd", "input_userauth_request: invalid user a b [preauth]", {"user": "a b"}),
    ("ftpd", "connection from 192.0.2.1 (host.example) at Fri Jun 17 07:07:00 2005", {"address": "192.0.2.1"}),
    ("sshd", "Server listening on 0.0.0.0 port 22.", {}),
    (
        "sshd-session",
        "Accepted password for ann from 2001:db8::1 port 4 ssh2",
        {"user": "ann", "method": "password", **PEER, "result": "success"},
    ),
    (
        "sshd",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root",
        {"method": "pam", **FAILED, "user": "root", "address": "192.0.2.1", "tty": "ssh"},
    ),
    (
        "sshd",
        "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root",
        {"method": "pam", **FAILED, "user": "root", "address": "192.0.2.1", "tty": "ssh"},
    ),
    (
        "su",
        "pam_unix(su:session): session opened for user root(uid=0) by ann(uid=1000)",
        {"user": "ann", "target_user": "root", "method": "pam", "result": "success"},
    ),
    (
        "sshd",
        "pam_unix(sshd:session): session opened for user ann by (uid=0)",
        {"user": "ann", "method": "pam", "result": "success"},
    ),
    ("su", "session closed for user root", {"user": "root", "method": "pam"}),
    ("su", "FAILED SU (to root) ann on pts/1", {"user": "ann", "target_user": "root", "tty": "pts/1", **FAILED}),
    ("su", "Successful su for root by ann", {"user": "ann", "target_user": "root", "result": "success"}),
    ("su", "- /dev/pts/1 ann:root", {"user": "ann", "target_user": "root", "tty": "/dev/pts/1", **FAILED}),
    (
        "sudo",
        "ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/bin/sh -c USER=x ; id",
        {
            "user": "ann",
            "tty": "pts/0",
            "pwd": "/home/ann",
            "target_user": "root",
            "command": "/bin/sh -c USER=x ; id",
            "result": "success",
        },
    ),
    (
        "sudo",
        "ann : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
        {"user": "ann", "tty": "pts/0", "pwd": "/", "target_user": "root", "command": "/bin/id", **FAILED},
    ),
    (
        "sudo",
        "ann : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
        {"user": "ann", "tty": "pts/0", "pwd": "/", "target_user": "root", "command": "/bin/id", **FAILED},
    ),
    ("useradd", "new user: name=eve, UID=1001, GID=1001, home=/home/eve, shell=/bin/sh", {"target_user": "eve"}),
    ("systemd-logind", "New session 4 of user ann.", {"user": "ann"}),
    ("app", "Failed password for root from 192.0.2.1 port 4 ssh2", {}),
]


@pytest.mark.parametrize(("program", "message", "columns"), AUTH, ids=[message[:40] for _, message, _ in AUTH])
def test_messages_about_access(program: str, message: str, columns: dict[str, str]) -> None:
    found = auth.columns(program, message)
    if message.startswith("Failed password for x"):
        columns = {**columns, "user": "x from 1.1.1.1 port 9 ssh2"}
    assert found == columns


def test_journal() -> None:
    entry = {
        "__REALTIME_TIMESTAMP": "1767312245678901",
        "__CURSOR": "s=1;i=2",
        "MESSAGE": [*b"Invalid user \xff from 192.0.2.1"],
        "SYSLOG_IDENTIFIER": "sshd",
        "SYSLOG_FACILITY": "4",
        "PRIORITY": "6",
        "_PID": "12",
        "_UID": "0",
        "_EXE": "/usr/sbin/sshd",
        "_HOSTNAME": "web-1",
        "_SYSTEMD_UNIT": "ssh.service",
        "_COMM": "sshd",
        "__MONOTONIC_TIMESTAMP": "5",
        "_BOOT_ID": "b",
    }
    record = {
        "@line": 1,
        "@id": "s=1;i=2",
        "time": "2026-01-02T00:04:05.678901Z",
        "pid": "12",
        "uid": "0",
        "exe": "/usr/sbin/sshd",
        "host": "web-1",
        "unit": "ssh.service",
        "facility": "auth",
        "severity": "info",
        "fields": {"_COMM": "sshd"},
        "program": "sshd",
        "message": "Invalid user \ufffd from 192.0.2.1",
        "user": "\ufffd",
        "address": "192.0.2.1",
        "result": "failure",
    }
    assert frame_text(json.dumps(entry)) == [(LogKind.NODE, record)]
    assert frame_text("\x1e" + json.dumps(entry)) == [(LogKind.NODE, record)]
    assert frame_text(json.dumps(entry, indent=8) + "\n") == [(LogKind.NODE, record)]


def test_journal_holds_audit_records_and_records_of_other_kinds() -> None:
    host = {"_HOSTNAME": "web-1", "__REALTIME_TIMESTAMP": "1767312245000000"}
    audit = {**host, "_AUDIT_TYPE_NAME": "USER_AUTH", "_AUDIT_ID": "7", "MESSAGE": "USER_AUTH pid=1 msg='op=x res=failed'"}
    falco = {"time": "2026-01-01T00:00:00Z", "rule": "Shell", "priority": "Notice", "output": "o"}
    assert frame_text(json.dumps(audit) + "\n" + json.dumps({**host, "MESSAGE": json.dumps(falco)})) == [
        (
            LogKind.AUDITD,
            {
                "@line": 1,
                "time": "2026-01-02T00:04:05.000000Z",
                "host": "web-1",
                "serial": "7",
                "type": "USER_AUTH",
                "pid": "1",
                "op": "x",
                "res": "failed",
            },
        ),
        (LogKind.FALCO, {"@line": 2, **falco}),
    ]


COMMON = {"time": "2023-11-14T22:13:20.123000Z", "serial": "456"}
STAMP = "msg=audit(1700000000.123:456):"
AUDITD: list[tuple[str, dict[str, Any]]] = [
    (
        f"node=web-1 type=SYSCALL {STAMP} arch=c000003e syscall=59 success=yes exit=0 a0=55 ppid=1 pid=2 auid=1000 uid=0 "
        'tty=pts3 comm="perl" exe="/usr/bin/perl" subj==unconfined '
        'key=(null)\x1dARCH=x86_64 SYSCALL=execve AUID="ann" UID="root"',
        {
            **COMMON,
            "host": "web-1",
            "type": "SYSCALL",
            "syscall": "59",
            "success": "yes",
            "exit": "0",
            "a0": "55",
            "ppid": "1",
            "pid": "2",
            "auid": "1000",
            "uid": "0",
            "tty": "pts3",
            "comm": "perl",
            "exe": "/usr/bin/perl",
            "fields": {
                "arch": "c000003e",
                "subj": "=unconfined",
                "ARCH": "x86_64",
                "SYSCALL": "execve",
                "AUID": "ann",
                "UID": "root",
            },
        },
    ),
    (
        f'type=EXECVE {STAMP} argc=4 a0="perl" a1="-e" a2[0]=7573 a2[1]=6520 a3=533B',
        {
            **COMMON,
            "type": "EXECVE",
            "argc": "4",
            "command": "perl -e use  S;",
            "a0": "perl",
            "a1": "-e",
            "a2": "use ",
            "a3": "S;",
        },
    ),
    (f"type=PROCTITLE {STAMP} proctitle=6C73002D6C", {**COMMON, "type": "PROCTITLE", "proctitle": "ls -l"}),
    (
        f'type=PATH {STAMP} item=0 name=2F746D702F6120622E7368 inode=1 mode=0100755 ouid=0 nametype=CREATE OUID="root"',
        {
            **COMMON,
            "type": "PATH",
            "name": "/tmp/a b.sh",
            "mode": "0100755",
            "ouid": "0",
            "nametype": "CREATE",
            "fields": {"item": "0", "inode": "1", "OUID": "root"},
        },
    ),
    (
        f'type=USER_CMD {STAMP} pid=1 uid=1000 auid=1000 ses=1 msg=\'cwd="/home/ann" cmd=6964202D75 exe="/usr/bin/sudo" '
        'terminal=pts/0 res=success\'\x1dUID="ann"',
        {
            **COMMON,
            "type": "USER_CMD",
            "pid": "1",
            "uid": "1000",
            "auid": "1000",
            "ses": "1",
            "cwd": "/home/ann",
            "cmd": "id -u",
            "exe": "/usr/bin/sudo",
            "terminal": "pts/0",
            "res": "success",
            "fields": {"UID": "ann"},
        },
    ),
    (
        f"type=SOCKADDR {STAMP} saddr=02000050C00002010000000000000000",
        {**COMMON, "type": "SOCKADDR", "addr": "192.0.2.1", "fields": {"saddr": "02000050C00002010000000000000000"}},
    ),
    (
        'Jan  1 00:00:00 web-1 kernel: [1.0] audit: type=1400 audit(1700000000.123:456): apparmor="DENIED" name="/etc/shadow"',
        {**COMMON, "host": "web-1", "type": "AVC", "name": "/etc/shadow", "fields": {"apparmor": "DENIED"}},
    ),
    (
        f'2026-01-01T00:00:00+00:00 web-1 audispd: type=CWD {STAMP} cwd="/root"',
        {**COMMON, "host": "web-1", "type": "CWD", "cwd": "/root"},
    ),
    (
        "2023-11-14T22:13:20.123000+00:00 web-1 audit[9]: USER_LOGIN pid=9 uid=0 msg='op=login acct=\"ann\" res=failed'",
        {
            "time": "2023-11-14T22:13:20.123000Z",
            "host": "web-1",
            "type": "USER_LOGIN",
            "pid": "9",
            "uid": "0",
            "op": "login",
            "acct": "ann",
            "res": "failed",
        },
    ),
    (
        "type=SYSCALL msg=audit(11/14/2023 22:13:20.123:456) : arch=x86_64 syscall=execve auid=ann exe=/bin/ls key=exec",
        {
            **COMMON,
            "time": "2023-11-14T22:13:20.123Z",
            "type": "SYSCALL",
            "syscall": "execve",
            "auid": "ann",
            "exe": "/bin/ls",
            "key": "exec",
            "fields": {"arch": "x86_64"},
        },
    ),
]


@pytest.mark.parametrize(("line", "record"), AUDITD, ids=[line[:30] for line, _ in AUDITD])
def test_audit_records(line: str, record: dict[str, Any]) -> None:
    assert frame_text("----\n" + line + "\n") == [(LogKind.AUDITD, {"@line": 2, **record})]
    assert auditd.parse(line, record.get("host")) == (record if "serial" in record else None)


def test_audit_events_as_json() -> None:
    event = {
        "ID": "1700000000.123:456",
        "NODE": "web-1",
        "SYSCALL": {"syscall": 59, "success": "yes", "UID": "root"},
        "EXECVE": {"argc": 2, "ARGV": ["ls", "-l"]},
        "PATH": [{"item": 0, "name": "/bin/ls"}],
    }
    common = {"@line": 1, **COMMON, "host": "web-1"}
    found = frame_text(json.dumps(event))
    assert len({record.pop("@id") for _, record in found}) == 3
    assert found == [
        (LogKind.AUDITD, {**common, "type": "SYSCALL", "syscall": "59", "success": "yes", "fields": {"UID": "root"}}),
        (LogKind.AUDITD, {**common, "type": "EXECVE", "argc": "2", "command": "ls -l", "a0": "ls", "a1": "-l"}),
        (LogKind.AUDITD, {**common, "type": "PATH", "name": "/bin/ls", "fields": {"item": 0}}),
    ]


PARSED: list[dict[str, Any]] = [
    {"host": "web-1", "ident": "su", "pid": "4", "message": "+ pts/0 ann:root", "time": "2026-01-01T00:00:00Z"},
    {"hostname": "web-1", "appname": "su", "procid": 4, "message": "+ pts/0 ann:root", "timestamp": "2026-01-01T00:00:00Z"},
    {"HOST": "web-1", "PROGRAM": "su", "PID": "4", "MESSAGE": "+ pts/0 ann:root", "DATE": "2026-01-01T00:00:00Z"},
    {"host": "web-1", "syslogtag": "su[4]:", "msg": "+ pts/0 ann:root", "timestamp": "2026-01-01T01:00:00+01:00"},
    {
        "host": {"name": "x"},
        "message": "<0>2026-01-01T00:00:00Z web-1 su[4]: + pts/0 ann:root",
        "@timestamp": "2026-02-02T00:00:00Z",
    },
]


@pytest.mark.parametrize("value", PARSED, ids=lambda value: "-".join(value)[:30])
def test_syslog_in_json(value: dict[str, Any]) -> None:
    ((kind, record),) = frame_text(json.dumps(value))
    for name in ("facility", "severity"):
        record.pop(name, None)
    assert (kind, record) == (
        LogKind.NODE,
        {
            "@line": 1,
            "time": "2026-01-01T00:00:00Z",
            "host": "web-1",
            "pid": "4",
            "program": "su",
            "message": "+ pts/0 ann:root",
            "tty": "pts/0",
            "user": "ann",
            "target_user": "root",
            "result": "success",
        },
    )
