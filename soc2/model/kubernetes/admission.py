"""Admission webhooks and policies: what may refuse an object."""

from __future__ import annotations

from typing import ClassVar

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record


class RuleWithOperations(Record, frozen=True):
    """``resource_names`` are those of the only objects that are meant; webhooks cannot name any."""

    api_groups: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    scope: str = "*"


class MatchCondition(Record, frozen=True):
    """A condition in CEL; what does not meet all of them is not checked."""

    name: str = ""
    expression: str = ""


class Webhook(Record, frozen=True):
    name: str = ""
    failure_policy: str = "Fail"
    side_effects: str = ""
    timeout_seconds: int = 10
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    match_conditions: tuple[MatchCondition, ...] = ()
    rules: tuple[RuleWithOperations, ...] = ()


class WebhookConfiguration(KubeObject, frozen=True):
    webhooks: tuple[Webhook, ...] = ()


class ValidatingWebhookConfiguration(WebhookConfiguration, frozen=True):
    KIND: ClassVar[str] = "ValidatingWebhookConfiguration"


class MutatingWebhookConfiguration(WebhookConfiguration, frozen=True):
    KIND: ClassVar[str] = "MutatingWebhookConfiguration"


class MatchResources(Record, frozen=True):
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    resource_rules: tuple[RuleWithOperations, ...] = ()
    exclude_resource_rules: tuple[RuleWithOperations, ...] = ()


class Expression(Record, frozen=True):
    """A validation, or a variable that validations use, in CEL."""

    expression: str = ""


class ValidatingAdmissionPolicySpec(Record, frozen=True):
    failure_policy: str = "Fail"
    match_constraints: MatchResources | None = None
    match_conditions: tuple[MatchCondition, ...] = ()
    variables: tuple[Expression, ...] = ()
    validations: tuple[Expression, ...] = ()


class ValidatingAdmissionPolicy(KubeObject, frozen=True):
    KIND: ClassVar[str] = "ValidatingAdmissionPolicy"

    spec: ValidatingAdmissionPolicySpec = ValidatingAdmissionPolicySpec()


class ParamRef(Record, frozen=True):
    """Where a policy finds its parameters, and what it does without them: ``Allow`` or ``Deny``."""

    parameter_not_found_action: str = ""


class ValidatingAdmissionPolicyBindingSpec(Record, frozen=True):
    policy_name: str = ""
    param_ref: ParamRef | None = None
    validation_actions: tuple[str, ...] = ()
    match_resources: MatchResources | None = None


class ValidatingAdmissionPolicyBinding(KubeObject, frozen=True):
    KIND: ClassVar[str] = "ValidatingAdmissionPolicyBinding"

    spec: ValidatingAdmissionPolicyBindingSpec = ValidatingAdmissionPolicyBindingSpec()
