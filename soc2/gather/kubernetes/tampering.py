"""Asks the authorizer who could stop or weaken the controls of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.kubernetes.probes import probe_all, review
from soc2.gather.source import Gatherer, Listing
from soc2.model.access.controls import ControlPower, Way
from soc2.model.access.rbac import Authorizer, Caller, Question, caller_of
from soc2.model.deviation import Resource
from soc2.model.kubernetes.joins import grants
from soc2.model.kubernetes.rbac import Subject

_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_WEAKEN = ("update", "patch", "delete")


@dataclass(frozen=True)
class ControlTampering:
    """Every subject that a binding names, with the controls that it could weaken.

    The bindings tell whom to ask about; what counts is the authorizer's answer to each question.
    """

    name: str = "who may weaken controls"

    def gather(self, gatherer: Gatherer) -> Listing[ControlPower]:
        needed = (
            sources.ROLES,
            sources.CLUSTER_ROLES,
            sources.ROLE_BINDINGS,
            sources.CLUSTER_ROLE_BINDINGS,
            sources.NAMESPACES,
        )
        roles, cluster_roles, role_bindings, cluster_role_bindings, namespaces = (gatherer.get(each) for each in needed)
        listings = (roles, cluster_roles, role_bindings, cluster_role_bindings, namespaces)
        before = tuple(status for listing in listings for status in listing.statuses)
        if namespaces.exempt:
            return Listing((), (), namespaces.exempt)
        bound = tuple(grants(roles.items, cluster_roles.items, role_bindings.items, cluster_role_bindings.items))
        places = [item.name for item in namespaces.items if gatherer.system.in_scope(item.name)]
        agents = (*gatherer.system.agents.log, *gatherer.system.agents.runtime)
        questions = tuple(_questions(places, agents))
        engine = Authorizer(bound)
        subjects = {_placed(subject, grant.namespace): None for grant in bound for subject in grant.subjects}
        calls = [
            partial(_ask, gatherer.kubernetes, engine, subject, questions)
            for subject in subjects
            if not subject.name.startswith("system:") and subject.namespace != "kube-system"
        ]
        return probe_all(gatherer, self.name, "SubjectAccessReview", calls, before)


def _placed(subject: Subject, namespace: str) -> Subject:
    return Subject(subject.kind, subject.name, subject.namespace or namespace) if subject.kind == "ServiceAccount" else subject


def _questions(places: list[str], agents: tuple[str, ...]) -> Iterator[tuple[str, Question]]:
    for verb in _WEAKEN:
        for resource in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
            yield "admission webhooks", Question(verb, _ADMISSION, resource)
        for resource in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
            yield "admission policies", Question(verb, _ADMISSION, resource)
        for resource in ("clusterroles", "clusterrolebindings"):
            yield "RBAC", Question(verb, _RBAC, resource)
        for place in places:
            yield "NetworkPolicies", Question(verb, "networking.k8s.io", "networkpolicies", place)
            yield "RBAC", Question(verb, _RBAC, "rolebindings", place)
            if verb != "delete":
                yield "Pod Security levels", Question(verb, "", "namespaces", place, place)
        for agent in agents:
            namespace, _, name = agent.partition("/")
            yield "log agents and runtime sensors", Question(verb, "apps", "daemonsets", namespace, name)


def _ask(
    connection: KubeConnection, engine: Authorizer, subject: Subject, questions: tuple[tuple[str, Question], ...]
) -> ControlPower:
    caller = caller_of(subject)
    if subject.kind == "Group":
        caller = Caller("soc2-probe-member", caller.groups | {"system:authenticated"})
    ways: dict[str, list[str]] = {}
    for control, question in questions:
        if engine.allows(caller, question) and _confirmed(connection, caller, question):
            where = f" in namespace {question.namespace}" if question.namespace else ""
            ways.setdefault(control, []).append(f"{question.verb} {question.resource}{where}")
    resource = Resource(subject.kind, subject.name, subject.namespace)
    return ControlPower(resource, str(subject), tuple(Way(control, ", ".join(how)) for control, how in ways.items()))


def _confirmed(connection: KubeConnection, caller: Caller, question: Question) -> bool:
    power = (question.verb, question.group, question.resource)
    return review(connection, caller.user, tuple(sorted(caller.groups)), power, question.namespace, question.name).allowed
