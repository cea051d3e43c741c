"""Service control policies, level by level, from moto's organizations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws

from soc2.evidence import EvidenceStore
from soc2.gather.aws.service_control import ServiceControl
from soc2.gather.source import Gatherer
from soc2.model.aws.iam import ControlLevel
from soc2.model.population import Cause
from tests.gather.test_manifests import SYSTEM

DENY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "cloudtrail:StopLogging", "Resource": "*"}]}


@pytest.fixture
def session() -> Iterator[boto3.Session]:
    with mock_aws():
        yield boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


def gathered(session: boto3.Session, folder: Path, account: str) -> Any:
    aws = SimpleNamespace(client=session.client, regions=("us-east-1",), account=account, identity="tester")
    gatherer = SimpleNamespace(system=SYSTEM, aws=aws, evidence=EvidenceStore(folder))
    return ServiceControl().gather(cast(Gatherer, gatherer))


def test_an_account_without_an_organization_has_none(session: boto3.Session, tmp_path: Path) -> None:
    listing = gathered(session, tmp_path, "123456789012")
    assert (listing.items, listing.statuses[0].complete) == ((), True)


def test_every_level_above_the_account_is_read(session: boto3.Session, tmp_path: Path) -> None:
    client = session.client("organizations")
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="prod")["OrganizationalUnit"]["Id"]
    account = client.create_account(AccountName="a", Email="a@example.com")["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    policy = client.create_policy(Name="guard", Description="d", Type="SERVICE_CONTROL_POLICY", Content=json.dumps(DENY))[
        "Policy"
    ]["PolicySummary"]["Id"]
    client.attach_policy(PolicyId=policy, TargetId=unit)
    listing = gathered(session, tmp_path, account)
    assert listing.statuses[0].complete
    assert [level.target for level in listing.items] == [account, unit, root]
    assert all(isinstance(level, ControlLevel) for level in listing.items)
    assert DENY in listing.items[1].documents


def test_no_policy_binds_the_account_that_manages_the_organization(session: boto3.Session, tmp_path: Path) -> None:
    organization = session.client("organizations").create_organization(FeatureSet="ALL")["Organization"]
    listing = gathered(session, tmp_path, organization["MasterAccountId"])
    assert (listing.items, listing.statuses[0].complete) == ((), True)


def test_a_denied_listing_is_missing_evidence(session: boto3.Session, tmp_path: Path) -> None:
    from botocore.exceptions import ClientError

    def denied(*_: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeOrganization")

    listing = gathered(cast(boto3.Session, SimpleNamespace(client=denied)), tmp_path, "123456789012")
    assert session
    assert listing.statuses[0].problem.cause is Cause.DENIED
