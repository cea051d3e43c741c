"""Ports of nodes that workloads take for themselves: no Service and no policy stands before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from soc2.model.deviation import Resource
from soc2.model.kubernetes.owners import Owners
from soc2.model.kubernetes.pods import Pod, PodSpec
from soc2.model.kubernetes.workloads import AnyWorkload

_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, order=True)
class HostPort:
    """``shared`` says that the pod is in the node's network, where every port that it opens is one of the node."""

    port: int
    protocol: str
    address: str = ""
    shared: bool = False

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol}" + f" at {self.address}" * bool(self.address)


@dataclass(frozen=True)
class WorkloadPorts:
    """A workload, or a pod that nothing owns, with the ports of nodes that its pods and its template take."""

    resource: Resource
    ports: tuple[HostPort, ...]

    @property
    def names(self) -> tuple[tuple[str, HostPort], ...]:
        """Return each port with its name as it is approved: ``namespace/workload:port``."""
        return tuple((f"{self.resource.namespace}/{self.resource.name}:{each.port}", each) for each in self.ports)


def workload_ports(pods: Sequence[Pod], workloads: Sequence[AnyWorkload]) -> tuple[WorkloadPorts, ...]:
    """Return every workload that no other one made, by what finally owns it; finished pods hold no port any more."""
    owners = Owners(workloads)
    specs: dict[Resource, list[PodSpec]] = {}
    for workload in workloads:
        if owners.listed(workload):
            continue  # what it was made with may be long gone; its pods are all here
        specs.setdefault(owners.outermost(workload), []).append(workload.template.spec)
    for pod in pods:
        if pod.status.phase not in _FINISHED:
            specs.setdefault(owners.outermost(pod), []).append(pod.spec)
    return tuple(WorkloadPorts(resource, _ports(each)) for resource, each in specs.items())


def _ports(specs: Iterable[PodSpec]) -> tuple[HostPort, ...]:
    return tuple(sorted({port for spec in specs for port in _of(spec)}))


def _of(spec: PodSpec) -> Iterator[HostPort]:
    for _, container in spec.all_containers:
        for port in container.ports:
            address = _address(port.host_ip)
            if spec.host_network and (number := port.host_port or port.container_port):
                yield HostPort(number, port.protocol, shared=True)  # the address binds nobody there
            elif port.host_port and not (address and address.is_loopback):  # that only the node itself reaches
                named = "" if address and address.is_unspecified else port.host_ip
                yield HostPort(port.host_port, port.protocol, named)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
