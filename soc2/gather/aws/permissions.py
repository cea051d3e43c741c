"""The name of the IAM permission that an operation needs, where it is not that of the operation itself, and those that it
needs besides.

Source: the AWS Service Authorization Reference and, for ``ListFindingsV2``, its own page in the API reference; for
``GetWebACLForResource``, the page on IAM in the developer guide of AWS WAF.
"""

from __future__ import annotations

_SERVICES = {
    "accessanalyzer": "access-analyzer",
    "apigatewayv2": "apigateway",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "opensearch": "es",
}
_PERMISSIONS = {
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketLifecycle": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3control:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "access-analyzer:ListFindingsV2": "access-analyzer:ListFindings",
    "apigateway:GetApis": "apigateway:GET",
    "apigateway:GetRestApis": "apigateway:GET",
    "apigateway:GetStages": "apigateway:GET",
}
_BESIDES = {"wafv2:GetWebACLForResource": frozenset({"wafv2:GetWebACL", "elasticloadbalancing:GetLoadBalancerWebACL"})}
_APIS = "arn:aws:apigateway:*::"
ONLY = {"apigateway:GET": ("Apis", (f"{_APIS}/restapis", f"{_APIS}/restapis/*/stages", f"{_APIS}/apis"))}
"""Permissions that would show more than is asked for (here the keys of clients), with the name of a statement and the
resources on which they are needed."""


def permission(service: str, operation: str) -> str:
    """Return the permission for an operation, both by botocore's names: ``s3``, ``ListBuckets``."""
    name = f"{_SERVICES.get(service, service)}:{operation}"
    return _PERMISSIONS.get(name, name)


def permissions(service: str, operation: str) -> frozenset[str]:
    """Return all permissions that an operation needs, by botocore's names."""
    own = permission(service, operation)
    return _BESIDES.get(own, frozenset()) | {own}
