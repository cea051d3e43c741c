"""Creates the company's load balancers, with their listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REDIRECT = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}


def create_balancers(
    elbv2: Any, acm: Any, balancers: Mapping[str, Any], vpc: str, subnet: str, groups: Mapping[str, str]
) -> dict[str, str]:
    """Create load balancers by name and return their ARNs: ``group`` is their security group, ``policy`` that of their HTTPS
    for ``host``, and ``plain`` tells what becomes of plain HTTP: ``redirect`` or ``forward``. Beside that they may have
    ``tags``, and ``six``: IPv6 addresses, ``open`` to the internet or ``closed``."""
    arns = {}
    for name, balancer in balancers.items():
        made = elbv2.create_load_balancer(
            Name=name,
            Subnets=[subnet],
            SecurityGroups=[groups[balancer["group"]]],
            Scheme=balancer["scheme"],
            IpAddressType="dualstack" if "six" in balancer else "ipv4",
            Tags=[{"Key": key, "Value": value} for key, value in balancer.get("tags", {"owner": "platform"}).items()],
        )
        arn = arns[name] = made["LoadBalancers"][0]["LoadBalancerArn"]
        if "six" in balancer:
            closed = {"Key": "ipv6.deny_all_igw_traffic", "Value": str(balancer["six"] == "closed").lower()}
            elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[closed])
        targets = elbv2.create_target_group(Name=name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
        forward = {"Type": "forward", "TargetGroupArn": targets["TargetGroups"][0]["TargetGroupArn"]}
        certificate = acm.request_certificate(DomainName=balancer["host"])
        elbv2.create_listener(
            LoadBalancerArn=arn,
            Port=443,
            Protocol="HTTPS",
            SslPolicy=balancer["policy"],
            Certificates=[{"CertificateArn": certificate["CertificateArn"]}],
            DefaultActions=[forward],
        )
        plain = {"redirect": {"Type": "redirect", "RedirectConfig": _REDIRECT}, "forward": forward}[balancer["plain"]]
        elbv2.create_listener(LoadBalancerArn=arn, Port=80, Protocol="HTTP", DefaultActions=[plain])
    return arns
