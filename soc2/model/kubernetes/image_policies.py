"""Policies of engines that verify the signatures of images, as far as they tell where they hold and what they refuse."""

from __future__ import annotations

from typing import Any, ClassVar

from soc2.model.kubernetes.admission import Expression, MatchCondition, MatchResources
from soc2.model.kubernetes.image_signers import Attestors, Keyless
from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record


class Opaque(Record, frozen=True):
    """Something of which only counts that it is there."""


class KyvernoResources(Record, frozen=True):
    """What a rule of Kyverno is about; ``kinds`` read ``Pod``, ``v1/Pod`` or ``*``, names are patterns."""

    kinds: tuple[str, ...] = ()
    name: str = ""
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    selector: LabelSelector | None = None
    annotations: Opaque | None = None


class KyvernoFilter(Record, frozen=True):
    resources: KyvernoResources = KyvernoResources()
    subjects: tuple[Opaque, ...] = ()
    roles: tuple[str, ...] = ()
    cluster_roles: tuple[str, ...] = ()

    @property
    def by_who(self) -> bool:
        """Tell whether it holds for some who ask only."""
        return bool(self.subjects or self.roles or self.cluster_roles)


class KyvernoMatch(Record, frozen=True):
    """Filters of which ``any`` has to hold and ``all`` have to; older policies have one, as ``resources`` and so on."""

    any: tuple[KyvernoFilter, ...] = ()
    all: tuple[KyvernoFilter, ...] = ()
    resources: KyvernoResources | None = None
    subjects: tuple[Opaque, ...] = ()
    roles: tuple[str, ...] = ()
    cluster_roles: tuple[str, ...] = ()

    @property
    def filters(self) -> tuple[KyvernoFilter, ...]:
        """Return all filters, the older form among them."""
        return (*self.any, *self.all, *self.older)

    @property
    def older(self) -> tuple[KyvernoFilter, ...]:
        own = KyvernoFilter(self.resources or KyvernoResources(), self.subjects, self.roles, self.cluster_roles)
        return (own,) if own != KyvernoFilter() else ()


class KyvernoCondition(Record, frozen=True):
    key: Any = None
    operator: str = ""
    value: Any = None


class KyvernoConditions(Record, frozen=True):
    any: tuple[KyvernoCondition, ...] = ()
    all: tuple[KyvernoCondition, ...] = ()


class VerifyImages(Record, frozen=True):
    """What a rule of Kyverno verifies of which images; ``image`` and ``key`` are of older policies."""

    image_references: tuple[str, ...] = ()
    skip_image_references: tuple[str, ...] = ()
    image: str = ""
    failure_action: str = ""
    required: bool = True
    attestors: tuple[Attestors, ...] = ()
    attestations: tuple[Opaque, ...] = ()
    key: str = ""

    @property
    def anybody(self) -> bool:
        """Tell whether a signature of anybody will do."""
        return bool(self.attestors) and all(each.anybody for each in self.attestors) and not self.attestations

    @property
    def verifies(self) -> bool:
        return bool(self.attestors or self.attestations or self.key)


class KyvernoRule(Record, frozen=True):
    name: str = ""
    match: KyvernoMatch = KyvernoMatch()
    exclude: KyvernoMatch | None = None
    preconditions: KyvernoConditions | tuple[KyvernoCondition, ...] | None = None
    cel_preconditions: tuple[Opaque, ...] = ()
    validate: Opaque | None = None
    verify_images: tuple[VerifyImages, ...] = ()


class KyvernoOverride(Record, frozen=True):
    """Another action in some namespaces."""

    action: str = ""
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None


class KyvernoWebhook(Record, frozen=True):
    """How the API server asks about a policy."""

    failure_policy: str = ""
    match_conditions: tuple[MatchCondition, ...] = ()


class KyvernoSpec(Record, frozen=True):
    validation_failure_action: str = "Audit"
    validation_failure_action_overrides: tuple[KyvernoOverride, ...] = ()
    admission: bool = True
    apply_rules: str = "All"
    failure_policy: str = "Fail"
    webhook_configuration: KyvernoWebhook = KyvernoWebhook()
    rules: tuple[KyvernoRule, ...] = ()


class KyvernoPolicy(KubeObject, frozen=True):
    """``Policy`` holds in its own namespace only."""

    KIND: ClassVar[str] = "Policy"

    spec: KyvernoSpec = KyvernoSpec()


class KyvernoClusterPolicy(KyvernoPolicy, frozen=True):
    KIND: ClassVar[str] = "ClusterPolicy"


class ExceptedPolicy(Record, frozen=True):
    policy_name: str = ""
    rule_names: tuple[str, ...] = ()


class KyvernoExceptionSpec(Record, frozen=True):
    exceptions: tuple[ExceptedPolicy, ...] = ()
    match: KyvernoMatch = KyvernoMatch()


class KyvernoException(KubeObject, frozen=True):
    """What a policy of Kyverno leaves out."""

    KIND: ClassVar[str] = "PolicyException"

    spec: KyvernoExceptionSpec = KyvernoExceptionSpec()


class PolicyReference(Record, frozen=True):
    name: str = ""
    kind: str = ""


class CelExceptionSpec(Record, frozen=True):
    policy_refs: tuple[PolicyReference, ...] = ()


class CelException(KubeObject, frozen=True):
    """What a policy in CEL of Kyverno leaves out."""

    KIND: ClassVar[str] = "PolicyException"

    spec: CelExceptionSpec = CelExceptionSpec()


class ImageMatch(Record, frozen=True):
    """A pattern over images; an ``expression`` is in CEL."""

    glob: str = ""
    expression: str = ""


class Switch(Record, frozen=True):
    enabled: bool = True


class Evaluation(Record, frozen=True):
    mode: str = "Kubernetes"
    admission: Switch | None = None


class ImageValidatingSpec(Record, frozen=True):
    validation_actions: tuple[str, ...] = ("Deny",)
    match_constraints: MatchResources | None = None
    match_conditions: tuple[MatchCondition, ...] = ()
    match_image_references: tuple[ImageMatch, ...] = ()
    variables: tuple[Expression, ...] = ()
    validations: tuple[Expression, ...] = ()
    failure_policy: str = "Fail"
    evaluation: Evaluation = Evaluation()


class ImageValidatingPolicy(KubeObject, frozen=True):
    """A policy of Kyverno, since its version 1.14."""

    KIND: ClassVar[str] = "ImageValidatingPolicy"

    spec: ImageValidatingSpec = ImageValidatingSpec()


class NamespacedImageValidatingPolicy(ImageValidatingPolicy, frozen=True):
    """One that holds in its own namespace only."""

    KIND: ClassVar[str] = "NamespacedImageValidatingPolicy"


class ValidatingPolicySpec(Record, frozen=True):
    variables: tuple[Expression, ...] = ()
    validations: tuple[Expression, ...] = ()


class ValidatingPolicy(KubeObject, frozen=True):
    """A policy in CEL of Kyverno on anything, so also on images."""

    KIND: ClassVar[str] = "ValidatingPolicy"

    spec: ValidatingPolicySpec = ValidatingPolicySpec()


class StaticAuthority(Record, frozen=True):
    action: str = ""


class Authority(Record, frozen=True):
    name: str = ""
    static: StaticAuthority | None = None
    keyless: Keyless | None = None


class MatchedKind(Record, frozen=True):
    group: str = ""
    version: str = ""
    resource: str = ""
    selector: LabelSelector | None = None


class ClusterImageSpec(Record, frozen=True):
    images: tuple[ImageMatch, ...] = ()
    authorities: tuple[Authority, ...] = ()
    mode: str = "enforce"
    policy: Opaque | None = None
    match: tuple[MatchedKind, ...] = ()


class ClusterImagePolicy(KubeObject, frozen=True):
    """A policy of Sigstore's policy controller."""

    KIND: ClassVar[str] = "ClusterImagePolicy"

    spec: ClusterImageSpec = ClusterImageSpec()
