"""Load balancers and web ACLs asked of an account: what one region or one call refuses leaves the rest as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from soc2.gather.aws.connection import AwsConnection
from soc2.model.population import Population
from soc2.rules.waf import covered
from tests.gather.account import OTHER, answered, gathered, refused
from tests.logs.reading import REGION

_SEEN = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}


def make_balancers(connection: AwsConnection, region: str, *names: str, scheme: str = "internet-facing") -> list[str]:
    ec2, elbv2 = connection.client("ec2", region), connection.client("elbv2", region)
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    made = [elbv2.create_load_balancer(Name=name, Subnets=subnets, Scheme=scheme) for name in names]
    return [each["LoadBalancers"][0]["LoadBalancerArn"] for each in made]


def problems(population: Population[Any]) -> list[tuple[str, str]]:
    return sorted((source, str(problem)) for source, problem in population.problems)


def found(population: Population[Any]) -> list[str]:
    return sorted(f"{each.resource.name}: {type(each).__name__}" for item in population.items for each in covered(item))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("AccessDeniedException", "access denied: GetWebACLForResource: AccessDeniedException (1 of 3 calls)"),
        ("WAFUnavailableEntityException", "server error: GetWebACLForResource: WAFUnavailableEntityException (1 of 3 calls)"),
    ],
)
def test_one_balancer_of_which_waf_does_not_tell(connection: AwsConnection, tmp_path: Path, code: str, told: str) -> None:
    _, second = make_balancers(connection, REGION, "one", "two")
    make_balancers(connection, OTHER, "three")
    with refused(connection, "wafv2", REGION, "GetWebACLForResource", second, code):
        population = gathered(connection, tmp_path, "web_endpoints_outside")
    assert found(population) == ["one: NoWebAcl", "three: NoWebAcl"]
    assert problems(population) == [("web ACLs of load balancers", told)]


def test_one_region_that_is_not_enabled(connection: AwsConnection, tmp_path: Path) -> None:
    make_balancers(connection, REGION, "one")
    make_balancers(connection, OTHER, "two")
    with refused(connection, "elbv2", OTHER, "DescribeLoadBalancers", "", "OptInRequired"):
        web = gathered(connection, tmp_path / "web", "web_endpoints_outside")
        everything = gathered(connection, tmp_path / "balancers", "load_balancers")
    assert found(web) == ["one: NoWebAcl"]
    assert everything.items == ()
    assert ("load balancers", "region disabled: DescribeLoadBalancers: OptInRequired (1 of 2 calls)") in problems(everything)


def test_a_web_acl_that_several_share_is_asked_about_once(connection: AwsConnection, tmp_path: Path) -> None:
    arns = make_balancers(connection, REGION, "one", "two", "three")
    wafv2 = connection.client("wafv2", REGION)
    made = wafv2.create_web_acl(
        Name="shared", Scope="REGIONAL", DefaultAction={"Block": {}}, Rules=[], VisibilityConfig=_SEEN
    )["Summary"]
    for arn in arns:
        wafv2.associate_web_acl(WebACLArn=made["ARN"], ResourceArn=arn)
    population = gathered(connection, tmp_path, "web_endpoints_outside")
    assert found(population) == ["one: WebAclLogsNothing", "three: WebAclLogsNothing", "two: WebAclLogsNothing"]
    assert population.complete
    (logging,) = [each for each in population.sources if each.source == "logging of web ACLs of load balancers"]
    assert logging.query == "wafv2:get_logging_configuration x 1"


def test_distributions_and_their_web_acls_are_asked_for_where_aws_keeps_them(
    connection: AwsConnection, tmp_path: Path
) -> None:
    wafv2 = connection.client("wafv2", "us-east-1")
    acl = {"Scope": "CLOUDFRONT", "DefaultAction": {"Allow": {}}, "Rules": [], "VisibilityConfig": _SEEN}
    made = wafv2.create_web_acl(Name="edge", **acl)["Summary"]
    where = {"ResourceArn": made["ARN"], "LogDestinationConfigs": ["arn:aws:s3:::aws-waf-logs-x"]}
    wafv2.put_logging_configuration(LoggingConfiguration=where)
    origin = {"Id": "o", "DomainName": "o.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    configuration = {
        "CallerReference": "c",
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "https-only", "MinTTL": 0},
        "WebACLId": made["ARN"],
    }
    connection.client("cloudfront", REGION).create_distribution(DistributionConfig=configuration)
    population = gathered(connection, tmp_path, "web_endpoints_outside")
    ((endpoint),) = population.items
    assert [type(each).__name__ for each in covered(endpoint)] == ["WebAclStopsNothing"]
    assert population.complete
    assert "cloudfront:list_distributions in us-east-1" in {each.query for each in population.sources}


def test_every_page_of_balancers_is_read(connection: AwsConnection, tmp_path: Path) -> None:
    """The service lists fifty at a time."""
    make_balancers(connection, REGION, *(f"b{number}" for number in range(51)))
    old = {"LoadBalancerName": "old", "Listeners": [{"Protocol": "TCP", "LoadBalancerPort": 25, "InstancePort": 25}]}
    connection.client("elb", OTHER).create_load_balancer(**old, AvailabilityZones=[f"{OTHER}a"])
    population = gathered(connection, tmp_path, "load_balancers")
    assert population.complete
    assert len([each for each in population.items if each.how]) == 52
    (pages,) = [each.pages for each in population.sources if each.source == "load balancers"]
    assert pages == 3


def test_a_balancer_whose_tags_are_refused_is_left_out(connection: AwsConnection, tmp_path: Path) -> None:
    _, second = make_balancers(connection, REGION, "one", "two")
    part = second.rpartition("/")[2]
    with refused(connection, "elbv2", REGION, "DescribeTags", part, "AccessDenied"):
        population = gathered(connection, tmp_path, "load_balancers")
    assert [each.name for each in population.items] == ["one"]
    assert problems(population) == [("load balancer tags", "access denied: DescribeTags: AccessDenied (1 of 2 calls)")]


def test_an_answer_that_nobody_can_read_is_no_evidence(connection: AwsConnection, tmp_path: Path) -> None:
    make_balancers(connection, REGION, "one")
    with answered(connection, "elbv2", OTHER, "DescribeLoadBalancers", "", b"<html><p>not an answer of the API"):
        population = gathered(connection, tmp_path, "web_endpoints_outside")
    assert found(population) == ["one: NoWebAcl"]
    told = "malformed answer: the answer cannot be parsed (1 of 2 calls)"
    assert problems(population) == [("load balancers", told)]
