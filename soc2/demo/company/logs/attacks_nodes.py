"""What is out of the ordinary on nodes, as their journals and audit daemons tell it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from soc2.demo.company.logs import nodes
from soc2.demo.company.logs.attacks_cloud import STRANGER
from soc2.demo.company.logs.scene import Event

Told = Iterator[tuple[str, Event]]

_JOURNALS, _AUDITD = "journals", "auditd"
_MALLORY = 1007


def ssh_brute_force(time: datetime, dice: random.Random) -> Told:
    """A stranger guesses a password of node-3."""
    pid = dice.randrange(2000, 30000)
    for number in range(24):
        at = time + timedelta(seconds=4 * number)
        said = f"Failed password for deploy from {STRANGER} port {40000 + number} ssh2"
        yield _JOURNALS, nodes.journal(at, "node-3", "sshd", said, pid=pid + number)
    at = time + timedelta(seconds=100)
    said = f"Accepted password for deploy from {STRANGER} port 40100 ssh2"
    yield _JOURNALS, nodes.journal(at, "node-3", "sshd", said, pid=pid + 30)


def sudo_by_stranger(time: datetime, dice: random.Random) -> Told:
    """Somebody who may not becomes root on node-2, and the audit daemon sees what is run."""
    pid = dice.randrange(2000, 30000)
    said = "mallory : user NOT in sudoers ; TTY=pts/1 ; PWD=/home/mallory ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow"
    yield _JOURNALS, nodes.journal(time, "node-2", "sudo", said, unit="session-9.scope", pid=pid, priority=1)


def module_loaded(time: datetime, dice: random.Random) -> Told:
    """A kernel module is loaded by hand on node-1."""
    arguments = ("insmod", "/tmp/.x/rk.ko")  # noqa: S108
    for event in nodes.auditd(
        time, "node-1", 9001, *nodes.execution(dice, "/usr/sbin/insmod", arguments, auid=_MALLORY, key="modules")
    ):
        yield _AUDITD, event
