"""Who and what the logs tell of: nodes, workloads, people and addresses, as the manifests and the account declare them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

ACCOUNT = "123456789012"
REGION = "eu-west-1"
CLUSTER = "nn-staging"
OFFICE = "198.51.100.14"
BASTION = "10.20.0.9"
_WORK_BEGINS, _WORK_ENDS = 7, 17


@dataclass(frozen=True)
class Node:
    name: str
    address: str
    instance: str
    interface: str


@dataclass(frozen=True)
class Workload:
    """A workload of one pod for each node named; its pods' names are made from it and from the node."""

    namespace: str
    name: str
    image: str
    nodes: tuple[str, ...]
    account: str = "default"
    role: str | None = None
    """The IAM role of its ServiceAccount."""

    @property
    def username(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.account}"


NODES = tuple(
    Node(f"node-{number}", f"10.20.{number}.10", f"i-0{number}a4b8c2d6e0f1a2b", f"eni-0{number}c3d5e7f9a1b2c3d")
    for number in range(1, 5)
)
PROXY = Node("database-proxy", "10.20.8.20", "i-09a4b8c2d6e0f1a2b", "eni-09c3d5e7f9a1b2c3d")
ENDPOINT = Node("vpc-endpoint", "10.20.9.30", "", "eni-0ac3d5e7f9a1b2c3d")

WORKLOADS = (
    Workload("accounts", "api", "accounts-api", ("node-1", "node-2"), "api", "nn-accounts-api"),
    Workload("accounts", "session-store", "session-store", ("node-3",)),
    Workload("analytics", "collector", "collector", ("node-1", "node-4")),
    Workload("analytics", "dashboards", "dashboards", ("node-2",)),
    Workload("notes", "api", "notes-api", ("node-1", "node-3"), "api", "nn-notes-api"),
    Workload("notes", "search", "search", ("node-2",)),
    Workload("notes", "attachments", "attachments", ("node-4",)),
    Workload("notifications", "mailer", "mailer", ("node-3",), "mailer", "nn-mailer"),
    Workload("notifications", "webhooks", "webhooks", ("node-4",)),
    Workload("payments", "api", "payments-api", ("node-2", "node-4"), "api", "nn-payments-api"),
    Workload("payments", "worker", "payments-worker", ("node-3",), "worker", "nn-payments-worker"),
    Workload("platform", "ingress", "ingress", ("node-1", "node-2"), "ingress"),
    Workload("platform", "external-dns", "external-dns", ("node-1",), "external-dns", "nn-dns"),
    Workload("platform", "cert-manager", "cert-manager", ("node-2",), "cert-manager"),
    Workload("platform", "metrics", "metrics", ("node-3",)),
    Workload("storefront", "web", "storefront-web", ("node-3", "node-4"), "web"),
)
AGENTS = tuple(
    Workload("node-agents", name, name, tuple(node.name for node in NODES), name) for name in ("log-agent", "runtime-sensor")
)


def workload(namespace: str, name: str) -> Workload:
    return next(each for each in (*WORKLOADS, *AGENTS) if (each.namespace, each.name) == (namespace, name))


def node(name: str) -> Node:
    return next(each for each in (*NODES, PROXY) if each.name == name)


@dataclass(frozen=True)
class Event:
    """A record of a log. ``stream`` is what delivers it: a node, or the log itself; ``record`` is JSON or a line."""

    time: datetime
    stream: str
    record: dict[str, Any] | str


@dataclass(frozen=True)
class Day:
    """The hours that logs are made for, up to ``end`` (UTC), with randomness that the seed and a name determine."""

    end: datetime
    hours: int = 24
    seed: int = 0

    @property
    def start(self) -> datetime:
        return self.end - timedelta(hours=self.hours)

    def dice(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")  # noqa: S311

    def times(self, dice: random.Random, each_hour: float) -> Iterator[datetime]:
        """Yield times about ``each_hour`` to the hour, evenly but for a little jitter, in order and before the end.

        The last is close to the end: from every stream something has just arrived when logs are brought there.
        """
        step = timedelta(hours=1) / each_hour
        time = self.start + step * dice.uniform(0.1, 0.5)
        while time < self.end:
            yield time.replace(microsecond=dice.randrange(1000) * 1000)
            time += step * dice.uniform(0.9, 1.1)
        yield self.end - timedelta(milliseconds=dice.randrange(200, 2000))

    def working(self, dice: random.Random, each_hour: float) -> Iterator[datetime]:
        """As ``times``, in working hours only."""
        return (time for time in self.times(dice, each_hour) if _WORK_BEGINS <= time.hour < _WORK_ENDS)


def stamp(time: datetime, *, micro: bool = False) -> str:
    """Return the time as logs of APIs write it."""
    return f"{time:%Y-%m-%dT%H:%M:%S}" + (f".{time.microsecond:06d}Z" if micro else "Z")


def made_id(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def pod(of: Workload, on: str) -> str:
    """Return the name of a workload's pod on a node, the same in every log."""
    letters = random.Random(f"{of.namespace}/{of.name}/{on}")  # noqa: S311
    return f"{of.name}-{letters.getrandbits(32):08x}-" + "".join(letters.choices("bcdfghjklmnpqrstvwxz2456789", k=5))


def pod_id(of: Workload, on: str) -> str:
    return made_id(random.Random(f"uid {of.namespace}/{of.name}/{on}"))  # noqa: S311


def pod_address(of: Workload, on: str) -> str:
    """Return the address of a workload's pod, in the range of its node."""
    return f"10.20.{on[-1]}.{100 + random.Random(f'{of.namespace}/{of.name}/{on}').randrange(100)}"  # noqa: S311
