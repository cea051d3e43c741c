"""What lets a connection through that was seen: policies of the cluster, and security groups of the account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from soc2.model.aws.compute import IpPermission, NetworkInterface, SecurityGroup
from soc2.model.aws.openings import network_in
from soc2.model.kubernetes.cluster import Node
from soc2.model.network.declared_flows import METADATA_END, block_of, by_address
from soc2.model.network.endpoints import Block, Endpoint, Peer
from soc2.model.network.flows import EndKind, Flow
from soc2.model.network.reachability import Reachability

NO_GROUP = "no security group that was read permits it now"
NOT_OUT = "no security group that was read lets it out now"
_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "icmp": "icmp", "icmpv6": "icmpv6", "tcp": "tcp", "udp": "udp"}


class Groups:
    """The rules of security groups, asked about flows; references are followed to who wears the group."""

    def __init__(
        self, interfaces: Iterable[NetworkInterface], groups: Iterable[SecurityGroup], nodes: Iterable[Node] = ()
    ) -> None:
        self._groups = {group.group_id: group for group in groups}
        self._at: dict[str, NetworkInterface] = {}
        self._of_instance: dict[str, NetworkInterface] = {}
        for interface in interfaces:
            self._at.update(dict.fromkeys(interface.addresses, interface))
            if interface.attachment and interface.attachment.instance_id:
                self._of_instance.setdefault(interface.attachment.instance_id, interface)
        self._of_node = {
            node.name: found for node in nodes if (found := self._of_instance.get(node.spec.provider_id.rpartition("/")[2]))
        }

    def at(self, address: str, node: str = "") -> NetworkInterface | None:
        """Return the interface with an address, or that of the node a pod runs on."""
        return self._at.get(address) or self._of_node.get(node)

    def permitting(self, flow: Flow, source_node: str, target: NetworkInterface) -> Iterator[str]:
        """Yield the rules of the target's groups that permit a flow now."""
        source = self.at(flow.source_address, source_node)
        theirs = {reference.group_id for reference in source.groups} if source else set()
        for group in self._worn(target):
            for number, rule in enumerate(group.ip_permissions):
                if _speaks_of(rule, flow) and (peer := _peer(rule, (flow.source_address, flow.source_last), theirs)):
                    yield f"security group {group.group_name} ({group.group_id}) ingress[{number}] from {peer}"

    def letting_out(self, flow: Flow, source: NetworkInterface) -> Iterator[str]:
        """Yield the rules of the source's groups that let a flow to an address out now."""
        for group in self._worn(source):
            for number, rule in enumerate(group.ip_permissions_egress):
                if _speaks_of(rule, flow) and (peer := _peer(rule, (flow.target_address, flow.target_last), set())):
                    yield f"security group {group.group_name} ({group.group_id}) egress[{number}] to {peer}"

    def _worn(self, interface: NetworkInterface) -> Iterator[SecurityGroup]:
        worn = {reference.group_id for reference in interface.groups}
        return (self._groups[name] for name in sorted(worn) if name in self._groups)


def _speaks_of(rule: IpPermission, flow: Flow) -> bool:
    if rule.ip_protocol == "-1":
        return True
    name = _NAMES.get(rule.ip_protocol, rule.ip_protocol)
    if name.startswith("icmp"):
        return flow.protocol_name == "ICMP"
    if name != flow.protocol_name.lower() and name != str(flow.protocol):
        return False
    first, last = rule.from_port, rule.to_port
    return not flow.has_ports or first is None or last is None or first == -1 or first <= flow.port <= last


def _peer(rule: IpPermission, addresses: Iterable[str], worn: set[str]) -> str | None:
    """Return by what a rule knows one of the addresses, or who wears these groups."""
    found = [ip_address(address.partition("%")[0]) for address in addresses]
    for cidr in (*(each.cidr for each in rule.ip_ranges), *(each.cidr for each in rule.ipv6_ranges)):
        network = network_in(cidr, "a security group")
        if any(address in network for address in found):
            return cidr
    group = next((each.group_id for each in rule.user_id_group_pairs if each.group_id in worn), None)
    if group is None and rule.prefix_list_ids:
        return f"prefix list {rule.prefix_list_ids[0].prefix_list_id}, whose addresses were not read"
    return group


class LetThrough:
    """Says of a flow what lets it through now, in words: policies where a pod is at one end, security groups at a target
    that is a node or a machine, and at whoever connects to an address."""

    def __init__(self, endpoints: Iterable[Endpoint], reachability: Reachability | None, groups: Groups) -> None:
        every = tuple(endpoints)
        self._at = by_address(every)
        self._of_workload = {str(endpoint.workload): endpoint for endpoint in every if not endpoint.host_network}
        self._reachability = reachability
        self._groups = groups

    def between(self, flow: Flow) -> tuple[Peer, Peer]:
        """Return the ends as the reachability of the cluster knows them; a pod stands for others of its workload."""
        # What a pod says to itself no policy refuses, so another is taken where a workload talks to itself.
        itself = flow.target_address == flow.source_address
        return (
            self._peer(flow.source.kind, flow.source.name, flow.source_address),
            self._peer(flow.target.kind, flow.target.name, flow.target_last if itself else flow.target_address),
        )

    def permitted(self, flow: Flow) -> bool | None:
        """Tell whether the policies let it through; None where they say nothing of it."""
        source, target = self.between(flow)
        if self._reachability is None or not flow.has_ports or (isinstance(source, Block) and isinstance(target, Block)):
            return None
        return flow.key in self._reachability.allowed(source, target)

    def words(self, flow: Flow) -> str:
        source, target = self.between(flow)
        said = [*self._by_policies(flow, source, target), *self._by_groups(flow, source)]
        return "; ".join(said) or "no policy or security group that was read is about it"

    def _by_policies(self, flow: Flow, source: Peer, target: Peer) -> Iterator[str]:
        permitted = self.permitted(flow)
        if permitted is None or self._reachability is None:
            return
        egress, ingress, *layers = self._reachability.reasons(source, target, flow.key)
        sides = ((egress, source), (ingress, target))
        # Of an address policies say nothing but that it is one.
        said = [*(reason for reason, end in sides if isinstance(end, Endpoint)), *layers]
        reasons = "; ".join(dict.fromkeys(map(str, said)))
        if permitted:
            yield f"policies let it through: {reasons}"
        else:
            yield f"the policies forbid it ({reasons}): they are not enforced, or were changed since"

    def _by_groups(self, flow: Flow, source: Peer) -> Iterator[str]:
        node = source.node if isinstance(source, Endpoint) else flow.source.name
        if flow.target.kind in (EndKind.NODE, EndKind.MACHINE):
            if interface := self._groups.at(flow.target_address, flow.target.name):
                rules = list(self._groups.permitting(flow, node, interface))
                yield f"let through by {', '.join(rules)}" if rules else NO_GROUP
        elif flow.target.kind is EndKind.ADDRESS and flow.target != METADATA_END:  # of which security groups say nothing
            if (interface := self._groups.at(flow.source_address, node)) is None:
                return
            rules = list(self._groups.letting_out(flow, interface))
            yield f"let out by {', '.join(rules)}" if rules else NOT_OUT

    def _peer(self, kind: EndKind, name: str, address: str) -> Peer:
        if kind is EndKind.WORKLOAD:
            here = self._at.get(address)
            found = here if here and str(here.workload) == name else self._of_workload.get(name)
            if found:
                return found
        return Block(block_of(address), name if kind is EndKind.NODE else "")
