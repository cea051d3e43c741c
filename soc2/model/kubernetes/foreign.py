"""Network policies of kinds that are recognised and not evaluated: nothing of them is read but that they are there."""

from __future__ import annotations

from typing import ClassVar

from soc2.model.kubernetes.meta import KubeObject


class ForeignPolicy(KubeObject, frozen=True):
    """A policy of which only the metadata is read."""


class CiliumNetworkPolicy(ForeignPolicy, frozen=True):
    KIND: ClassVar[str] = "CiliumNetworkPolicy"


class CiliumClusterwideNetworkPolicy(ForeignPolicy, frozen=True):
    KIND: ClassVar[str] = "CiliumClusterwideNetworkPolicy"


class OtherNetworkPolicy(ForeignPolicy, frozen=True):
    """A NetworkPolicy of a group that is not Kubernetes' own (Calico, Antrea)."""

    KIND: ClassVar[str] = "NetworkPolicy"


class GlobalNetworkPolicy(ForeignPolicy, frozen=True):
    KIND: ClassVar[str] = "GlobalNetworkPolicy"


class ClusterNetworkPolicy(ForeignPolicy, frozen=True):
    KIND: ClassVar[str] = "ClusterNetworkPolicy"


class ApplicationNetworkPolicy(ForeignPolicy, frozen=True):
    KIND: ClassVar[str] = "ApplicationNetworkPolicy"


class EgressFirewall(ForeignPolicy, frozen=True):
    KIND: ClassVar[str] = "EgressFirewall"


class EgressNetworkPolicy(ForeignPolicy, frozen=True):
    KIND: ClassVar[str] = "EgressNetworkPolicy"
