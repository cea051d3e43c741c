"""Rules on data that moves, for every account and every engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.model.aws.copies import SharedCopy
from soc2.model.aws.databases import ClusterMember, DbCluster, DbParameter, database_stores
from soc2.model.aws.movement import (
    BucketLocation,
    KafkaSettings,
    MigrationEndpoint,
    RedisSettings,
    SearchSettings,
    SharePrincipal,
    SyncLocation,
    SyncTask,
    synchronized,
)
from soc2.model.aws.storage import Bucket, DbInstance, ParameterGroup
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


@pytest.mark.parametrize(
    ("engine", "parameter", "value", "status", "gap"),
    [
        ("postgres", "rds.force_ssl", "1", "in-sync", ""),
        ("postgres", "rds.force_ssl", "0", "in-sync", "rds.force_ssl is 0 in g"),
        ("postgres", "rds.force_ssl", None, "in-sync", "rds.force_ssl is not set in g"),
        ("sqlserver-ee", "rds.force_ssl", "1", "pending-reboot", "rds.force_ssl of g takes effect with the next restart"),
        ("mysql", "require_secure_transport", "ON", "", ""),
        ("mysql", "require_secure_transport", "OFF", "in-sync", "require_secure_transport is off in g"),
        ("mariadb", "require_secure_transport", "1", "failed-to-apply", "require_secure_transport of g could not be applied"),
        ("mariadb", "require_secure_transport", "1", "something-new", "require_secure_transport of g is something-new"),
        ("mariadb", "rds.force_ssl", "1", "in-sync", "require_secure_transport is not set in g"),
    ],
)
def test_when_a_database_forces_tls(engine: str, parameter: str, value: str | None, status: str, gap: str) -> None:
    groups = (ParameterGroup(name="g", status=status),)
    instance = DbInstance(identifier="d", engine=engine, parameter_groups=groups)
    parameters = [DbParameter(parent_key="g", parameter_name=parameter, parameter_value=value)]
    cluster = DbCluster(identifier="d", engine=engine, parameter_group="g", members=(ClusterMember(), ClusterMember(status)))
    found = database_stores([instance], [cluster], parameters, parameters)
    assert [(each.gap, each.unknown) for each in found] == [(gap, "")] * 2


@pytest.mark.parametrize(
    ("uri", "own", "region"),
    [
        ("s3://notes/archive/", True, "eu-west-1"),
        ("s3://partner/archive/", False, ""),
        ("efs://us-gov-west-1.fs-0a1b2c3d/", True, "us-gov-west-1"),
        ("fsxw://eu-central-1.fs-0a1b2c3d/share", True, "eu-central-1"),
        ("nfs://eu-west-1.example.com/export", False, ""),
        ("azure-blob://account.blob.core.windows.net/c", False, ""),
    ],
)
def test_where_tasks_copy_to(uri: str, own: bool, region: str) -> None:
    places = [SyncLocation(arn="l", uri=uri), SyncLocation(arn="other", uri="s3://notes/")]
    tasks = [SyncTask(name="t", destination="l"), SyncTask(name="lost", destination="gone")]
    (found,) = synchronized(tasks, places, [Bucket(name="notes")], [BucketLocation(parent_key="notes", constraint="EU")])
    assert (found.resource.name, found.target, found.own, found.account, found.region) == ("t", uri, own, "", region)
