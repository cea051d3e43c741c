"""The ways into containers that run, and what stands in them in a namespace: policies that refuse, and RBAC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.access.primitives import SubjectRights
from soc2.model.deviation import Resource
from soc2.model.kubernetes.admission import MatchResources
from soc2.model.kubernetes.admission_scope import Request, covers, unbound
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.joins import BoundPolicy


@dataclass(frozen=True)
class Way:
    """A way into containers: what it is, the subresource and operation by which admission sees it, and the primitive of RBAC
    that opens it."""

    what: str
    subresource: str
    operation: str
    primitive: str


WAYS = (
    Way("commands in running containers", "pods/exec", "CONNECT", "pods-exec"),
    Way("attaching to running containers", "pods/attach", "CONNECT", "pods-attach"),
    Way("containers that are added to running pods", "pods/ephemeralcontainers", "UPDATE", "ephemeral-containers"),
)


@dataclass(frozen=True)
class WayHere:
    """A way in a namespace: the policies that refuse all of it, those that refuse some of it by expressions that are not
    evaluated, and those who hold its right."""

    way: Way
    policies: tuple[str, ...]
    partly: tuple[str, ...]
    holders: tuple[SubjectRights, ...]


@dataclass(frozen=True)
class NamespaceWays:
    namespace: Namespace
    ways: tuple[WayHere, ...]

    @property
    def resource(self) -> Resource:
        return self.namespace.resource


def namespace_ways(
    namespaces: Iterable[Namespace],
    policies: Iterable[BoundPolicy],
    rights: Iterable[SubjectRights],
    declared: tuple[str, ...],
) -> Iterator[NamespaceWays]:
    """Join namespaces with the ValidatingAdmissionPolicies on each way, and with who may take it by RBAC. ``declared`` is what
    policies may leave out."""
    bound, every = tuple(policies), tuple(rights)
    for namespace in namespaces:
        ways: list[WayHere] = []
        for way in WAYS:
            about = [record for record in bound if _about(record, way, namespace, declared)]
            refusing = tuple(record.policy.name for record in about if _always(record))
            partly = tuple(record.policy.name for record in about if not _always(record))
            ways.append(WayHere(way, refusing, partly, tuple(each for each in every if _holds(each, way, namespace))))
        yield NamespaceWays(namespace, tuple(ways))


def _holds(rights: SubjectRights, way: Way, namespace: Namespace) -> bool:
    places = {"", namespace.name}
    # Whoever has every right is told elsewhere.
    return not places & rights.everything_in and any(
        holding.primitive.id == way.primitive and holding.namespace in places for holding in rights.holdings
    )


def _about(record: BoundPolicy, way: Way, namespace: Namespace, declared: tuple[str, ...]) -> bool:
    """Tell whether a policy denies requests of a way in a namespace, all that its expressions do not let pass."""
    request = Request(way.subresource, way.operation)
    own = record.policy.spec.match_constraints or MatchResources()
    return covers(own, request) and not unbound(record, request, namespace, declared)


def _always(record: BoundPolicy) -> bool:
    return any(each.expression.strip() == "false" for each in record.policy.spec.validations)
