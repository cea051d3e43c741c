"""Creates the company's web ACLs, and what they are before: load balancers, a stage of an API, a distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from soc2.demo.aws.server import REGION

_GLOBAL = "us-east-1"
_SEEN = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "requests"}


def create_web_acls(client: Callable[..., Any], company: Mapping[str, Any], balancers: Mapping[str, str]) -> None:
    """Create web ACLs by name, APIs and distributions, and put the ACLs before them and before load balancers (ARNs by
    name). ``client`` makes one of a service and, unless it is the company's, a region."""
    regional, edge = client("wafv2"), client("wafv2", _GLOBAL)
    arns = {}
    for name, acl in company["web_acls"].items():
        scope, waf = ("CLOUDFRONT", edge) if acl.get("edge") else ("REGIONAL", regional)
        rules = [_rule(number, rule) for number, rule in enumerate(acl["rules"])]
        made = waf.create_web_acl(Name=name, Scope=scope, DefaultAction={"Allow": {}}, Rules=rules, VisibilityConfig=_SEEN)
        arn = arns[name] = made["Summary"]["ARN"]
        if acl["logs"]:
            where = {"ResourceArn": arn, "LogDestinationConfigs": [f"arn:aws:s3:::{acl['logs']}"]}
            waf.put_logging_configuration(LoggingConfiguration=where)
    for name, balancer in company["load_balancers"].items():
        if "web_acl" in balancer:
            regional.associate_web_acl(WebACLArn=arns[balancer["web_acl"]], ResourceArn=balancers[name])
    for name, api in company["rest_apis"].items():
        stage = _stage(client("apigateway"), name, api["stage"])
        regional.associate_web_acl(WebACLArn=arns[api["web_acl"]], ResourceArn=stage)
    for name in company["http_apis"]:
        client("apigatewayv2").create_api(Name=name, ProtocolType="HTTP")
    for origin, distribution in company["distributions"].items():
        _distribution(client("cloudfront", _GLOBAL), origin, distribution["host"], arns[distribution["web_acl"]])


def _rule(number: int, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule that uses a ``group`` (an ARN) or AWS's ``managed`` group, and of that only counts ``counted`` rules; or
    only counts altogether (``counts``)."""
    statement: dict[str, Any] = {"RuleGroupReferenceStatement": {"ARN": rule.get("group", "")}}
    if "managed" in rule:
        overrides = [{"Name": name, "ActionToUse": {"Count": {}}} for name in rule.get("counted", [])]
        group = {"VendorName": "AWS", "Name": rule["managed"], **({"RuleActionOverrides": overrides} if overrides else {})}
        statement = {"ManagedRuleGroupStatement": group}
    return {
        "Name": rule["name"],
        "Priority": number,
        "OverrideAction": {"Count" if rule.get("counts") else "None": {}},
        "Statement": statement,
        "VisibilityConfig": _SEEN,
    }


def _stage(apigateway: Any, name: str, stage: str) -> str:
    """Create an API with a stage and return the stage's ARN."""
    api = apigateway.create_rest_api(name=name, endpointConfiguration={"types": ["REGIONAL"]})["id"]
    (root,) = apigateway.get_resources(restApiId=api)["items"]
    method = {"restApiId": api, "resourceId": root["id"], "httpMethod": "GET"}
    apigateway.put_method(**method, authorizationType="AWS_IAM")
    apigateway.put_integration(**method, type="MOCK")
    apigateway.create_deployment(restApiId=api, stageName=stage)
    return f"arn:aws:apigateway:{REGION}::/restapis/{api}/stages/{stage}"


def _distribution(cloudfront: Any, origin: str, host: str, acl: str) -> None:
    source = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": host,
            "Comment": host,
            "Enabled": True,
            "Aliases": {"Quantity": 1, "Items": [host]},
            "Origins": {"Quantity": 1, "Items": [{"Id": "origin", "DomainName": origin, "CustomOriginConfig": source}]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "origin",
                "ViewerProtocolPolicy": "redirect-to-https",
                "MinTTL": 0,
                "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}},
            },
            "WebACLId": acl,
        }
    )
