"""Every AWS check on 1,000 buckets, 1,000 security groups, 500 roles and 500 users, against the same calls made bare.

Usage: ``python -m benchmarks.cloud [SCALE]``, where a scale of 10 makes a tenth of each. Every figure is of the same run.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import boto3
from botocore.exceptions import ClientError

from soc2.demo.aws.seed import declared_answers, declared_company
from soc2.demo.aws.server import REGION, AwsServers
from soc2.evidence import EvidenceStore
from soc2.gather.aws import sources
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.source import Gatherer
from soc2.system import About, Aws, System

# As AwsConnection, so that both sides have the same concurrency.
_CALLS_AT_ONCE = 16
_OF_CHECKS = tuple(item for item in vars(sources).values() if hasattr(item, "gather") and not isinstance(item, type))


def fill(environment: Mapping[str, str], scale: int) -> None:
    def client(service: str) -> Any:
        session = boto3.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"], aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"]
        )
        return session.client(service, region_name=REGION, endpoint_url=environment["AWS_ENDPOINT_URL"])

    s3, ec2, iam = client("s3"), client("ec2"), client("iam")
    tags = {"TagSet": [{"Key": "data-class", "Value": "internal"}, {"Key": "owner", "Value": "bench"}]}

    def bucket(number: int) -> None:
        name = f"bench-{number:04d}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_tagging(Bucket=name, Tagging=tags)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bucket, range(1000 // scale)))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for number in range(1000 // scale):
        ec2.create_security_group(GroupName=f"bench-{number}", Description="bench", VpcId=vpc)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    for number in range(500 // scale):
        iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=trust)
        iam.create_user(UserName=f"user-{number}")


def no_kubernetes() -> NoReturn:
    raise AssertionError("no Kubernetes here")


def measure(evidence: Path) -> None:
    """Gather what every AWS check needs, and print what it took as JSON; in a process of its own."""
    system = System(system=About(name="b", owner="b"), aws=Aws(regions=(REGION,)))
    connection = AwsConnection((REGION,), environment=os.environ)
    gatherer = Gatherer(system, no_kubernetes, lambda: connection, EvidenceStore(evidence))
    began = time.perf_counter()
    listings = [future.result() for future in gatherer.prefetch(_OF_CHECKS)]
    took = time.perf_counter() - began
    gatherer.close()
    incomplete = [str(status.problem) for listing in listings for status in listing.statuses if status.problem]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"gather_s": took, "peak_mb": peak, "incomplete": incomplete}))


def replay(evidence: Path) -> None:
    """Make the recorded calls again with nothing but boto3, and print the seconds."""
    calls = [json.loads(line) for line in (evidence / "calls.jsonl").read_text().splitlines()]
    connection = AwsConnection((REGION,), environment=os.environ)

    def again(call: dict[str, Any]) -> None:
        service, _, operation = call["operation"].partition(":")
        if operation == "GetCredentialReport":
            operation = "get_credential_report"
        parameters = {key: value for key, value in call["parameters"].items() if key != "region"}
        client = connection.client(service, call["parameters"].get("region", REGION))
        try:
            if client.can_paginate(operation):
                for _ in client.get_paginator(operation).paginate(**parameters):
                    pass
            else:
                getattr(client, operation)(**parameters)
        except ClientError:
            # What is not configured is an error of the API; the gatherer gets the same one.
            pass

    began = time.perf_counter()
    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        list(pool.map(again, calls))
    print(json.dumps({"bare_s": time.perf_counter() - began, "calls": len(calls)}))
    connection.close()


def main(scale: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with AwsServers(folder / "aws", declared_answers(declared_company("compliant"))) as servers:
            print("creating the account", flush=True)
            fill(servers.env, scale)
            servers.access_log.write_text("")
            environment = {**os.environ, **servers.env}

            def run(*words: str) -> Any:
                command = [sys.executable, "-m", "benchmarks.cloud", *words]
                return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)

            rounds = []
            for number in range(3):
                own = run("--measure", str(folder / f"e{number}"))
                bare = run("--replay", str(folder / f"e{number}"))
                rounds.append({**own, **bare, "ratio": own["gather_s"] / bare["bare_s"]})
            middle = sorted(rounds, key=lambda item: item["ratio"])[1]
            calls = (folder / "e0" / "calls.jsonl").read_text().splitlines()
            keys = Counter(
                (call["operation"], json.dumps(call["parameters"], sort_keys=True)) for call in map(json.loads, calls)
            )
            middle["made_twice"] = sum(count > 1 for count in keys.values())
            print(json.dumps({key: round(value, 2) if isinstance(value, float) else value for key, value in middle.items()}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--measure", path]:
            measure(Path(path))
        case ["--replay", path]:
            replay(Path(path))
        case [scale]:
            main(int(scale))
        case _:
            main(1)
