"""Container logs of an ordinary day, as Fluent Bit sends them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime

from soc2.demo.company.logs.scene import WORKLOADS, Day, Event, Workload, pod, pod_id, stamp

_PATHS = ("/v1/notes", "/v1/notes/{id}", "/v1/attachments", "/v1/sessions", "/healthz", "/v1/search")


def event(time: datetime, of: Workload, on: str, line: str, *, stream: str = "stdout") -> Event:
    """Return one line of a workload's container on a node."""
    name = pod(of, on)
    record = {
        "time": stamp(time, micro=True),
        "stream": stream,
        "_p": "F",
        "log": line,
        "kubernetes": {
            "pod_name": name,
            "namespace_name": of.namespace,
            "pod_id": pod_id(of, on),
            "labels": {"app": of.name},
            "host": on,
            "container_name": of.name,
            "docker_id": f"{random.Random(name).getrandbits(256):064x}",  # noqa: S311
            "container_image": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/northwind/{of.image}:staging",
        },
    }
    return Event(time, on, record)


def quiet(day: Day) -> Iterator[Event]:
    """Yield the lines of a day without anything out of the ordinary."""
    for of in WORKLOADS:
        for on in of.nodes:
            dice = day.dice(f"containers {of.namespace}/{of.name} {on}")
            for time in day.times(dice, 2):
                yield event(time, of, on, _line(dice, of, time))


def _line(dice: random.Random, of: Workload, time: datetime) -> str:
    took = round(dice.lognormvariate(2.5, 0.8), 1)
    if of.name in ("api", "web", "ingress", "dashboards"):
        path = dice.choice(_PATHS).replace("{id}", f"{dice.getrandbits(40):x}")
        status = dice.choices((200, 204, 304, 404), (80, 8, 8, 4))[0]
        fields = {
            "ts": stamp(time),
            "level": "info",
            "msg": "request",
            "method": dice.choice(("GET", "GET", "POST")),
            "path": path,
        }
        return json.dumps({**fields, "status": status, "ms": took, "remote_addr": f"10.20.14.{dice.randrange(4, 8)}"})
    doing = {"mailer": "sent mail", "worker": "settled batch", "external-dns": "all records are up to date"}.get(
        of.name, "tick"
    )
    return f"{stamp(time)} INFO {of.name}: {doing} in {took} ms"
