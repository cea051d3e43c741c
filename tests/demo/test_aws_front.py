"""The service in front of moto: declared answers over real HTTP, the denied identity, and what nobody implements."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from soc2.demo.aws.answers import read_answers
from soc2.demo.aws.seed import declared_answers, declared_company
from soc2.demo.aws.server import AwsServers
from soc2.errors import UsageError
from soc2.gather.aws.connection import AwsConnection

ANSWERS = {
    "guardduty": {"ListFindings": {"FindingIds": ["one", "two"]}},
    "backup": {"ListBackupJobs": {"BackupJobs": [{"BackupJobId": "j", "State": "FAILED", "CreationDate": "-3h"}]}},
    "eks": {"ListAccessEntries": {"accessEntries": ["arn:aws:iam::123456789012:role/a"]}},
    "cloudtrail": {"LookupEvents": {"Events": [{"EventName": "StopLogging"}]}},
    "accessanalyzer": {"ListAnalyzers": {"error": "AccessDeniedException"}},
    "s3control": {"GetPublicAccessBlock": {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}},
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServers]:
    with AwsServers(tmp_path_factory.mktemp("aws"), ANSWERS) as running:
        yield running


def client(servers: AwsServers, service: str, environment: dict[str, str] | None = None) -> Any:
    given = environment or servers.env
    session = boto3.Session(aws_access_key_id=given["AWS_ACCESS_KEY_ID"], aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"])
    config = Config(retries={"total_max_attempts": 1})
    return session.client(service, region_name="eu-west-1", endpoint_url=given["AWS_ENDPOINT_URL"], config=config)


def test_declared_answers_come_as_declared(servers: AwsServers) -> None:
    assert client(servers, "guardduty").list_findings(DetectorId="d")["FindingIds"] == ["one", "two"]
    assert client(servers, "eks").list_access_entries(clusterName="c")["accessEntries"] == ["arn:aws:iam::123456789012:role/a"]
    assert client(servers, "cloudtrail").lookup_events()["Events"][0]["EventName"] == "StopLogging"
    (job,) = client(servers, "backup").list_backup_jobs()["BackupJobs"]
    age = datetime.now(UTC) - job["CreationDate"]
    assert timedelta(hours=3) <= age < timedelta(hours=3, minutes=5)


def test_the_account_is_not_written_in_front_of_an_address(servers: AwsServers) -> None:
    connection = AwsConnection(("eu-west-1",), environment=servers.auditor_env)
    found = connection.client("s3control", "eu-west-1").get_public_access_block(AccountId=connection.account)
    assert found["PublicAccessBlockConfiguration"] == {"BlockPublicAcls": True}
    connection.close()


def test_a_client_that_waits_to_be_told_may_send_at_once(servers: AwsServers) -> None:
    address = urlsplit(servers.endpoint)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10) as connection:
        connection.sendall(b"PUT /bucket/key HTTP/1.1\r\nHost: s3\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")


def test_the_simulator_answers_from_the_policies_of_the_principal(servers: AwsServers) -> None:
    iam = client(servers, "iam")
    iam.create_group(GroupName="watchers")
    iam.put_group_policy(GroupName="watchers", PolicyName="p", PolicyDocument=json.dumps(_policy("Allow", "cloudtrail:*")))
    user = iam.create_user(UserName="watcher")["User"]["Arn"]
    iam.add_user_to_group(GroupName="watchers", UserName="watcher")
    deny = json.dumps(_policy("Deny", "cloudtrail:DeleteTrail"))
    iam.put_user_policy(UserName="watcher", PolicyName="p", PolicyDocument=deny)
    actions = ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "s3:DeleteBucket"]
    results = iam.simulate_principal_policy(PolicySourceArn=user, ActionNames=actions)["EvaluationResults"]
    assert [(each["EvalActionName"], each["EvalDecision"]) for each in results] == [
        ("cloudtrail:StopLogging", "allowed"),
        ("cloudtrail:DeleteTrail", "explicitDeny"),
        ("s3:DeleteBucket", "implicitDeny"),
    ]
    with pytest.raises(ClientError) as error:
        iam.simulate_principal_policy(PolicySourceArn=f"{user}2", ActionNames=actions)
    assert error.value.response["Error"]["Code"] == "NoSuchEntity"


def _policy(effect: str, action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]}


def test_a_declared_error_is_an_error(servers: AwsServers) -> None:
    with pytest.raises(ClientError) as error:
        client(servers, "accessanalyzer").list_analyzers()
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"


def test_everything_else_is_passed_on(servers: AwsServers) -> None:
    s3 = client(servers, "s3")
    s3.create_bucket(Bucket="passed-on", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="passed-on", Key="a b/ü", Body=b"content")
    assert s3.get_object(Bucket="passed-on", Key="a b/ü")["Body"].read() == b"content"
    with pytest.raises(ClientError) as error:
        s3.get_bucket_policy(Bucket="passed-on")
    assert error.value.response["Error"]["Code"] == "NoSuchBucketPolicy"


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("iam", "list_users"),
        ("ec2", "describe_instances"),
        ("logs", "describe_log_groups"),
        ("eks", "list_clusters"),
        ("s3", "list_buckets"),
        ("cloudwatch", "describe_alarms"),
        ("dynamodb", "list_tables"),
    ],
)
def test_the_denied_identity_is_denied_in_every_protocol(servers: AwsServers, service: str, operation: str) -> None:
    with pytest.raises(ClientError) as error:
        getattr(client(servers, service, servers.denied_env), operation)()
    assert error.value.response["Error"]["Code"] == "AccessDenied"


def test_what_nobody_implements_is_an_error(servers: AwsServers) -> None:
    with pytest.raises(ClientError) as error:
        client(servers, "backup").list_copy_jobs()
    assert error.value.response["Error"]["Code"] == "NotImplemented"


def test_the_access_log_tells_operations_and_no_secrets(servers: AwsServers) -> None:
    client(servers, "sns").list_topics()
    entries = [json.loads(line) for line in servers.access_log.read_text().splitlines()]
    assert (entries[-1]["service"], entries[-1]["operation"], entries[-1]["region"]) == ("sns", "ListTopics", "eu-west-1")
    assert set(entries[-1]) == {"time", "service", "operation", "region", "access_key"}


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"guardduty": {"ListFindings": {"FindingIds": "one"}}}, "guardduty.ListFindings is not valid"),
        ({"guardduty": {"ListFindings": {"Findings": []}}}, "guardduty.ListFindings is not valid"),
        ({"guardduty": {"ListEverything": {}}}, "no operation guardduty.ListEverything"),
        ({"nothing": {"List": {}}}, "no operation nothing.List"),
    ],
)
def test_an_answer_that_the_service_could_not_give_is_refused(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        read_answers(declared, "company.yaml", datetime.now(UTC))
    assert str(error.value).startswith("company.yaml: ")


@pytest.mark.parametrize("variant", ["default", "compliant"])
def test_the_company_declares_valid_answers(variant: str) -> None:
    answers = read_answers(declared_answers(declared_company(variant)), "company.yaml", datetime.now(UTC))
    assert len(answers) >= 10
