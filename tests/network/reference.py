"""Who can talk to whom, answered the slow and obvious way: one source, one target, one port, on the API's own objects.

Written from the documentation of NetworkPolicy (kubernetes.io, "Network Policies" and the API reference of
networking.k8s.io/v1) and of policy.networking.k8s.io (v1alpha1 and v1alpha2), not from the engine. Where the documentation
leaves a choice to the network plugin, or an address is not known, what may be possible counts as possible: the choice is told
where it is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import permutations, product
from typing import Any, Literal

Object = dict[str, Any]
Side = Object | str
"""A pod, an address that is no pod's, or a block of those."""
Direction = Literal["ingress", "egress"]


@dataclass(frozen=True)
class Cluster:
    """Objects as the API lists them. ``admin`` are AdminNetworkPolicies, their baseline and ClusterNetworkPolicies."""

    namespaces: Sequence[Object]
    pods: Sequence[Object]
    nodes: Sequence[Object] = ()
    policies: Sequence[Object] = ()
    admin: Sequence[Object] = ()

    @cached_property
    def networks(self) -> list[str]:
        """Every network that a policy names."""
        return re.findall(r'"([0-9a-f.:]+/\d+)"', json.dumps([*self.policies, *self.admin]))


@dataclass(frozen=True)
class Connection:
    """A connection from one address to another."""

    cluster: Cluster
    source: Side
    source_address: str
    target: Side
    target_address: str
    protocol: str
    port: int

    def end(self, direction: Direction) -> Side:
        """Return the end at which policies of a direction are enforced."""
        return self.target if direction == "ingress" else self.source

    def peer(self, direction: Direction) -> Side:
        return self.source if direction == "ingress" else self.target

    def peer_address(self, direction: Direction) -> str:
        return self.source_address if direction == "ingress" else self.target_address


def allowed(cluster: Cluster, source: Side, target: Side, protocol: str, port: int) -> bool:
    """Tell whether the source can connect to a port of the target, over any of the addresses that they have."""
    if never_stopped(cluster, source, target):
        return True
    return any(
        lets_through(connection, "egress") and lets_through(connection, "ingress")
        for connection in connections(cluster, source, target, protocol, port)
    )


def passes_both_ends(cluster: Cluster, source: Side, target: Side, protocol: str, port: int) -> bool:
    """As ``allowed``, but over addresses that may be others at one end than at the other: more may seem possible."""
    tried = connections(cluster, source, target, protocol, port)
    ends: tuple[Direction, ...] = ("egress", "ingress")
    return never_stopped(cluster, source, target) or all(any(lets_through(one, end) for one in tried) for end in ends)


def never_stopped(cluster: Cluster, source: Side, target: Side) -> bool:
    """Tell whether no policy can cut them: a pod from itself, or a pod and its node."""
    itself = not isinstance(source, str) and not isinstance(target, str) and _same(source, target)
    return itself or _lives_on(cluster, source, target) or _lives_on(cluster, target, source)


def connections(cluster: Cluster, source: Side, target: Side, protocol: str, port: int) -> list[Connection]:
    """Return the connections that can be tried: one for each pair of addresses of a family."""
    pairs = list(product(_addresses(cluster, source), _addresses(cluster, target)))
    # A side that has no address of the other's family is asked for all the same.
    same = [(one, two) for one, two in pairs if _network(one).version == _network(two).version]
    return [Connection(cluster, source, one, target, two, protocol, port) for one, two in same or pairs]


def lets_through(connection: Connection, direction: Direction) -> bool:
    """Tell whether policies at the end of a direction let it through."""
    pod = connection.end(direction)
    if isinstance(pod, str) or _host_network(pod):
        return True
    verdicts = _tier_verdicts(connection, direction, "Admin")
    if "Allow" in verdicts or verdicts == {"Deny"}:
        return "Allow" in verdicts
    selecting = [policy for policy in connection.cluster.policies if isolates(policy, pod, direction)]
    if selecting:
        return any(rule_matches(connection, direction, policy, rule) for policy, rule in _rules(selecting, direction))
    return _tier_verdicts(connection, direction, "Baseline") != {"Deny"}


# --- NetworkPolicy ---


def isolates(policy: Object, pod: Object, direction: Direction) -> bool:
    """Tell whether a NetworkPolicy holds for a pod in a direction: nothing passes then but what some policy lets through."""
    spec = policy.get("spec") or {}
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return (
        direction.capitalize() in types
        and policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
        and _selects(spec.get("podSelector") or {}, _labels(pod))
    )


def _rules(policies: Sequence[Object], direction: Direction) -> Iterator[tuple[Object, Object]]:
    for policy in policies:
        for rule in (policy.get("spec") or {}).get(direction) or []:
            yield policy, rule


def rule_matches(connection: Connection, direction: Direction, policy: Object, rule: Object) -> bool:
    """Tell whether a rule of a NetworkPolicy lets a connection through."""
    peers, ports = rule.get("from" if direction == "ingress" else "to"), rule.get("ports")
    return (not peers or any(_peer_matches(connection, direction, policy, peer) for peer in peers)) and (
        not ports or any(_port_matches(connection, port) for port in ports)
    )


def _peer_matches(connection: Connection, direction: Direction, policy: Object, peer: Object) -> bool:
    if peer.get("ipBlock"):
        block = peer["ipBlock"]
        address = connection.peer_address(direction)
        return _within(address, block["cidr"]) and not any(_all_within(address, hole) for hole in block.get("except") or [])
    pod = connection.peer(direction)
    if isinstance(pod, str) or _host_network(pod):
        return False
    namespaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    if namespaces is None and pods is None:
        return False
    if namespaces is None and pod["metadata"]["namespace"] != policy["metadata"]["namespace"]:
        return False
    return _selects(namespaces or {}, _namespace_labels(connection.cluster, pod)) and _selects(pods or {}, _labels(pod))


def _port_matches(connection: Connection, port: Object) -> bool:
    if (port.get("protocol") or "TCP") != connection.protocol:
        return False
    number = port.get("port")
    if number is None:
        return True
    if isinstance(number, str):
        return (number, connection.protocol, connection.port) in _named_ports(connection.target)
    return bool(number <= connection.port <= (port.get("endPort") or number))


# --- AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy ---


def _tier_verdicts(connection: Connection, direction: Direction, tier: str) -> set[str]:
    """Return what the first matching rule of a tier may do: Allow, Deny, Pass, or Pass when none matches.

    It is one, but for policies of equal priority: the plugin may take them in any order.
    """
    policies = [policy for policy in connection.cluster.admin if _tier(policy) == tier]
    orders = [order for order in permutations(policies) if list(map(_priority, order)) == sorted(map(_priority, order))]
    return {_verdict(connection, direction, order) for order in orders}


def _verdict(connection: Connection, direction: Direction, policies: Sequence[Object]) -> str:
    pod = connection.end(direction)
    assert not isinstance(pod, str)
    for policy in policies:
        if admin_peer_selects(connection.cluster, policy["spec"]["subject"], pod):
            for rule in policy["spec"].get(direction) or []:
                if admin_rule_matches(connection, direction, rule):
                    return "Allow" if rule["action"] == "Accept" else str(rule["action"])
    return "Pass"


def _priority(policy: Object) -> int:
    return int(policy["spec"].get("priority", 0))


def _tier(policy: Object) -> str:
    if policy["kind"] == "ClusterNetworkPolicy":
        return str(policy["spec"]["tier"])
    return "Admin" if policy["kind"] == "AdminNetworkPolicy" else "Baseline"


def admin_rule_matches(connection: Connection, direction: Direction, rule: Object) -> bool:
    """Tell whether a rule of an administrator's policy is about a connection."""
    peers = rule["from" if direction == "ingress" else "to"]
    ports, protocols = rule.get("ports"), rule.get("protocols")
    return (
        any(_admin_peer_matches(connection, direction, peer) for peer in peers)
        and (not ports or any(_admin_port_matches(connection, port) for port in ports))
        and (not protocols or any(_protocol_matches(connection, protocol) for protocol in protocols))
    )


def _admin_peer_matches(connection: Connection, direction: Direction, peer: Object) -> bool:
    address = connection.peer_address(direction)
    if "domainNames" in peer:
        # A choice: which addresses a name has is not known, so any that is no pod's; a node may have one, too. Only rules
        # that allow have names.
        return isinstance(connection.peer(direction), str)
    if "networks" in peer:
        return any(_within(address, network) for network in peer["networks"])
    if "nodes" in peer:
        return any(
            address in _node_addresses(node) and _selects(peer["nodes"], _labels(node)) for node in connection.cluster.nodes
        )
    pod = connection.peer(direction)
    return not isinstance(pod, str) and admin_peer_selects(connection.cluster, peer, pod)


def admin_peer_selects(cluster: Cluster, peer: Object, pod: Object) -> bool:
    """Tell whether a subject or a peer selects a pod; neither ever selects pods in the host's network."""
    if _host_network(pod):
        return False
    labels = _namespace_labels(cluster, pod)
    if "namespaces" in peer:
        return _selects(peer["namespaces"], labels)
    pods = peer["pods"]
    return _selects(pods.get("namespaceSelector") or {}, labels) and _selects(pods.get("podSelector") or {}, _labels(pod))


def _admin_port_matches(connection: Connection, port: Object) -> bool:
    if "portNumber" in port:
        wanted = port["portNumber"]
        return bool(wanted.get("protocol", "TCP") == connection.protocol and wanted["port"] == connection.port)
    if "portRange" in port:
        wanted = port["portRange"]
        inside = wanted["start"] <= connection.port <= wanted["end"]
        return bool(wanted.get("protocol", "TCP") == connection.protocol and inside)
    return (port["namedPort"], connection.protocol, connection.port) in _named_ports(connection.target)


def _protocol_matches(connection: Connection, protocol: Object) -> bool:
    if "destinationNamedPort" in protocol:
        wanted = (protocol["destinationNamedPort"], connection.protocol, connection.port)
        return wanted in _named_ports(connection.target)
    match = protocol.get(connection.protocol.lower())
    if match is None:
        return False
    port = match.get("destinationPort")
    if port is None:
        return True
    if "number" in port:
        return bool(port["number"] == connection.port)
    return bool(port["range"]["start"] <= connection.port <= port["range"]["end"])


# --- Pods, nodes, labels, addresses ---


def _same(one: Object, other: Object) -> bool:
    return bool(one["metadata"]["namespace"] == other["metadata"]["namespace"]) and bool(
        one["metadata"]["name"] == other["metadata"]["name"]
    )


def _lives_on(cluster: Cluster, pod: Side, other: Side) -> bool:
    """Tell whether the first is a pod on a node that the other is: by the node's address, or in the node's network.

    A choice: where it is not known on which node something runs, it may be that one. A block of addresses is no node, though a
    node's address may be in it: or the whole internet could reach every pod.
    """
    if isinstance(pod, str):
        return False
    name = pod["spec"].get("nodeName")
    if isinstance(other, str):
        return any(other in _node_addresses(node) for node in cluster.nodes if name in (None, node["metadata"]["name"]))
    other_name = other["spec"].get("nodeName")
    return _host_network(other) and (name == other_name or name is None or other_name is None)


def _host_network(pod: Object) -> bool:
    return bool(pod["spec"].get("hostNetwork"))


def _labels(item: Object) -> dict[str, str]:
    return item["metadata"].get("labels") or {}


def _namespace_labels(cluster: Cluster, pod: Object) -> dict[str, str]:
    name = pod["metadata"]["namespace"]
    given = next((_labels(namespace) for namespace in cluster.namespaces if namespace["metadata"]["name"] == name), {})
    return {**given, "kubernetes.io/metadata.name": name}  # the API server sets it


def _node_addresses(node: Object) -> list[str]:
    return [each["address"] for each in node["status"]["addresses"] if each["type"] in ("InternalIP", "ExternalIP")]


_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")


def _addresses(cluster: Cluster, side: Side) -> list[str]:
    """Return the addresses of a side.

    A choice: a pod whose address is not known is somewhere in a private network, which stands for its address; or, in the
    network of its node, anywhere, so that any address stands for it that some policy makes a difference for.
    """
    if isinstance(side, str):
        return representatives(cluster, side) if "/" in side else [side]
    known = [each["ip"] for each in (side.get("status") or {}).get("podIPs") or []]
    return known or (representatives(cluster) if _host_network(side) else list(_PRIVATE))


def representatives(cluster: Cluster, within: str | None = None) -> list[str]:
    """Return addresses, of all or of a network, such that policies treat every other as they treat one of these."""
    found = {ip_address(address) for node in cluster.nodes for address in _node_addresses(node)}
    for network in (_network(text) for text in ("0.0.0.0/0", "::/0", *([within] if within else []), *cluster.networks)):
        found.add(network.network_address)
        if network.prefixlen and int(network.broadcast_address) + 1 < 2**network.max_prefixlen:
            found.add(network.broadcast_address + 1)
    return [str(address) for address in sorted(found, key=str) if within is None or address in _network(within)]


def _named_ports(side: Side) -> list[tuple[str, str, int]]:
    """Return (name, protocol, number) of the ports that a pod's containers name.

    In the host's network there are none to policies: what is reached is the node, and a node's ports have no names.
    """
    if isinstance(side, str) or _host_network(side):
        return []
    return [
        (port["name"], port.get("protocol") or "TCP", port["containerPort"])
        for container in side["spec"]["containers"]
        for port in container.get("ports") or []
        if port.get("name")
    ]


@cache
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


def _within(address: str, cidr: str) -> bool:
    """Tell whether an address is in a network. A network that stands for an address is in that of all addresses only."""
    return _all_within(address, cidr) and ("/" not in address or _network(cidr).prefixlen == 0)


def _all_within(address: str, cidr: str) -> bool:
    """Tell whether an address, or all of the network that stands for one, is in a network."""
    inner, outer = _network(address), _network(cidr)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    exact = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return exact and all(_holds(each, labels) for each in selector.get("matchExpressions") or [])


def _holds(expression: Object, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(expression["operator"])
