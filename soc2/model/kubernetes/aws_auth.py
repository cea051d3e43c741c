"""The ConfigMap ``aws-auth``: which users and groups of an EKS cluster its older mechanism makes of IAM principals."""

from __future__ import annotations

import msgspec

from soc2.model.deviation import Resource


class AuthMapping(msgspec.Struct, frozen=True):
    """An IAM role or user, by its ARN without the path, and what it is in the cluster.

    ``username`` may be a template such as ``{{SessionName}}``.
    """

    arn: str
    username: str = ""
    groups: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        return Resource("ConfigMap", "aws-auth", "kube-system")
