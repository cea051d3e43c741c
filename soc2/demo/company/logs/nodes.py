"""The journals of nodes and their audit daemons on an ordinary day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from soc2.demo.company.logs.scene import BASTION, NODES, Day, Event

_ALICE = 1001


def journal(
    time: datetime, on: str, program: str, message: str, *, unit: str = "", priority: int = 6, pid: int = 700
) -> Event:
    """Return one record of a node's journal, as ``journalctl -o json`` writes it."""
    record = {
        "__REALTIME_TIMESTAMP": str(int(time.timestamp() * 1_000_000)),
        "_HOSTNAME": on,
        "_BOOT_ID": f"{random.Random(on).getrandbits(128):032x}",  # noqa: S311
        "SYSLOG_IDENTIFIER": program,
        "_PID": str(pid),
        "_UID": "0",
        "PRIORITY": str(priority),
        "MESSAGE": message,
        "_SYSTEMD_UNIT": unit or f"{program}.service",
        "_TRANSPORT": "kernel" if program == "kernel" else "syslog",
    }
    return Event(time, on, record)


def auditd(time: datetime, on: str, serial: int, *records: str) -> Iterator[Event]:
    """Yield the lines of one event of the audit daemon; each record is its type and what follows the stamp."""
    at = f"msg=audit({time.timestamp():.3f}:{serial})"
    for record in records:
        kind, _, rest = record.partition(" ")
        yield Event(time, on, f"node={on} type={kind} {at}: {rest}")


def quiet_journal(day: Day) -> Iterator[Event]:
    """Yield the journal records of a day without anything out of the ordinary."""
    for each in NODES:
        dice = day.dice(f"journal {each.name}")
        for number, time in enumerate(day.times(dice, 6)):
            yield _routine(dice, each.name, number, time)
        for time in day.working(dice, 0.2):
            yield from _visit(dice, each.name, time, day.end)


def _routine(dice: random.Random, on: str, number: int, time: datetime) -> Event:
    match number % 6:
        case 0:
            probe = f'"Probe succeeded" probeType="Readiness" pod="notes/api-{dice.getrandbits(32):08x}"'
            return journal(time, on, "kubelet", f"I{time:%m%d %H:%M:%S} 700 prober.go:107] {probe}")
        case 1:
            return journal(time, on, "containerd", f'level=info msg="image garbage collected" freed={dice.randrange(10**6)}')
        case 2:
            return journal(time, on, "systemd", "Finished logrotate.service - Rotate log files.", unit="init.scope", pid=1)
        case 3:
            return journal(time, on, "CROND", "(root) CMD (run-parts /etc/cron.hourly)", unit="crond.service")
        case 4:
            return journal(time, on, "chronyd", "Selected source 169.254.169.123")
        case _:
            return journal(
                time, on, "fluent-bit", f"[info] [output:cloudwatch_logs] delivered {dice.randrange(50, 400)} records"
            )


def _visit(dice: random.Random, on: str, time: datetime, end: datetime) -> Iterator[Event]:
    """Alice looks after a node: she comes from the bastion with her key and reads the kubelet's journal."""
    if time + timedelta(minutes=5) >= end:
        return
    pid, port = dice.randrange(2000, 30000), dice.randrange(32768, 60999)
    key = f"Accepted publickey for alice from {BASTION} port {port} ssh2: ED25519 SHA256:{dice.getrandbits(64):016x}"
    yield journal(time, on, "sshd", key, pid=pid)
    yield journal(
        time, on, "sshd", f"pam_unix(sshd:session): session opened for user alice(uid={_ALICE}) by alice(uid=0)", pid=pid
    )
    later = time + timedelta(seconds=dice.randrange(10, 90))
    command = "alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/journalctl -u kubelet --since -1h"
    yield journal(later, on, "sudo", command, unit="session-4.scope", pid=pid + 40, priority=5)
    left = later + timedelta(seconds=dice.randrange(30, 200))
    yield journal(left, on, "sshd", "pam_unix(sshd:session): session closed for user alice", pid=pid)


def quiet_auditd(day: Day) -> Iterator[Event]:
    """Yield what the audit daemons write on a day without anything out of the ordinary."""
    for each in NODES:
        dice = day.dice(f"auditd {each.name}")
        for number, time in enumerate(day.times(dice, 4)):
            serial = 1000 + number
            if number % 2:
                unit = dice.choice(("logrotate", "sysstat-collect", "dnf-makecache"))
                start = f'SERVICE_START pid=1 uid=0 auid=4294967295 ses=4294967295 msg=\'unit={unit} comm="systemd" '
                start += 'exe="/usr/lib/systemd/systemd" hostname=? addr=? terminal=? res=success\''
                yield from auditd(time, each.name, serial, start)
            else:
                yield from auditd(
                    time, each.name, serial, *execution(dice, "/usr/sbin/logrotate", ("logrotate", "/etc/logrotate.conf"))
                )


def execution(
    dice: random.Random, program: str, arguments: tuple[str, ...], *, auid: int = 4294967295, uid: int = 0, key: str = "exec"
) -> tuple[str, ...]:
    """Return the records of a program that was started."""
    pid, tty = dice.randrange(2000, 30000), "pts0" if auid == _ALICE else "(none)"
    call = (
        f"SYSCALL arch=c000003e syscall=59 success=yes exit=0 a0=55d0 a1=55d8 a2=55e0 a3=0 items=2 ppid={pid - 1} pid={pid} "
    )
    call += f"auid={auid} uid={uid} gid={uid} euid={uid} suid={uid} fsuid={uid} egid={uid} sgid={uid} fsgid={uid} tty={tty} "
    call += f'ses=4 comm="{program.rpartition("/")[2][:15]}" exe="{program}" key="{key}"'
    given = " ".join(f'a{number}="{argument}"' for number, argument in enumerate(arguments))
    return (
        call,
        f"EXECVE argc={len(arguments)} {given}",
        'CWD cwd="/"',
        f'PATH item=0 name="{program}" inode=4242 dev=103:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL',
        f"PROCTITLE proctitle={chr(0).join(arguments).encode().hex().upper()}",
    )
