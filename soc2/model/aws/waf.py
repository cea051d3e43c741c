"""Web ACLs of AWS WAF: what their rules do with requests, and what is logged of it.

Of actions only their kind is kept: what they answer or insert may be secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import field

from soc2.model.aws.base import PascalRecord

_LETS_THROUGH = ("Allow", "Count")


class Setting(msgspec.Struct, frozen=True):
    """That something is set; not how."""


class NamedRule(msgspec.Struct, frozen=True, rename="pascal"):
    """A rule of a group, by whose name the group's user counts it (``ExcludedRules``) or gives it another action."""

    name: str = ""
    action_to_use: dict[str, Setting] = {}


class ManagedGroup(msgspec.Struct, frozen=True, rename="pascal"):
    """The use of a group that AWS or another vendor writes."""

    vendor_name: str = ""
    name: str = ""
    version: str = ""
    excluded_rules: tuple[NamedRule, ...] = ()
    rule_action_overrides: tuple[NamedRule, ...] = ()


class OwnGroup(msgspec.Struct, frozen=True, rename="pascal"):
    """The use of a group that the account, or its organization, writes."""

    arn: str = field(default="", name="ARN")
    excluded_rules: tuple[NamedRule, ...] = ()
    rule_action_overrides: tuple[NamedRule, ...] = ()


class Statement(msgspec.Struct, frozen=True, rename="pascal"):
    """What a rule looks for, where that is a group of rules."""

    managed_rule_group_statement: ManagedGroup | None = None
    rule_group_reference_statement: OwnGroup | None = None

    @property
    def group(self) -> ManagedGroup | OwnGroup | None:
        return self.managed_rule_group_statement or self.rule_group_reference_statement


class AclRule(msgspec.Struct, frozen=True, rename="pascal"):
    """A rule has an ``action``, or it is a group of rules and has an ``override_action``: ``None`` leaves the group's own
    actions as they are, ``Count`` makes all of them count."""

    name: str = ""
    action: dict[str, Setting] = {}
    override_action: dict[str, Setting] = {}
    statement: Statement = Statement()

    @property
    def in_force(self) -> bool:
        """Tell whether it stops what it is about, as far as the web ACL by itself decides that."""
        return any(kind not in _LETS_THROUGH for kind in self.action) if self.action else "None" in self.override_action


class ManagerGroup(msgspec.Struct, frozen=True, rename="pascal"):
    """A group of rules that Firewall Manager puts before or after the rules of a web ACL."""

    name: str = ""
    override_action: dict[str, Setting] = {}
    statement: Statement = field(default=Statement(), name="FirewallManagerStatement")


class WebAcl(msgspec.Struct, frozen=True, rename="pascal"):
    name: str = ""
    arn: str = field(default="", name="ARN")
    default_action: dict[str, Setting] = {}
    own_rules: tuple[AclRule, ...] = field(default=(), name="Rules")
    pre_process_firewall_manager_rule_groups: tuple[ManagerGroup, ...] = ()
    post_process_firewall_manager_rule_groups: tuple[ManagerGroup, ...] = ()

    @property
    def scope(self) -> str:
        return "CLOUDFRONT" if self.arn.rpartition(":")[2].startswith("global/") else "REGIONAL"

    @property
    def rules(self) -> tuple[AclRule, ...]:
        """Return its rules, those of Firewall Manager among them, in the order in which they are applied."""
        before, after = self.pre_process_firewall_manager_rule_groups, self.post_process_firewall_manager_rule_groups
        first, last = (
            tuple(AclRule(each.name, override_action=each.override_action, statement=each.statement) for each in groups)
            for groups in (before, after)
        )
        return (*first, *self.own_rules, *last)

    @property
    def default_stops(self) -> bool:
        return any(kind not in _LETS_THROUGH for kind in self.default_action)


class AclAnswer(PascalRecord, frozen=True):
    """``parent_key`` is the ARN of the resource that was asked for; without a web ACL it has none."""

    web_acl: WebAcl | None = field(default=None, name="WebACL")


class LogFilter(msgspec.Struct, frozen=True, rename="pascal"):
    """``behavior`` is ``KEEP`` or ``DROP``."""

    behavior: str = ""


class LoggingFilter(msgspec.Struct, frozen=True, rename="pascal"):
    filters: tuple[LogFilter, ...] = ()
    default_behavior: str = ""


class LoggingConfiguration(msgspec.Struct, frozen=True, rename="pascal"):
    log_destination_configs: tuple[str, ...] = ()
    logging_filter: LoggingFilter | None = None


class LoggingAnswer(PascalRecord, frozen=True):
    """``parent_key`` is the ARN of the web ACL."""

    logging_configuration: LoggingConfiguration | None = None


class RuleGroup(PascalRecord, frozen=True):
    """``parent_key`` is the key of the references to it."""

    rules: tuple[AclRule, ...] = ()


@dataclass(frozen=True)
class GroupReference:
    """A group of rules on which depends whether a web ACL stops anything."""

    source_region: str
    scope: str
    group: ManagedGroup | OwnGroup

    @property
    def key(self) -> str:
        if isinstance(self.group, OwnGroup):
            return self.group.arn
        return "/".join((self.source_region, self.scope, self.group.vendor_name, self.group.name, self.group.version))

    @property
    def managed_parameters(self) -> dict[str, str] | None:
        """Return how AWS WAF is asked for the group, or None when no vendor writes it."""
        if isinstance(self.group, OwnGroup):
            return None
        version = {"VersionName": self.group.version} if self.group.version else {}
        return {"VendorName": self.group.vendor_name, "Name": self.group.name, "Scope": self.scope, **version}


def undecided(acl: WebAcl, region: str) -> tuple[GroupReference, ...]:
    """Return the groups that have to be looked into to tell whether a web ACL stops anything; none where it surely does.

    A managed group whose rules nobody changed is taken to stop something.
    """
    found = []
    for rule in () if acl.default_stops else acl.rules:
        group = rule.statement.group
        if rule.in_force and (group is None or not _may_be_idle(group)):
            return ()
        if rule.in_force and group:
            found.append(GroupReference(region, acl.scope, group))
    return tuple(found)


def stops(acl: WebAcl, region: str, groups: Mapping[str, RuleGroup]) -> bool | None:
    """Tell whether a web ACL stops any request; None when a group on which that depends is not among ``groups``."""
    open_groups = undecided(acl, region)
    if not open_groups:
        return acl.default_stops or any(rule.in_force for rule in acl.rules)
    looked_into = [_group_stops(groups[each.key], each.group) for each in open_groups if each.key in groups]
    return any(looked_into) or (False if len(looked_into) == len(open_groups) else None)


def _may_be_idle(group: ManagedGroup | OwnGroup) -> bool:
    return isinstance(group, OwnGroup) or bool(group.excluded_rules or group.rule_action_overrides)


def _group_stops(group: RuleGroup, use: ManagedGroup | OwnGroup) -> bool:
    """Tell whether a rule of the group stops something as it is used: with another action, or made to count."""
    used = {rule.name: rule.action_to_use for rule in use.rule_action_overrides}
    counted = {rule.name for rule in use.excluded_rules}
    return any(
        rule.name not in counted and any(kind not in _LETS_THROUGH for kind in used.get(rule.name, rule.action))
        for rule in group.rules
    )


def references(answers: Iterable[AclAnswer]) -> Iterator[GroupReference]:
    """Yield what ``undecided`` returns of every web ACL, each once."""
    seen = set()
    for answer in answers:
        for each in undecided(answer.web_acl, answer.source_region) if answer.web_acl else ():
            if each.key not in seen:
                seen.add(each.key)
                yield each
