"""Blocks of public access, of buckets and of their account: what S3 applies is what the rules judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.aws.connection import AwsConnection
from soc2.model.aws.joins import AccountBlock, buckets_with_blocks
from soc2.model.aws.storage import Bucket, PublicAccessBlock
from soc2.model.population import Cause, Population, Problem
from soc2.rules.cloud_storage import account_blocks, public_access_blocked
from tests.gather.account import answered, gathered, refused
from tests.logs.reading import ACCOUNT, REGION

FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_BLOCKS = st.builds(PublicAccessBlock, **dict.fromkeys(PublicAccessBlock.__struct_fields__[-4:], st.booleans()))


@given(st.dictionaries(st.sampled_from("abc"), _BLOCKS), _BLOCKS | st.none(), st.sampled_from(["a", "[ab]", "none"]))
def test_a_bucket_is_as_closed_as_its_block_and_the_accounts_together(
    own: dict[str, PublicAccessBlock], account: PublicAccessBlock | None, approved: str
) -> None:
    buckets = [Bucket(name=name) for name in "abc"]
    blocks = [msgspec.structs.replace(block, parent_key=name) for name, block in own.items()]
    records = buckets_with_blocks(buckets, blocks, [account] if account else [])
    found = {each.bucket.name: [one.fields["missing"] for one in public_access_blocked([approved])(each)] for each in records}
    above = set(FLAGS) - set(account.off) if account else set()
    assert set(found) == set(own)
    for name, block in own.items():
        missing = [flag for flag in FLAGS if flag in block.off and flag not in above]
        assert found[name] == ([", ".join(missing)] if missing and name not in approved else [])


@given(_BLOCKS, st.booleans())
def test_an_approved_bucket_opens_the_account_for_policies_only(block: PublicAccessBlock, public: bool) -> None:
    found = [one.fields["missing"] for one in account_blocks(AccountBlock(block, ("site",) if public else ()))]
    missing = [flag for flag in (FLAGS[:2] if public else FLAGS) if flag in block.off]
    assert found == ([", ".join(missing)] if missing else [])


def _judged(population: Population[Any]) -> list[str]:
    assert population.problems == ()
    return [f"{each.resource}: {each.fields['missing']}" for item in population.items for each in account_blocks(item)]


def test_what_an_account_blocks(connection: AwsConnection, tmp_path: Path) -> None:
    account = f"AWS::Account/{ACCOUNT}"
    assert _judged(gathered(connection, tmp_path, "account_blocks")) == [f"{account}: {', '.join(FLAGS)}"]
    control = connection.client("s3control", REGION)
    control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=dict.fromkeys(FLAGS, True))
    assert _judged(gathered(connection, tmp_path, "account_blocks")) == []
    connection.client("s3", REGION).create_bucket(Bucket="notes", CreateBucketConfiguration={"LocationConstraint": REGION})
    (bucket,) = gathered(connection, tmp_path, "bucket_blocks").items
    assert list(public_access_blocked([])(bucket)) == []


@pytest.mark.parametrize("name", ["account_blocks", "bucket_blocks"])
def test_what_an_account_blocks_is_not_told(connection: AwsConnection, tmp_path: Path, name: str) -> None:
    connection.client("s3", REGION).create_bucket(Bucket="notes", CreateBucketConfiguration={"LocationConstraint": REGION})
    with refused(connection, "s3control", REGION, "GetPublicAccessBlock", "", "AccessDenied"):
        population = gathered(connection, tmp_path, name)
    problem = Problem(Cause.DENIED, "GetPublicAccessBlock: AccessDenied")
    assert (population.items, population.problems) == ((), (("public access block of the account", problem),))


def test_an_answer_that_says_nothing_blocks_nothing(connection: AwsConnection, tmp_path: Path) -> None:
    with answered(connection, "s3control", REGION, "GetPublicAccessBlock", "", b"", 200):
        population = gathered(connection, tmp_path, "account_blocks")
    assert _judged(population) == [f"AWS::Account/{ACCOUNT}: {', '.join(FLAGS)}"]


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("GetPublicAccessBlock", "bucket_blocks"),
        ("GetBucketPolicy", "bucket_policies"),
        ("GetBucketEncryption", "bucket_encryption"),
        ("GetBucketTagging", "bucket_encryption"),
    ],
)
def test_one_bucket_that_is_refused_hides_no_other(
    connection: AwsConnection, tmp_path: Path, operation: str, name: str
) -> None:
    for bucket in ("shown", "hidden"):
        place = {"LocationConstraint": REGION}
        connection.client("s3", REGION).create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    with refused(connection, "s3", REGION, operation, "hidden", "AccessDenied"):
        population = gathered(connection, tmp_path, name)
    assert [item.bucket.name for item in population.items] == ["shown"]
    assert [problem.cause for _, problem in population.problems] == [Cause.DENIED]
