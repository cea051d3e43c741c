"""Asks the authorizer who could stop or weaken the controls of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from zlib import crc32

from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.kubernetes.probes import probe_all, review
from soc2.gather.source import Gatherer, Listing
from soc2.model.access.controls import ControlPower, Way
from soc2.model.access.primitives import NAMELESS
from soc2.model.access.rbac import MASTERS, Authorizer, Caller, Question, caller_of, resource_matches
from soc2.model.deviation import Resource
from soc2.model.kubernetes.joins import Grant, grants
from soc2.model.kubernetes.rbac import PolicyRule, Subject

_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_WEAKEN = ("update", "patch", "delete", "deletecollection")
_ANY_WRITE = ("create", *_WEAKEN)
# Beyond what bindings make likely, about so many questions are asked in a run; all of them where there are not more.
_BEYOND = 2_000


@dataclass(frozen=True)
class _Power:
    """A right that weakens a control, and where it does: (namespace, name), each of them empty for any."""

    control: str
    verb: str
    group: str
    resource: str
    places: tuple[tuple[str, str], ...] = (("", ""),)

    def questions(self, rules: Iterable[PolicyRule]) -> Iterator[Question]:
        """Yield what to ask, and the same of objects that some rule names: to these a right may be limited."""
        for namespace, name in self.places:
            yield Question(self.verb, self.group, self.resource, namespace, name)
        if self.verb in NAMELESS:
            return
        covering = (rule for rule in rules if resource_matches(rule, self.resource) and {self.group, "*"} & {*rule.api_groups})
        for name in dict.fromkeys(name for rule in covering for name in rule.resource_names):
            for namespace in dict.fromkeys(namespace for namespace, _ in self.places):
                yield Question(self.verb, self.group, self.resource, namespace, name)


@dataclass(frozen=True)
class ControlTampering:
    """Every subject that a binding names, with the controls that it could weaken.

    The bindings tell whom to ask about; what counts is the authorizer's answer. It is asked whatever the bindings make
    likely, and a sample beyond that, because it may know more than RBAC (a webhook, attributes). Left out are
    ``system:masters``, which no authorizer is asked about, and what Kubernetes' own components hold by its own roles.
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
        powers = tuple(_powers(places, agents))
        engine = Authorizer(bound)
        of_subject: dict[Subject, list[Grant]] = {}
        for grant in bound:
            for subject in grant.subjects:
                of_subject.setdefault(_placed(subject, grant.namespace), []).append(grant)
        asked = [subject for subject, own in of_subject.items() if not _is_kubernetes(subject, [grant.role for grant in own])]
        step = max(1, len(asked) * sum(len(power.places) for power in powers) // _BEYOND)
        calls = [partial(_ask, gatherer.kubernetes, engine, subject, of_subject[subject], powers, step) for subject in asked]
        return probe_all(gatherer, self.name, "SubjectAccessReview", calls, before)


def _placed(subject: Subject, namespace: str) -> Subject:
    return Subject(subject.kind, subject.name, subject.namespace or namespace) if subject.kind == "ServiceAccount" else subject


def _is_kubernetes(subject: Subject, roles: list[str]) -> bool:
    """Tell whether a subject is one of Kubernetes' own, with nothing but Kubernetes' own roles; everyone's groups are not."""
    if subject.kind == "Group":
        return subject.name == MASTERS
    component = subject.namespace == "kube-system" if subject.kind == "ServiceAccount" else subject.name.startswith("system:")
    return component and subject.name != "system:anonymous" and all(role.startswith("system:") for role in roles)


def _powers(namespaces: list[str], agents: tuple[str, ...]) -> Iterator[_Power]:
    # In the whole cluster first: who may do it there may do it in each namespace.
    places = (("", ""), *((name, "") for name in namespaces))
    themselves = (("", ""), *((name, name) for name in namespaces))
    sets = (("", ""), *((namespace, name) for namespace, _, name in (agent.partition("/") for agent in agents)))
    for verb in _ANY_WRITE:
        yield _Power("admission webhooks", verb, _ADMISSION, "mutatingwebhookconfigurations")
        for resource in ("mutatingadmissionpolicies", "mutatingadmissionpolicybindings"):
            yield _Power("admission policies", verb, _ADMISSION, resource)
        yield _Power("RBAC", verb, _RBAC, "clusterrolebindings")
        yield _Power("RBAC", verb, _RBAC, "rolebindings", places)
        # Policies only add up to what they allow, so a new one opens too.
        yield _Power("NetworkPolicies", verb, "networking.k8s.io", "networkpolicies", places)
    for verb in _WEAKEN:
        yield _Power("admission webhooks", verb, _ADMISSION, "validatingwebhookconfigurations")
        for resource in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
            yield _Power("admission policies", verb, _ADMISSION, resource)
        yield _Power("RBAC", verb, _RBAC, "clusterroles")
        if agents:
            yield _Power("log agents and runtime sensors", verb, "apps", "daemonsets", sets)
    for verb in ("update", "patch"):
        yield _Power("Pod Security levels", verb, "", "namespaces", themselves)
    yield _Power("admission policies", "create", "kyverno.io", "policyexceptions", places)


def _ask(
    connection: KubeConnection,
    engine: Authorizer,
    subject: Subject,
    own: list[Grant],
    powers: tuple[_Power, ...],
    step: int,
) -> ControlPower:
    caller = caller_of(subject)
    if subject.kind == "Group":
        caller = Caller("soc2-probe-member", caller.groups | {"system:authenticated"})
    found: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    rules = [rule for grant in own for rule in grant.rules]
    for power in powers:
        for question in power.questions(rules):
            sampled = crc32(f"{subject} {question}".encode()) % step == 0
            if (sampled or engine.allows(caller, question)) and _confirmed(connection, caller, question):
                limited = question.name and question.name != question.namespace
                what = f"{power.resource} named {question.name}" if limited else power.resource
                verbs, places = found.setdefault((power.control, what), ({}, {}))
                verbs[power.verb] = None
                places[question.namespace] = None
                if not question.namespace and not limited:
                    break
    ways: dict[str, list[str]] = {}
    for (control, resource), (verbs, places) in found.items():
        ways.setdefault(control, []).append(f"{'/'.join(verbs)} {resource}{_where(tuple(places))}")
    who = Resource(subject.kind, subject.name, subject.namespace)
    return ControlPower(who, str(subject), tuple(Way(control, ", ".join(how)) for control, how in ways.items()))


def _where(places: tuple[str, ...]) -> str:
    if "" in places:
        return ""
    return f" in namespace {places[0]}" if len(places) == 1 else f" in {len(places)} namespaces"


def _confirmed(connection: KubeConnection, caller: Caller, question: Question) -> bool:
    power = (question.verb, question.group, question.resource)
    return review(connection, caller.user, tuple(sorted(caller.groups)), power, question.namespace, question.name).allowed
