"""What the Istio AuthorizationPolicies of a workload let through, all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from soc2.model.deviation import Resource
from soc2.model.kubernetes.istio import AuthorizationPolicy
from soc2.model.network.layers import Reason
from soc2.model.network.mesh.callers import EVERY_TCP, Caller
from soc2.model.network.mesh.istio_rules import IstioRule, rules_of
from soc2.model.network.ports import NO_PORT, PortSet

LAYER = "istio"
_DRY_RUN = "istio.io/dry-run"
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
"""What Go's ParseBool takes for true, by which Istio reads the annotation."""


def is_dry_run(policy: AuthorizationPolicy) -> bool:
    """Tell whether a policy is only tried: it decides nothing."""
    return policy.metadata.annotations.text(_DRY_RUN) in _TRUE


def is_bound(policy: AuthorizationPolicy) -> bool:
    """Tell whether a policy belongs to gateways, waypoints or services, and to no workload."""
    return policy.spec.target_ref is not None or bool(policy.spec.target_refs)


def holds_for(policy: AuthorizationPolicy, labels: dict[str, str]) -> bool:
    """Tell whether a policy of its namespace, or of the whole mesh, selects a pod with these labels."""
    return policy.spec.selector is None or policy.spec.selector.matches(labels)


def idle(policies: Iterable[AuthorizationPolicy], labels: dict[str, str]) -> Iterator[tuple[Resource, str]]:
    """Yield those that do not decide on a pod with these labels, though they may look so, and why not."""
    for each in policies:
        if is_dry_run(each) and holds_for(each, labels):
            yield each.resource, "is a dry run and decides nothing"
        elif is_bound(each):
            yield each.resource, "has targetRefs and is not evaluated"


class IstioAuthorization:
    """The policies that select a workload. DENY comes first, and where there is an ALLOW, what none allows is denied;
    AUDIT decides nothing, and what CUSTOM says is not known."""

    def __init__(self, policies: Iterable[AuthorizationPolicy]) -> None:
        listed = tuple(policies)
        self._allowing = [each.resource for each in listed if each.spec.action == "ALLOW"]
        self._custom = [each.resource for each in listed if each.spec.action == "CUSTOM"]
        self._allows = _rules(listed, "ALLOW")
        self._denies = _rules(listed, "DENY")

    def ports(self, who: Caller) -> PortSet:
        """Return the TCP ports that DENY leaves to a source and that ALLOW (where there is any) may let it through to."""
        ports = NO_PORT if self._allowing else EVERY_TCP
        for rule in self._allows:
            if (found := rule.ports(who, surely=False)).ranges:
                ports |= found
        for rule in self._denies:
            if ports.ranges and (found := rule.ports(who, surely=True)).ranges:
                ports -= found
        return ports

    def reason(self, who: Caller, port: tuple[str, int]) -> Reason:
        """Return the rule that decides on a port, one that matches for sure before one that may."""
        for rule in self._denies:
            if port in rule.ports(who, surely=True):
                return Reason(LAYER, rule.policy, f"rules[{rule.index}] (DENY)")
        note = f"; what {', '.join(map(str, self._custom))} says is not known" if self._custom else ""
        for rule in self._allows:
            if port in rule.ports(who, surely=True):
                return Reason(LAYER, rule.policy, f"rules[{rule.index}] (ALLOW){note}")
        for rule in self._allows:
            if port in rule.ports(who, surely=False):
                asks = ", ".join(rule.undecided) or "addresses or its trust domain"
                return Reason(LAYER, rule.policy, f"rules[{rule.index}] (ALLOW, depending on {asks}){note}")
        if not self._allowing:
            return Reason(LAYER, None, f"no AuthorizationPolicy with action ALLOW selects it{note}")
        others = f", and {len(self._allowing) - 1} more" if len(self._allowing) > 1 else ""
        return Reason(LAYER, self._allowing[0], f"no rule of ALLOW matches{others}")


def _rules(policies: Iterable[AuthorizationPolicy], action: str) -> tuple[IstioRule, ...]:
    return tuple(rule for each in policies if each.spec.action == action for rule in rules_of(each))
