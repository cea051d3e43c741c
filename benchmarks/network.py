"""Who can talk to whom in a large cluster, at three sizes.

Usage: ``python -m benchmarks.network``. The largest size is 10,000 pods of 4,000 workloads in 500 namespaces on 200 nodes,
with 2,000 policies and a pod in each node's network; each size runs in a process of its own, so that peak memory is its
own too. Last comes the largest size with ipBlocks that cut the pods' own network into pieces, so that hardly two pods are
the same to all policies. The baseline asks the naive question (does a rule of a policy of the namespace match) for a sample
of pairs of pods, and is extrapolated to all pairs. Times are of the process (CPU), so that others on the machine count less.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from itertools import count, islice
from typing import Any

from soc2.gather.codec import Codec
from soc2.model.deviation import Resource
from soc2.model.kubernetes.network import NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from soc2.model.network.endpoints import Endpoint, NamedPort
from soc2.model.network.ports import HIGHEST, PortRange
from soc2.model.network.reachability import Reachability

PODS, POLICIES, NAMESPACES, NODES = 10_000, 2_000, 500, 200
SIZES = (4, 2, 1)
SAMPLE = 20_000
"""Pairs of pods that the baseline is asked for."""
ROWS = 50
TEAMS = 20
_WORKLOADS = ("web", "api", "worker", "db", "cache", "jobs", "auth", "mail")
_PORTS = {name: 8000 + 10 * number for number, name in enumerate(_WORKLOADS)}
_OUTSIDE, _PODS = "10.200", "10.64"
Labels = dict[str, str]


def cluster(divisor: int, networks: str = _OUTSIDE) -> tuple[list[Endpoint], dict[str, Labels], list[NetworkPolicy]]:
    """Return the pods, namespaces and policies of a size, always the same ones.

    ``networks`` is where the networks lie that ipBlocks name: outside, or among the pods, which it tells apart.
    """
    chance = random.Random(1)  # noqa: S311
    namespaces = {
        f"ns-{number}": {"team": f"team-{number % TEAMS}", "env": chance.choice(["prod", "stage", "dev"])}
        for number in range(NAMESPACES // divisor)
    }
    nodes, names = NODES // divisor, list(namespaces)
    endpoints = [_agent(node) for node in range(nodes)]
    for number in range(PODS // divisor - nodes):
        namespace, workload = names[number % len(names)], _WORKLOADS[number // len(names) % len(_WORKLOADS)]
        endpoints.append(_pod(number, namespace, workload, chance.randrange(nodes)))
    codec = Codec()
    bodies = islice(_policies(names, chance, networks), POLICIES // divisor)
    return endpoints, namespaces, [codec.convert(body, NetworkPolicy) for body in bodies]


def _agent(node: int) -> Endpoint:
    """A pod of a DaemonSet in its node's network."""
    return Endpoint(
        resource=Resource("Pod", f"agent-{node}", "kube-system"),
        workload=Resource("DaemonSet", "agent", "kube-system"),
        namespace="kube-system",
        labels={"app": "agent"},
        host_network=True,
        addresses=(str(ip_address("10.1.0.0") + node),),
        node=f"node-{node}",
    )


def _pod(number: int, namespace: str, workload: str, node: int) -> Endpoint:
    tier = "data" if workload in ("db", "cache") else "service"
    return Endpoint(
        resource=Resource("Pod", f"{workload}-{number}", namespace),
        workload=Resource("Deployment", workload, namespace),
        namespace=namespace,
        labels={"app": workload, "tier": tier, "pod-template-hash": str(number % 977)},
        ports=(NamedPort("main", "TCP", _PORTS[workload]), NamedPort("metrics", "TCP", 9090)),
        addresses=(str(ip_address("10.64.0.0") + number),),
        node=f"node-{node}",
    )


def _policies(names: Sequence[str], chance: random.Random, networks: str) -> Iterator[Any]:
    """Yield bodies of policies: every tenth namespace has none, half deny by default, and each has some of its own."""
    guarded = [name for number, name in enumerate(names) if number % 10]
    for namespace in guarded:
        types = chance.choice([["Ingress"], ["Ingress", "Egress"], ["Ingress", "Egress"], None])
        if types:
            yield _policy("default-deny", namespace, podSelector={}, policyTypes=types, egress=[_DNS] * ("Egress" in types))
    for number in count():
        namespace = chance.choice(guarded)
        subject = chance.choice(
            [
                {"matchLabels": {"app": chance.choice(_WORKLOADS)}},
                {"matchExpressions": [{"key": "app", "operator": "In", "values": chance.sample(_WORKLOADS, 2)}]},
                {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["data"]}]},
            ]
        )
        directions: dict[str, Any] = {}
        if chance.random() < 0.7:
            directions["ingress"] = [_rule("from", chance, networks) for _ in range(chance.randint(1, 3))]
        if not directions or chance.random() < 0.5:
            directions["egress"] = [_rule("to", chance, networks) for _ in range(chance.randint(1, 3))]
        types = [name.capitalize() for name in directions]
        yield _policy(f"own-{number}", namespace, podSelector=subject, policyTypes=types, **directions)


_DNS = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
    "ports": [{"protocol": "UDP", "port": 53}, {"port": 53}],
}


def _policy(name: str, namespace: str, **spec: Any) -> Any:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _rule(key: str, chance: random.Random, networks: str) -> Any:
    ports = [
        {"port": "main"},
        {"port": "metrics"},
        {"port": 443},
        {"port": chance.choice(list(_PORTS.values())), "endPort": 8099},
        {"protocol": "UDP", "port": 53},
    ]
    return {
        key: [_peer(chance, networks) for _ in range(chance.randint(1, 2))],
        "ports": chance.sample(ports, chance.randint(0, 2)),
    }


def _peer(chance: random.Random, networks: str) -> Any:
    pods = {"podSelector": {"matchLabels": {"app": chance.choice(_WORKLOADS)}}}
    team = {"namespaceSelector": {"matchLabels": {"team": f"team-{chance.randrange(TEAMS)}"}}}
    production = {"namespaceSelector": {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev", "stage"]}]}}
    blocks = [
        {"cidr": f"203.0.{chance.randrange(256)}.0/24"},
        {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12", "169.254.169.254/32"]},
        {"cidr": f"{networks}.{chance.randrange(40)}.0/24"},
    ]
    return chance.choice([pods, pods, team, {**team, **pods}, {**production, **pods}, {"ipBlock": chance.choice(blocks)}])


_EVERY = [PortRange(protocol, 0, HIGHEST) for protocol in ("TCP", "UDP", "SCTP")]


def naive(source: Endpoint, target: Endpoint, namespaces: dict[str, Labels], policies: dict[str, list[NetworkPolicy]]) -> bool:
    """Tell whether anything is open from a pod to another, asking every rule of every policy about it."""
    if (source.host_network or target.host_network) and source.node == target.node:
        return True
    egress = _naive_side(source, target, target, namespaces, policies, "Egress")
    ingress = _naive_side(target, source, target, namespaces, policies, "Ingress") if egress else []
    return any(
        one.protocol == two.protocol and one.first <= two.last and two.first <= one.last for one in egress for two in ingress
    )


def _naive_side(
    end: Endpoint,
    peer: Endpoint,
    target: Endpoint,
    namespaces: dict[str, Labels],
    policies: dict[str, list[NetworkPolicy]],
    direction: str,
) -> list[PortRange]:
    isolated, found = False, []
    for policy in () if end.host_network else policies.get(end.namespace, ()):
        spec = policy.spec
        types = spec.policy_types or (("Ingress", "Egress") if spec.egress else ("Ingress",))
        if direction not in types or not spec.pod_selector.matches(dict(end.labels)):
            continue
        isolated = True
        rules = (
            [(r.from_, r.ports) for r in spec.ingress] if direction == "Ingress" else [(r.to, r.ports) for r in spec.egress]
        )
        for peers, ports in rules:
            if not peers or any(_naive_peer(each, end.namespace, peer, namespaces) for each in peers):
                found += [one for each in ports for one in _naive_ports(each, target)] if ports else _EVERY
    return found if isolated else _EVERY


def _naive_peer(wanted: NetworkPolicyPeer, namespace: str, peer: Endpoint, namespaces: dict[str, Labels]) -> bool:
    if wanted.ip_block:
        address = ip_address(peer.addresses[0])
        inside = address in ip_network(wanted.ip_block.cidr)
        return inside and not any(address in ip_network(each) for each in wanted.ip_block.except_)
    if peer.host_network:
        return False
    labels = {**namespaces.get(peer.namespace, {}), "kubernetes.io/metadata.name": peer.namespace}
    selector = wanted.namespace_selector
    inside = selector.matches(labels) if selector else peer.namespace == namespace
    return inside and (wanted.pod_selector is None or wanted.pod_selector.matches(dict(peer.labels)))


def _naive_ports(port: NetworkPolicyPort, target: Endpoint) -> list[PortRange]:
    if isinstance(port.port, str):
        return [
            PortRange(p.protocol, p.number, p.number)
            for p in target.ports
            if (p.name, p.protocol) == (port.port, port.protocol)
        ]
    first = port.port or 0
    return [PortRange(port.protocol, first, port.end_port or first or HIGHEST)]


def measure(divisor: int, networks: str) -> dict[str, Any]:
    endpoints, namespaces, policies = cluster(divisor, networks)
    chance = random.Random(2)  # noqa: S311
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    began, began_wall = time.process_time(), time.perf_counter()
    reachability = Reachability(endpoints, namespaces, policies)
    built = time.process_time() - began
    open_pairs = groups = 0
    for _, found in reachability.pairs():
        groups += len(found)
        open_pairs += sum(group.classes.bit_count() for group in found)
    took, wall = time.process_time() - began, time.perf_counter() - began_wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    rows = []
    for source in chance.sample(endpoints, ROWS):
        began = time.process_time()
        reachability.row(source)
        rows.append(time.process_time() - began)

    by_namespace: dict[str, list[NetworkPolicy]] = {}
    for policy in policies:
        by_namespace.setdefault(policy.namespace, []).append(policy)
    sample = [(chance.choice(endpoints), chance.choice(endpoints)) for _ in range(SAMPLE // divisor)]
    began = time.process_time()
    naively = [naive(source, target, namespaces, by_namespace) for source, target in sample]
    per_pair = (time.process_time() - began) / len(sample)
    began = time.process_time()
    allowed = [bool(reachability.allowed(source, target)) for source, target in sample]
    single = (time.process_time() - began) / len(sample)
    differing = sum(
        one != other for one, other, (source, target) in zip(naively, allowed, sample, strict=True) if source is not target
    )
    return {
        "pods": len(endpoints),
        "policies": len(policies),
        "classes": len(reachability.classes),
        "groups": groups,
        "open_pairs": open_pairs,
        "build_seconds": built,
        "seconds": took,
        "wall_seconds": wall,
        "row_ms": 1000 * max(rows),
        "allowed_us": 1_000_000 * single,
        "naive_seconds": per_pair * len(endpoints) ** 2,
        "sample": len(sample),
        "differing": differing,
        "peak_mb": peak / 1024,
        "peak_before_mb": before / 1024,
    }


def main() -> None:
    if sys.argv[1:]:
        print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
        return
    for divisor, networks in (*((size, _OUTSIDE) for size in SIZES), (1, _PODS)):
        command = [sys.executable, "-m", "benchmarks.network", str(divisor), networks]
        f = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        ratio = f["naive_seconds"] / f["seconds"]
        print(
            f"{f['pods']:,} pods, {f['policies']:,} policies: all pairs {f['seconds']:.2f} s of CPU "
            f"({f['wall_seconds']:.2f} s), {f['build_seconds']:.2f} s of it before the first; {f['classes']:,} classes, "
            f"{f['groups']:,} groups, {f['open_pairs']:,} open pairs; slowest of {ROWS} rows {f['row_ms']:.1f} ms, a "
            f"pair {f['allowed_us']:.1f} us; naively {f['naive_seconds']:,.0f} s ({ratio:,.0f} times; extrapolated from "
            f"{f['sample']:,} pairs, {f['differing']} of them answered otherwise); peak {f['peak_mb']:.0f} MB "
            f"({f['peak_before_mb']:.0f} MB before)"
        )


if __name__ == "__main__":
    main()
