"""What every AWS record has, and tags."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import field

from soc2.model.deviation import Resource


class Tag(msgspec.Struct, frozen=True):
    """A tag; services write its fields in either case."""

    key: str = field(default="", name="Key")
    value: str = field(default="", name="Value")


class PascalRecord(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """A record of a service that writes ``FieldNames`` with capitals.

    ``parent_key`` names the item that a detail was asked for; ``configured`` is false when the service said that
    nothing is configured there.
    """

    source_region: str = ""
    source_account: str = ""
    parent_key: str = ""
    configured: bool = True


class CamelRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A record of a service that writes ``fieldNames`` in camel case; fields as in PascalRecord."""

    source_region: str = ""
    source_account: str = ""
    parent_key: str = ""
    configured: bool = True


def tag(tags: Iterable[Tag], name: str) -> str | None:
    """Return the value of a tag, or None when it is not set."""
    return next((entry.value for entry in tags if entry.key == name), None)


def account_in(arn: str) -> str:
    """Return the account id in an ARN, or the empty string where there is none."""
    return arn.split(":")[4] if arn.count(":") >= 5 else ""


def principal_resource(arn: str) -> Resource:
    """Return the role or user of an ARN such as ``arn:aws:iam::123456789012:role/team/deploy``, its path left out."""
    kind, _, path = arn.rpartition(":")[2].partition("/")
    return Resource(f"AWS::IAM::{kind.capitalize()}", path.rpartition("/")[2] or arn)


def aws_resource(kind: str, name: str) -> Resource:
    """Return the resource of a CloudFormation type, for example ``AWS::S3::Bucket``."""
    return Resource(kind, name)
