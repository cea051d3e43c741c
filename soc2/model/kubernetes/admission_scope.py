"""What admission policies and webhooks look at, as the API server matches requests with their rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from soc2.model.kubernetes.admission import (
    MatchCondition,
    MatchResources,
    RuleWithOperations,
    ValidatingAdmissionPolicyBinding,
)
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.joins import BoundPolicy
from soc2.model.kubernetes.meta import LabelSelector

_NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Request:
    """A request about pods or a part of them: ``pods``, ``pods/exec``."""

    resource: str
    operation: str


CREATED_PODS = Request("pods", "CREATE")


def selects(selector: LabelSelector | None, namespace: Namespace) -> bool:
    """Tell whether a selector of namespaces that may be left out selects one; what no engine can read selects none."""
    if selector is None:
        return True
    try:
        # The API server sets the label of the name on every namespace.
        return selector.matches({**namespace.labels, _NAME_LABEL: namespace.name})
    except ValueError:
        return False


def matches(rule: RuleWithOperations, request: Request) -> bool:
    """Tell whether a rule means some of the requests, whichever objects they are about."""
    resource, _, part = request.resource.partition("/")
    return bool(
        {"", "*"} & {*rule.api_groups}
        and (not rule.api_versions or {"v1", "*"} & {*rule.api_versions})
        and {request.operation, "*"} & {*rule.operations}
        and rule.scope != "Cluster"
        # A bare star stands for resources, and for none of their parts; a star for the part stands for none as well.
        and any(_one(name, resource, part) for name in rule.resources)
    )


def _one(name: str, resource: str, part: str) -> bool:
    named, _, named_part = name.partition("/")
    return named in ("*", resource) and named_part in ("*", part)


def covers(matched: MatchResources, request: Request, *, narrowing: bool = False) -> bool:
    """Tell whether all of the requests are matched; what only narrows, as a binding does, may have no rules."""
    if any(matches(rule, request) for rule in matched.exclude_resource_rules):
        return False
    every = any(matches(rule, request) and not rule.resource_names for rule in matched.resource_rules)
    return every or (narrowing and not matched.resource_rules)


def narrowed(
    name: str, matched: Iterable[MatchResources], conditions: Iterable[MatchCondition], declared: tuple[str, ...]
) -> str:
    """Return by what a policy looks at less than all pods of a namespace, but for what is declared (``[admission]
    exclusions``), or the empty string."""
    by_label = any(each.object_selector and not each.object_selector.selects_everything for each in matched)
    found = [*(["objects by label"] if by_label else []), *(f"condition {condition.name}" for condition in conditions)]
    undeclared = [what for what in found if not any(fnmatchcase(f"{name} -> {what}", pattern) for pattern in declared)]
    return f"looks at some pods only ({', '.join(undeclared)})" if undeclared else ""


def unbound(record: BoundPolicy, request: Request, namespace: Namespace, declared: tuple[str, ...]) -> str:
    """Return why a ValidatingAdmissionPolicy whose own rules mean the requests refuses none of them in a namespace, or the
    empty string. Any of its bindings will do."""
    spec = record.policy.spec
    own = spec.match_constraints or MatchResources()
    here = [
        binding
        for binding in record.bindings
        if all(selects(each.namespace_selector, namespace) for each in (own, _bound(binding)))
    ]
    if not here:
        return "is not bound to this namespace"
    denying = [binding for binding in here if "Deny" in binding.spec.validation_actions]
    if not denying:
        actions = sorted({action for binding in here for action in binding.spec.validation_actions})
        return f"only does {', '.join(actions) or 'nothing'}"
    if spec.failure_policy != "Fail":
        return f"lets pass what it cannot decide (failurePolicy {spec.failure_policy})"
    return min((_open(record, binding, request, declared) for binding in denying), key=bool)


def _open(record: BoundPolicy, binding: ValidatingAdmissionPolicyBinding, request: Request, declared: tuple[str, ...]) -> str:
    spec = record.policy.spec
    own = spec.match_constraints or MatchResources()
    if not covers(own, request) or not covers(_bound(binding), request, narrowing=True):
        return f"is bound to other requests than {request.operation} of all {request.resource}"
    if binding.spec.param_ref and binding.spec.param_ref.parameter_not_found_action == "Allow":
        return "lets pass everything where its parameters are missing (parameterNotFoundAction Allow)"
    return narrowed(record.policy.name, (own, _bound(binding)), spec.match_conditions, declared)


def _bound(binding: ValidatingAdmissionPolicyBinding) -> MatchResources:
    return binding.spec.match_resources or MatchResources()
