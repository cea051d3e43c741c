"""The AWS operations that tell what the internet reaches of an account, and the web ACLs before it."""

from __future__ import annotations

from typing import Any

from soc2.gather.aws.calls import AwsDetail, AwsList
from soc2.gather.aws.rule_groups import RuleGroupReferences
from soc2.gather.aws.sources import LOAD_BALANCERS
from soc2.model.aws import balancers, waf, web_endpoints

CLASSIC_BALANCERS = AwsList(
    "classic load balancers", "elb", "describe_load_balancers", "LoadBalancerDescriptions", balancers.ClassicBalancer
)
TARGET_GROUPS = AwsList("target groups", "elbv2", "describe_target_groups", "TargetGroups", balancers.TargetGroup)
BALANCER_TAGS = AwsDetail(
    "load balancer tags",
    "elbv2",
    "describe_tags",
    "TagDescriptions",
    balancers.BalancerTags,
    LOAD_BALANCERS,
    lambda balancer: balancer.load_balancer_arn,
    lambda balancer: {"ResourceArns": [balancer.load_balancer_arn]},
)
CLASSIC_TAGS = AwsDetail(
    "classic load balancer tags",
    "elb",
    "describe_tags",
    "TagDescriptions",
    balancers.BalancerTags,
    CLASSIC_BALANCERS,
    lambda balancer: balancer.arn,
    lambda balancer: {"LoadBalancerNames": [balancer.load_balancer_name]},
)
BALANCER_ATTRIBUTES = AwsDetail(
    "load balancer attributes",
    "elbv2",
    "describe_load_balancer_attributes",
    "",
    balancers.BalancerAttributes,
    LOAD_BALANCERS,
    lambda balancer: balancer.load_balancer_arn,
    lambda balancer: {"LoadBalancerArn": balancer.load_balancer_arn} if balancers.may_be_open_by_six(balancer) else None,
)

REST_APIS = AwsList("rest apis", "apigateway", "get_rest_apis", "items", web_endpoints.RestApi)
STAGES = AwsDetail(
    "stages of rest apis",
    "apigateway",
    "get_stages",
    "item",
    web_endpoints.Stage,
    REST_APIS,
    lambda api: api.key,
    lambda api: None if api.is_private else {"restApiId": api.id},
)
HTTP_APIS = AwsList("http apis", "apigatewayv2", "get_apis", "Items", web_endpoints.HttpApi)
DISTRIBUTIONS = AwsList(
    "distributions",
    "cloudfront",
    "list_distributions",
    "DistributionList.Items",
    web_endpoints.Distribution,
    regional=False,
    # Their web ACLs are kept there.
    home="us-east-1",
)
ACLS_OF_BALANCERS = AwsDetail(
    "web ACLs of load balancers",
    "wafv2",
    "get_web_acl_for_resource",
    "",
    waf.AclAnswer,
    LOAD_BALANCERS,
    lambda balancer: balancer.load_balancer_arn,
    lambda balancer: {"ResourceArn": balancer.load_balancer_arn} if balancer.serves_the_web else None,
)
ACLS_OF_STAGES = AwsDetail(
    "web ACLs of stages",
    "wafv2",
    "get_web_acl_for_resource",
    "",
    waf.AclAnswer,
    STAGES,
    lambda stage: stage.arn,
    lambda stage: None if stage.is_classic else {"ResourceArn": stage.arn},
)
ACLS_OF_DISTRIBUTIONS = AwsDetail(
    "web ACLs of distributions",
    "wafv2",
    "get_web_acl",
    "",
    waf.AclAnswer,
    DISTRIBUTIONS,
    lambda distribution: distribution.arn,
    lambda distribution: distribution.acl_parameters,
)


def _logging(acls: AwsDetail[Any, waf.AclAnswer]) -> AwsDetail[waf.AclAnswer, waf.LoggingAnswer]:
    return AwsDetail(
        f"logging of {acls.name}",
        "wafv2",
        "get_logging_configuration",
        "",
        waf.LoggingAnswer,
        acls,
        lambda answer: answer.web_acl.arn if answer.web_acl else "",
        lambda answer: {"ResourceArn": answer.web_acl.arn} if answer.web_acl else None,
        frozenset({"WAFNonexistentItemException"}),
    )


ACL_LOGGING = tuple(_logging(acls) for acls in (ACLS_OF_BALANCERS, ACLS_OF_STAGES, ACLS_OF_DISTRIBUTIONS))
GROUPS_IN_ACLS = RuleGroupReferences((ACLS_OF_BALANCERS, ACLS_OF_STAGES, ACLS_OF_DISTRIBUTIONS))
RULE_GROUPS = AwsDetail(
    "rule groups",
    "wafv2",
    "get_rule_group",
    "RuleGroup",
    waf.RuleGroup,
    GROUPS_IN_ACLS,
    lambda reference: reference.key,
    lambda reference: {"ARN": reference.group.arn} if isinstance(reference.group, waf.OwnGroup) else None,
)
MANAGED_RULE_GROUPS = AwsDetail(
    "managed rule groups",
    "wafv2",
    "describe_managed_rule_group",
    "",
    waf.RuleGroup,
    GROUPS_IN_ACLS,
    lambda reference: reference.key,
    lambda reference: reference.managed_parameters,
)
