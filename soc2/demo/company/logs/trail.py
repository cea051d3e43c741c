"""CloudTrail of an ordinary day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from soc2.demo.company.logs.scene import ACCOUNT, NODES, OFFICE, REGION, WORKLOADS, Day, Event, made_id, node, stamp

STREAM = "cloudtrail"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SDK = "aws-sdk-go-v2/1.39.2 os/linux lang/go#1.25.3 md/GOARCH#amd64"
CLI = "aws-cli/2.31.6 md/awscrt#0.27.6 ua/2.1 os/linux#6.12 lang/python#3.13.7"


def event(
    time: datetime,
    dice: random.Random,
    who: dict[str, Any],
    address: str,
    service: str,
    name: str,
    *,
    agent: str = SDK,
    read_only: bool = True,
    request: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
    additional: dict[str, Any] | None = None,
    error: str = "",
    kind: str = "AwsApiCall",
) -> Event:
    """Return one record, as version 1.11 has it."""
    record = {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": stamp(time),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1" if service in ("iam", "signin", "route53") else REGION,
        "sourceIPAddress": address,
        "userAgent": agent,
        **({"errorCode": error, "errorMessage": "User is not authorized to perform this operation"} if error else {}),
        "requestParameters": request,
        "responseElements": response,
        **({"additionalEventData": additional} if additional else {}),
        "requestID": made_id(dice),
        "eventID": made_id(dice),
        "readOnly": read_only,
        "eventType": kind,
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return Event(time, STREAM, record)


def user(name: str, *, mfa: bool = True) -> dict[str, Any]:
    """Return the identity of an IAM user in the console."""
    return {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper().replace('-', ''):A<16}"[:20],
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "userName": name,
        "sessionContext": {"attributes": {"creationDate": "2026-01-01T08:00:00Z", "mfaAuthenticated": str(mfa).lower()}},
    }


def session(role: str, name: str) -> dict[str, Any]:
    """Return the identity of a session of a role."""
    principal = f"AROA{role.upper().replace('-', ''):A<16}"[:20]
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{name}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": f"ASIA{principal[4:]}",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
                "accountId": ACCOUNT,
                "userName": role,
            },
            "attributes": {"creationDate": "2026-01-01T08:00:00Z", "mfaAuthenticated": "false"},
        },
    }


def service(name: str) -> dict[str, Any]:
    return {"type": "AWSService", "invokedBy": f"{name}.amazonaws.com"}


def quiet(day: Day) -> Iterator[Event]:
    """Yield the records of a day without anything out of the ordinary, in no particular order."""
    yield from _nodes(day)
    yield from _workloads(day)
    yield from _services(day)
    yield from _people(day)


def _nodes(day: Day) -> Iterator[Event]:
    calls = (
        ("ecr", "GetAuthorizationToken"),
        ("ecr", "BatchGetImage"),
        ("ec2", "DescribeInstances"),
        ("eks", "DescribeCluster"),
    )
    for each in NODES:
        dice, who = day.dice(f"trail {each.name}"), session("nn-node", each.instance)
        for number, time in enumerate(day.times(dice, 2)):
            of, name = calls[number % len(calls)]
            yield event(time, dice, who, each.address, of, name, request={})


def _workloads(day: Day) -> Iterator[Event]:
    issuer = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.{REGION}.amazonaws.com/id/NNSTAGING"
    for of in WORKLOADS:
        if of.role is None:
            continue
        for on in of.nodes:
            dice = day.dice(f"trail {of.namespace}/{of.name} {on}")
            for number, time in enumerate(day.times(dice, 1)):
                if number % 2 == 0:
                    who = {"type": "WebIdentityUser", "principalId": f"{issuer}:{of.username}", "userName": of.username}
                    who |= {"identityProvider": issuer}
                    request = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{of.role}", "roleSessionName": f"{of.name}-{on}"}
                    yield event(time, dice, who, node(on).address, "sts", "AssumeRoleWithWebIdentity", request=request)
                elif of.role == "nn-dns":
                    request = {"hostedZoneId": "Z0NORTHWIND"}
                    who = session(of.role, of.name)
                    yield event(time, dice, who, node(on).address, "route53", "ListResourceRecordSets", request=request)
                else:
                    request = {"keyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/customer-data"}
                    yield event(
                        time, dice, session(of.role, of.name), node(on).address, "kms", "GenerateDataKey", request=request
                    )


def _services(day: Day) -> Iterator[Event]:
    dice = day.dice("trail services")
    for time in day.times(dice, 3):
        name, role = dice.choice((("autoscaling", "AWSServiceRoleForAutoScaling"), ("eks", "AWSServiceRoleForAmazonEKS")))
        request = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{role}", "roleSessionName": name}
        caller = f"{name}.amazonaws.com"
        yield event(time, dice, service(name), caller, "sts", "AssumeRole", agent=caller, request=request)
    dice, auditor = day.dice("trail auditor"), session("soc2-auditor", "nightly")
    for time in day.times(dice, 2):
        of, name = dice.choice(
            (("iam", "ListUsers"), ("s3", "ListBuckets"), ("cloudtrail", "GetTrailStatus"), ("ec2", "DescribeVpcs"))
        )
        yield event(time, dice, auditor, "10.20.15.20", of, name, agent=CLI, request={})


def _people(day: Day) -> Iterator[Event]:
    reads = (("s3", "ListBuckets"), ("eks", "ListClusters"), ("logs", "DescribeLogGroups"), ("cloudwatch", "DescribeAlarms"))
    for name, each_hour in (("alice", 2.0), ("bob", 1.0), ("carol", 1.0)):
        dice, known = day.dice(f"trail {name}"), ""
        for time in day.working(dice, each_hour):
            if f"{time:%j}" != known:
                known = f"{time:%j}"
                yield login(time, dice, user(name), OFFICE, mfa=True)
                continue
            of, call = dice.choice(reads)
            yield event(time, dice, user(name), OFFICE, of, call, agent=BROWSER, request={})
    dice = day.dice("trail pipeline")
    for time in day.working(dice, 1):
        request = {
            "repositoryName": f"northwind/{dice.choice(('notes-api', 'payments-api', 'storefront-web'))}",
            "imageTag": "release",
        }
        who = session("nn-deploy", "CodeBuild")
        yield event(time, dice, who, "codebuild.amazonaws.com", "ecr", "PutImage", read_only=False, request=request)


def login(time: datetime, dice: random.Random, who: dict[str, Any], address: str, *, mfa: bool, success: bool = True) -> Event:
    """Return a login to the console."""
    additional = {
        "LoginTo": "https://console.aws.amazon.com/console/home",
        "MobileVersion": "No",
        "MFAUsed": "Yes" if mfa else "No",
    }
    who = {key: value for key, value in who.items() if key != "sessionContext"}
    response = {"ConsoleLogin": "Success" if success else "Failure"}
    return event(
        time,
        dice,
        who,
        address,
        "signin",
        "ConsoleLogin",
        agent=BROWSER,
        read_only=False,
        response=response,
        additional=additional,
        kind="AwsConsoleSignIn",
    )
