"""Which policies on images hold in a namespace, and why others do not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from soc2.model.deviation import Resource
from soc2.model.kubernetes.admission import (
    MatchResources,
    ValidatingAdmissionPolicy,
    Webhook,
    WebhookConfiguration,
)
from soc2.model.kubernetes.admission_scope import CREATED_PODS, covers, matches, narrowed, selects, unbound
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.gatekeeper import GatekeeperConfig, RatifyVerification
from soc2.model.kubernetes.image_policies import (
    CelException,
    ClusterImagePolicy,
    ImageValidatingPolicy,
    ValidatingPolicy,
)
from soc2.model.kubernetes.joins import BoundPolicy
from soc2.model.kubernetes.meta import KubeObject, LabelSelector

_IMAGE = re.compile(r"\bimages?\b|\.image\b")
_DIGEST = r"@?sha256|\bparams\b"
_VERIFIES = re.compile(r"\bverify(Image|Attestation)Signatures\b")


class NotEvaluated(str):
    """A problem that only whoever evaluates CEL, or the like, can tell to be one."""


@dataclass(frozen=True)
class PolicyHere:
    """A policy on images as it is in one namespace: ``problem`` says why it refuses nothing there, and is empty when it does
    (NotEvaluated where that is not known); ``images`` are the patterns of those that it looks at, all when there are none."""

    policy: str
    problem: str = ""
    images: tuple[re.Pattern[str], ...] = field(default=(), compare=False)

    def looks_at(self, image: str) -> bool:
        return not self.images or any(pattern.fullmatch(image) for pattern in self.images)


@dataclass(frozen=True)
class GuardedImages:
    """A namespace with the policies on images."""

    namespace: Namespace
    policies: tuple[PolicyHere, ...]

    @property
    def resource(self) -> Resource:
        return self.namespace.resource

    @property
    def not_evaluated(self) -> str:
        """Return what policies there are of which nobody knows whether they refuse, and why, or the empty string."""
        unknown = (each for each in self.policies if isinstance(each.problem, NotEvaluated))
        return "; ".join(f"{each.policy} {each.problem}" for each in unknown)


Guard = Callable[[Namespace], PolicyHere]
"""A policy, asked what it is in a namespace."""


def guarded_images(namespaces: Iterable[Namespace], guards: Iterable[Guard]) -> Iterator[GuardedImages]:
    every = tuple(guards)
    for namespace in namespaces:
        yield GuardedImages(namespace, tuple(guard(namespace) for guard in every))


@dataclass(frozen=True)
class Engine:
    """An engine by the webhooks that ask it: without one that is asked about pods, its policies do nothing."""

    name: str
    marks: tuple[str, ...]
    webhooks: tuple[WebhookConfiguration, ...]

    def missing(self, namespace: Namespace, declared: tuple[str, ...]) -> str:
        """Return why the engine is not asked about all pods of a namespace, or the empty string. Any webhook will do."""
        own = [hook for each in self.webhooks for hook in each.webhooks if any(mark in hook.name for mark in self.marks)]
        if not own:
            return f"does nothing: no webhook asks {self.name}"
        about_pods = [hook for hook in own if covers(MatchResources(resource_rules=hook.rules), CREATED_PODS)]
        here = [hook for hook in about_pods if selects(hook.namespace_selector, namespace)]
        if not here:
            return f"does nothing here: no webhook asks {self.name} about pods of this namespace"
        return min((_not_asked(hook, declared) for hook in here), key=bool)


def _not_asked(hook: Webhook, declared: tuple[str, ...]) -> str:
    if hook.failure_policy != "Fail":
        return f"lets everything pass when it does not answer (webhook {hook.name}, failurePolicy {hook.failure_policy})"
    objects = MatchResources(object_selector=hook.object_selector)
    narrow = narrowed(hook.name, [objects], hook.match_conditions, declared)
    return f"is not asked about all pods: webhook {hook.name} {narrow}" if narrow else ""


def admission_guard(record: BoundPolicy, declared: tuple[str, ...], registries: Iterable[str]) -> Guard | None:
    """Return the guard that a ValidatingAdmissionPolicy is, or None for one that says nothing of images."""
    policy = record.policy
    own = policy.spec.match_constraints or MatchResources()
    if not any(matches(rule, CREATED_PODS) for rule in own.resource_rules) or not _about_images(policy, _IMAGE):
        return None
    # It is the dry-runs that tell what CEL refuses; what does not even name a registry or a digest may be about anything.
    named = [re.escape(registry.partition("/")[0]) for registry in registries]
    limits = _about_images(policy, re.compile("|".join([_DIGEST, *named])))

    def guard(namespace: Namespace) -> PolicyHere:
        problem = unbound(record, CREATED_PODS, namespace, declared)
        if not problem and not limits:
            problem = NotEvaluated("reads images in CEL without naming a registry, a digest or parameters")
        return PolicyHere(str(policy.resource), problem)

    return guard


def _about_images(policy: ValidatingAdmissionPolicy | ValidatingPolicy, pattern: re.Pattern[str]) -> bool:
    parts = (*policy.spec.validations, *policy.spec.variables)
    return any(pattern.search(part.expression) for part in parts)


def other_guard(policy: KubeObject) -> Guard | None:
    """Return the guard of a policy of a kind that is known and not evaluated, None for one that says nothing of images."""
    if isinstance(policy, ValidatingPolicy) and not _about_images(policy, _IMAGE):
        return None
    return lambda _: PolicyHere(str(policy.resource), NotEvaluated("is of a kind that is not evaluated"))


def validating_guard(
    policy: ImageValidatingPolicy, exceptions: Iterable[CelException], engine: Engine, declared: tuple[str, ...]
) -> Guard:
    """Return the guard that an ImageValidatingPolicy of Kyverno is, or one of a namespace."""
    spec = policy.spec
    own = spec.match_constraints or MatchResources()
    # What an expression in CEL lets it look at is not evaluated.
    globs = [each.glob for each in spec.match_image_references if each.glob]
    unread = bool(spec.match_image_references) and not globs
    excepted = [
        each
        for each in exceptions
        if any(ref.name == policy.name and ref.kind in ("", policy.KIND) for ref in each.spec.policy_refs)
    ]

    def problem(namespace: Namespace) -> str:
        if policy.namespace not in ("", namespace.name):
            return "is another namespace's"
        if "Deny" not in spec.validation_actions:
            return f"only does {', '.join(spec.validation_actions) or 'nothing'}"
        if spec.evaluation.mode != "Kubernetes" or (spec.evaluation.admission and not spec.evaluation.admission.enabled):
            return "is not evaluated when pods are admitted"
        if spec.failure_policy != "Fail":
            return f"lets pass what it cannot decide (failurePolicy {spec.failure_policy})"
        if not spec.validations:
            return "verifies nothing"
        if not covers(own, CREATED_PODS):
            return "is not about all pods"
        if not selects(own.namespace_selector, namespace):
            return "does not select this namespace"
        if problem := narrowed(policy.name, [own], spec.match_conditions, declared) or engine.missing(namespace, declared):
            return problem
        if unread:
            return NotEvaluated("names its images in CEL, which is not evaluated")
        if not any(_VERIFIES.search(each.expression) for each in (*spec.validations, *spec.variables)):
            return NotEvaluated("asks for no signature in a way that is known")
        if excepted:
            names = ", ".join(f"{each.namespace}/{each.name}" for each in excepted)
            return NotEvaluated(f"has exceptions, which are not evaluated ({names})")
        return ""

    patterns = tuple(wildcard(glob) for glob in globs)
    return lambda namespace: PolicyHere(str(policy.resource), problem(namespace), patterns)


def sigstore_guard(policy: ClusterImagePolicy, engine: Engine, declared: tuple[str, ...]) -> Guard:
    """Return the guard that a ClusterImagePolicy of Sigstore's policy controller is."""
    spec = policy.spec

    def problem(namespace: Namespace) -> str:
        if spec.mode.lower() != "enforce":
            return f"only does {spec.mode}"
        # One authority of several is enough; without any, the controller takes every signature of Sigstore's own.
        lax = any(authority.static and authority.static.action.lower() == "pass" for authority in spec.authorities)
        if lax and not spec.policy:
            return "lets everything pass (an authority is static)"
        if any(each.anybody for authority in spec.authorities if authority.keyless for each in authority.keyless.identities):
            return "takes signatures of anybody (keyless, without a subject)"
        if not spec.images:
            return "is about no images"
        if spec.match and not any(each.resource == "pods" and _everything(each.selector) for each in spec.match):
            return "looks at some pods only (match)"
        if problem := engine.missing(namespace, declared):
            return problem
        return NotEvaluated("leaves it to its policy in Rego or CUE, which is not evaluated") if lax else ""

    patterns = tuple(_sigstore_glob(each.glob) for each in spec.images)
    return lambda namespace: PolicyHere(str(policy.resource), problem(namespace), patterns)


def _everything(selector: LabelSelector | None) -> bool:
    return selector is None or selector.selects_everything


def ratify_guard(
    policy: RatifyVerification, configs: Iterable[GatekeeperConfig], engine: Engine, declared: tuple[str, ...]
) -> Guard:
    """Return the guard that a constraint of Ratify is; ``configs`` say which namespaces Gatekeeper leaves alone."""
    exempt = [pattern for each in configs for pattern in each.exempt]
    spec, match = policy.spec, policy.spec.match

    def problem(namespace: Namespace) -> str:
        actions: tuple[str, ...] = (spec.enforcement_action,)
        if spec.enforcement_action == "scoped":
            points = {"*", "validation.gatekeeper.sh"}
            actions = tuple(
                each.action for each in spec.scoped_enforcement_actions if points & {at.name for at in each.enforcement_points}
            )
        if "deny" not in actions:
            return f"only does {', '.join(actions) or 'nothing'}"
        about = [each for each in match.kinds if {"", "*"} & {*each.api_groups} and {"Pod", "*"} & {*each.kinds}]
        if (match.kinds and not about) or match.scope == "Cluster":
            return "is not about pods"
        if match.label_selector and not match.label_selector.selects_everything:
            return "looks at some pods only (objects by label)"
        if match.name not in ("", "*") or match.source == "Generated":
            return f"looks at some pods only ({f'name {match.name}' if match.name else 'source Generated'})"
        chosen = not match.namespaces or any(fnmatchcase(namespace.name, pattern) for pattern in match.namespaces)
        left_out = any(fnmatchcase(namespace.name, pattern) for pattern in match.excluded_namespaces)
        if not chosen or left_out or not selects(match.namespace_selector, namespace):
            return "leaves this namespace out"
        if any(fnmatchcase(namespace.name, pattern) for pattern in exempt):
            return "does nothing here: the Config of Gatekeeper leaves this namespace out"
        return engine.missing(namespace, declared)

    return lambda namespace: PolicyHere(str(policy.resource), problem(namespace))


def wildcard(glob: str) -> re.Pattern[str]:
    """Return Kyverno's pattern, in which ``*`` stands for anything, as a regular expression."""
    return re.compile("".join(".*" if each == "*" else "." if each == "?" else re.escape(each) for each in glob), re.DOTALL)


def _sigstore_glob(glob: str) -> re.Pattern[str]:
    """Return a pattern in which ``*`` stands for one part of a path and ``**`` for any, with or without tag and digest."""
    # What names no registry is of Docker Hub.
    glob = {"*": "docker.io/library/*", "*/*": "docker.io/*/*"}.get(glob, glob.removeprefix("index."))
    parts = (".*" if each == "**" else "[^/]*" if each == "*" else re.escape(each) for each in re.split(r"(\*\*|\*)", glob))
    return re.compile(f"{''.join(parts)}(?:[:@].*)?", re.DOTALL)
