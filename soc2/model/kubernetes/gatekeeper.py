"""Constraints of Gatekeeper on images, as far as they tell where they hold and what they refuse."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record


class ConstraintKinds(Record, frozen=True):
    api_groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class ConstraintMatch(Record, frozen=True):
    kinds: tuple[ConstraintKinds, ...] = ()
    namespaces: tuple[str, ...] = ()
    excluded_namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    label_selector: LabelSelector | None = None
    scope: str = "*"
    name: str = ""
    source: str = "All"


class EnforcementPoint(Record, frozen=True):
    name: str = ""


class ScopedAction(Record, frozen=True):
    action: str = ""
    enforcement_points: tuple[EnforcementPoint, ...] = ()


class ConstraintSpec(Record, frozen=True):
    enforcement_action: str = "deny"
    scoped_enforcement_actions: tuple[ScopedAction, ...] = ()
    match: ConstraintMatch = ConstraintMatch()


class RatifyVerification(KubeObject, frozen=True):
    """A constraint of Gatekeeper by which Ratify is asked, of the template that Ratify ships."""

    KIND: ClassVar[str] = "RatifyVerification"

    spec: ConstraintSpec = field(default_factory=ConstraintSpec)


class AllowedRepos(KubeObject, frozen=True):
    """A constraint of Gatekeeper's own library on the registries of images."""

    KIND: ClassVar[str] = "K8sAllowedRepos"


class ImageDigests(KubeObject, frozen=True):
    """A constraint of Gatekeeper's own library that wants images by digest."""

    KIND: ClassVar[str] = "K8sImageDigests"


class ExemptNamespaces(Record, frozen=True):
    excluded_namespaces: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()


class GatekeeperConfigSpec(Record, frozen=True):
    match: tuple[ExemptNamespaces, ...] = ()


class GatekeeperConfig(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Config"

    spec: GatekeeperConfigSpec = GatekeeperConfigSpec()

    @property
    def exempt(self) -> tuple[str, ...]:
        """Return patterns of the namespaces about which Gatekeeper is asked and answers yes."""
        return tuple(
            pattern for each in self.spec.match if {"*", "webhook"} & {*each.processes} for pattern in each.excluded_namespaces
        )
