"""Rules on the software of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from soc2.model.age import age, within
from soc2.model.aws.node_images import NodeImage
from soc2.model.deviation import Deviation

_THREE = 25
"""Since this minor version a kubelet may be three behind the API server, before it two (Kubernetes' version skew policy)."""


@dataclass(frozen=True, kw_only=True)
class NodeImageOld(Deviation):
    template: ClassVar[str] = "its image {age} ({source}), the limit is {limit} days"
    age: str
    limit: int
    source: str


@dataclass(frozen=True, kw_only=True)
class NodeImageUnknown(Deviation):
    template: ClassVar[str] = (
        "nothing tells how old its image is: neither an AMI of its instance nor a release of its node group"
    )


@dataclass(frozen=True, kw_only=True)
class KubeletSkewed(Deviation):
    template: ClassVar[str] = "its kubelet is {problem}"
    problem: str


def fresh(max_days: int, behind: int, as_of: datetime) -> Callable[[NodeImage], Iterator[Deviation]]:
    """Return the rule that the image of a node is not older than the limit, and that its kubelet is not more than so many
    minor versions ``behind`` the API server, nor before it."""

    def rule(record: NodeImage) -> Iterator[Deviation]:
        if record.made is None:
            yield NodeImageUnknown(resource=record.resource)
        elif not within(record.made, max_days, as_of):
            told = age(record.made, as_of)
            yield NodeImageOld(resource=record.resource, age=told, limit=max_days, source=record.source)
        if record.kubelet is None or record.server is None:
            yield KubeletSkewed(resource=record.resource, problem="of a version that is not told")
        elif record.server - record.kubelet > (most := behind if record.kubelet >= _THREE else min(behind, 2)):
            skew = f"{record.server - record.kubelet} minor versions behind the API server, the limit is {most}"
            yield KubeletSkewed(resource=record.resource, problem=skew)
        elif record.kubelet > record.server:
            yield KubeletSkewed(resource=record.resource, problem="newer than the API server, which is not supported")

    return rule
