"""Flow logs joined with the owners of addresses, against a slow loop and case by case."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.gather.logs.flow_groups import Lacking
from soc2.model.logs import LogKind
from tests.network.flow_logs import BEGIN, FIELDS, Seen, World, cloudwatch, kept, parquet, pod, shown, text

API, WEB, OLD = "10.0.0.1", "10.0.0.2", "10.0.0.3"
NODE, DATABASE, STRANGER, LOST, SIX = "10.0.1.1", "10.0.2.1", "203.0.113.9", "10.9.9.9", "2001:db8::5"
WORLD = World(
    pods=[pod("api", API, ports=[50_051]), pod("web", WEB), pod("old", OLD, since=500)],
    nodes={"node-1": NODE},
    machines={"eni-db": DATABASE},
)
OWNERS = {
    API: "StatefulSet/team/api",
    WEB: "StatefulSet/team/web",
    NODE: "node node-1",
    DATABASE: "machine eni-db",
    STRANGER: "address internet",
    LOST: f"address {LOST}",
    SIX: "address internet",
}


# The slow and obvious way


def owner(address: str, at: int) -> str:
    if address == OLD:
        return "StatefulSet/team/old" if at >= 500 else f"address {OLD}"
    return OWNERS[address]


def rank(address: str, port: int, protocol: int) -> int:
    if (address, port, protocol) == (API, 50_051, 6):
        return 0
    return 1 if port < 1024 else 2 if port < 32768 else 3


def expected(records: Iterable[Seen]) -> list[tuple[Any, ...]]:
    groups: dict[Any, list[tuple[Seen, bool]]] = defaultdict(list)
    for record in records:
        one, two = (record.source, record.ports[0]), (record.target, record.ports[1])
        turned = order(one) > order(two)
        ends = (two, one) if turned else (one, two)
        owners = tuple(owner(end[0], record.at) for end in ends)
        groups[record.protocol, ends, owners].append((record, turned))
    talked: dict[Any, int] = defaultdict(int)
    for (protocol, ends, _), together in groups.items():
        if undecided(protocol, ends, together):
            for end in ends:
                talked[protocol, end] += 1
    found: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    for (protocol, ends, owners), together in groups.items():
        by_one = opened_by_one(protocol, ends, together, talked)
        opener, other = (0, 1) if by_one else (1, 0)
        if accepted(together, by_one):
            port = ends[other][1] if protocol in (6, 17, 132) else 0
            counts = found[owners[opener], owners[other], protocol, port]
            counts[0] += 1
            counts[1] += len(together)
    return sorted((*key, *counts) for key, counts in found.items())


def order(end: tuple[str, int]) -> tuple[int, int]:
    number = int(ip_address(end[0]))
    return (number + (0xFFFF << 32) if "." in end[0] else number), end[1]


def says_one(together: list[tuple[Seen, bool]]) -> int:
    votes = {2: 1, 18: -1}
    return sum(
        votes.get(each.flags & 18 if each.flags is not None else 0, 0) * (-1 if turned else 1) for each, turned in together
    )


def undecided(protocol: int, ends: Any, together: list[tuple[Seen, bool]]) -> bool:
    one, two = (rank(address, port, protocol) for address, port in ends)
    return says_one(together) == 0 and protocol in (6, 17, 132) and one == two and one > 1


def opened_by_one(protocol: int, ends: Any, together: list[tuple[Seen, bool]], talked: Any) -> bool:
    votes = says_one(together)
    first = min(together, key=lambda each: (each[0].at, each[1]))
    one, two = (rank(address, port, protocol) for address, port in ends)
    if votes:
        return votes > 0
    if protocol not in (6, 17, 132):
        return not first[1]
    directions = {turned for _, turned in together}
    if not any(each.accepted for each, _ in together) and len(directions) == 1:
        return (two <= 1 and one == 3) if directions == {True} else not (one <= 1 and two == 3)
    if one != two:
        return one > two
    counts = [talked[protocol, end] if undecided(protocol, ends, together) else 1 for end in ends]
    if counts[0] != counts[1]:
        return counts[0] < counts[1]
    if ends[0][1] != ends[1][1]:
        return bool(ends[0][1] > ends[1][1])
    return not first[1]


def accepted(together: list[tuple[Seen, bool]], by_one: bool) -> bool:
    if any(each.accepted and turned is by_one for each, turned in together):
        return True
    opening: dict[str, set[bool]] = defaultdict(set)
    for each, turned in together:
        if turned is not by_one:
            opening[each.via].add(each.accepted)
    said = list(opening.values())
    return {True, False} in said or ({True} in said and {False} not in said)


RECORDS = st.builds(
    Seen,
    source=st.sampled_from([*OWNERS, OLD]),
    target=st.sampled_from([*OWNERS, OLD]),
    ports=st.tuples(*[st.sampled_from([443, 5432, 5433, 40_000, 50_051])] * 2),
    protocol=st.sampled_from([6, 17, 1]),
    accepted=st.booleans(),
    flags=st.sampled_from([None, 0, 2, 3, 18, 19]),
    at=st.integers(400, 600),
    via=st.sampled_from(["eni-1", "eni-2"]),
)


# Each example has a database of its own, so there are few of them, with many records each.
@settings(max_examples=12, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=200))
def test_joins_and_groups_as_a_slow_loop_does(records: list[Seen]) -> None:
    assert shown(WORLD.of(records)) == expected(records)


def test_every_form_gives_the_same_answer(tmp_path: Path) -> None:
    records = [
        Seen(WEB, API, flags=2),
        Seen(API, WEB, (443, 40_000), flags=18),
        Seen(STRANGER, NODE, (5555, 22), accepted=False),
        Seen(SIX, NODE, (5556, 443)),
        Seen(DATABASE, LOST, (0, 0), protocol=1),
        Seen("", "", status="NODATA", via="eni-9"),
    ]
    (tmp_path / "text.log").write_text(text(records))
    (tmp_path / "cloudwatch.ndjson").write_text(cloudwatch(records))
    parquet(records, tmp_path / "flows.parquet")
    found = {}
    for path in sorted(tmp_path.glob("*.*")):
        folder = tmp_path / path.stem
        folder.mkdir()
        scanned = WORLD.scan([kept(path, folder, flow_fields=" ".join(FIELDS))], folder)
        found[path.name] = (shown(scanned), [(each.interface, each.records, each.quiet) for each in scanned.interfaces])
    assert len(found) == 3
    assert set(map(str, found.values())) == {
        str(
            (
                [
                    ("StatefulSet/team/web", "StatefulSet/team/api", 6, 443, 1, 2),
                    ("address internet", "node node-1", 6, 443, 1, 1),
                    ("machine eni-db", f"address {LOST}", 1, 0, 1, 1),
                ],
                [("eni-1", 5, 0), ("eni-9", 1, 1)],
            )
        )
    }


def test_a_connection_seen_at_both_ends_counts_once() -> None:
    there = [Seen(WEB, API, via=via) for via in ("eni-1", "eni-2")]
    back = [Seen(API, WEB, (443, 40_000), via=via, at=1001) for via in ("eni-1", "eni-2")]
    assert shown(WORLD.of([*there, *back, *there])) == [("StatefulSet/team/web", "StatefulSet/team/api", 6, 443, 1, 6)]


def test_what_the_target_refuses_was_not_accepted_though_the_source_let_it_out() -> None:
    assert shown(WORLD.of([Seen(WEB, API), Seen(WEB, API, via="eni-2", accepted=False)])) == []
    later = [Seen(WEB, API, at=2000), Seen(WEB, API, via="eni-2", at=2000)]
    refused = Seen(WEB, API, via="eni-2", accepted=False)
    assert shown(WORLD.of([refused, *later])) == [("StatefulSet/team/web", "StatefulSet/team/api", 6, 443, 1, 3)]


def test_the_port_that_many_talk_to_is_served() -> None:
    records = [Seen(WEB, DATABASE, (33_000 + number, 45_000)) for number in range(3)]
    back = [Seen(DATABASE, WEB, (45_000, 33_000 + number), at=900) for number in range(3)]
    assert shown(WORLD.of([*records, *back])) == [("StatefulSet/team/web", "machine eni-db", 6, 45_000, 3, 6)]


def test_a_port_of_a_service_on_nodes_is_served() -> None:
    port = {"port": 443, "nodePort": 31_443, "protocol": "TCP"}
    service = {"metadata": {"name": "web", "namespace": "team"}, "spec": {"type": "NodePort", "ports": [port]}}
    seen = [Seen(DATABASE, NODE, (2000, 31_443)), Seen(NODE, DATABASE, (31_443, 2000), at=900)]
    for services, expected in (
        ([service], ("machine eni-db", "node node-1", 6, 31_443, 1, 2)),
        ([], ("node node-1", "machine eni-db", 6, 2000, 1, 2)),
    ):
        world = World(nodes={"node-1": NODE}, machines={"eni-db": DATABASE}, services=services)
        assert shown(world.of(seen)) == [expected]


def test_packets_through_a_nat_gateway_are_those_of_their_ends() -> None:
    seen = Seen(API, "10.0.3.3", packet=(API, STRANGER))
    assert shown(WORLD.of([seen])) == [("StatefulSet/team/api", "address internet", 6, 443, 1, 1)]


def test_an_address_is_a_pod_only_since_it_started() -> None:
    before, after = Seen(OLD, DATABASE, at=499), Seen(OLD, DATABASE, at=500)
    assert shown(WORLD.of([before, after])) == [
        ("StatefulSet/team/old", "machine eni-db", 6, 443, 1, 1),
        (f"address {OLD}", "machine eni-db", 6, 443, 1, 1),
    ]


def test_pods_that_finished_had_their_addresses_one_after_the_other() -> None:
    world = World(
        pods=[
            pod("job", OLD, since=100, until=200, phase="Succeeded"),
            pod("broken", OLD, since=400, until=500, phase="Failed"),
            pod("web", OLD, since=510),
            pod("unknown", API, since=100, phase="Succeeded"),
        ]
    )
    seen = [Seen(OLD, STRANGER, (40_000 + at, 443), at=at) for at in (99, 100, 229, 230, 399, 400, 529, 530, 9000)]
    assert shown(world.of([*seen, Seen(API, STRANGER, at=150)])) == [
        ("StatefulSet/team/broken", "address internet", 6, 443, 2, 2),
        ("StatefulSet/team/job", "address internet", 6, 443, 2, 2),
        ("StatefulSet/team/web", "address internet", 6, 443, 2, 2),
        (f"address {API}", "address internet", 6, 443, 1, 1),
        (f"address {OLD}", "address internet", 6, 443, 3, 3),
    ]


def test_private_addresses_are_never_together_with_those_of_the_internet() -> None:
    world = World(declared=[("nodes", "0.0.0.0/0"), ("nodes", "::/0")], nodes={"node-1": NODE})
    assert shown(world.of([Seen(NODE, STRANGER), Seen(NODE, LOST), Seen(NODE, SIX)])) == [
        ("node node-1", f"address {LOST}", 6, 443, 1, 1),
        ("node node-1", "address internet", 6, 443, 2, 2),
    ]


def test_addresses_of_ipv6_are_the_same_however_they_are_written() -> None:
    world = World(pods=[pod("api", "2001:DB8:0:0::1")])
    seen = [Seen("2001:db8::1", STRANGER), Seen("2001:0db8:0000:0000:0000:0000:0000:0001", STRANGER)]
    assert shown(world.of(seen)) == [("StatefulSet/team/api", "address internet", 6, 443, 1, 2)]


def test_addresses_are_together_in_the_narrowest_declared_network() -> None:
    world = World(declared=[("198.51.0.0/16", "nodes"), ("198.51.100.0/24", "nodes")], nodes={"node-1": NODE})
    seen = [Seen(f"198.51.{part}.7", NODE) for part in (1, 2, 100)]
    assert shown(world.of(seen)) == [
        ("address 198.51.0.0/16", "node node-1", 6, 443, 2, 2),
        ("address 198.51.100.0/24", "node node-1", 6, 443, 1, 1),
    ]


def test_listed_addresses_are_found_by_the_narrowest_entry_whatever_the_outcome() -> None:
    world = World(listed=["203.0.113.0/24", STRANGER, "2001:db8::/32", "192.0.2.1"], nodes={"node-1": NODE})
    found = world.of(
        [Seen(NODE, STRANGER), Seen("203.0.113.8", NODE, accepted=False), Seen(SIX, NODE), Seen("198.51.100.1", NODE)]
    )
    assert [(each.entry, str(each.end), each.outgoing, each.accepted, each.ports) for each in found.listed] == [
        ("203.0.113.0/24", "node node-1", False, False, ((6, 443),)),
        (STRANGER, "node node-1", True, True, ((6, 443),)),
        ("2001:db8::/32", "node node-1", False, True, ((6, 443),)),
    ]


def test_probes_are_of_distinct_targets_and_tell_what_was_let_in_afterwards() -> None:
    refused = [Seen(STRANGER, NODE, (50_000, port), accepted=False, at=port) for port in (21, 22, 23)]
    fewer = [Seen("203.0.113.10", NODE, (50_000 + port, 22), accepted=False) for port in range(9)]
    inside = [Seen(API, NODE, (50_000, port), accepted=False) for port in (21, 22, 23)]
    late = [Seen("203.0.113.11", NODE, (443, 50_000 + port), accepted=False) for port in range(9)]
    entered = Seen(STRANGER, NODE, (50_000, 8080), at=700)
    (probe,) = WORLD.of([*refused, *fewer, *inside, *late, entered]).probes
    assert (probe.address, probe.targets, probe.entered) == (STRANGER, 3, ("node node-1 tcp/8080",))
    assert probe.examples == ("node node-1 tcp/21", "node node-1 tcp/22", "node node-1 tcp/23")


def test_each_probe_has_its_own_targets() -> None:
    others = "203.0.113.10"
    refused = [Seen(STRANGER, NODE, (50_000, port), accepted=False, at=port) for port in range(20, 32)]
    more = [Seen(others, address, (50_000, 22), accepted=False, at=90) for address in (NODE, API, DATABASE)]
    before = [Seen(STRANGER, NODE, (50_000, 443), at=10), Seen(others, DATABASE, (50_001, 5432), at=91)]
    one, two = WORLD.of([*refused, *more, *before]).probes
    assert (one.address, one.targets, one.records, one.entered) == (STRANGER, 12, 12, ())
    assert one.examples == tuple(f"node node-1 tcp/{port}" for port in range(20, 28))
    assert (two.address, two.targets, two.entered) == (others, 3, ("machine eni-db tcp/5432",))
    assert two.examples == ("StatefulSet/team/api tcp/22", "node node-1 tcp/22", "machine eni-db tcp/22")


def test_no_records_show_nothing() -> None:
    found = WORLD.of([])
    assert (found.flows, found.listed, found.probes, found.interfaces, found.lacking) == ((), (), (), (), Lacking())


def test_only_records_that_begin_in_the_window_count() -> None:
    seen = [Seen(WEB, API, (40_000 + number, 443), at=at) for number, at in enumerate((-1, 0, 86_399, 86_400, 200_000))]
    assert shown(WORLD.of(list(reversed(seen)))) == [("StatefulSet/team/web", "StatefulSet/team/api", 6, 443, 2, 2)]


def test_records_that_cannot_be_judged_are_counted_and_the_rest_is_judged(tmp_path: Path) -> None:
    good = text([Seen(WEB, API)])
    odd = [
        text([Seen("10.0.0.999", API)]),
        text([Seen(WEB, "-")]),
        good.replace(" ACCEPT ", " DENY "),
        good.replace(" 6 ", " tcp "),
    ]
    ping = text([Seen(WEB, API, (0, 0), protocol=1)])
    lines = [each.splitlines()[1] for each in (good, *odd, ping)]
    (tmp_path / "flows.log").write_text("\n".join([good.splitlines()[0], *lines]) + "\n")
    found = WORLD.scan([kept(tmp_path / "flows.log", tmp_path)], tmp_path)
    assert (found.lacking, [flow.protocol_name for flow in found.flows]) == (Lacking(unusable=4), ["ICMP", "TCP"])


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    found = WORLD.of([Seen("", "", status="SKIPDATA", via="eni-2"), Seen(WEB, API)])
    assert [(each.interface, each.skipped) for each in found.interfaces] == [("eni-1", 0), ("eni-2", 1)]
    (tmp_path / "bare.log").write_text(text([Seen(WEB, API)], ("interface-id", "srcaddr", "dstaddr", "log-status")))
    assert WORLD.scan([kept(tmp_path / "bare.log", tmp_path)], tmp_path).lacking == Lacking(unusable=1, timeless=1)


def hubble(source: dict[str, Any], target: dict[str, Any], addresses: tuple[str, str], **changed: Any) -> dict[str, Any]:
    return {
        "flow": {
            "time": "2026-05-28T21:00:00Z",
            "verdict": "FORWARDED",
            "IP": {"source": addresses[0], "destination": addresses[1]},
            "l4": {"TCP": {"source_port": 40_000, "destination_port": 8080, "flags": {"SYN": True}}},
            "source": source,
            "destination": target,
            "node_name": "node-1",
            **changed,
        },
        "node_name": "node-1",
        "time": "2026-05-28T21:00:00Z",
    }


def test_flows_of_hubble_name_pods_that_are_gone(tmp_path: Path) -> None:
    gone = {"namespace": "team", "pod_name": "job-x", "workloads": [{"name": "job", "kind": "Job"}]}
    web = {"namespace": "team", "pod_name": "web"}
    reply = {"l4": {"TCP": {"source_port": 8080, "destination_port": 40_000, "flags": {"SYN": True, "ACK": True}}}}
    events = [
        hubble(gone, web, ("10.0.7.7", WEB)),
        hubble(web, gone, (WEB, "10.0.7.7"), is_reply=True, **reply),
        hubble(gone, web, ("10.0.7.8", WEB), verdict="DROPPED", drop_reason_desc="POLICY_DENIED"),
        hubble(gone, web, ("10.0.7.9", WEB), verdict="TRACED"),
        {
            "lost_events": {"source": "HUBBLE_RING_BUFFER", "num_events_lost": "3"},
            "node_name": "node-1",
            "time": "2026-05-28T21:00:00Z",
        },
    ]
    assert BEGIN < 1_780_002_000  # the day that the flows are of
    (tmp_path / "hubble.log").write_text("".join(json.dumps(event) + "\n" for event in events))
    found = WORLD.scan([kept(tmp_path / "hubble.log", tmp_path, LogKind.HUBBLE)], tmp_path)
    assert shown(found) == [("Job/team/job", "StatefulSet/team/web", 6, 8080, 1, 2)]
    assert found.lacking == Lacking(lost=1)
