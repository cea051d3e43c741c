"""Dry-runs of pods with images that ought to be refused, in every namespace in scope.

A refusal counts when a policy gave it, and gave it for the image: its twin with an image that is fine is admitted, or the
policy says why itself. What quotas, Pod Security or an engine that could not decide refuse is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from soc2.declared_images import Images
from soc2.gather.kubernetes.connection import Answer, GatherError, KubeConnection
from soc2.gather.kubernetes.probes import UNKNOWN_IMAGE, fine_image, inconclusive, pod_of, probe_all, refused_by_policy
from soc2.gather.kubernetes.sources import NAMESPACES
from soc2.gather.source import Gatherer, Listing
from soc2.model.population import Cause, Problem
from soc2.model.probes import AdmissionProbe

Tried = Literal["unknown image", "mutable tag", "unsigned image", "known-bad digest"]
Pod = dict[str, Any]

_BAD_HOST = "registry.soc2-probe.invalid"
_NAMES = (
    re.compile(r"ValidatingAdmissionPolicy '(?P<policy>[^']+)' with binding '(?P<by>[^']+)' denied request"),
    # Kyverno names its policies on lines of their own, Gatekeeper in brackets, the policy controller after two words.
    re.compile(
        r'webhook "(?P<by>[^"]+)" denied the request:.*due to the following policies\s+(?P<policy>[\w.-]+):', re.DOTALL
    ),
    re.compile(r'webhook "(?P<by>[^"]+)" denied the request: \[(?P<policy>[\w.-]+)\]'),
    re.compile(r'webhook "(?P<by>[^"]+)" denied the request:.*failed policy: (?P<policy>[\w.-]+)', re.DOTALL),
    re.compile(r'webhook "(?P<policy>[^"]+)" denied the request(?P<by>)'),
    re.compile(r"(?P<policy>image policy webhook) backend denied one or more images(?P<by>)"),
)
# An engine that cannot read the fixture refuses it whether it is signed or not; that its signature is not there is an answer.
_UNREAD = re.compile(
    r"UNAUTHORIZED|DENIED:|NAME_UNKNOWN|TOOMANYREQUESTS|no basic auth|(?<!\.sig: )(?:MANIFEST_UNKNOWN|unexpected status code)|"
    r"no such host|server misbehaving|dial tcp|connection re(?:fused|set)|no route to host|network is unreachable|\bEOF\b|"
    r"timeout\b|timed out|(?:context )?deadline exceeded|context canceled|x509:|\btls: |gave HTTP response"
)
# What cannot evaluate its own conditions refuses anything, if it fails closed.
_UNDECIDED = re.compile(
    r"resulted in error|failed to configure (?:policy|binding)|[Ss]ystem error|[Ii]nternal (?:server )?error|"
    r"failed to (?:load context|substitute|evaluate|check preconditions)"
)


@dataclass(frozen=True)
class ForbiddenImages:
    """Sends, by dry-run, pods with an image that ought to be refused into each in-scope namespace."""

    tried: Tried

    @property
    def name(self) -> str:
        return f"dry-run of a pod with {self.tried}"

    def gather(self, gatherer: Gatherer) -> Listing[AdmissionProbe]:
        namespaces = gatherer.get(NAMESPACES)
        if namespaces.exempt:
            return Listing((), (), namespaces.exempt)
        wanted = [namespace.name for namespace in namespaces.items if gatherer.system.in_scope(namespace.name)]
        groups = image_trials(self.tried, gatherer.system.images)
        return probe_all(
            gatherer,
            self.name,
            "POST /api/v1/namespaces/*/pods?dryRun=All",
            [partial(_try_images, gatherer.kubernetes, name, group) for group in groups for name in wanted],
            namespaces.statuses,
        )


@dataclass(frozen=True)
class Trial:
    """A pod that ought to be refused for an image, its twin that is fine in just that point, and the words by which a policy
    names the point."""

    tried: str
    image: str
    forbidden: Pod
    fine: Pod
    words: tuple[str, ...]


def image_trials(tried: Tried, images: Images) -> tuple[tuple[Trial, ...], ...]:
    """Return what is tried, in groups: a namespace refuses a group when it refuses all of it. Nothing where it is not declared
    what to try."""
    fine = fine_image(images)
    repository = fine.partition("@")[0]
    match tried:
        case "unknown image":
            return (tuple(_trials(_unknown(images.allowed_registries), fine, ("registr", "repo"))),)
        case "mutable tag":
            # A policy on one tag leaves the others.
            tags = ((f"{tried} :{tag}", f"{repository}:{tag}") for tag in ("latest", "soc2-probe"))
            return (tuple(_trials(tags, fine, ("tag", "digest"))),)
        case "unsigned image":
            wanted = ((tried, images.unsigned_fixture),) if images.unsigned_fixture else ()
            return tuple(tuple(_trials([each], fine, ("sign",))) for each in wanted)
        case "known-bad digest":
            return tuple(
                tuple(_trials([(f"{tried} {digest}", f"{repository}@{digest}")], fine, (digest,)))
                for digest in images.known_bad
            )


def _unknown(allowed: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield an unknown image and, for each allowed registry, two that a careless policy lets through: one that has the
    registry's name within its own, and one whose name begins with it."""
    name, _, digest = UNKNOWN_IMAGE.partition("@")
    yield "unknown image", UNKNOWN_IMAGE
    for registry in allowed:
        host, slash, path = registry.rstrip("/").partition("/")
        similar = [f"{_BAD_HOST}/{host.replace(':', '-')}{slash}{path}/unknown"]
        # ``registry.example`` begins that of anybody's domain, ``registry.example/team`` the folder of another customer.
        similar.append(f"{registry.rstrip('/')}-soc2-probe/unknown" if path else f"{host.partition(':')[0]}.{name}")
        for each in similar:
            yield f"unknown image ({each})", f"{each}@{digest}"


def _trials(images: Iterable[tuple[str, str]], fine: str, words: tuple[str, ...]) -> Iterator[Trial]:
    for what, image in images:
        yield Trial(what, image, pod_of(image), pod_of(fine), words)
        # Policies forget those that run before the others.
        yield Trial(f"{what} in an init container", image, pod_of(fine, init=image), pod_of(fine, init=fine), words)


def _try_images(connection: KubeConnection, namespace: str, trials: tuple[Trial, ...]) -> AdmissionProbe:
    path = f"/api/v1/namespaces/{namespace}/pods"
    twins: dict[str, Answer] = {}
    refusals: list[AdmissionProbe] = []
    unclear: list[GatherError] = []
    for trial in trials:
        answer = connection.try_create(path, trial.forbidden)
        if answer.status in (200, 201):
            return AdmissionProbe(namespace, trial.tried, True, "admitted")
        policy = refusing_policy(answer)
        if not policy:
            unclear.append(GatherError(inconclusive(namespace, answer), answer.status))
            continue
        key = repr(trial.fine)
        if key not in twins:
            twins[key] = connection.try_create(path, trial.fine)
        if why := unproven(trial, answer, twins[key]):
            unclear.append(GatherError(Problem(Cause.INCONCLUSIVE, f"{namespace}: {why}: {answer.reason}")))
        refusals.append(AdmissionProbe(namespace, trial.tried, False, answer.reason, policy))
    # What is admitted tells more than what is not clear, so all of them are tried first.
    if unclear:
        raise unclear[0]
    return refusals[0]


def unproven(trial: Trial, answer: Answer, twin: Answer) -> str:
    """Return why a policy's refusal does not prove that it is for the image, or the empty string."""
    if _UNREAD.search(answer.reason):
        return "the policy could not read the image or its registry"
    if _UNDECIDED.search(answer.reason):
        return "the policy could not decide and failed closed"
    if twin.status in (200, 201):
        return ""
    # What is said of the twin too, such as the policy's name, is no reason; nor is the name of the image.
    said = answer.reason.replace(trial.image, "").replace(trial.image.partition("@")[0], "")
    if any(word in said and word not in twin.reason for word in trial.words):
        return ""
    return "a pod with an image that is fine in this point is refused as well ([images] signed_fixture names one that is not)"


def refusing_policy(answer: Answer) -> str:
    """Return the policy that refused a pod for what it is, with the binding or webhook by which it did; empty when anything
    else refused it: Pod Security, a quota, the authorizer, a webhook that could not be reached."""
    if not refused_by_policy(answer):
        return ""
    found = next((found for found in (pattern.search(answer.reason) for pattern in _NAMES) if found), None)
    if found is None:
        return ""
    return f"{found['policy']} (by {found['by']})" if found["by"] else found["policy"]
