"""Identities and what they may do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from soc2.model.aws.base import CamelRecord, PascalRecord, Tag, aws_resource, principal_resource
from soc2.model.deviation import Resource


class AccountSummary(PascalRecord, frozen=True):
    """The counters of GetAccountSummary; 1 and 0 for what is a yes or a no."""

    summary_map: dict[str, int] = {}

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::Account", self.source_account)


class AccessKey(msgspec.Struct, frozen=True):
    """An access key by its number in the report (1 or 2); the report does not name its id."""

    number: int
    active: bool
    rotated: datetime | None
    last_used: datetime | None


class Credentials(msgspec.Struct, frozen=True):
    """One row of the credential report. Times are None where the report says that there is none."""

    user: str
    arn: str
    created: datetime | None
    password_enabled: bool
    password_last_used: datetime | None
    mfa_active: bool
    keys: tuple[AccessKey, ...]

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::IAM::User", self.user)


class InlinePolicy(msgspec.Struct, frozen=True, rename="pascal"):
    policy_name: str = ""
    policy_document: Any = None


class AttachedPolicy(msgspec.Struct, frozen=True, rename="pascal"):
    policy_name: str = ""
    policy_arn: str = ""


class PermissionsBoundary(msgspec.Struct, frozen=True, rename="pascal"):
    permissions_boundary_arn: str = ""


class RoleLastUsed(msgspec.Struct, frozen=True, rename="pascal"):
    last_used_date: datetime | None = None


class InstanceProfile(msgspec.Struct, frozen=True, rename="pascal"):
    arn: str = ""


class Principal(msgspec.Struct, frozen=True, rename="pascal"):
    """A user, role or group of GetAccountAuthorizationDetails."""

    arn: str = ""
    user_name: str = ""
    role_name: str = ""
    group_name: str = ""
    path: str = "/"
    group_list: tuple[str, ...] = ()
    user_policy_list: tuple[InlinePolicy, ...] = ()
    role_policy_list: tuple[InlinePolicy, ...] = ()
    group_policy_list: tuple[InlinePolicy, ...] = ()
    attached_managed_policies: tuple[AttachedPolicy, ...] = ()
    assume_role_policy_document: Any = None
    permissions_boundary: PermissionsBoundary | None = None
    tags: tuple[Tag, ...] = ()
    create_date: datetime | None = None
    role_last_used: RoleLastUsed = RoleLastUsed()
    instance_profile_list: tuple[InstanceProfile, ...] = ()

    @property
    def inline_policies(self) -> tuple[InlinePolicy, ...]:
        return (*self.user_policy_list, *self.role_policy_list, *self.group_policy_list)

    @property
    def name(self) -> str:
        return self.user_name or self.role_name or self.group_name

    @property
    def resource(self) -> Resource:
        kind = "User" if self.user_name else "Role" if self.role_name else "Group"
        return aws_resource(f"AWS::IAM::{kind}", self.name)


class PolicyVersion(msgspec.Struct, frozen=True, rename="pascal"):
    document: Any = None
    is_default_version: bool = False


class ManagedPolicy(msgspec.Struct, frozen=True, rename="pascal"):
    arn: str = ""
    policy_name: str = ""
    policy_version_list: tuple[PolicyVersion, ...] = ()

    @property
    def document(self) -> Any:
        return next((version.document for version in self.policy_version_list if version.is_default_version), None)


class AuthorizationDetails(PascalRecord, frozen=True):
    """Every principal and policy of the account, as one answer."""

    user_detail_list: tuple[Principal, ...] = ()
    role_detail_list: tuple[Principal, ...] = ()
    group_detail_list: tuple[Principal, ...] = ()
    policies: tuple[ManagedPolicy, ...] = ()


class ControlLevel(msgspec.Struct, frozen=True):
    """The service control policies attached to one level: the account, an organizational unit or the root."""

    target: str
    documents: tuple[Any, ...] = ()


class Analyzer(CamelRecord, frozen=True):
    """An analyzer of IAM Access Analyzer."""

    arn: str = ""
    type: str = ""
    status: str = ""

    @property
    def finds_unused_access(self) -> bool:
        return self.type.endswith("UNUSED_ACCESS") and self.status == "ACTIVE"

    @property
    def finds_external_access(self) -> bool:
        return self.type in ("ACCOUNT", "ORGANIZATION") and self.status == "ACTIVE"


class AccessFinding(CamelRecord, frozen=True):
    """What an analyzer found; ``resource_name`` is the ARN of the user or role that has the unused access."""

    id: str = ""
    status: str = ""
    finding_type: str = ""
    resource_name: str = msgspec.field(default="", name="resource")
    created_at: datetime | None = None

    @property
    def resource(self) -> Resource:
        return principal_resource(self.resource_name)


class Simulation(msgspec.Struct, frozen=True):
    """What IAM's own simulator says, where the endpoint offers it: (principal's ARN, action, resource, decision)."""

    offered: bool
    answers: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def decisions(self) -> dict[tuple[str, str, str], str]:
        """Return ``allowed``, ``explicitDeny`` or ``implicitDeny`` by principal, action and resource."""
        return {(principal, action, resource): decision for principal, action, resource, decision in self.answers}
