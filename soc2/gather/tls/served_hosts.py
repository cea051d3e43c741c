"""Hosts that the cluster serves to the outside: where no endpoint is declared for one, nothing is known of its TLS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from soc2.gather.kubernetes.sources import GATEWAY_SOURCES, INGRESSES
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.attachment import OpenGateway, open_gateways
from soc2.model.kubernetes.network import Ingress
from soc2.model.population import Cause, Problem, SourceStatus
from soc2.model.tls import name_matches

_SHOWN = 5


@dataclass(frozen=True)
class ServedHosts:
    """The hosts of all Ingresses in scope, and of what listens with TLS on Gateways in scope; incomplete, as evidence, for
    those that no declared endpoint covers."""

    name: str = "hosts that the cluster serves"

    def gather(self, gatherer: Gatherer) -> Listing[str]:
        ingresses, *others = (gatherer.get(source) for source in (INGRESSES, *GATEWAY_SOURCES))
        if ingresses.exempt:
            return Listing((), (), ingresses.exempt)
        system = gatherer.system
        gateways = open_gateways(item for listing in others for item in listing.items)
        served = chain(
            (host for each in ingresses.items if system.in_scope(each.namespace) for host in _hosts(each)),
            (host for each in gateways if system.in_scope(each.resource.namespace) for host in _hosts_of(each)),
        )
        hosts = tuple(sorted(set(served)))
        problem = _undeclared(hosts, [endpoint.host for endpoint in system.network.endpoints])
        status = SourceStatus(self.name, "joined with [[network.endpoints]]", 0, len(hosts), None, problem)
        listed = (status for listing in (ingresses, *others) for status in listing.statuses)
        return Listing(hosts, (*listed, status))


def _hosts(ingress: Ingress) -> Iterator[str]:
    """Yield the hosts that it has rules or certificates for; a rule without any is for every host."""
    yield from ingress.hosts
    yield from (host.lower() for entry in ingress.spec.tls for host in entry.hosts)


def _hosts_of(gateway: OpenGateway) -> Iterator[str]:
    return (host for listener in gateway.listeners if listener.encrypted for host in listener.hosts)


def _undeclared(hosts: Iterable[str], declared: Iterable[str]) -> Problem | None:
    known = tuple(declared)
    missing = [host for host in hosts if not any(host == "*" or name_matches(each, host) for each in known)]
    if not missing:
        return None
    more = f" and {len(missing) - _SHOWN} more" * (len(missing) > _SHOWN)
    shown = ", ".join("every host" if host == "*" else host for host in missing[:_SHOWN])
    noun = "host" if len(missing) == 1 else "hosts"
    return Problem(Cause.ABSENT, f"no endpoint is declared under [[network.endpoints]] for {noun} {shown}{more}")
