"""What is out of the ordinary in the account and its network, as its logs tell it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from soc2.demo.company.logs import flows, sensors, trail
from soc2.demo.company.logs.scene import ACCOUNT, OFFICE, Event, node

Told = Iterator[tuple[str, Event]]

_TRAIL, _FLOWS = "cloudtrail", "flows-of-nodes"
STRANGER = "192.0.2.66"
_ROOT: dict[str, Any] = {
    "type": "Root",
    "principalId": ACCOUNT,
    "arn": f"arn:aws:iam::{ACCOUNT}:root",
    "accountId": ACCOUNT,
}


def logging_stopped(time: datetime, dice: random.Random) -> Told:
    """The deployment role stops the trail, and starts it again seven minutes later."""
    who, request = trail.session("nn-deploy", "CodeBuild"), {"name": f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/northwind"}
    for name, later in (("StopLogging", 0), ("StartLogging", 7)):
        at = time + timedelta(minutes=later)
        yield _TRAIL, trail.event(at, dice, who, OFFICE, "cloudtrail", name, agent=trail.CLI, read_only=False, request=request)


def root_login(time: datetime, dice: random.Random) -> Told:
    """Root logs in to the console without a second factor."""
    yield _TRAIL, trail.login(time, dice, _ROOT, OFFICE, mfa=False)


def key_for_another(time: datetime, dice: random.Random) -> Told:
    """Bob makes an access key for carol."""
    key = {"userName": "carol", "accessKeyId": "AKIANORTHWINDCAROL01", "status": "Active"}
    yield (
        _TRAIL,
        trail.event(
            time,
            dice,
            trail.user("bob"),
            OFFICE,
            "iam",
            "CreateAccessKey",
            agent=trail.CLI,
            read_only=False,
            request={"userName": "carol"},
            response={"accessKey": key},
        ),
    )


def break_glass_login(time: datetime, dice: random.Random) -> Told:
    """The identity for emergencies logs in, with its second factor."""
    yield _TRAIL, trail.login(time, dice, trail.user("break-glass"), OFFICE, mfa=True)


def ssh_from_internet(time: datetime, dice: random.Random) -> Told:
    """A node accepts connections to its port 22 from the internet."""
    at = node("node-3")
    for number in range(6):
        port, packets = dice.randrange(32768, 60999), dice.randrange(12, 40)
        then = time + timedelta(minutes=number)
        yield _FLOWS, flows.event(then, at, STRANGER, at.address, (port, 22), (packets, packets * 120))


def scan_from_outside(time: datetime, dice: random.Random) -> Told:
    """Somebody outside tries one port of a node after the other, and is refused."""
    yield from _scan(time, dice, "198.51.100.201")


def scan_by_supplier(time: datetime, dice: random.Random) -> Told:
    """The supplier who looks for open ports does so."""
    yield from _scan(time, dice, "198.51.100.202")


def _scan(time: datetime, dice: random.Random, address: str) -> Told:
    at = node("node-2")
    for number in range(36):
        then, port = time + timedelta(seconds=4 * number), dice.randrange(32768, 60999)
        yield _FLOWS, flows.event(then, at, address, at.address, (port, 20 + 7 * number), (1, 44), accepted=False)


def finding_of_credentials(time: datetime, dice: random.Random) -> Told:
    """GuardDuty sees a node's credentials used from elsewhere."""
    details = {"accessKeyId": "ASIANNNODE", "principalId": "AROANNNODE", "userType": "AssumedRole", "userName": "nn-node"}
    resource = {"resourceType": "AccessKey", "accessKeyDetails": details}
    kind = "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS"
    yield (
        "guardduty",
        sensors.finding(time, dice, kind, 8.0, "Credentials of an instance are used from outside of AWS", resource),
    )
