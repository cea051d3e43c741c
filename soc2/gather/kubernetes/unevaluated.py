"""Policies of the network that we recognise and do not evaluate: where there are any, what is reachable is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from soc2.gather.kubernetes.lists import KubeList
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes import foreign
from soc2.model.kubernetes.foreign import ForeignPolicy
from soc2.model.population import Cause, Problem

_SHOWN = 5


def _list(
    kind: type[ForeignPolicy], version: str, plural: str, *older: str, namespaced: bool = True
) -> KubeList[ForeignPolicy]:
    name = f"{plural}.{version.partition('/')[0]}"
    paths = tuple(f"/apis/{each}/{plural}" for each in older)
    return KubeList(name, f"/apis/{version}/{plural}", kind, namespaced=namespaced, optional=True, older=paths)


LISTS = (
    _list(foreign.CiliumNetworkPolicy, "cilium.io/v2", "ciliumnetworkpolicies"),
    _list(foreign.CiliumClusterwideNetworkPolicy, "cilium.io/v2", "ciliumclusterwidenetworkpolicies", namespaced=False),
    # Calico serves its policies in its own group where its API server runs, and keeps them in the other.
    _list(foreign.OtherNetworkPolicy, "crd.projectcalico.org/v1", "networkpolicies"),
    _list(foreign.GlobalNetworkPolicy, "crd.projectcalico.org/v1", "globalnetworkpolicies", namespaced=False),
    _list(foreign.OtherNetworkPolicy, "projectcalico.org/v3", "networkpolicies"),
    _list(foreign.GlobalNetworkPolicy, "projectcalico.org/v3", "globalnetworkpolicies", namespaced=False),
    # Antrea before 1.13 has the second version only.
    _list(foreign.OtherNetworkPolicy, "crd.antrea.io/v1beta1", "networkpolicies", "crd.antrea.io/v1alpha1"),
    _list(
        foreign.ClusterNetworkPolicy,
        "crd.antrea.io/v1beta1",
        "clusternetworkpolicies",
        "crd.antrea.io/v1alpha1",
        namespaced=False,
    ),
    # EKS (VPC CNI).
    _list(foreign.ClusterNetworkPolicy, "networking.k8s.aws/v1alpha1", "clusternetworkpolicies", namespaced=False),
    _list(foreign.ApplicationNetworkPolicy, "networking.k8s.aws/v1alpha1", "applicationnetworkpolicies"),
    # OpenShift.
    _list(foreign.EgressFirewall, "k8s.ovn.org/v1", "egressfirewalls"),
    _list(foreign.EgressNetworkPolicy, "network.openshift.io/v1", "egressnetworkpolicies"),
)


@dataclass(frozen=True)
class UnevaluatedPolicies:
    """All policies of kinds that are not evaluated. Each list that has any is inconclusive, and says which they are."""

    name: str = "network policies of other kinds"

    def gather(self, gatherer: Gatherer) -> Listing[ForeignPolicy]:
        return self.listed(gatherer.get)

    def listed(self, get: Callable[[KubeList[ForeignPolicy]], Listing[ForeignPolicy]]) -> Listing[ForeignPolicy]:
        """Return what ``get`` lists of every kind."""
        listings = [(source, get(source)) for source in LISTS]
        exempt = next((listing.exempt for _, listing in listings if listing.exempt), None)
        if exempt:
            return Listing((), (), exempt)
        statuses = tuple(
            status if status.problem or not listing.items else replace(status, problem=_not_evaluated(source, listing.items))
            for source, listing in listings
            for status in listing.statuses
        )
        return Listing(tuple(item for _, listing in listings for item in listing.items), statuses)


def _not_evaluated(source: KubeList[Any], items: tuple[ForeignPolicy, ...]) -> Problem:
    names = sorted(f"{item.namespace}/{item.name}" if item.namespace else item.name for item in items)
    more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
    group = source.path.split("/")[2]
    kind = source.kind.KIND
    if len(names) > 1:
        kind = f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"
    return Problem(Cause.INCONCLUSIVE, f"not evaluated: {len(names)} {kind} of {group} ({', '.join(names[:_SHOWN])}{more})")


UNEVALUATED = UnevaluatedPolicies()
