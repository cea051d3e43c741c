"""What holds of who can talk to whom, whatever the cluster: policies add up, in any order, and reasons name what decides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.model.network.layers import Reason
from soc2.model.network.ports import PortSet
from tests.network import clusters, reference
from tests.network.clusters import PORTS, World
from tests.network.reference import Cluster, Connection, Direction, Object
from tests.network.test_against_reference import EXAMPLES, Asked, pairs

SOME = settings(EXAMPLES, max_examples=EXAMPLES.max_examples // 5)


def everything(world: World) -> list[PortSet]:
    """Return what is allowed between the sides of a world, in their order."""
    asked = Asked(world.cluster)
    return [asked.engine.allowed(asked.peer(source), asked.peer(target)) for source, target in pairs(world)]


@SOME
@given(clusters.worlds(), st.data())
def test_another_policy_adds_nothing_but_what_its_rules_let_through(world: World, data: st.DataObject) -> None:
    """To pods that are isolated; those that were not, it isolates."""
    direction: Direction = data.draw(st.sampled_from(["ingress", "egress"]))
    added = data.draw(clusters.policies((4,)))
    added = {**added, "metadata": {**added["metadata"], "name": "added"}}
    added["spec"] = {**added["spec"], "policyTypes": [direction.capitalize()]}
    without = replace(world.cluster, admin=())
    before, after, alone = (
        Asked(replace(without, policies=each)) for each in (without.policies, [*without.policies, added], [added])
    )
    for source, target in pairs(world):
        end = source if direction == "egress" else target
        old, new, own = (each.engine.allowed(each.peer(source), each.peer(target)) for each in (before, after, alone))
        if isinstance(end, str) or end["spec"].get("hostNetwork") or not reference.isolates(added, end, direction):
            assert new == old
        elif any(reference.isolates(policy, end, direction) for policy in without.policies):
            assert old <= new
            assert new <= old | own
        else:
            assert new == old & own


@SOME
@given(clusters.worlds(), st.randoms(use_true_random=False))
def test_the_order_of_objects_does_not_matter(world: World, random: Random) -> None:
    def shuffled(items: Sequence[Object]) -> list[Object]:
        return sorted(items, key=lambda _: random.random())

    cluster = world.cluster
    mixed = Cluster(*map(shuffled, (cluster.namespaces, cluster.pods, cluster.nodes, cluster.policies, cluster.admin)))
    assert everything(replace(world, cluster=mixed)) == everything(world)


@SOME
@given(clusters.worlds())
def test_names_of_namespaces_do_not_matter(world: World) -> None:
    def renamed(item: Any) -> Any:
        return json.loads(json.dumps(item).replace('"blue"', '"zebra-1"').replace('"red"', '"a"'))

    cluster = Cluster(**{each.name: renamed(getattr(world.cluster, each.name)) for each in fields(Cluster)})
    assert everything(World(cluster, tuple(map(renamed, world.sides)), world.dual)) == everything(world)


@SOME
@given(clusters.worlds())
def test_reasons_name_what_decides(world: World) -> None:
    """What lets a connection through does so by itself; what stops it selects the end at which it is stopped."""
    asked = Asked(world.cluster)
    for source, target in pairs(world):
        for port in PORTS[::3]:
            tried = reference.connections(world.cluster, source, target, *port)
            ends = asked.peer(source), asked.peer(target)
            stops = asked.engine.stops(*ends, port)
            assert bool(stops) is (port not in asked.engine.allowed(*ends))
            if len(tried) > 1 or reference.never_stopped(world.cluster, source, target):
                continue
            reasons = asked.engine.reasons(*ends, port)
            assert len(reasons) == 2
            passing = [_check(tried[0], "egress", reasons[0]), _check(tried[0], "ingress", reasons[1])]
            assert stops == tuple(each for each, passes in zip(reasons, passing, strict=True) if not passes)


def _check(connection: Connection, direction: Direction, reason: Reason) -> bool:
    """Return whether the end lets the connection through."""
    passes = reference.lets_through(connection, direction)
    end = connection.end(direction)
    if isinstance(end, str) or end["spec"].get("hostNetwork"):
        assert reason.policy is None
        return passes
    if reason.policy is None:
        assert passes
        assert not any(reference.isolates(policy, end, direction) for policy in connection.cluster.policies)
        return passes
    (policy,) = _named(connection.cluster, reason)
    rules = policy["spec"].get(direction) or []
    place = re.search(r"(ingress|egress)\[(\d+)\]", reason.rule)
    if policy["kind"] == "NetworkPolicy":
        assert reference.isolates(policy, end, direction)
        assert bool(place) == passes
        if place:
            assert place[1] == direction
            assert reference.rule_matches(connection, direction, policy, rules[int(place[2])])
    else:
        assert reference.admin_peer_selects(connection.cluster, policy["spec"]["subject"], end)
        assert place
        assert place[1] == direction
        assert reference.admin_rule_matches(connection, direction, rules[int(place[2])])
        assert rules[int(place[2])]["action"] in (("Allow", "Accept") if passes else ("Deny",))
    return passes


def _named(cluster: Cluster, reason: Reason) -> Iterator[Object]:
    assert reason.policy
    for each in (*cluster.policies, *cluster.admin):
        metadata = each["metadata"]
        if (each["kind"], metadata["name"], metadata.get("namespace", "")) == (
            reason.policy.kind,
            reason.policy.name,
            reason.policy.namespace,
        ):
            yield each
