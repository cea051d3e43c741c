"""Plants what is out of the ordinary into quiet logs, and keeps the company's record of alerts."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import yaml

from soc2.demo.company import FOLDER
from soc2.demo.company.logs import attacks_cloud, attacks_cluster, attacks_nodes
from soc2.demo.company.logs.scene import Day, Event, stamp
from soc2.demo.company.logs.store import Made, lines, quiet_logs
from soc2.demo.company.weaknesses import weaknesses

Attack = Callable[[datetime, random.Random], Iterator[tuple[str, Event]]]

ATTACKS: dict[str, Attack] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (
        attacks_cluster.denied_spike,
        attacks_cluster.secrets_enumerated,
        attacks_cluster.exec_at_night,
        attacks_cluster.webhook_deleted,
        attacks_cluster.pod_security_weakened,
        attacks_cluster.rbac_changed_by_hand,
        attacks_cluster.miner_in_container,
        attacks_cloud.logging_stopped,
        attacks_cloud.root_login,
        attacks_cloud.key_for_another,
        attacks_cloud.break_glass_login,
        attacks_cloud.ssh_from_internet,
        attacks_cloud.scan_from_outside,
        attacks_cloud.scan_by_supplier,
        attacks_cloud.finding_of_credentials,
        attacks_nodes.ssh_brute_force,
        attacks_nodes.sudo_by_stranger,
        attacks_nodes.module_loaded,
    )
}

_AGO = re.compile(r"^(\d+)([mh])$")
_TIMES = ("occurred", "opened", "triaged", "closed")


@dataclass(frozen=True)
class Story:
    """All logs of the company, and its record of alerts: rows of a feed."""

    logs: Made
    alerts: list[dict[str, str]]


def tell(day: Day, variant: str) -> Story:
    """Return the logs of a variant: a quiet day, in both variants incidents that were handled, and what is planted in the
    default one."""
    patches = list(yaml.safe_load((FOLDER / "logs" / "incidents.yaml").read_text(encoding="utf-8")))
    if variant == "default":
        patches += [patch for weakness in weaknesses("logs") for patch in weakness.patch]
    logs = quiet_logs(day)
    alerts: list[dict[str, str]] = []
    for patch in patches:
        if "attack" in patch:
            _attack(logs, patch, day)
            alerts += [_row(row, day.end - ago(patch["ago"])) for row in patch.get("alerts", ())]
        elif "silence" in patch:
            logs[patch["silence"]] = [event for event in logs[patch["silence"]] if not _silenced(event, patch, day)]
        elif "garble" in patch:
            _garble(logs[patch["garble"]], patch, day)
    return Story({name: sorted(events, key=lambda event: event.time) for name, events in logs.items()}, alerts)


def ago(text: str) -> timedelta:
    """Read ``90m`` or ``6h``."""
    found = _AGO.match(text)
    if found is None:
        raise ValueError(f"{text} is no duration such as 90m or 6h")
    return timedelta(minutes=int(found[1])) if found[2] == "m" else timedelta(hours=int(found[1]))


def _attack(logs: Made, patch: Mapping[str, Any], day: Day) -> None:
    name = patch["attack"]
    for log, event in ATTACKS[name](day.end - ago(patch["ago"]), day.dice(f"attack {name}")):
        logs[log].append(event)


def _row(row: Mapping[str, str], happened: datetime) -> dict[str, str]:
    """Return a row of the feed, its times, given as what passed since it happened, made absolute."""
    return {key: stamp(happened + ago(value)) if key in _TIMES else value for key, value in row.items()}


def _silenced(event: Event, patch: Mapping[str, Any], day: Day) -> bool:
    """Tell whether an event falls into the whole hours in which its stream is silent."""
    begin = (day.end - ago(patch["ago"])).replace(minute=0, second=0, microsecond=0)
    return fnmatchcase(event.stream, patch["stream"]) and begin <= event.time < begin + ago(patch["for"])


def _garble(events: list[Event], patch: Mapping[str, Any], day: Day) -> None:
    """Cut every so many records of a stream in the middle."""
    dice = day.dice(f"garble {patch['garble']}")
    for number, event in enumerate(events):
        if event.stream == patch["stream"] and dice.random() < patch["share"]:
            (text,) = lines([event])
            events[number] = replace(event, record=text[: len(text) // 2])
