"""Rules on data that moves, for every account."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.aws.copies import SharedCopy
from soc2.model.aws.movement import BucketLocation, SharePrincipal
from soc2.model.deviation import Resource
from soc2.rules.data_movement import PublicCopy, SharedOutside, not_shared, sharing_resolved

COPY = Resource("AWS::EC2::Snapshot", "snap-1")
_ACCOUNTS = st.sampled_from(["all", "123456789012", "210987654321", "999999999999"])


@given(st.lists(_ACCOUNTS, unique=True), st.sets(_ACCOUNTS | st.just("*")))
def test_everybody_is_never_approved(shared: list[str], approved: set[str]) -> None:
    found = list(not_shared(approved)(SharedCopy(COPY, tuple(shared))))
    expected: list[Any] = []
    for whom in shared:
        if whom == "all":
            expected.append(PublicCopy(resource=COPY))
        elif not approved & {whom, "*"}:
            expected.append(SharedOutside(resource=COPY, whom=whom))
    assert found == expected


@pytest.mark.parametrize(
    ("principal", "external", "found"),
    [
        ("210987654321", True, 0),
        ("arn:aws:iam::210987654321:role/reader", True, 0),
        ("arn:aws:iam::999999999999:role/reader", True, 1),
        ("999999999999", True, 1),
        ("999999999999", False, 0),
        ("service.example.com", True, 1),
    ],
)
def test_whom_resources_are_shared_with(principal: str, external: bool, found: int) -> None:
    share = SharePrincipal(share="s", principal=principal, external=external)
    assert len(list(sharing_resolved(["210987654321"])(share))) == found


@pytest.mark.parametrize(
    ("constraint", "region"), [(None, "us-east-1"), ("EU", "eu-west-1"), ("eu-central-1", "eu-central-1")]
)
def test_old_names_of_regions(constraint: str | None, region: str) -> None:
    assert BucketLocation(constraint=constraint).region == region
