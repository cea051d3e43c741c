"""Rules on the web ACLs before what answers HTTP to the internet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.aws.waf import LoggingAnswer, WebAcl
from soc2.model.aws.web_endpoints import WebEndpoint
from soc2.model.deviation import Deviation
from soc2.model.network.zones import shown

_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class NoWebAcl(Deviation):
    template: ClassVar[str] = "it is {what} facing the internet without a web ACL{why}"
    what: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class WebAclStopsNothing(Deviation):
    template: ClassVar[str] = "it is {what} facing the internet behind the web ACL {acl}, which stops nothing: {found}"
    what: str
    acl: str
    found: str


@dataclass(frozen=True, kw_only=True)
class WebAclLogsNothing(Deviation):
    template: ClassVar[str] = "it is {what} facing the internet behind the web ACL {acl}, which logs nothing: {found}"
    what: str
    acl: str
    found: str


def covered(endpoint: WebEndpoint) -> Iterator[Deviation]:
    """What answers HTTP to the internet has a web ACL that stops something and logs."""
    resource, what, acl = endpoint.resource, endpoint.what, endpoint.acl
    if acl is None:
        why = f": {endpoint.classic} is one of AWS WAF Classic, which AWS has ended" if endpoint.classic else ""
        why = ", and takes none: an application load balancer or a stage of a REST API does" if endpoint.unable else why
        yield NoWebAcl(resource=resource, what=what, why=why)
        return
    if endpoint.stops is False:
        yield WebAclStopsNothing(resource=resource, what=what, acl=acl.name, found=_idle(acl))
    lost = _lost(endpoint.logging) if endpoint.logging else ""
    if lost:
        yield WebAclLogsNothing(resource=resource, what=what, acl=acl.name, found=lost)


def _idle(acl: WebAcl) -> str:
    rest = "everything else is allowed"
    if not acl.rules:
        return "it has no rules and allows everything"
    counting = [rule.name for rule in acl.rules if "Count" in (rule.action or rule.override_action)]
    groups = [rule.name for rule in acl.rules if rule.in_force]
    told = [f"{shown(counting, _SHOWN)} only {'counts' if len(counting) == 1 else 'count'}"] if counting else []
    told += (
        [f"no rule of the {'group' if len(groups) == 1 else 'groups'} {shown(groups, _SHOWN)} stops anything"]
        if groups
        else []
    )
    allowing = [rule.name for rule in acl.rules if rule.name not in counting + groups]
    told += [f"{shown(allowing, _SHOWN)} only {'allows' if len(allowing) == 1 else 'allow'}"] if allowing else []
    return "; ".join((*told, rest))


def _lost(answer: LoggingAnswer) -> str:
    """Return why nothing is logged, or nothing when something is."""
    configuration = answer.logging_configuration
    if configuration is None or not configuration.log_destination_configs:
        return "it has no destination"
    chosen = configuration.logging_filter
    if chosen and chosen.default_behavior == "DROP" and not any(each.behavior == "KEEP" for each in chosen.filters):
        return "its filter drops every record"
    return ""
