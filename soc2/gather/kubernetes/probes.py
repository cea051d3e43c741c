"""Probes of a cluster: dry-runs that ought to be refused, requests without rights, and access reviews.

Nothing is persisted: pods are sent with ``dryRun=All``, which the API server takes through admission and then drops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from soc2.declared_images import Images
from soc2.gather.codec import canonical
from soc2.gather.kubernetes.connection import Answer, GatherError, KubeConnection, now
from soc2.gather.kubernetes.sources import NAMESPACES
from soc2.gather.source import Gatherer, Listing
from soc2.model.population import Cause, Problem, SourceStatus
from soc2.model.probes import AccessProbe, AdmissionProbe, RequestProbe

T = TypeVar("T")

_AT_ONCE = 8
_POLICY_REFUSALS = ("violates PodSecurity", "ValidatingAdmissionPolicy", "admission webhook", "image policy webhook backend")
_BROKEN_WEBHOOK = ("failed calling webhook", "failed to call webhook", "does not support dry run")

# A pod that is fine but for one thing, so that a refusal can only be about that thing.
RESTRICTED_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
UNKNOWN_IMAGE = "registry.soc2-probe.invalid/unknown@sha256:" + "0" * 64


@dataclass(frozen=True)
class PrivilegedPods:
    """Sends, by dry-run, a privileged pod, which ought to be refused, into each in-scope namespace."""

    name: str = "dry-run of a pod with privileged"

    def gather(self, gatherer: Gatherer) -> Listing[AdmissionProbe]:
        namespaces = gatherer.get(NAMESPACES)
        if namespaces.exempt:
            return Listing((), (), namespaces.exempt)
        wanted = [namespace.name for namespace in namespaces.items if gatherer.system.in_scope(namespace.name)]
        image = fine_image(gatherer.system.images)
        return probe_all(
            gatherer,
            self.name,
            "POST /api/v1/namespaces/*/pods?dryRun=All",
            [partial(_try_privileged, gatherer.kubernetes, name, image) for name in wanted],
            namespaces.statuses,
        )


@dataclass(frozen=True)
class UnauthorizedRequests:
    """Asks for paths that need rights, without credentials and with a token that nobody issued.

    A refusal tells something only of a server that answers those who have rights, so the examiner's own list of
    namespaces belongs to the evidence.
    """

    name: str = "requests without rights"

    def gather(self, gatherer: Gatherer) -> Listing[RequestProbe]:
        namespaces = gatherer.get(NAMESPACES)
        if namespaces.exempt:
            return Listing((), (), namespaces.exempt)
        connection = gatherer.kubernetes
        paths = ("/api", "/api/v1/namespaces", "/api/v1/secrets", "/apis", "/metrics", "/openapi/v3")
        callers: tuple[tuple[str, dict[str, str]], ...] = (
            ("nobody", {}),
            ("a token that nobody issued", {"Authorization": "Bearer soc2-controls-unissued"}),
        )
        calls = [partial(_ask, connection, caller, path, headers) for caller, headers in callers for path in paths]
        return probe_all(gatherer, self.name, "GET without credentials", calls, namespaces.statuses)


_EVERYONE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("system:anonymous", ("system:unauthenticated",)),
    ("soc2-probe-nobody", ("system:authenticated",)),
    ("system:serviceaccount:soc2-probe:nobody", ("system:serviceaccounts", "system:authenticated")),
)
_POWERS: tuple[tuple[str, str, str], ...] = (
    ("list", "", "secrets"),
    ("list", "", "configmaps"),
    ("list", "", "pods"),
    ("create", "", "pods"),
    ("create", "", "pods/exec"),
    ("get", "", "nodes/proxy"),
    ("list", "", "namespaces"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("delete", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
)


@dataclass(frozen=True)
class EveryonesAccess:
    """Asks the authorizer what subjects without any binding of their own may do (SubjectAccessReview)."""

    name: str = "access of subjects without bindings"

    def gather(self, gatherer: Gatherer) -> Listing[AccessProbe]:
        namespaces = gatherer.get(NAMESPACES)
        if namespaces.exempt:
            return Listing((), (), namespaces.exempt)
        connection = gatherer.kubernetes
        # The empty name asks for all namespaces at once; rights in one namespace only show when that one is asked for.
        places = ["", *(item.name for item in namespaces.items if gatherer.system.in_scope(item.name))]
        calls = [
            partial(review, connection, user, groups, power, place)
            for user, groups in _EVERYONE
            for power in _POWERS
            for place in (places if power[2] not in ("nodes/proxy", "namespaces") and not power[1] else [""])
        ]
        return probe_all(gatherer, self.name, "SubjectAccessReview", calls, namespaces.statuses)


def probe_all(
    gatherer: Gatherer,
    name: str,
    query: str,
    calls: Sequence[Callable[[], T]],
    before: tuple[SourceStatus, ...],
    parameters: Mapping[str, Any] = MappingProxyType({}),
    at_once: int = _AT_ONCE,
) -> Listing[T]:
    """Make all the calls and keep what they returned as evidence; those that raise GatherError make it incomplete."""
    started = now()
    found: list[T] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(at_once, thread_name_prefix=name) as pool:
        for answer in [pool.submit(call) for call in calls]:
            try:
                found.append(answer.result())
            except GatherError as error:
                problems.append(error.problem)
    sha256 = gatherer.evidence.keep(canonical(found))
    problem = Problem(problems[0].cause, f"{problems[0].detail} ({len(problems)} of {len(calls)})") if problems else None
    status = gatherer.evidence.answered(
        name,
        query,
        identity=gatherer.kubernetes.identity,
        started=started,
        pages=len(calls),
        items=len(found),
        sha256=sha256,
        problem=problem,
        parameters=dict(parameters),
    )
    return Listing(tuple(found), (*before, status))


def create_for_probe(connection: KubeConnection, path: str, body: object, namespace: str) -> None:
    """Create an object of a writing probe. Raises GatherError, which says how to prepare the namespace where it is not."""
    try:
        connection.request("POST", path, body=body)
    except GatherError as error:
        if error.status not in (403, 404):
            raise
        mend = f"deploy/kubernetes/writing-probes.yaml makes the namespace {namespace} and the rights that writing probes need"
        raise GatherError(Problem(error.problem.cause, f"{error.problem.detail}; {mend}"), error.status) from None


def pod_of(image: str, *, init: str = "", privileged: bool = False) -> dict[str, Any]:
    """Return a pod that nothing is wrong with but what is asked for; ``init`` is the image of an init container."""
    context: dict[str, Any] = dict(RESTRICTED_CONTEXT)
    if privileged:
        context = {**context, "privileged": True, "allowPrivilegeEscalation": True}
    little = {"cpu": "1m", "memory": "1Mi"}
    container = {
        "name": "probe",
        "image": image,
        "securityContext": context,
        "resources": {"requests": little, "limits": little},
    }
    before = {"initContainers": [{**container, "name": "before", "image": init}]} if init else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "soc2-controls-probe", "labels": {"app.kubernetes.io/name": "soc2-controls-probe"}},
        "spec": {"automountServiceAccountToken": False, "containers": [container], **before},
    }


def fine_image(images: Images) -> str:
    """Return an image, by digest, that no policy should have anything against: the declared one or, where policies do not look
    whether it is there, any of the first allowed registry."""
    if images.signed_fixture:
        return images.signed_fixture
    allowed = images.allowed_registries
    return f"{allowed[0].rstrip('/')}/soc2-probe@sha256:{'0' * 64}" if allowed else UNKNOWN_IMAGE


def _try_privileged(connection: KubeConnection, namespace: str, image: str) -> AdmissionProbe:
    path = f"/api/v1/namespaces/{namespace}/pods"
    answer = connection.try_create(path, pod_of(image, privileged=True))
    if answer.status in (200, 201):
        return AdmissionProbe(namespace, "privileged", True, "admitted")
    if not refused_by_policy(answer):
        raise GatherError(inconclusive(namespace, answer), answer.status)
    # A policy may have refused it for something else: either its twin is admitted, or the policy says why itself. What
    # is said of the twin too, such as the policy's name, is no reason.
    twin = connection.try_create(path, pod_of(image))
    if twin.status not in (200, 201) and ("privileged" not in answer.reason or "privileged" in twin.reason):
        why = f"{namespace}: a pod that is fine in this point is refused as well: {answer.reason}"
        raise GatherError(Problem(Cause.INCONCLUSIVE, why))
    return AdmissionProbe(namespace, "privileged", False, answer.reason)


def _ask(connection: KubeConnection, caller: str, path: str, headers: dict[str, str]) -> RequestProbe:
    answer = connection.request_anonymously(path, headers)
    if answer.status == 429 or answer.status >= 500:
        raise GatherError(Problem(Cause.SERVER_ERROR, f"{path}: HTTP {answer.status}"), answer.status)
    return RequestProbe(caller, path, answer.status)


def refused_by_policy(answer: Answer) -> bool:
    """Tell whether an admission policy refused the request, of whatever engine."""
    reason = answer.reason
    if any(text in reason for text in _BROKEN_WEBHOOK):
        return False
    return answer.status in (400, 403, 422) and any(text in reason for text in _POLICY_REFUSALS)


def inconclusive(namespace: str, answer: Answer) -> Problem:
    """Return what kept a dry-run from being answered by admission."""
    if answer.status == 403 and " cannot create resource " in answer.reason:
        return Problem(Cause.DENIED, f"the examiner may not create pods in {namespace}, so admission was never asked")
    return Problem(Cause.INCONCLUSIVE, f"{namespace}: HTTP {answer.status}: {answer.reason}")


class _ReviewStatus(msgspec.Struct):
    allowed: bool = False
    reason: str = ""
    evaluation_error: str = msgspec.field(default="", name="evaluationError")


class _Review(msgspec.Struct):
    status: _ReviewStatus


_REVIEW = msgspec.json.Decoder(_Review)


def review(
    connection: KubeConnection,
    user: str,
    groups: tuple[str, ...],
    power: tuple[str, str, str],
    namespace: str,
    object_name: str = "",
) -> AccessProbe:
    """Ask the authorizer what a user of groups may do: ``power`` is verb, API group and resource."""
    verb, group, resource = power
    name, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource, "namespace": namespace}
    attributes |= {"name": object_name} if object_name else {}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": list(groups), "resourceAttributes": attributes},
    }
    answer = connection.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=body)
    try:
        status = _REVIEW.decode(answer.body).status
    except msgspec.DecodeError:
        raise GatherError(Problem(Cause.MALFORMED, "SubjectAccessReview without a status")) from None
    if status.evaluation_error and not status.allowed:
        raise GatherError(Problem(Cause.INCONCLUSIVE, "the authorizer could not evaluate a review"))
    return AccessProbe(user, groups, verb, group, resource, namespace, status.allowed, status.reason)
