"""What runtime sensors and threat detection say: on an ordinary day, little."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from soc2.demo.company.logs.scene import ACCOUNT, NODES, REGION, Day, Event, Workload, made_id, pod, stamp

GUARDDUTY = "guardduty"


def falco(time: datetime, on: str, rule: str, priority: str, output: str, fields: dict[str, Any], *tags: str) -> Event:
    """Return one message of Falco."""
    record = {
        "uuid": made_id(random.Random(f"{time} {on} {rule}")),  # noqa: S311
        "hostname": on,
        "time": f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond:06d}000Z",
        "rule": rule,
        "priority": priority,
        "source": "syscall",
        "tags": list(tags),
        "output": f"{time:%H:%M:%S}: {priority} {output}",
        "output_fields": fields,
    }
    return Event(time, on, record)


def process(of: Workload, on: str, command: str, parent: str = "sh", user: str = "root") -> dict[str, Any]:
    """Return the fields of Falco for a process in a workload's container."""
    return {
        "container.id": f"{random.Random(pod(of, on)).getrandbits(48):012x}",  # noqa: S311
        "container.name": of.name,
        "container.image.repository": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/northwind/{of.image}",
        "k8s.ns.name": of.namespace,
        "k8s.pod.name": pod(of, on),
        "proc.name": command.split()[0].rpartition("/")[2],
        "proc.cmdline": command,
        "proc.pname": parent,
        "user.name": user,
    }


def quiet_falco(day: Day) -> Iterator[Event]:
    """Yield the sensors' own figures, once an hour and node."""
    for each in NODES:
        dice = day.dice(f"falco {each.name}")
        for time in day.times(dice, 1):
            fields = {"falco.version": "0.42.0", "falco.n_evts": dice.randrange(10**6), "scap.n_drops": 0}
            yield falco(time, each.name, "Falco internal: metrics snapshot", "Informational", "Falco metrics snapshot", fields)


def finding(time: datetime, dice: random.Random, kind: str, severity: float, title: str, resource: dict[str, Any]) -> Event:
    """Return one finding as GuardDuty exports it."""
    detector = "12abc34d567e8fa901bc2d34e56789f0"
    made = f"{dice.getrandbits(128):032x}"
    record = {
        "schemaVersion": "2.0",
        "accountId": ACCOUNT,
        "region": REGION,
        "partition": "aws",
        "id": made,
        "arn": f"arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/{detector}/finding/{made}",
        "type": kind,
        "resource": resource,
        "service": {
            "serviceName": "guardduty",
            "detectorId": detector,
            "eventFirstSeen": stamp(time - timedelta(minutes=9)),
            "eventLastSeen": stamp(time),
            "archived": False,
            "count": 1,
        },
        "severity": severity,
        "createdAt": stamp(time, micro=True),
        "updatedAt": stamp(time, micro=True),
        "title": title,
        "description": title,
    }
    return Event(time, GUARDDUTY, record)


def quiet_guardduty(day: Day) -> Iterator[Event]:
    """Yield one finding of low severity from before the day, so that the export is there."""
    time, dice = day.start - timedelta(hours=12), day.dice("guardduty")
    resource = {"resourceType": "Instance", "instanceDetails": {"instanceId": NODES[0].instance}}
    yield finding(time, dice, "Recon:EC2/PortProbeUnprotectedPort", 2.0, "An unprotected port is being probed", resource)
