"""Where data of an account goes, asked of an account: what the services answer is what the rules judge."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends

from soc2.gather.aws.connection import AwsConnection
from soc2.judge import Rule
from soc2.model.population import Cause, Population, Problem
from soc2.rules import data_movement as rules
from soc2.rules.perimeter import keeps_data_inside
from tests.gather.account import OTHER, answered, gathered, refused
from tests.logs.reading import ACCOUNT, REGION

PARTNER = "210987654321"


def forget_shipped_snapshots(connection: AwsConnection) -> None:
    """Those of the images that moto ships are of other accounts, whose snapshots AWS does not list."""
    for region in connection.regions:
        ec2_backends[ACCOUNT][region].snapshots.clear()


def deviations(population: Population[Any], rule: Rule[Any]) -> list[str]:
    assert population.problems == ()
    return sorted(f"{each.resource}: {each.message}" for item in population.items for each in rule(item))


def test_copies_of_volumes_and_images(connection: AwsConnection, tmp_path: Path) -> None:
    forget_shipped_snapshots(connection)
    expected = []
    for region, whom in ((REGION, {"UserIds": [PARTNER]}), (OTHER, {"GroupNames": ["all"]})):
        ec2 = connection.client("ec2", region)
        volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=1)["VolumeId"]
        _, shared = (ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(2))
        permission = {"Attribute": "createVolumePermission", "OperationType": "add"}
        ec2.modify_snapshot_attribute(SnapshotId=shared, **permission, **whom)
        image = ec2.register_image(Name="golden", Architecture="x86_64")["ImageId"]
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": PARTNER}]})
        expected += [("AWS::EC2::Snapshot", shared, tuple(whom.popitem()[1])), ("AWS::EC2::Image", image, (PARTNER,))]
    items = gathered(connection, tmp_path, "shared_copies").items
    assert sorted((each.resource.kind, each.resource.name, each.shared_with) for each in items if each.shared_with) == sorted(
        expected
    )
    # Each image has a snapshot of its own.
    assert [each.resource.kind for each in items if not each.shared_with] == ["AWS::EC2::Snapshot"] * 4


def test_copies_of_databases(connection: AwsConnection, tmp_path: Path) -> None:
    forget_shipped_snapshots(connection)
    rds = connection.client("rds", REGION)
    usual = {"MasterUsername": "u", "MasterUserPassword": "pppppppp"}
    rds.create_db_instance(DBInstanceIdentifier="notes", DBInstanceClass="db.m6g.large", Engine="postgres", **usual)
    rds.create_db_cluster(DBClusterIdentifier="shop", Engine="aurora-postgresql", **usual)
    rds.create_db_snapshot(DBSnapshotIdentifier="notes-1", DBInstanceIdentifier="notes")
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="shop-1", DBClusterIdentifier="shop")
    add = {"AttributeName": "restore", "ValuesToAdd": [PARTNER, "all"]}
    rds.modify_db_snapshot_attribute(DBSnapshotIdentifier="notes-1", **add)
    rds.modify_db_cluster_snapshot_attribute(DBClusterSnapshotIdentifier="shop-1", **add)
    assert deviations(gathered(connection, tmp_path, "shared_copies"), rules.not_shared([PARTNER])) == [
        "AWS::RDS::DBClusterSnapshot/shop-1: everybody may restore it",
        "AWS::RDS::DBSnapshot/notes-1: everybody may restore it",
    ]


def test_databases_and_other_stores(connection: AwsConnection, tmp_path: Path) -> None:
    rds = connection.client("rds", REGION)
    usual = {"MasterUsername": "u", "MasterUserPassword": "pppppppp"}
    for name, value in (("on", "1"), ("off", "0")):
        rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres16", Description="d")
        parameter = {"ParameterName": "rds.force_ssl", "ParameterValue": value, "ApplyMethod": "immediate"}
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[parameter])
        rds.create_db_instance(
            DBInstanceIdentifier=f"tls-{name}", DBInstanceClass="db.m6g.large", Engine="postgres", DBParameterGroupName=name,
            **usual,
        )  # fmt: skip
    caches = connection.client("elasticache", REGION)
    caches.create_replication_group(
        ReplicationGroupId="sessions", ReplicationGroupDescription="d", Engine="redis", TransitEncryptionEnabled=True
    )
    caches.create_cache_cluster(CacheClusterId="pages", Engine="memcached", CacheNodeType="cache.t3.micro")
    connection.client("opensearch", REGION).create_domain(DomainName="search")
    brokers = {"InstanceType": "kafka.m5.large", "ClientSubnets": ["a", "b"]}
    encryption = {"EncryptionInTransit": {"ClientBroker": "TLS_PLAINTEXT", "InCluster": True}}
    given = {"BrokerNodeGroupInfo": brokers, "KafkaVersion": "3.6.0", "NumberOfBrokerNodes": 2, "EncryptionInfo": encryption}
    connection.client("kafka", REGION).create_cluster_v2(ClusterName="events", Provisioned=given)
    found = deviations(gathered(connection, tmp_path, "transit_stores"), rules.requires_tls)
    assert [each.partition(":")[0] + each[each.index("/") :] for each in found] == [
        "AWS/pages: encryption in transit is off",
        "AWS/events: clients talk to its brokers by something that is not told",  # moto forgets it
        "AWS/search: it takes plain HTTP (EnforceHTTPS), and its nodes talk without TLS (NodeToNodeEncryption)",
        "AWS/tls-off: rds.force_ssl is 0 in off",
    ]


def test_an_engine_that_is_not_known_is_no_evidence_and_hides_nothing(connection: AwsConnection, tmp_path: Path) -> None:
    rds = connection.client("rds", REGION)
    usual = {"DBInstanceClass": "db.m6g.large", "MasterUsername": "u", "MasterUserPassword": "pppppppp"}
    rds.create_db_instance(DBInstanceIdentifier="ledger", Engine="oracle-se2", **usual)
    rds.create_db_parameter_group(DBParameterGroupName="own", DBParameterGroupFamily="postgres16", Description="d")
    parameter = {"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="own", Parameters=[parameter])
    rds.create_db_instance(DBInstanceIdentifier="notes", Engine="postgres", DBParameterGroupName="own", **usual)
    rds.create_db_instance(DBInstanceIdentifier="shop", Engine="postgres", **usual)  # moto shows no parameters of its group
    population = gathered(connection, tmp_path, "transit_stores")
    assert "AWS::RDS::DBInstance/shop (the parameters of default.postgres" in population.problems[0][1].detail
    assert [(source, problem.cause) for source, problem in population.problems] == [("db instances", Cause.INCONCLUSIVE)]
    assert "AWS::RDS::DBInstance/ledger (oracle-se2)" in population.problems[0][1].detail
    assert [str(item.resource) for item in population.items] == ["AWS::RDS::DBInstance/notes"]


def test_replicas_of_buckets(connection: AwsConnection, tmp_path: Path) -> None:
    s3 = connection.client("s3", REGION)
    for name, region in (("notes", REGION), ("near", REGION), ("far", "us-west-2")):
        connection.client("s3", region).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rules_of = [
        {"ID": name, "Priority": place, "Status": "Enabled", "Filter": {}, "DeleteMarkerReplication": {"Status": "Disabled"},
         "Destination": {"Bucket": f"arn:aws:s3:::{name}"}}
        for place, name in enumerate(("near", "far"), 1)
    ]  # fmt: skip
    s3.put_bucket_replication(
        Bucket="notes", ReplicationConfiguration={"Role": f"arn:aws:iam::{ACCOUNT}:role/r", "Rules": rules_of}
    )
    population = gathered(connection, tmp_path, "data_replicas")
    assert len(population.items) == 2
    assert deviations(population, rules.stays_in_regions([REGION], [ACCOUNT])) == [
        "AWS::S3::Bucket/notes: the rule far replicates it to far, in the region us-west-2, where no data is declared to be"
    ]


def test_endpoints_of_vpcs(connection: AwsConnection, tmp_path: Path) -> None:
    ec2 = connection.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    inside = {"StringEquals": {"aws:PrincipalOrgID": "o-1", "aws:ResourceOrgID": "o-1"}}
    for condition in ({}, inside):
        statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition}
        ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName=f"com.amazonaws.{REGION}.s3",
            VpcEndpointType="Gateway",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
    population = gathered(connection, tmp_path, "vpc_endpoints")
    assert len(population.items) == 2
    assert len(deviations(population, keeps_data_inside)) == 1


def test_without_an_analyzer_in_a_region_nothing_can_be_found(connection: AwsConnection, tmp_path: Path) -> None:
    analyzers = [{"arn": "arn:a", "name": "a", "type": "ACCOUNT", "createdAt": 0, "status": "ACTIVE"}]
    body = json.dumps({"analyzers": analyzers, "findings": []}).encode()
    with ExitStack() as stack:
        for operation in ("ListAnalyzers", "ListFindingsV2"):
            stack.enter_context(answered(connection, "accessanalyzer", REGION, operation, "", body, 200))
        stack.enter_context(answered(connection, "accessanalyzer", OTHER, "ListAnalyzers", "", b'{"analyzers": []}', 200))
        population = gathered(connection, tmp_path, "external_sharing")
    assert [item.arn for item in population.items] == ["arn:a"]
    detail = f"no active analyzer looks for external access in {OTHER}"
    assert population.problems == (("access analyzers", Problem(Cause.ABSENT, detail)),)


def causes(population: Population[Any]) -> list[Cause]:
    return [problem.cause for _, problem in population.problems]


def test_one_group_of_parameters_that_is_refused_hides_no_other(connection: AwsConnection, tmp_path: Path) -> None:
    rds = connection.client("rds", REGION)
    usual = {"DBInstanceClass": "db.m6g.large", "MasterUsername": "u", "MasterUserPassword": "pppppppp"}
    for name in ("shown", "hidden"):
        rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres16", Description="d")
        parameter = {"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[parameter])
        rds.create_db_instance(DBInstanceIdentifier=name, Engine="postgres", DBParameterGroupName=name, **usual)
    with refused(connection, "rds", REGION, "DescribeDBParameters", "hidden", "AccessDenied"):
        population = gathered(connection, tmp_path, "transit_stores")
    found = [each.message for item in population.items for each in rules.requires_tls(item)]
    assert found == ["rds.force_ssl is 0 in shown"]
    assert causes(population) == [Cause.DENIED, Cause.INCONCLUSIVE]
    assert "AWS::RDS::DBInstance/hidden (the parameters of hidden are not shown)" in population.problems[1][1].detail


def test_one_key_that_is_refused_hides_no_other(connection: AwsConnection, tmp_path: Path) -> None:
    kms, backup = connection.client("kms", REGION), connection.client("backup", REGION)
    keys = [kms.create_key()["KeyMetadata"] for _ in range(2)]
    for name, key in zip(("shown", "hidden"), keys, strict=True):
        backup.create_backup_vault(BackupVaultName=name, EncryptionKeyArn=key["Arn"])
    with refused(connection, "kms", REGION, "DescribeKey", keys[1]["KeyId"], "AccessDeniedException"):
        population = gathered(connection, tmp_path, "backups")
    assert [(item.resource.name, item.manager) for item in population.items] == [("shown", "CUSTOMER")]
    assert causes(population) == [Cause.DENIED, Cause.NOT_IMPLEMENTED, Cause.INCONCLUSIVE]  # moto has no recovery points


def test_one_bucket_that_is_refused_hides_no_other(connection: AwsConnection, tmp_path: Path) -> None:
    for name in ("notes", "hidden"):
        place = {"LocationConstraint": REGION}
        connection.client("s3", REGION).create_bucket(Bucket=name, CreateBucketConfiguration=place)
    with refused(connection, "s3", REGION, "GetBucketReplication", "", "AccessDenied"):
        assert causes(gathered(connection, tmp_path, "data_replicas")) == [Cause.DENIED]
    rule = (
        '<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Role>r</Role><Rule><ID>all</ID><Priority>1'
        "</Priority><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Destination><Bucket>arn:aws:s3:::{}</Bucket>"
        "<Account>{}</Account></Destination></Rule></ReplicationConfiguration>"
    )
    for target, account, expected in (
        ("notes", ACCOUNT, []),
        ("partner", PARTNER, [Cause.INCONCLUSIVE]),
        ("partner", "999999999999", []),
    ):
        body = rule.format(target, account).encode()
        with answered(connection, "s3", REGION, "GetBucketReplication", "", body, 200):
            population = gathered(connection, tmp_path, "data_replicas", accounts=("2109*",))
        assert (len(population.items), causes(population)) == (2, expected)


def test_what_an_analyzer_could_not_look_at_is_no_finding(connection: AwsConnection, tmp_path: Path) -> None:
    body = json.dumps(
        {
            "analyzers": [{"arn": "arn:a", "name": "a", "type": "ACCOUNT", "createdAt": 0, "status": "ACTIVE"}],
            "findings": [
                {"id": "1", "status": "ACTIVE", "resource": "arn:aws:s3:::open", "resourceType": "AWS::S3::Bucket"},
                {"id": "2", "status": "ACTIVE", "resource": "arn:aws:s3:::odd", "error": "ACCESS_DENIED"},
                {"id": "3", "status": "RESOLVED", "resource": "arn:aws:s3:::mended", "error": "ACCESS_DENIED"},
            ],
        }
    ).encode()
    with ExitStack() as stack:
        for region in (REGION, OTHER):
            for operation in ("ListAnalyzers", "ListFindingsV2"):
                stack.enter_context(answered(connection, "accessanalyzer", region, operation, "", body, 200))
        stack.enter_context(refused(connection, "ram", OTHER, "GetResourceShareAssociations", "", "AccessDenied"))
        population = gathered(connection, tmp_path, "external_sharing")
    found = [each.resource.name for item in population.items for each in rules.sharing_resolved([])(item)]
    assert found == ["arn:aws:s3:::open"] * 2
    assert causes(population) == [Cause.DENIED, Cause.INCONCLUSIVE]
