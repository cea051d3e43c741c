"""The company as it should be lets through what it declares, and nothing else, by every layer of policy."""

from __future__ import annotations

from itertools import permutations
from typing import TypeVar

from soc2.demo.company import FOLDER
from soc2.demo.company.cluster import objects
from soc2.gather.codec import Codec
from soc2.model.kubernetes import admin_network, istio, network, workloads
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.kubernetes.workloads import AnyWorkload
from soc2.model.network.endpoints_of import endpoints_of
from soc2.model.network.mesh.istio import IstioLayer
from soc2.model.network.ports import NO_PORT, PortSet
from soc2.model.network.reachability import Reachability
from soc2.system import load_system

K = TypeVar("K", bound=KubeObject)

OBJECTS = objects("compliant")
SYSTEM = load_system(FOLDER / "system.toml")
_CODEC = Codec()


def test_workloads_reach_what_is_declared() -> None:
    lasting: list[AnyWorkload] = [*_of(workloads.Deployment), *_of(workloads.StatefulSet), *_of(workloads.DaemonSet)]
    endpoints = endpoints_of([], [*lasting, *_of(workloads.Job), *_of(workloads.CronJob)])
    labels = {item["metadata"]["name"]: item["metadata"].get("labels", {}) for item in OBJECTS if item["kind"] == "Namespace"}
    namespaces = {"kube-system": {}, **labels}
    mesh = IstioLayer(
        "istio-system", namespaces, _of(istio.PeerAuthentication), _of(istio.AuthorizationPolicy), _of(istio.Sidecar)
    )
    engine = Reachability(
        endpoints,
        namespaces,
        _of(network.NetworkPolicy),
        _of(admin_network.AdminNetworkPolicy),
        _of(admin_network.BaselineAdminNetworkPolicy),
        [mesh],
    )
    found = {(one.name, two.name): engine.allowed(one, two).words for one, two in permutations(endpoints, 2)}
    assert len(found) > 500
    assert found == {(one.name, two.name): _declared(one.name, two.name).words for one, two in permutations(endpoints, 2)}


def _of(kind: type[K]) -> list[K]:
    return [_CODEC.convert(item, kind) for item in OBJECTS if item["kind"] == kind.KIND]


def _declared(source: str, target: str) -> PortSet:
    ports = NO_PORT
    for each in (connection.declared for connection in SYSTEM.network.connections):
        if each.source.names_workload(source) and each.target.names_workload(target):
            ports = ports | each.ports
    return ports
