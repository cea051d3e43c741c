"""Whose addresses are: of pods since they started, of nodes, and of network interfaces of the account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import NamedTuple

from soc2.gather.logs.flow_join import Owners
from soc2.model.aws.compute import NetworkInterface, SecurityGroup
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.network import Service
from soc2.model.kubernetes.owners import Owners as Ownership
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.workloads import AnyWorkload
from soc2.model.network.addresses import number_of
from soc2.model.network.endpoints import Network
from soc2.model.network.flows import INTERNET, End, EndKind
from soc2.model.network.parties import METADATA, DeclaredConnection

_FINISHED = ("Succeeded", "Failed")
_NUMBERS = {"TCP": 6, "UDP": 17, "SCTP": 132}
# Seconds. For as long as that, the plugin of EKS for networks gives the address of a pod that is gone to no other.
_LAST_PACKETS = 30
# A rule that opens more ports than that does not say which of them are served.
_FEW_PORTS = 16
PRIVATE_NETWORKS = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)
"""RFC 1918, RFC 6598, RFC 3927, RFC 4193 and RFC 4291: an address of them stands for itself, any other is the internet's."""


@dataclass(frozen=True)
class Known:
    """What has addresses: pods and nodes of the cluster, interfaces of the account and the groups that these wear.
    ``workloads`` are what owns pods; every node serves the ports that ``services`` have on nodes."""

    workloads: Sequence[AnyWorkload] = ()
    pods: Sequence[Pod] = ()
    nodes: Sequence[Node] = ()
    interfaces: Sequence[NetworkInterface] = ()
    groups: Sequence[SecurityGroup] = ()
    services: Sequence[Service] = ()


def owners_of(known: Known, declared: Iterable[DeclaredConnection], hints: Iterable[str]) -> tuple[list[End], Owners]:
    """Return the ends and, by their places in that list, what is theirs.

    A pod in its node's network has the node's addresses, which are the node's. A secondary address of a node's interface
    is that of a pod; before the pod started and after it finished, it was nobody's that is known.
    """
    ends: list[End] = [INTERNET]
    owners = Owners(private=PRIVATE_NETWORKS)
    outermost = Ownership(known.workloads).outermost
    numbers: dict[str, int] = {}
    named: dict[str, int] = {}
    terms: dict[str, list[_Term]] = {}
    for pod in (pod for pod in known.pods if not pod.spec.host_network):
        named[f"{pod.namespace}/{pod.name}"] = owner = _numbered(str(outermost(pod)), numbers, ends)
        since, until = _seconds(pod.status.start_time or pod.metadata.creation_timestamp), None
        if pod.status.phase in _FINISHED:
            finished = _seconds(pod.status.finished_at)
            if since is None or finished is None:
                continue
            until = finished + _LAST_PACKETS
        for address in dict.fromkeys(filter(None, (pod.status.pod_ip, *(each.ip for each in pod.status.pod_ips)))):
            terms.setdefault(address, []).append(_Term(since, until, owner))
            owners.serving += [(address, *port) for port in _served(pod)]
    for address, held in terms.items():
        owners.held += [(address, *each) for each in _in_turn(held)]
    _take_machines(known, ends, owners)
    for network in dict.fromkeys((*METADATA, *_networks(declared))):
        owners.networks.append((network, len(ends)))
        name = "metadata" if network in METADATA else str(network)
        ends.append(End(EndKind.ADDRESS, name))
    for hint in hints:
        owners.hinted.append((hint, _hinted(hint, named, numbers, ends)))
    return ends, owners


class _Term(NamedTuple):
    """The time, in seconds since 1970, for which a pod has an address; it ends for a finished one."""

    since: int | None
    until: int | None
    owner: int


def _in_turn(terms: Iterable[_Term]) -> Iterator[tuple[int | None, int | None]]:
    """Yield who has an address, and from when on: None once nobody has it. A pod may start while the one before it ends,
    but has the address only afterwards."""
    free = None
    for term in sorted(terms, key=lambda each: (each.since or 0, each.until is None)):
        begin = term.since if free is None or term.since is None else max(term.since, free)
        if free is not None and begin is not None and begin > free:
            yield None, free
        if term.until is None or begin is None or begin < term.until:
            yield term.owner, begin
            free = term.until
    if free is not None:
        yield None, free


def _take_machines(known: Known, ends: list[End], owners: Owners) -> None:
    node_of, taken = {}, set()
    node_ports = {
        (_NUMBERS[port.protocol], port.node_port, port.node_port)
        for service in known.services
        for port in service.spec.ports
        if port.node_port and port.protocol in _NUMBERS
    }
    for node in known.nodes:
        owner = len(ends)
        ends.append(End(EndKind.NODE, node.name))
        node_of[node.spec.provider_id.rpartition("/")[2]] = owner
        for address in (each.address for each in node.status.addresses if number_of(each.address) is not None):
            owners.held.append((address, owner, None))
            owners.serving += [(address, *port) for port in sorted(node_ports)]
            taken.add(number_of(address))
    groups = {group.group_id: group for group in known.groups}
    for interface in known.interfaces:
        instance = interface.attachment.instance_id if interface.attachment else ""
        held_by = node_of.get(instance) if instance else None
        if held_by is None:
            owner = len(ends)
            ends.append(End(EndKind.MACHINE, interface.network_interface_id))
            addresses: tuple[str, ...] = interface.addresses
        else:
            owner, addresses = held_by, _own(interface)
        for address in addresses:
            if number_of(address) not in taken:
                taken.add(number_of(address))
                owners.held.append((address, owner, None))
        ports = [port for each in interface.groups if each.group_id in groups for port in _opened(groups[each.group_id])]
        owners.serving += [(address, *port) for address in addresses for port in ports]


def _own(interface: NetworkInterface) -> tuple[str, ...]:
    """Return the addresses of a node's interface that no pod can have."""
    public = (interface.association.public_ip,) if interface.association else ()
    return tuple(filter(None, (interface.private_ip_address, *public)))


def _served(pod: Pod) -> Iterator[tuple[int, int, int]]:
    for container in pod.spec.containers:
        for port in container.ports:
            if port.protocol in _NUMBERS:
                yield _NUMBERS[port.protocol], port.container_port, port.container_port


def _opened(group: SecurityGroup) -> Iterator[tuple[int, int, int]]:
    for rule in group.ip_permissions:
        protocol = {"tcp": 6, "udp": 17, "6": 6, "17": 17}.get(rule.ip_protocol)
        first, last = rule.from_port, rule.to_port
        if protocol and first is not None and last is not None and 0 <= last - first < _FEW_PORTS:
            yield protocol, first, last


def _networks(declared: Iterable[DeclaredConnection]) -> Iterator[Network]:
    for connection in declared:
        for party in (connection.source, connection.target):
            # All addresses there are would put private ones together with those of the internet.
            if party.network is not None and party.network.prefixlen:
                yield party.network


def _hinted(hint: str, named: dict[str, int], numbers: dict[str, int], ends: list[End]) -> int:
    namespace, pod, *workload = hint.split("/")
    name = f"{namespace}/{pod}"
    if name not in named:
        # A pod that is gone: what the flow says of it is all that is known.
        kind, own = workload if len(workload) == 2 else ("Pod", pod)
        named[name] = _numbered(f"{kind}/{namespace}/{own}", numbers, ends)
    return named[name]


def _numbered(workload: str, numbers: dict[str, int], ends: list[End]) -> int:
    if workload not in numbers:
        numbers[workload] = len(ends)
        ends.append(End(EndKind.WORKLOAD, workload))
    return numbers[workload]


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.astimezone(UTC).timestamp()) if moment else None
