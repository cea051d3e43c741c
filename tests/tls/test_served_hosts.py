"""Hosts that the cluster serves, and whether an endpoint is declared for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest

from soc2.declared_network import DeclaredNetwork, Endpoint
from soc2.gather.kubernetes.sources import GATEWAY_SOURCES, GATEWAYS, INGRESSES
from soc2.gather.source import Gatherer, Listing, Source
from soc2.gather.tls.served_hosts import ServedHosts
from soc2.model.kubernetes.gateways import Gateway
from soc2.model.kubernetes.network import Ingress
from soc2.model.population import Cause, Problem, SourceStatus
from soc2.system import About, Kubernetes, OutOfScope, System

_LISTED = SourceStatus("ingresses", "GET", 1, 1, None)


@dataclass
class _Gatherer:
    system: System
    listing: Listing[Any]
    gateways: tuple[Gateway, ...] = ()

    def get(self, source: Source[Any]) -> Listing[Any]:
        given = {
            **dict.fromkeys(GATEWAY_SOURCES, Listing((), ())),
            INGRESSES: self.listing,
            GATEWAYS: Listing(self.gateways, ()),
        }
        return given[source]


def ingress(*hosts: str, tls: tuple[str, ...] = (), namespace: str = "web") -> Ingress:
    spec = {"rules": [{"host": host} if host else {} for host in hosts], "tls": [{"hosts": list(tls)}]}
    return msgspec.convert({"metadata": {"name": "i", "namespace": namespace}, "spec": spec}, Ingress)


def served(
    *ingresses: Ingress,
    declared: tuple[str, ...] = (),
    listed: SourceStatus = _LISTED,
    gateways: tuple[Gateway, ...] = (),
) -> Listing[str]:
    kubernetes = Kubernetes(out_of_scope=(OutOfScope(namespaces="kube-*", reason="the provider's"),))
    network = DeclaredNetwork(endpoints=tuple(Endpoint(host=host) for host in declared))
    system = System(system=About(name="test", owner="test"), kubernetes=kubernetes, network=network)
    return ServedHosts().gather(cast("Gatherer", _Gatherer(system, Listing(ingresses, (listed,)), gateways)))


@pytest.mark.parametrize(
    ("found", "declared", "missing"),
    [
        (ingress("a.test", "B.test"), ("a.test", "b.test"), ""),
        (ingress("a.test", tls=("c.test",)), ("a.test",), "host c.test"),
        (ingress("a.test", "b.test"), (), "hosts a.test, b.test"),
        (ingress("*.test.example"), ("a.test.example",), ""),
        (ingress("*.test.example"), ("a.b.test.example", "test.example"), "host *.test.example"),
        (ingress(""), ("a.test",), ""),
        (ingress(""), (), "host every host"),
        (ingress("a.test", namespace="kube-system"), (), ""),
        (ingress(), ("a.test",), ""),
        (ingress(), (), "host every host"),
        (ingress(*(f"{n}.test" for n in range(7))), (), "hosts 0.test, 1.test, 2.test, 3.test, 4.test and 2 more"),
    ],
)
def test_hosts_without_an_endpoint_are_missing_evidence(found: Ingress, declared: tuple[str, ...], missing: str) -> None:
    first, own = served(found, declared=declared).statuses
    assert first == _LISTED
    words = f"no endpoint is declared under [[network.endpoints]] for {missing}"
    assert own.problem == (Problem(Cause.ABSENT, words) if missing else None)


def test_hosts_of_gateways_that_serve_tls_need_an_endpoint() -> None:
    listeners = [
        {"name": "a", "port": 443, "protocol": "HTTPS", "hostname": "A.test"},
        {"name": "b", "port": 443, "protocol": "HTTPS", "hostname": "*.test.example"},
        {"name": "c", "port": 8443, "protocol": "TLS", "hostname": "c.test"},
        {"name": "d", "port": 80, "protocol": "HTTP", "hostname": "d.test"},
    ]
    ours, others = (
        msgspec.convert({"metadata": {"name": "g", "namespace": namespace}, "spec": {"listeners": listeners}}, Gateway)
        for namespace in ("web", "kube-system")
    )
    assert served(gateways=(ours, others), declared=("x.test.example", "c.test")).items == (
        "*.test.example",
        "a.test",
        "c.test",
    )
    assert served(gateways=(ours,), declared=("x.test.example", "c.test")).statuses[-1].problem == Problem(
        Cause.ABSENT, "no endpoint is declared under [[network.endpoints]] for host a.test"
    )
    assert served(gateways=(others,)).statuses[-1].problem is None


def test_what_could_not_be_listed_stays_missing() -> None:
    denied = SourceStatus("ingresses", "GET", 0, 0, None, Problem(Cause.DENIED, "no"))
    assert served(listed=denied).statuses[0] == denied


def test_a_cluster_that_is_out_of_scope_serves_nothing() -> None:
    system = System(system=About(name="test", owner="test"))
    listing: Listing[Ingress] = Listing((), (), "there is no cluster")
    assert ServedHosts().gather(cast("Gatherer", _Gatherer(system, listing))) == Listing((), (), "there is no cluster")
