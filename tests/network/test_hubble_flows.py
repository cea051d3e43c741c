"""Flows as Hubble exports them: of both ends on one node, traced on the way, and beside other events."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from soc2.gather.logs.flow_groups import Lacking
from soc2.gather.logs.flows import FlowScan
from soc2.gather.logs.framing import frame
from soc2.model.logs import LogKind
from tests.network.flow_logs import kept, shown
from tests.network.test_flows import API, NODE, STRANGER, WEB, WORLD, hubble

WEB_POD, API_POD = ({"namespace": "team", "pod_name": name} for name in ("web", "api"))
OUT, IN = {"traffic_direction": "EGRESS"}, {"traffic_direction": "INGRESS"}
ACCEPTED = [("StatefulSet/team/web", "StatefulSet/team/api", 6, 8080, 1, 1)]


def seen(number: int = 1, **changed: Any) -> dict[str, Any]:
    return hubble(WEB_POD, API_POD, (WEB, API), uuid=str(number), **changed)


def scanned(events: Iterable[dict[str, Any]], folder: Path) -> FlowScan:
    path = folder / "events.log.1.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events).encode()))
    assert frame(path, "hubble", folder / "framed", LogKind.HUBBLE).malformed == ()
    return WORLD.scan([kept(path, folder, LogKind.HUBBLE)], folder)


def test_what_one_policy_lets_out_and_another_refuses_on_the_same_node_was_not_accepted(tmp_path: Path) -> None:
    let_out = seen(1, event_type={"type": 5}, **OUT)
    assert shown(scanned([let_out, seen(2, verdict="DROPPED", **IN)], tmp_path)) == []


def test_what_one_policy_refuses_now_and_then_was_accepted(tmp_path: Path) -> None:
    refused = seen(2, verdict="DROPPED", **IN)
    (flow,) = scanned([seen(1, **OUT), refused, seen(3, **IN)], tmp_path).flows
    assert (flow.records, flow.seen_at) == (3, "node-1 (egress)")


def test_a_packet_that_was_only_on_its_way_was_not_accepted(tmp_path: Path) -> None:
    begun = seen(1, trace_observation_point="FROM_ENDPOINT", **OUT)
    assert shown(scanned([begun, seen(2, verdict="DROPPED", **OUT)], tmp_path)) == []


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("FORWARDED", ACCEPTED), ("REDIRECTED", ACCEPTED), ("AUDIT", ACCEPTED)]
    + [(verdict, []) for verdict in ("DROPPED", "ERROR", "TRANSLATED", "VERDICT_UNKNOWN")],
)
def test_what_a_verdict_says(verdict: str, expected: list[Any], tmp_path: Path) -> None:
    assert shown(scanned([seen(verdict=verdict)], tmp_path)) == expected


def test_other_events_are_no_malformed_records(tmp_path: Path) -> None:
    told = {"node_name": "node-1", "time": "2026-05-28T21:00:00Z"}
    others = [
        {"agent_event": {"type": "POLICY_UPDATED", "policy_update": {"labels": ["a"]}}, **told},
        {"node_status": {"state_change": "NODE_CONNECTED", "node_names": ["node-2"]}, **told},
    ]
    found = scanned([*others, seen(), *others], tmp_path)
    assert (shown(found), found.lacking) == (ACCEPTED, Lacking())


def test_ends_without_a_pod_are_known_by_their_addresses(tmp_path: Path) -> None:
    world, host = {"identity": 2, "labels": ["reserved:world"]}, {"identity": 1, "labels": ["reserved:host"]}
    answer = {"l4": {"TCP": {"source_port": 8080, "destination_port": 40_000, "flags": {"ACK": True}}}, "is_reply": True}
    ping = {"l4": {"ICMPv4": {"type": 8}}}
    events = [
        hubble(world, host, (STRANGER, NODE), uuid="1"),
        hubble(API_POD, host, (API, NODE), uuid="2", **answer),
        hubble(host, API_POD, (NODE, API), uuid="3", **ping),
        hubble(API_POD, {"identity": 7, "labels": ["reserved:kube-apiserver"]}, (API, "10.0.9.1"), uuid="4"),
    ]
    assert shown(scanned(events, tmp_path)) == [
        ("StatefulSet/team/api", "address 10.0.9.1", 6, 8080, 1, 1),
        ("address internet", "node node-1", 6, 8080, 1, 1),
        ("node node-1", "StatefulSet/team/api", 1, 0, 1, 1),
        ("node node-1", "StatefulSet/team/api", 6, 8080, 1, 1),
    ]
