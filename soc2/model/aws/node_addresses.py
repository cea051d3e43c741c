"""Public addresses of the nodes of clusters, as their machines and as their Node objects tell them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.aws.compute import Instance, NetworkInterface
from soc2.model.aws.public_addresses import Routes, is_public
from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Node
from soc2.model.network.addresses import SIX, number_of
from soc2.model.population import Cause, EvidenceGap, Problem

_TAGS = ("eks:cluster-name", "aws:eks:cluster-name")
_TAG_PREFIX = "kubernetes.io/cluster/"
_GONE = ("terminated", "shutting-down")


@dataclass(frozen=True)
class NodeAddresses:
    """A node with its public addresses, and how each is known to be public."""

    resource: Resource
    public: tuple[tuple[str, str], ...]


def node_addresses(
    nodes: Iterable[Node],
    instances: Iterable[Instance],
    interfaces: Iterable[NetworkInterface],
    routes: Routes,
    *,
    cloud: bool,
) -> Iterator[NodeAddresses]:
    """Return the nodes of the cluster, and instances that tags call nodes. ``cloud`` says that the account was listed.

    Raises EvidenceGap when a node that is ready runs on an instance that was not listed: nobody knows its interfaces.
    """
    machines = {each.instance_id: each for each in instances if each.state.name not in _GONE}
    worn: dict[str, list[NetworkInterface]] = {}
    for interface in interfaces:
        worn.setdefault(interface.instance_id, []).append(interface)
    seen = set()
    for node in nodes:
        name = node.spec.provider_id.rpartition("/")[2] if node.spec.provider_id.startswith("aws://") else ""
        machine = machines.get(name)
        if machine is None and cloud and node.ready and name.startswith("i-"):
            what = f"node {node.name} is {name}, which is not among the instances of the regions in scope"
            raise EvidenceGap("instances", Problem(Cause.ABSENT, what))
        seen.add(name)
        yield NodeAddresses(node.resource, _public(node, machine, worn.get(name, ()) if name else (), routes))
    for name, machine in machines.items():
        if name not in seen and _is_node(machine):
            yield NodeAddresses(machine.resource, _public(None, machine, worn.get(name, ()), routes))


def _is_node(machine: Instance) -> bool:
    return any(each.key in _TAGS or each.key.startswith(_TAG_PREFIX) for each in machine.tags)


def _public(
    node: Node | None, machine: Instance | None, interfaces: Iterable[NetworkInterface], routes: Routes
) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    private: set[str] = set()
    for interface in interfaces:
        for address, how in routes.addresses_of(interface):
            found.setdefault(address, f"{how}, on {interface.network_interface_id}")
        private.update(interface.addresses)
    if machine and machine.public_ip_address:
        found.setdefault(machine.public_ip_address, f"public IPv4 address of {machine.instance_id}")
    for each in node.status.addresses if node else ():
        number = number_of(each.address)
        # What an interface has, and is not public there, is an IPv6 address without a way to it.
        if number is None or not is_public(each.address) or each.address in private:
            continue
        doubt = "; the routes of its network are not known" if number >= SIX else ""
        found.setdefault(each.address, f"{each.type} of the Node{doubt}")
    return tuple(found.items())
