"""The name of the IAM permission that an operation needs, where it is not that of the operation itself.

Source: the AWS Service Authorization Reference and, for ``ListFindingsV2``, its own page in the API reference.
"""

from __future__ import annotations

_SERVICES = {"accessanalyzer": "access-analyzer", "elbv2": "elasticloadbalancing"}
_PERMISSIONS = {
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketLifecycle": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "access-analyzer:ListFindingsV2": "access-analyzer:ListFindings",
}


def permission(service: str, operation: str) -> str:
    """Return the permission for an operation, both by botocore's names: ``s3``, ``ListBuckets``."""
    name = f"{_SERVICES.get(service, service)}:{operation}"
    return _PERMISSIONS.get(name, name)
