"""Answers ``iam:SimulatePrincipalPolicy``, which moto lacks, with moto's own evaluator of policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import boto3
from moto.iam.access_control import IAMPolicy, PermissionResult

from soc2.demo.aws.answers import Declared, HttpAnswer, error_answer
from soc2.demo.aws.operations import operation_model

ASKED = ("iam", "SimulatePrincipalPolicy")


def simulated(body: bytes, upstream: str) -> HttpAnswer:
    """Answer a request in the query protocol from the policies that moto at ``upstream`` holds; boundaries count."""
    parameters = parse_qs(body.decode())
    principal = parameters["PolicySourceArn"][0]
    client = _client(upstream)
    # Without what AWS ships, of which moto knows a thousand; of those, what is attached is asked for below.
    wanted = ["User", "Role", "Group", "LocalManagedPolicy"]
    pages = list(client.get_paginator("get_account_authorization_details").paginate(Filter=wanted))
    entities = [each for page in pages for key in ("UserDetailList", "RoleDetailList") for each in page[key]]
    found = next((each for each in entities if each["Arn"] == principal), None)
    if found is None:
        return error_answer("query", "NoSuchEntity", "no such principal", 404)
    groups = [each for page in pages for each in page["GroupDetailList"] if each["GroupName"] in found.get("GroupList", ())]
    own = [document for entity in (found, *groups) for document in _documents(client, entity)]
    bound = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    boundary = _managed(client, bound) if bound else None
    results = [
        {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": _decision(own, boundary, action, resource)}
        for action in _members(parameters, "ActionNames")
        for resource in _members(parameters, "ResourceArns") or ["*"]
    ]
    operation = operation_model(*ASKED)
    assert operation is not None
    return Declared(operation, {"EvaluationResults": results, "IsTruncated": False}, None).http()


def _members(parameters: dict[str, list[str]], name: str) -> list[str]:
    return [values[0] for key, values in sorted(parameters.items()) if key.startswith(f"{name}.member.")]


@cache
def _client(upstream: str) -> Any:
    # moto takes any credentials; botocore insists on some.
    return boto3.Session(*("demo", "demo"), region_name="us-east-1").client("iam", endpoint_url=upstream)


def _documents(client: Any, entity: dict[str, Any]) -> Iterator[Any]:
    for kind in ("UserPolicyList", "RolePolicyList", "GroupPolicyList"):
        for policy in entity.get(kind, ()):
            yield policy["PolicyDocument"]
    for attached in entity.get("AttachedManagedPolicies", ()):
        yield _managed(client, attached["PolicyArn"])


def _managed(client: Any, arn: str) -> Any:
    version = client.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return client.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def _decision(own: list[Any], boundary: Any, action: str, resource: str) -> str:
    answers = [IAMPolicy(json.dumps(document)).is_action_permitted(action, resource) for document in own]
    limit = IAMPolicy(json.dumps(boundary)).is_action_permitted(action, resource) if boundary else PermissionResult.PERMITTED
    if PermissionResult.DENIED in (*answers, limit):
        return "explicitDeny"
    return "allowed" if PermissionResult.PERMITTED in answers and limit is PermissionResult.PERMITTED else "implicitDeny"
