"""Which policies on images hold in a namespace, and why others do not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from soc2.model.deviation import Resource
from soc2.model.kubernetes.admission import (
    MatchCondition,
    MatchResources,
    ValidatingAdmissionPolicy,
    WebhookConfiguration,
)
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.image_policies import (
    ClusterImagePolicy,
    ImageValidatingPolicy,
    RatifyVerification,
)
from soc2.model.kubernetes.joins import BoundPolicy
from soc2.model.kubernetes.meta import LabelSelector

_NAME_LABEL = "kubernetes.io/metadata.name"
_IMAGE = re.compile(r"\bimages?\b|\.image\b")


@dataclass(frozen=True)
class PolicyHere:
    """A policy on images as it is in one namespace: ``problem`` says why it refuses nothing there, and is empty when it does;
    ``images`` are the patterns of those that it looks at, all when there are none."""

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


Guard = Callable[[Namespace], PolicyHere]
"""A policy, asked what it is in a namespace."""


def guarded_images(namespaces: Iterable[Namespace], guards: Iterable[Guard]) -> Iterator[GuardedImages]:
    every = tuple(guards)
    for namespace in namespaces:
        yield GuardedImages(namespace, tuple(guard(namespace) for guard in every))


def labels_of(namespace: Namespace) -> dict[str, str]:
    """Return the labels with the one that the API server sets on every namespace."""
    return {**namespace.labels, _NAME_LABEL: namespace.name}


def selects(selector: LabelSelector | None, namespace: Namespace) -> bool:
    """Tell whether a selector of namespaces that may be left out selects one."""
    return selector is None or selector.matches(labels_of(namespace))


@dataclass(frozen=True)
class Engine:
    """An engine by the webhooks that ask it: without one that is asked about pods, its policies do nothing."""

    name: str
    marks: tuple[str, ...]
    webhooks: tuple[WebhookConfiguration, ...]

    def missing(self, namespace: Namespace) -> str:
        """Return why the engine is not asked about pods of a namespace, or the empty string."""
        own = [hook for each in self.webhooks for hook in each.webhooks if any(mark in hook.name for mark in self.marks)]
        if not own:
            return f"does nothing: no webhook asks {self.name}"
        about_pods = [hook for hook in own if any(_about_pods(rule.resources) for rule in hook.rules)]
        if not any(selects(hook.namespace_selector, namespace) for hook in about_pods):
            return f"does nothing here: no webhook asks {self.name} about pods of this namespace"
        return ""


def _about_pods(resources: Iterable[str]) -> bool:
    return any(fnmatchcase("pods", resource) or resource in ("*/*", "pods/*") for resource in resources)


def pod_matched(matched: MatchResources) -> bool:
    """Tell whether pods that are made are among what is matched."""
    return any(
        {"", "*"} & {*rule.api_groups} and _about_pods(rule.resources) and {"CREATE", "*"} & {*rule.operations}
        for rule in matched.resource_rules
    )


def narrowed(
    name: str, matched: Iterable[MatchResources], conditions: Iterable[MatchCondition], declared: tuple[str, ...]
) -> str:
    """Return by what a policy looks at less than all pods of a namespace, but for what is declared (``[admission]
    exclusions``), or the empty string."""
    by_label = any(each.object_selector and not each.object_selector.selects_everything for each in matched)
    found = [*(["objects by label"] if by_label else []), *(f"condition {condition.name}" for condition in conditions)]
    undeclared = [what for what in found if not any(fnmatchcase(f"{name} -> {what}", pattern) for pattern in declared)]
    return f"looks at some pods only ({', '.join(undeclared)})" if undeclared else ""


def admission_guard(record: BoundPolicy, declared: tuple[str, ...]) -> Guard | None:
    """Return the guard that a ValidatingAdmissionPolicy is, or None for one that says nothing of images."""
    policy = record.policy
    own = policy.spec.match_constraints or MatchResources()
    if not pod_matched(own) or not _about_images(policy):
        return None

    def guard(namespace: Namespace) -> PolicyHere:
        bound = [
            (own, binding.spec.match_resources or MatchResources(), binding.spec.validation_actions)
            for binding in record.bindings
        ]
        here = [each for each in bound if all(selects(part.namespace_selector, namespace) for part in each[:2])]
        denying = [each for each in here if "Deny" in each[2]]
        problem = ""
        if not here:
            problem = "is not bound to this namespace"
        elif not denying:
            problem = f"only does {', '.join(sorted({action for each in here for action in each[2]})) or 'nothing'}"
        else:
            # Any of its bindings will do.
            conditions = policy.spec.match_conditions
            problem = min((narrowed(policy.name, each[:2], conditions, declared) for each in denying), key=bool)
        return PolicyHere(str(policy.resource), problem)

    return guard


def _about_images(policy: ValidatingAdmissionPolicy) -> bool:
    parts = (*policy.spec.validations, *policy.spec.variables)
    return any(_IMAGE.search(part.expression) for part in parts)


def validating_guard(policy: ImageValidatingPolicy, engine: Engine, declared: tuple[str, ...]) -> Guard:
    """Return the guard that an ImageValidatingPolicy of Kyverno is."""
    spec = policy.spec
    own = spec.match_constraints or MatchResources()
    # What an expression in CEL lets it look at is not evaluated.
    globs = [each.glob for each in spec.match_image_references if each.glob]
    unread = bool(spec.match_image_references) and not globs

    def problem(namespace: Namespace) -> str:
        if "Deny" not in spec.validation_actions:
            return f"only does {', '.join(spec.validation_actions) or 'nothing'}"
        if spec.evaluation.mode != "Kubernetes" or (spec.evaluation.admission and not spec.evaluation.admission.enabled):
            return "is not evaluated when pods are admitted"
        if not spec.validations:
            return "verifies nothing"
        if not pod_matched(own):
            return "is not about pods"
        if not selects(own.namespace_selector, namespace):
            return "does not select this namespace"
        if unread:
            return "names its images in CEL, which is not evaluated"
        return narrowed(policy.name, [own], spec.match_conditions, declared) or engine.missing(namespace)

    patterns = tuple(wildcard(glob) for glob in globs)
    return lambda namespace: PolicyHere(str(policy.resource), problem(namespace), patterns)


def sigstore_guard(policy: ClusterImagePolicy, engine: Engine) -> Guard:
    """Return the guard that a ClusterImagePolicy of Sigstore's policy controller is."""
    spec = policy.spec

    def problem(namespace: Namespace) -> str:
        if spec.mode.lower() != "enforce":
            return f"only does {spec.mode}"
        if any(authority.static and authority.static.action.lower() == "pass" for authority in spec.authorities):
            return "lets everything pass (an authority is static)"
        # One authority of several is enough; without any, the controller takes every signature of Sigstore's own.
        if not spec.images:
            return "is about no images"
        if spec.match and not any(each.resource == "pods" and _everything(each.selector) for each in spec.match):
            return "looks at some pods only (match)"
        return engine.missing(namespace)

    patterns = tuple(_sigstore_glob(each.glob) for each in spec.images)
    return lambda namespace: PolicyHere(str(policy.resource), problem(namespace), patterns)


def _everything(selector: LabelSelector | None) -> bool:
    return selector is None or selector.selects_everything


def ratify_guard(policy: RatifyVerification, engine: Engine) -> Guard:
    """Return the guard that a constraint of Ratify is."""
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
        chosen = not match.namespaces or any(fnmatchcase(namespace.name, pattern) for pattern in match.namespaces)
        left_out = any(fnmatchcase(namespace.name, pattern) for pattern in match.excluded_namespaces)
        if not chosen or left_out or not selects(match.namespace_selector, namespace):
            return "leaves this namespace out"
        return engine.missing(namespace)

    return lambda namespace: PolicyHere(str(policy.resource), problem(namespace))


def wildcard(glob: str) -> re.Pattern[str]:
    """Return Kyverno's pattern, in which ``*`` stands for anything, as a regular expression."""
    return re.compile("".join(".*" if each == "*" else "." if each == "?" else re.escape(each) for each in glob), re.DOTALL)


def _sigstore_glob(glob: str) -> re.Pattern[str]:
    """Return a pattern in which ``*`` stands for one part of a path and ``**`` for any, with or without tag and digest."""
    glob = glob.removeprefix("index.")
    parts = (".*" if each == "**" else "[^/]*" if each == "*" else re.escape(each) for each in re.split(r"(\*\*|\*)", glob))
    return re.compile(f"{''.join(parts)}(?:[:@].*)?", re.DOTALL)
