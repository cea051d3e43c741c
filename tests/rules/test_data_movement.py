"""Rules on data that moves, for every account and every engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.aws.copies import SharedCopy
from soc2.model.aws.movement import (
    BucketLocation,
    KafkaSettings,
    MigrationEndpoint,
    RedisSettings,
    SearchSettings,
    SharePrincipal,
)
from soc2.model.deviation import Resource
from soc2.rules.data_movement import (
    PublicCopy,
    SharedOutside,
    migrates_by_tls,
    not_shared,
    sharing_resolved,
)

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


@pytest.mark.parametrize(
    ("endpoint", "gap"),
    [
        ({"engine": "postgres", "ssl_mode": "require"}, False),
        ({"engine": "postgres", "ssl_mode": "none"}, True),
        ({"engine": "aurora-postgresql"}, True),
        ({"engine": "azuredb", "ssl_mode": "none"}, True),
        ({"engine": "babelfish", "ssl_mode": "none"}, True),
        ({"engine": "a-new-database"}, True),
        ({"engine": "redshift", "ssl_mode": "none"}, False),
        ({"engine": "s3", "ssl_mode": "none"}, False),
        ({"engine": "opensearch", "search": SearchSettings("notes.example")}, False),
        ({"engine": "opensearch", "search": SearchSettings("https://notes.example")}, False),
        ({"engine": "elasticsearch", "search": SearchSettings("HTTP://notes.example")}, True),
        ({"engine": "kafka", "ssl_mode": "none"}, True),
        ({"engine": "kafka", "kafka": KafkaSettings("plaintext")}, True),
        ({"engine": "kafka", "kafka": KafkaSettings("sasl-ssl")}, False),
        ({"engine": "redis", "ssl_mode": "none"}, False),
        ({"engine": "redis", "redis": RedisSettings("plaintext")}, True),
    ],
)
def test_what_migrates_without_tls(endpoint: dict[str, Any], gap: bool) -> None:
    assert bool(list(migrates_by_tls(MigrationEndpoint(identifier="e", **endpoint)))) is gap


_UNIT = "arn:aws:organizations::111111111111:ou/o-known/ou-x-1"


@pytest.mark.parametrize(
    ("approved", "found"),
    [
        ("arn:aws:organizations::111111111111:organization/o-known", 0),
        (_UNIT, 0),
        ("arn:aws:organizations::111111111111:organization/o-other", 1),
        ("arn:aws:organizations::222222222222:organization/o-known", 1),
    ],
)
def test_a_unit_is_approved_with_its_organization(approved: str, found: int) -> None:
    assert len(list(not_shared([approved])(SharedCopy(COPY, (_UNIT,))))) == found
