"""What web ACLs stop and log, against a slow reading of the same rules, with odd and hostile input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.codec import Codec, canonical
from soc2.model.aws import waf, web_endpoints
from soc2.model.aws.balancers import ClassicBalancer
from soc2.model.aws.transit import LoadBalancer
from soc2.model.deviation import Resource
from soc2.rules.waf import NoWebAcl, WebAclLogsNothing, WebAclStopsNothing, covered

_CODEC = Codec()
_WHERE = Resource("AWS::ElasticLoadBalancingV2::LoadBalancer", "web")
_ACTIONS = st.sampled_from(["Allow", "Block", "Count", "Captcha", "Challenge"])
_SOME = st.sampled_from(["a", "b", "c"])

plain_rules = st.builds(lambda name, kind: {"Name": name, "Action": {kind: {}}}, _SOME, _ACTIONS)
overrides = st.lists(st.builds(lambda name, kind: {"Name": name, "ActionToUse": {kind: {}}}, _SOME, _ACTIONS), max_size=3)
excluded = st.lists(st.builds(lambda name: {"Name": name}, _SOME), max_size=2)
own = st.builds(
    lambda arn, over, out: {"RuleGroupReferenceStatement": {"ARN": arn, "RuleActionOverrides": over, "ExcludedRules": out}},
    st.sampled_from(["arn:1", "arn:2"]),
    overrides,
    excluded,
)
managed = st.builds(
    lambda name, over, out: {
        "ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name, "RuleActionOverrides": over, "ExcludedRules": out}
    },
    st.sampled_from(["m1", "m2"]),
    overrides,
    excluded,
)
group_rules = st.builds(
    lambda name, kind, statement: {"Name": name, "OverrideAction": {kind: {}}, "Statement": statement},
    _SOME,
    st.sampled_from(["None", "Count"]),
    st.one_of(own, managed),
)
managers = st.builds(
    lambda rule: {**{k: v for k, v in rule.items() if k != "Statement"}, "FirewallManagerStatement": rule["Statement"]},
    group_rules,
)
acls = st.fixed_dictionaries(
    {
        "Name": st.just("acl"),
        "ARN": st.just("arn:aws:wafv2:r:1:regional/webacl/acl/1"),
        "DefaultAction": st.sampled_from([{"Allow": {}}, {"Block": {}}]),
        "Rules": st.lists(st.one_of(plain_rules, group_rules), max_size=3),
        "PreProcessFirewallManagerRuleGroups": st.lists(managers, max_size=1),
        "PostProcessFirewallManagerRuleGroups": st.lists(managers, max_size=1),
    }
)
contents = st.lists(plain_rules, max_size=3, unique_by=lambda rule: rule["Name"])
GROUPS = ("arn:1", "arn:2", "r/REGIONAL/AWS/m1/", "r/REGIONAL/AWS/m2/")
known_groups = st.dictionaries(st.sampled_from(GROUPS), contents, max_size=4)


def decoded(raw: dict[str, Any]) -> waf.WebAcl:
    acl = _CODEC.convert({"WebACL": raw}, waf.AclAnswer).web_acl
    assert acl is not None
    return acl


def answers_of(groups: dict[str, Any]) -> dict[str, waf.RuleGroup]:
    return {key: _CODEC.convert({"ParentKey": key, "Rules": rules}, waf.RuleGroup) for key, rules in groups.items()}


def effects(raw: dict[str, Any], groups: dict[str, Any]) -> Iterator[str]:
    """Yield the action of each rule by itself, groups opened; "Unknown" for a group of which nothing is known."""
    before, after = raw["PreProcessFirewallManagerRuleGroups"], raw["PostProcessFirewallManagerRuleGroups"]
    yield from raw["DefaultAction"]
    for rule in (*before, *raw["Rules"], *after):
        statement = rule.get("Statement") or rule.get("FirewallManagerStatement")
        if "Action" in rule:
            yield from rule["Action"]
        elif "Count" in rule["OverrideAction"]:
            yield "Count"
        else:
            (use,) = statement.values()
            changed = use["RuleActionOverrides"] or use["ExcludedRules"]
            key = use.get("ARN") or f"r/REGIONAL/AWS/{use['Name']}/"
            if "Name" in use and not changed:
                yield "Block"
            elif key not in groups:
                yield "Unknown"
            else:
                for inner in groups[key]:
                    action = list(inner["Action"])
                    for override in use["RuleActionOverrides"]:
                        action = list(override["ActionToUse"]) if override["Name"] == inner["Name"] else action
                    yield from ["Count"] if {"Name": inner["Name"]} in use["ExcludedRules"] else action


@given(acls, known_groups)
def test_an_acl_stops_something_when_one_of_its_rules_does(raw: dict[str, Any], groups: dict[str, Any]) -> None:
    every = set(effects(raw, groups))
    expected = True if every - {"Allow", "Count", "Unknown"} else None if "Unknown" in every else False
    assert waf.stops(decoded(raw), "r", answers_of(groups)) is expected


@given(acls, known_groups)
def test_groups_are_asked_for_only_where_they_decide(raw: dict[str, Any], groups: dict[str, Any]) -> None:
    acl = decoded(raw)
    asked = {each.key for each in waf.undecided(acl, "r")}
    assert (waf.stops(acl, "r", {}) is None) is bool(asked)
    only = {key: answer for key, answer in answers_of(groups).items() if key in asked}
    assert waf.stops(acl, "r", answers_of(groups)) is waf.stops(acl, "r", only)


@given(acls, known_groups)
def test_an_acl_that_stops_nothing_is_told_with_every_rule(raw: dict[str, Any], groups: dict[str, Any]) -> None:
    acl = decoded(raw)
    does = waf.stops(acl, "r", answers_of(groups))
    found = list(covered(web_endpoints.WebEndpoint(_WHERE, "a thing", acl, stops=does)))
    assert bool(found) is (does is False)
    for each in found:
        assert all(rule.name in each.message for rule in acl.rules)


def test_a_reference_says_how_the_group_is_asked_for() -> None:
    use = {
        "ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "bots", "Version": "V3", "ExcludedRules": [{"Name": "a"}]}
    }
    mine = {"RuleGroupReferenceStatement": {"ARN": "arn:1"}}
    rules = [
        {"Name": str(number), "OverrideAction": {"None": {}}, "Statement": each}
        for number, each in enumerate((use, mine, use))
    ]
    raw = {"ARN": "arn:aws:wafv2:us-east-1:1:global/webacl/a/1", "DefaultAction": {"Allow": {}}, "Rules": rules}
    answer = _CODEC.convert({"SourceRegion": "us-east-1", "WebACL": raw}, waf.AclAnswer)
    first, second = waf.references([answer, answer, waf.AclAnswer()])
    assert first.managed_parameters == {"VendorName": "AWS", "Name": "bots", "Scope": "CLOUDFRONT", "VersionName": "V3"}
    assert (second.key, second.managed_parameters) == ("arn:1", None)


def test_what_actions_answer_and_insert_is_not_kept() -> None:
    secret = {"InsertHeaders": [{"Name": "x-origin-key", "Value": "hunter2hunter2"}]}
    match = {"ByteMatchStatement": {"SearchString": b"hunter2hunter2", "PositionalConstraint": "EXACTLY"}}
    rule = {"Name": "r", "Action": {"Count": {"CustomRequestHandling": secret}}, "Statement": match}
    acl = decoded({"DefaultAction": {"Allow": {"CustomRequestHandling": secret}}, "Rules": [rule]})
    assert b"hunter2" not in canonical(acl)
    assert waf.stops(acl, "r", {}) is False


@pytest.mark.parametrize(
    ("configuration", "found"),
    [
        (None, "it has no destination"),
        ({"LogDestinationConfigs": []}, "it has no destination"),
        ({"LogDestinationConfigs": ["arn:s"]}, None),
        (
            {
                "LogDestinationConfigs": ["arn:s"],
                "LoggingFilter": {"DefaultBehavior": "KEEP", "Filters": [{"Behavior": "DROP"}]},
            },
            None,
        ),
        ({"LogDestinationConfigs": ["arn:s"], "LoggingFilter": {"DefaultBehavior": "DROP"}}, "its filter drops every record"),
        (
            {
                "LogDestinationConfigs": ["arn:s"],
                "LoggingFilter": {"DefaultBehavior": "DROP", "Filters": [{"Behavior": "DROP"}]},
            },
            "its filter drops every record",
        ),
        (
            {
                "LogDestinationConfigs": ["arn:s"],
                "LoggingFilter": {"DefaultBehavior": "DROP", "Filters": [{"Behavior": "KEEP"}]},
            },
            None,
        ),
    ],
)
def test_what_is_logged(configuration: dict[str, Any] | None, found: str | None) -> None:
    answer = _CODEC.convert({"LoggingConfiguration": configuration}, waf.LoggingAnswer)
    endpoint = web_endpoints.WebEndpoint(_WHERE, "a thing", waf.WebAcl("main"), stops=True, logging=answer)
    expected = [] if found is None else [WebAclLogsNothing(resource=_WHERE, what="a thing", acl="main", found=found)]
    assert list(covered(endpoint)) == expected


def test_what_is_not_known_is_no_deviation() -> None:
    assert list(covered(web_endpoints.WebEndpoint(_WHERE, "a thing", waf.WebAcl("main"), stops=None, logging=None))) == []


def test_without_a_web_acl() -> None:
    endpoints = [
        web_endpoints.WebEndpoint(_WHERE, "a stage"),
        web_endpoints.WebEndpoint(_WHERE, "a stage", classic="id"),
        web_endpoints.WebEndpoint(_WHERE, "an HTTP API", unable=True),
    ]
    found = [each for endpoint in endpoints for each in covered(endpoint)]
    takes = "and takes none: an application load balancer or a stage of a REST API does"
    assert found == [
        NoWebAcl(resource=_WHERE, what="a stage"),
        NoWebAcl(resource=_WHERE, what="a stage", why=": id is one of AWS WAF Classic, which AWS has ended"),
        NoWebAcl(resource=_WHERE, what="an HTTP API", why=f", {takes}"),
    ]
    assert found[2].message == f"it is an HTTP API facing the internet without a web ACL, {takes}"
    nothing = list(covered(web_endpoints.WebEndpoint(_WHERE, "a stage", waf.WebAcl("main"), stops=False)))
    told = "it has no rules and allows everything"
    assert nothing == [WebAclStopsNothing(resource=_WHERE, what="a stage", acl="main", found=told)]


NOBODY = web_endpoints.Guards.of((), (), ())


def test_what_answers_http_to_the_internet() -> None:
    new = [
        _CODEC.convert(
            {"LoadBalancerArn": scheme + kind + state, "Scheme": scheme, "Type": kind, "State": {"Code": state}}, LoadBalancer
        )
        for scheme in ("internet-facing", "internal")
        for kind in ("application", "network", "gateway")
        for state in ("active", "provisioning", "active_impaired", "failed")
    ]
    answers = [waf.AclAnswer(parent_key=each.load_balancer_arn) for each in new]
    found = web_endpoints.of_balancers(new, [], web_endpoints.Guards.of(answers, (), ()))
    assert len(list(found)) == 3
    assert list(web_endpoints.of_balancers(new, [], NOBODY)) == []
    old = [
        _CODEC.convert({"Scheme": scheme, "ListenerDescriptions": [{"Listener": {"Protocol": protocol}}]}, ClassicBalancer)
        for scheme in ("internet-facing", "internal")
        for protocol in ("HTTP", "HTTPS", "TCP", "SSL")
    ]
    assert len(list(web_endpoints.of_balancers([], old, NOBODY))) == 2


@pytest.mark.parametrize(
    ("acl", "parameters"),
    [
        ("", None),
        ("473e64fd-f30b-4765-81a0-62ad96dd167a", None),
        (
            "arn:aws:wafv2:us-east-1:123456789012:global/webacl/edge/473e64fd",
            {"Name": "edge", "Scope": "CLOUDFRONT", "Id": "473e64fd"},
        ),
    ],
)
def test_how_the_web_acl_of_a_distribution_is_asked_for(acl: str, parameters: dict[str, str] | None) -> None:
    distribution = _CODEC.convert({"Id": "E1", "DomainName": "d.test", "WebACLId": acl}, web_endpoints.Distribution)
    assert distribution.acl_parameters == parameters
    off = _CODEC.convert({"Id": "E1", "Enabled": False, "WebACLId": acl}, web_endpoints.Distribution)
    assert off.acl_parameters is None
    assert list(web_endpoints.of_distributions([off], NOBODY)) == []


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_arn_of_a_stage(region: str, partition: str) -> None:
    stage = web_endpoints.Stage(parent_key=f"{region}/a1", stage_name="$default")
    assert stage.arn == f"arn:{partition}:apigateway:{region}::/restapis/a1/stages/$default"
