"""Asks the authorizer about the access matrix that the owner declared: what must be allowed, what must be denied, and,
by a search of hypothesis, whether a declared subject may do anything beyond it."""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.kubernetes.probes import probe_all, review
from soc2.gather.kubernetes.sources import NAMESPACES
from soc2.gather.source import Gatherer, Listing
from soc2.model.access.rbac import Caller, caller_of
from soc2.model.kubernetes.rbac import Subject
from soc2.model.probes import MatrixProbe
from soc2.system import MatrixEntry

_VERBS = ("get", "list", "create", "update", "patch", "delete", "deletecollection")
_NAMESPACED = (
    "pods",
    "pods/exec",
    "pods/log",
    "pods/portforward",
    "pods/ephemeralcontainers",
    "secrets",
    "configmaps",
    "services",
    "serviceaccounts",
    "serviceaccounts/token",
    "persistentvolumeclaims",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "networkpolicies.networking.k8s.io",
    "ingresses.networking.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
)
_CLUSTER = (
    "namespaces",
    "nodes",
    "nodes/proxy",
    "persistentvolumes",
    "clusterroles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "certificatesigningrequests.certificates.k8s.io",
)


@dataclass(frozen=True)
class AccessMatrix:
    """The questions of the matrix. Nothing is asked when none is declared."""

    # hypothesis and pytest both parse Python; on two threads at once, CPython 3.11 fails ("AST constructor recursion
    # depth mismatch").
    alone: ClassVar[bool] = True
    name: str = "access matrix"

    def gather(self, gatherer: Gatherer) -> Listing[MatrixProbe]:
        namespaces = gatherer.get(NAMESPACES)
        if namespaces.exempt:
            return Listing((), (), namespaces.exempt)
        entries = gatherer.system.access.matrix
        places = tuple(item.name for item in namespaces.items if gatherer.system.in_scope(item.name))
        limits = gatherer.system.search
        seed = limits.seed if limits.seed is not None else random.SystemRandom().randrange(2**32)
        ask = partial(_ask, gatherer.kubernetes)
        declared = [partial(ask, *question) for entry in entries for question in _declared(entry, places)]
        beyond = [
            partial(_search, gatherer.kubernetes, subject, entries, places, seed, limits.questions, limits.seconds)
            for subject in dict.fromkeys(entry.subject for entry in entries)
        ]
        parameters = {"seed": seed, "questions": limits.questions, "seconds": limits.seconds}
        found = probe_all(gatherer, self.name, "SubjectAccessReview", declared, namespaces.statuses, parameters)
        # hypothesis keeps its state in the process, so one subject after the other.
        searched = probe_all(gatherer, f"{self.name}, beyond it", "SubjectAccessReview", beyond, (), parameters, at_once=1)
        extra = tuple(probe for probes in searched.items for probe in probes)
        return Listing((*found.items, *extra), (*found.statuses, *searched.statuses))


Asked = tuple[str, str, str, str, bool]
"""Subject, verb, resource, namespace, and whether it should be allowed."""


def _declared(entry: MatrixEntry, places: tuple[str, ...]) -> Iterator[Asked]:
    for namespace in entry.places(places):
        for resource in entry.resources:
            for verb in entry.verbs:
                yield entry.subject, verb, resource, namespace, entry.allowed


def _ask(connection: KubeConnection, subject: str, verb: str, resource: str, namespace: str, expected: bool) -> MatrixProbe:
    caller = caller_named(subject)
    name, _, group = resource.partition(".")
    allowed = review(connection, caller.user, tuple(sorted(caller.groups)), (verb, group, name), namespace).allowed
    return MatrixProbe(subject, verb, resource, namespace, expected, allowed)


def caller_named(subject: str) -> Caller:
    """Return who asks for ``Kind/name`` or ``ServiceAccount/namespace/name``; a group is asked about by a member."""
    kind, _, rest = subject.partition("/")
    namespace, _, name = rest.rpartition("/") if kind == "ServiceAccount" else ("", "", rest)
    caller = caller_of(Subject(kind, name, namespace))
    return Caller("soc2-probe-member", caller.groups | {"system:authenticated"}) if kind == "Group" else caller


def _search(
    connection: KubeConnection,
    subject: str,
    entries: tuple[MatrixEntry, ...],
    places: tuple[str, ...],
    seed: int,
    examples: int,
    seconds: float,
) -> list[MatrixProbe]:
    """Return the refused questions that were asked, or the smallest one that was allowed and is not declared."""
    ends = time.monotonic() + seconds
    refused: dict[Asked, MatrixProbe] = {}
    allowed: dict[Asked, MatrixProbe] = {}

    def is_beyond(question: tuple[str, str, str]) -> bool:
        verb, resource, namespace = question
        if any(entry.covers(subject, verb, resource, namespace) for entry in entries):
            return False
        asked = (subject, verb, resource, namespace, False)
        if asked not in refused and asked not in allowed:
            if time.monotonic() > ends:
                return False
            probe = _ask(connection, *asked)
            (allowed if probe.allowed else refused)[asked] = probe
        return asked in allowed

    options = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            smallest = find(_questions(places), is_beyond, settings=options, random=random.Random(seed))  # noqa: S311
    except NoSuchExample:
        return list(refused.values())
    return [*refused.values(), allowed[(subject, *smallest, False)]]


def _questions(places: tuple[str, ...]) -> st.SearchStrategy[tuple[str, str, str]]:
    verbs = st.sampled_from(_VERBS)
    in_cluster = st.tuples(verbs, st.sampled_from(_CLUSTER), st.just(""))
    if not places:
        return in_cluster
    return st.tuples(verbs, st.sampled_from(_NAMESPACED), st.sampled_from(places)) | in_cluster
