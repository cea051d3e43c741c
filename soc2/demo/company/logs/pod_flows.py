"""Flows of the pods that really run, once they do: their addresses are known only then."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from soc2.demo.company.logs import flows
from soc2.demo.company.logs.scene import NODES, PROXY, Event, node
from soc2.demo.company.weaknesses import weaknesses

Told = Iterator[tuple[str, Event]]

_QUIET = (
    ("accounts/api", PROXY.address, 5432),
    ("notes/api", PROXY.address, 5432),
    ("payments/worker", PROXY.address, 5432),
    ("payments/api", "192.0.2.20", 443),
    ("platform/ingress", "storefront/web", 8080),
    ("storefront/web", "accounts/api", 8080),
    ("notes/api", "notes/search", 8080),
)
"""Who talks to whom: workloads, or the address of something else, and at which port."""


@dataclass(frozen=True)
class RunningPod:
    workload: str
    address: str
    node: str


def running_pods(items: Iterable[dict[str, Any]]) -> list[RunningPod]:
    """Return the pods with an address of their own, from the objects of the API; all by ``namespace/workload``."""
    found = []
    names = {node.name for node in NODES}
    for item in items:
        spec, status, metadata = item["spec"], item["status"], item["metadata"]
        owned = metadata.get("ownerReferences")
        if owned and status.get("podIP") and not spec.get("hostNetwork") and spec.get("nodeName") in names:
            name = owned[0]["name"]
            if owned[0]["kind"] == "ReplicaSet":
                name = name.rpartition("-")[0]
            found.append(RunningPod(f"{metadata['namespace']}/{name}", status["podIP"], spec["nodeName"]))
    return found


def pod_flows(pods: Sequence[RunningPod], variant: str, time: datetime, dice: random.Random) -> Told:
    """Yield what pods do at a moment, as the interfaces at both ends see it, in both directions: what is declared and, in the
    default variant, what is planted."""
    talks = list(_QUIET)
    if variant == "default":
        patches = [patch for weakness in weaknesses("logs") for patch in weakness.patch if "talk" in patch]
        talks += [(patch["talk"], patch["to"], patch["port"]) for patch in patches]
    for source, target, port in talks:
        sources = [pod for pod in pods if pod.workload == source]
        targets = [pod for pod in pods if pod.workload == target]
        if sources and (targets or "/" not in target):
            other = targets[0] if targets else None
            yield from _connection(sources[0], other.address if other else target, other, port, time, dice)


def _connection(
    source: RunningPod, target: str, other: RunningPod | None, port: int, time: datetime, dice: random.Random
) -> Told:
    seen_at = [("flows-of-nodes", node(source.node))]
    if other is not None:
        seen_at.append(("flows-of-nodes", node(other.node)))
    elif target == PROXY.address:
        seen_at.append(("flows-of-databases", PROXY))
    own = dice.randrange(32768, 60999)
    for log, at in dict.fromkeys(seen_at):
        yield log, flows.event(time, at, source.address, target, (own, port), (12, 4000))
        yield log, flows.event(time, at, target, source.address, (port, own), (15, 30_000))
