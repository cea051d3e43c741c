"""What rules of Kyverno that verify images are in a namespace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import partial

from soc2.model.kubernetes.admission_scope import narrowed, selects
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.image_guards import Engine, Guard, NotEvaluated, PolicyHere, wildcard
from soc2.model.kubernetes.image_policies import (
    KyvernoCondition,
    KyvernoException,
    KyvernoFilter,
    KyvernoMatch,
    KyvernoPolicy,
    KyvernoRule,
    KyvernoSpec,
    VerifyImages,
)

# A rule is kept from deletions and from scans by this.
_OPERATION = re.compile(r"\{\{\s*request\.operation\b(?:\s*\|\|\s*'\w*')?\s*\}\}")


_ABOUT_IMAGES = re.compile(r"image|registr|digest|signature", re.IGNORECASE)


def kyverno_guards(
    policies: Iterable[KyvernoPolicy], exceptions: Iterable[KyvernoException], engine: Engine, declared: tuple[str, ...]
) -> Iterator[Guard]:
    """Yield a guard for each part of a rule that verifies images, and for rules that only look at how images are named, by
    the names of which it is told."""
    every = tuple(exceptions)
    for policy in policies:
        for rule in policy.spec.rules:
            for part in rule.verify_images:
                yield _guard(policy, rule, part, every, engine, declared)
            if rule.validate and _ABOUT_IMAGES.search(f"{policy.name} {rule.name}"):
                here = PolicyHere(
                    f"{policy.resource} (rule {rule.name})", NotEvaluated("is a validate rule, which is not evaluated")
                )
                yield partial(_same_everywhere, here)


def _same_everywhere(here: PolicyHere, _: Namespace) -> PolicyHere:
    return here


def _guard(
    policy: KyvernoPolicy,
    rule: KyvernoRule,
    part: VerifyImages,
    exceptions: tuple[KyvernoException, ...],
    engine: Engine,
    declared: tuple[str, ...],
) -> Guard:
    name = f"{policy.resource} (rule {rule.name})"
    own = [*part.image_references, *([part.image] if part.image else [])]
    excepted = [each for each in exceptions if _is_about(each, policy, rule)]

    def problem(namespace: Namespace) -> str:
        if policy.namespace and policy.namespace != namespace.name:
            return "is another namespace's"
        action = _action(policy.spec, part, namespace)
        if action.lower() != "enforce":
            return f"only does {action}"
        if not policy.spec.admission:
            return "is not evaluated when pods are admitted"
        asked = policy.spec.webhook_configuration
        failure_policy = asked.failure_policy or policy.spec.failure_policy
        if failure_policy != "Fail":
            return f"lets everything pass when it does not answer (failurePolicy {failure_policy})"
        if policy.spec.apply_rules == "One" and rule != policy.spec.rules[0]:
            return "is passed over where a rule before it holds (applyRules One)"
        if not part.required:
            return "does not require what it verifies (required: false)"
        if not part.verifies:
            return "verifies nothing: it has no attestors"
        if part.anybody:
            return "takes signatures of anybody (keyless, without a subject)"
        if not own:
            return "is about no images"
        if part.skip_image_references:
            return f"skips images ({', '.join(part.skip_image_references)})"
        if not _matches(rule.match, namespace):
            return "does not match all pods of this namespace"
        if rule.exclude and _touches(rule.exclude, namespace):
            return "excludes pods of this namespace"
        for each in excepted:
            if _touches(each.spec.match, namespace):
                return f"has an exception here ({each.namespace}/{each.name})"
        narrow = narrowed(policy.name, [], asked.match_conditions, declared)
        if problem := narrow or engine.missing(namespace, declared):
            return problem
        if _conditional(rule):
            return NotEvaluated("holds under preconditions only, which are not evaluated")
        return ""

    patterns = tuple(wildcard(glob) for glob in own)
    return lambda namespace: PolicyHere(name, problem(namespace), patterns)


def _action(spec: KyvernoSpec, part: VerifyImages, namespace: Namespace) -> str:
    if part.failure_action:
        return part.failure_action
    for override in spec.validation_failure_action_overrides:
        named = not override.namespaces or any(fnmatchcase(namespace.name, each) for each in override.namespaces)
        given = override.namespaces or override.namespace_selector
        if given and named and selects(override.namespace_selector, namespace):
            return override.action
    return spec.validation_failure_action


def _matches(match: KyvernoMatch, namespace: Namespace) -> bool:
    """Tell whether all pods of a namespace are matched, whoever makes them."""
    needed = [*match.all, *match.older]
    if match.any and not any(_covers(each, namespace) for each in match.any):
        return False
    return bool(match.any or needed) and all(_covers(each, namespace) for each in needed)


def _covers(given: KyvernoFilter, namespace: Namespace) -> bool:
    wanted = given.resources
    named = wanted.name or wanted.names or wanted.annotations
    narrow = given.by_who or named or (wanted.selector and not wanted.selector.selects_everything)
    made = not wanted.operations or "CREATE" in wanted.operations
    return not narrow and made and _is_pod(wanted.kinds) and _in_namespace(given, namespace)


def _touches(match: KyvernoMatch, namespace: Namespace) -> bool:
    """Tell whether any pod of a namespace may be matched."""
    return any(_may_touch(each, namespace) for each in (*match.any, *match.older)) or (
        bool(match.all) and all(_may_touch(each, namespace) for each in match.all)
    )


def _may_touch(given: KyvernoFilter, namespace: Namespace) -> bool:
    """Tell whether any pod of a namespace may be meant."""
    return (not given.resources.kinds or _is_pod(given.resources.kinds)) and _in_namespace(given, namespace)


def _in_namespace(given: KyvernoFilter, namespace: Namespace) -> bool:
    wanted = given.resources
    named = not wanted.namespaces or any(fnmatchcase(namespace.name, each) for each in wanted.namespaces)
    return named and selects(wanted.namespace_selector, namespace)


def _is_pod(kinds: Iterable[str]) -> bool:
    return any(fnmatchcase("Pod", kind.rpartition("/")[2]) for kind in kinds)


def _conditional(rule: KyvernoRule) -> bool:
    """Tell whether a rule holds for some pods that are made only, as far as anybody knows."""
    given = rule.preconditions
    if given is None:
        return bool(rule.cel_preconditions)
    every, some = (given, ()) if isinstance(given, tuple) else (given.all, given.any)
    met = all(_met(each) for each in every) and (not some or any(_met(each) for each in some))
    return not met or bool(rule.cel_preconditions)


def _met(condition: KyvernoCondition) -> bool:
    """Tell whether a condition is known to hold for every pod that is made."""
    if not _OPERATION.fullmatch(str(condition.key).strip()):
        return False
    values = condition.value if isinstance(condition.value, list | tuple) else (condition.value,)
    match condition.operator.lower():
        case "equals" | "equal" | "in" | "anyin":
            return "CREATE" in values
        case "notequals" | "notequal" | "notin" | "anynotin" | "allnotin":
            return "CREATE" not in values
    return False


def _is_about(exception: KyvernoException, policy: KyvernoPolicy, rule: KyvernoRule) -> bool:
    names = {policy.name, f"{policy.namespace}/{policy.name}"}
    return any(
        each.policy_name in names and (not each.rule_names or any(fnmatchcase(rule.name, name) for name in each.rule_names))
        for each in exception.spec.exceptions
    )
