"""Where an API server answers."""

from __future__ import annotations

import re

import msgspec

from soc2.model.deviation import Resource

_EKS = re.compile(r"\.eks\.amazonaws\.com(\.cn)?$|\.eks-cluster\.[a-z0-9-]+\.api\.(aws|amazonwebservices\.com\.cn)$")


class ApiServerPlace(msgspec.Struct, frozen=True):
    """A place where an API server answers: its name or address, the addresses behind that, and who tells of it."""

    host: str
    addresses: tuple[str, ...]
    told_by: str

    @property
    def resource(self) -> Resource:
        return Resource("APIServer", self.host)

    @property
    def of_eks(self) -> bool:
        """Tell whether it is the endpoint of an EKS cluster, of which AWS knows who may reach it."""
        return bool(_EKS.search(self.host.rstrip(".").lower()))
