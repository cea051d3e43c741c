"""Seeds the company's cloud account through boto3, against any endpoint."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import yaml

from soc2.demo.aws.balancers import create_balancers
from soc2.demo.aws.contents import create_contents
from soc2.demo.aws.groups import create_addresses, create_groups, primary_interface
from soc2.demo.aws.server import REGION
from soc2.demo.aws.web_acls import create_web_acls
from soc2.demo.company import FOLDER
from soc2.demo.company.weaknesses import merge_patch, weaknesses
from soc2.demo.generated import filled

Company = dict[str, Any]

_ACCOUNT = "123456789012"
_ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/NNSTAGING"
_DATABASE_PROXY = "database-proxy"
_REPORT_COLUMNS = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
]


def declared_company(variant: str) -> Company:
    """Return the company of a variant, with the weaknesses of the default one merged in."""
    company: Company = _read("company")
    company = merge_patch(company, _read("movement"))
    if variant == "default":
        for weakness in weaknesses("aws"):
            for patch in weakness.patch:
                company = merge_patch(company, patch)
    return company


def _read(name: str) -> Company:
    return dict(yaml.safe_load((FOLDER / "aws" / f"{name}.yaml").read_text(encoding="utf-8")))


def declared_answers(company: Company) -> dict[str, Any]:
    """Return what the service in front of moto answers by itself.

    The credential report is among it because moto cannot be told how old a key is.
    """
    report = {"Content": _credential_report(company), "ReportFormat": "text/csv", "GeneratedTime": "-1m"}
    iam = {
        **company["answers"].get("iam", {}),
        "GenerateCredentialReport": {"State": "COMPLETE"},
        "GetCredentialReport": report,
        "GetAccountSummary": {"SummaryMap": {"AccountMFAEnabled": 1, "AccountAccessKeysPresent": 0, "Users": 5}},
    }
    logs = {"DescribeLogGroups": {"logGroups": [_log_group(name, days) for name, days in company["log_groups"].items()]}}
    return {**company["answers"], "iam": iam, "logs": {**company["answers"].get("logs", {}), **logs}}


def _log_group(name: str, days: int) -> dict[str, Any]:
    """moto knows nothing of the protection from deletion."""
    return {
        "logGroupName": name,
        "arn": f"arn:aws:logs:{REGION}:{_ACCOUNT}:log-group:{name}:*",
        "retentionInDays": days,
        "deletionProtectionEnabled": True,
    }


def seed(company: Company, environment: Mapping[str, str]) -> dict[str, str]:
    """Create everything and return the ids of the instances by name.

    IAM and security groups are made one by one: moto keeps them in order only then.
    """
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )

    def client(service: str, region: str = REGION) -> Any:
        return session.client(service, region_name=region, endpoint_url=environment["AWS_ENDPOINT_URL"])

    _identities(client("iam"), company)
    keys = _keys(client("kms"), company)
    _buckets(client("s3"), company, keys)
    _databases(client("rds"), client("dynamodb"), company)
    client("backup").create_backup_vault(BackupVaultName="nightly", EncryptionKeyArn=keys["backups"])
    instances = _network(client, company)
    _workloads(client("eks"), client("ecr"), client("secretsmanager"), company, keys)
    create_contents(client, company)
    _monitoring(client, company)
    _log_flows_of(client("ec2"), instances[_DATABASE_PROXY])
    _rotate_what_aws_manages(client("kms"), company)
    return instances


def _identities(iam: Any, company: Company) -> None:
    arns = {}
    for name, statements in company["policies"].items():
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        arns[name] = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    for name, group in company["groups"].items():
        iam.create_group(GroupName=name)
        for policy in group["managed"]:
            iam.attach_group_policy(GroupName=name, PolicyArn=arns[policy])
    for name, user in company["users"].items():
        iam.create_user(UserName=name)
        for group in user.get("groups", []):
            iam.add_user_to_group(UserName=name, GroupName=group)
    for name, role in company["roles"].items():
        document = json.dumps({"Version": "2012-10-17", "Statement": [_trust(role)]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        for policy in role["managed"]:
            iam.attach_role_policy(RoleName=name, PolicyArn=arns[policy])
        if role.get("service") == "ec2.amazonaws.com":
            iam.create_instance_profile(InstanceProfileName=name)
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def _trust(role: Mapping[str, Any]) -> dict[str, Any]:
    """Return the trust in AWS principals, in a service, or in a ServiceAccount by the cluster's identity provider."""
    if "principal" in role:
        return {"Effect": "Allow", "Principal": {"AWS": role["principal"]}, "Action": "sts:AssumeRole"}
    if role.get("service") == "pods.eks.amazonaws.com":
        return {"Effect": "Allow", "Principal": {"Service": role["service"]}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    if "account" not in role:
        return {"Effect": "Allow", "Principal": {"Service": role["service"]}, "Action": "sts:AssumeRole"}
    namespace, _, name = role["account"].partition("/")
    condition = {
        "StringLike": {f"{_ISSUER}:sub": f"system:serviceaccount:{namespace}:{name}"},
        "StringEquals": {f"{_ISSUER}:aud": "sts.amazonaws.com"},
    }
    provider = {"Federated": f"arn:aws:iam::{_ACCOUNT}:oidc-provider/{_ISSUER}"}
    action = "sts:AssumeRoleWithWebIdentity"
    return {"Effect": "Allow", "Principal": provider, "Action": action, "Condition": condition}


def _keys(kms: Any, company: Company) -> dict[str, str]:
    made = {}
    for name, key in company["keys"].items():
        made[name] = kms.create_key(Description=name)["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=made[name])
        if key["rotation"]:
            kms.enable_key_rotation(KeyId=made[name])
    return made


def _rotate_what_aws_manages(kms: Any, company: Company) -> None:
    """moto shows the keys of services as the customer's; AWS rotates those by itself."""
    for entry in kms.list_keys()["Keys"]:
        if kms.describe_key(KeyId=entry["KeyId"])["KeyMetadata"]["Description"] not in company["keys"]:
            kms.enable_key_rotation(KeyId=entry["KeyId"])


def _buckets(s3: Any, company: Company, keys: Mapping[str, str]) -> None:
    for name, bucket in company["buckets"].items():
        place = {"LocationConstraint": REGION}
        days = bucket.get("lock_days")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=days is not None)
        if days is not None:
            lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}}}
            s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
        default = {"SSEAlgorithm": "AES256"}
        if bucket["key"]:
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": keys[bucket["key"]]}
        rules = [{"ApplyServerSideEncryptionByDefault": default}]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": _tags(bucket)})
        if bucket["tls_only"]:
            s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_tls_policy(name)))
        if bucket["block_public"]:
            flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(flags, True))


def _tls_policy(bucket: str) -> dict[str, Any]:
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _databases(rds: Any, dynamodb: Any, company: Company) -> None:
    for name, database in company["databases"].items():
        rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres16", Description=name)
        forced = {"ParameterName": "rds.force_ssl", "ParameterValue": str(int(database.get("forces_tls", True)))}
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[{**forced, "ApplyMethod": "immediate"}])
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBParameterGroupName=name,
            DBInstanceClass="db.m6g.large",
            Engine="postgres",
            AllocatedStorage=50,
            MasterUsername="northwind",
            ManageMasterUserPassword=True,
            StorageEncrypted=database["encrypted"],
            MultiAZ=database["multi_az"],
            BackupRetentionPeriod=database["backup_days"],
            DeletionProtection=True,
            PubliclyAccessible=False,
            Tags=_tags(database),
        )
    for name, table in company["tables"].items():
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=_tags(table),
        )
        if table["pitr"]:
            setting = {"PointInTimeRecoveryEnabled": True}
            dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=setting)


def _network(client: Callable[..., Any], company: Company) -> dict[str, str]:
    ec2 = client("ec2")
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        _delete_default_vpc(ec2, vpc["VpcId"])
    vpc_id = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.20.0.0/20")["Subnet"]["SubnetId"]
    _empty_default_group(ec2, vpc_id)
    if company["network"]["flow_logs"]:
        ec2.create_flow_logs(
            ResourceIds=[vpc_id],
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="s3",
            LogDestination="arn:aws:s3:::northwind-logs",
        )
    groups = create_groups(ec2, company, vpc_id)
    balancers = create_balancers(client("elbv2"), client("acm"), company["load_balancers"], vpc_id, subnet, groups)
    create_web_acls(client, company, balancers)
    ids = {}
    image = ec2.register_image(Name="northwind-node-1.36", Architecture="x86_64", RootDeviceName="/dev/sda1")["ImageId"]
    for name, instance in company["instances"].items():
        answer = ec2.run_instances(
            ImageId=image,
            InstanceType="m6i.large",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[primary_interface(company, name, subnet, groups)],
            **({"IamInstanceProfile": {"Name": instance["profile"]}} if "profile" in instance else {}),
            UserData=filled(instance.get("user_data", "")),
            MetadataOptions={
                "HttpTokens": "required" if instance["imdsv2"] else "optional",
                "HttpPutResponseHopLimit": 1,
                "HttpEndpoint": "enabled",
            },
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 50, "Encrypted": True}}],
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}],
        )
        ids[name] = answer["Instances"][0]["InstanceId"]
    create_addresses(ec2, company["addresses"], ids)
    for volume in company["volumes"].values():
        ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=10, Encrypted=volume["encrypted"])
    return ids


def _log_flows_of(ec2: Any, instance: str) -> None:
    """Have the flows of an instance in a log group too; moto wants the group to be there before."""
    wanted = [{"Name": "attachment.instance-id", "Values": [instance]}]
    interfaces = ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    ec2.create_flow_logs(
        ResourceIds=[interface["NetworkInterfaceId"] for interface in interfaces],
        ResourceType="NetworkInterface",
        TrafficType="ALL",
        LogGroupName="/northwind/flow-logs",
        DeliverLogsPermissionArn=f"arn:aws:iam::{_ACCOUNT}:role/nn-flow-logs",
    )


def _delete_default_vpc(ec2: Any, vpc: str) -> None:
    wanted = [{"Name": "vpc-id", "Values": [vpc]}]
    for subnet in ec2.describe_subnets(Filters=wanted)["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=vpc)


def _empty_default_group(ec2: Any, vpc: str) -> None:
    wanted = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    for group in ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]:
        if group["IpPermissions"]:
            ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
        if group["IpPermissionsEgress"]:
            ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"])


def _workloads(eks: Any, ecr: Any, secretsmanager: Any, company: Company, keys: Mapping[str, str]) -> None:
    cluster = company["cluster"]
    eks.create_cluster(
        name=cluster["name"],
        roleArn=f"arn:aws:iam::{_ACCOUNT}:role/nn-node",
        resourcesVpcConfig={
            "subnetIds": [],
            "endpointPublicAccess": True,
            "endpointPrivateAccess": True,
            "publicAccessCidrs": cluster["public_cidrs"],
        },
        encryptionConfig=[{"resources": ["secrets"], "provider": {"keyArn": keys[cluster["secrets_key"]]}}],
        logging={"clusterLogging": [{"types": cluster["logs"], "enabled": True}]},
    )
    for name, repository in company["repositories"].items():
        ecr.create_repository(
            repositoryName=name,
            imageTagMutability="MUTABLE" if repository["mutable"] else "IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": repository["scan"]},
        )
    for name, secret in company["secrets"].items():
        tags = [{"Key": "owner", "Value": secret["owner"]}]
        secretsmanager.create_secret(Name=name, SecretString="made for the demo", Tags=tags)
        if secret["rotation"]:
            rules = {"AutomaticallyAfterDays": 30}
            secretsmanager.rotate_secret(SecretId=name, RotationRules=rules, RotateImmediately=False)


def _monitoring(client: Any, company: Company) -> None:
    trail, cloudtrail = company["trail"], client("cloudtrail")
    cloudtrail.create_trail(
        Name="northwind",
        S3BucketName=trail["bucket"],
        IsMultiRegionTrail=True,
        EnableLogFileValidation=trail["validation"],
        IncludeGlobalServiceEvents=True,
    )
    if trail["logging"]:
        cloudtrail.start_logging(Name="northwind")
    logs = client("logs")
    for name, days in company["log_groups"].items():
        logs.create_log_group(logGroupName=name)
        logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    topic = client("sns").create_topic(Name="alerts")["TopicArn"]
    cloudwatch = client("cloudwatch")
    for name, alarm in company["alarms"].items():
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            MetricName=name,
            Namespace="Northwind",
            Statistic="Sum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            ActionsEnabled=alarm["action"],
            AlarmActions=[topic],
        )
    client("guardduty").create_detector(Enable=True)


def _tags(store: Mapping[str, Any]) -> list[dict[str, str]]:
    tags = [{"Key": "owner", "Value": store["owner"]}]
    return [*tags, {"Key": "data-class", "Value": store["class"]}] if store.get("class") else tags


def _credential_report(company: Company) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, _REPORT_COLUMNS, restval="N/A")
    writer.writeheader()
    writer.writerow(
        {
            "user": "<root_account>",
            "arn": f"arn:aws:iam::{_ACCOUNT}:root",
            "user_creation_time": _days_ago(900),
            "password_enabled": "not_supported",
            "password_last_used": _days_ago(300),
            "mfa_active": "true",
            "access_key_1_active": "false",
            "access_key_2_active": "false",
        }
    )
    for name, user in company["users"].items():
        row = {
            "user": name,
            "arn": f"arn:aws:iam::{_ACCOUNT}:user/{name}",
            "user_creation_time": _days_ago(500),
            "password_enabled": str(bool(user.get("password"))).lower(),
            "password_last_used": _days_ago(user["last_used"]) if "last_used" in user else "N/A",
            "mfa_active": str(bool(user.get("mfa"))).lower(),
            "access_key_1_active": "false",
            "access_key_2_active": "false",
        }
        for number, key in enumerate(user.get("keys", []), start=1):
            row[f"access_key_{number}_active"] = "true"
            row[f"access_key_{number}_last_rotated"] = _days_ago(key["age"])
            row[f"access_key_{number}_last_used_date"] = _days_ago(key["unused"])
        writer.writerow(row)
    return text.getvalue().encode()


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S+00:00")
