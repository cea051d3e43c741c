"""The ways into containers that run, and what stands in them in a namespace: policies that refuse, and RBAC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.access.primitives import SubjectRights
from soc2.model.deviation import Resource
from soc2.model.kubernetes.admission import MatchResources, RuleWithOperations
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.image_guards import narrowed, selects
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
    """A way in a namespace: the policies that are asked about it and refuse, and those who hold its right."""

    way: Way
    policies: tuple[str, ...]
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
        here = (
            WayHere(
                way,
                tuple(record.policy.name for record in bound if _refuses(record, way, namespace, declared)),
                tuple(each for each in every if _holds(each, way, namespace)),
            )
            for way in WAYS
        )
        yield NamespaceWays(namespace, tuple(here))


def _holds(rights: SubjectRights, way: Way, namespace: Namespace) -> bool:
    places = {"", namespace.name}
    # Whoever has every right is told elsewhere.
    return not places & rights.everything_in and any(
        holding.primitive.id == way.primitive and holding.namespace in places for holding in rights.holdings
    )


def _refuses(record: BoundPolicy, way: Way, namespace: Namespace, declared: tuple[str, ...]) -> bool:
    spec = record.policy.spec
    own = spec.match_constraints or MatchResources()
    if not any(_is_about(rule, way) for rule in own.resource_rules):
        return False
    if any(_is_about(rule, way) for rule in own.exclude_resource_rules):
        return False
    for binding in record.bindings:
        matched = (own, binding.spec.match_resources or MatchResources())
        selected = all(selects(each.namespace_selector, namespace) for each in matched)
        denies = "Deny" in binding.spec.validation_actions
        if denies and selected and not narrowed(record.policy.name, matched, spec.match_conditions, declared):
            return True
    return False


def _is_about(rule: RuleWithOperations, way: Way) -> bool:
    resource, _, subresource = way.subresource.partition("/")
    # A bare star stands for resources, and for none of their parts.
    names = {way.subresource, f"{resource}/*", f"*/{subresource}", "*/*"}
    return bool({"", "*"} & {*rule.api_groups} and names & {*rule.resources} and {way.operation, "*"} & {*rule.operations})
