"""The policy that reads the declared logs names their places, and actions that exist."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from policy_sentry.querying.actions import get_action_data

from fixtures.log_rights import log_policy
from soc2.demo.company import FOLDER
from soc2.system import load_system

GROUP = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/eks/main/cluster"
TOML = """
[system]
name = "x"
owner = "y"
[[logs.sources]]
name = "audit"
kind = "kubernetes-audit"
cloudwatch = "/aws/eks/main/cluster"
region = "eu-west-1"
account = "123456789012"
[[logs.sources]]
name = "trail"
kind = "cloudtrail"
s3 = "s3://trail/AWSLogs/123456789012/CloudTrail/eu-west-1/"
[[logs.sources]]
name = "lake"
kind = "cloudtrail"
lake = "00000000-0000-0000-0000-000000000000"
[[logs.sources]]
name = "athena"
kind = "cloudtrail"
athena = { database = "db", table = "t", output = "s3://out/soc2/" }
[[logs.sources]]
name = "nodes"
kind = "node"
path = "syslog"
"""


def test_the_policy_allows_what_is_declared_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "system.toml"
    path.write_text(TOML)
    command = [sys.executable, "-m", "fixtures.rights", "logs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    policy = json.loads(done.stdout)
    assert {resource: statement["Action"] for statement in policy["Statement"] for resource in statement["Resource"]} == {
        GROUP: ["logs:FilterLogEvents"],
        f"{GROUP}:*": ["logs:FilterLogEvents"],
        "arn:aws:s3:::trail": ["s3:ListBucket"],
        "arn:aws:s3:::trail/AWSLogs/123456789012/CloudTrail/eu-west-1/*": ["s3:GetObject"],
        "arn:aws:s3:::trail/AWSLogs/123456789012/CloudTrail-Digest/*": ["s3:GetObject"],
        "arn:aws:cloudtrail:*:*:eventdatastore/00000000-0000-0000-0000-000000000000": [
            "cloudtrail:GetQueryResults",
            "cloudtrail:StartQuery",
        ],
        "arn:aws:athena:*:*:workgroup/primary": [
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:StartQueryExecution",
        ],
        "arn:aws:glue:*:*:catalog": ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable"],
        "arn:aws:glue:*:*:database/db": ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable"],
        "arn:aws:glue:*:*:table/db/t": ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable"],
        "arn:aws:s3:::out": ["s3:GetBucketLocation"],
        "arn:aws:s3:::out/soc2/*": ["s3:GetObject", "s3:PutObject"],
    }
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            service, _, name = action.partition(":")
            assert get_action_data(service, name), f"no such action: {action}"


def test_the_examiner_of_the_demo_may_read_the_logs_that_it_declares() -> None:
    declared = log_policy(load_system(FOLDER / "system.toml").logs.sources)
    assert json.loads((FOLDER / "aws" / "log-policy.json").read_text()) == declared
