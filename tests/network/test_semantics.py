"""The semantics of network policies, case by case: ``semantics.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc2.gather.codec import Codec
from soc2.model.deviation import Resource
from soc2.model.kubernetes.admin_network import AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.network import NetworkPolicy
from soc2.model.network.endpoints import Block, Endpoint, NamedPort, Peer
from soc2.model.network.reachability import Reachability

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("semantics.yaml").read_text(encoding="utf-8"))
_CODEC = Codec()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_semantics(case: dict[str, Any]) -> None:
    endpoints = {name: _endpoint(name, given) for name, given in (case["pods"] | case.get("also", {})).items()}
    reachability = Reachability(
        tuple(endpoints.values()),
        case.get("namespaces", {}),
        tuple(_objects(case, "policies", NetworkPolicy)),
        (*_objects(case, "admin", AdminNetworkPolicy), *_objects(case, "cluster", ClusterNetworkPolicy)),
        tuple(_objects(case, "baseline", BaselineAdminNetworkPolicy)),
        nodes=tuple(_nodes(case)),
    )

    def ends(text: str) -> tuple[Peer, Peer]:
        source, target = (endpoints.get(each) or Block(ip_network(each)) for each in text.split(" -> "))
        return source, target

    found = {text: reachability.allowed(*ends(text)).words for text in case["expected"]}
    assert found == case["expected"]
    for text, expected in case.get("reasons", {}).items():
        connection, _, port = text.rpartition(" ")
        protocol, _, number = port.partition("/")
        reasons = reachability.reasons(*ends(connection), (protocol.upper(), int(number)))
        assert list(map(str, reasons)) == expected


def _endpoint(name: str, given: dict[str, Any]) -> Endpoint:
    namespace, _, pod = name.partition("/")
    resource = Resource("Pod", pod, namespace)
    return Endpoint(
        resource=resource,
        workload=resource,
        namespace=namespace,
        labels=given.get("labels", {}),
        host_network=given.get("host", False),
        ports=tuple(
            NamedPort(name, protocol, int(number)) for name, protocol, number in map(str.split, given.get("ports", ()))
        ),
        addresses=tuple(given.get("addresses", ())),
        node=given.get("node", ""),
    )


def _objects(case: dict[str, Any], key: str, kind: type[Any]) -> Iterator[Any]:
    for each in case.get(key, ()):
        namespace, _, name = each["at"].rpartition("/")
        yield _CODEC.convert({"metadata": {"name": name, "namespace": namespace}, "spec": each["spec"]}, kind)


def _nodes(case: dict[str, Any]) -> Iterator[Node]:
    for name, given in case.get("nodes", {}).items():
        addresses = [{"type": "InternalIP", "address": each} for each in given["addresses"]]
        metadata = {"name": name, "labels": given.get("labels", {})}
        yield _CODEC.convert({"metadata": metadata, "status": {"addresses": addresses}}, Node)
