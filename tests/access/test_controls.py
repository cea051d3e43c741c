"""What weakens a control of the account: the table against AWS' own list, and what IAM's simulator says beside us."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from policy_sentry.querying.actions import get_action_data

from soc2.evidence import EvidenceStore
from soc2.gather.aws import sources
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.aws.simulation import NEEDED, ControlSimulation
from soc2.gather.source import Gatherer, Listing
from soc2.model.access.controls import CLOUD_CONTROLS
from soc2.model.aws.iam import AuthorizationDetails, InlinePolicy, Principal, Simulation
from soc2.model.aws.monitoring import Trail
from soc2.model.population import Cause, SourceStatus

ROLE = "arn:aws:iam::123456789012:role"
TRAIL = Trail(name="main", arn="arn:aws:cloudtrail:eu-west-1:123456789012:trail/main")
_TYPES = {
    "trail": ":trail/",
    "bucket": ":s3:::${BucketName}",
    "object": ":s3:::${BucketName}/",
    "detector": ":detector/",
    "flow log": ":vpc-flow-log/",
    "key": ":key/",
    "log group": ":log-group:",
    "cluster": ":cluster/",
}


@pytest.mark.parametrize(("kind", "action"), [(kind, action) for _, kind, actions in CLOUD_CONTROLS for action in actions])
def test_every_action_is_one_of_aws_and_acts_on_what_we_say(kind: str, action: str) -> None:
    service, _, name = action.partition(":")
    data = get_action_data(service, name)
    assert data, "AWS has no such action"
    assert data[service][0]["action"] == action, "it is written otherwise"
    if kind:
        assert any(_TYPES[kind] in entry["resource_arn_format"] for entry in data[service])


def role(name: str, action: str) -> Principal:
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}}
    return Principal(arn=f"{ROLE}/{name}", role_name=name, role_policy_list=(InlinePolicy("p", document),))


def simulate(answer: Any, folder: Path) -> tuple[Listing[Simulation], list[dict[str, Any]]]:
    """Gather from an account with a trail, a role that may stop it, and one that may do nothing to it."""
    calls: list[dict[str, Any]] = []
    details = AuthorizationDetails(role_detail_list=(role("ops", "cloudtrail:Stop*"), role("app", "sqs:SendMessage")))
    items: dict[Any, tuple[Any, ...]] = {sources.AUTHORIZATION_DETAILS: (details,), sources.TRAILS: (TRAIL,)}

    def paginate(**parameters: Any) -> list[Any]:
        calls.append(parameters)
        return [answer(parameters)]

    connection = AwsConnection(("eu-west-1",))
    client = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=paginate))
    aws = SimpleNamespace(client=lambda *_: client, regions=("eu-west-1",), identity="tester", calls=connection.calls)
    statuses = {source: SourceStatus(source.name, "test", 1, 1, None) for source in NEEDED}
    gatherer = SimpleNamespace(
        aws=aws, evidence=EvidenceStore(folder), get=lambda source: Listing(items.get(source, ()), (statuses[source],))
    )
    listing = ControlSimulation().gather(cast(Gatherer, gatherer))
    connection.close()
    return listing, calls


def test_powers_are_asked_about_on_their_resource_and_others_by_sample(tmp_path: Path) -> None:
    def allowed(parameters: dict[str, Any]) -> dict[str, Any]:
        names = parameters["ActionNames"]
        return {"EvaluationResults": [{"EvalActionName": name, "EvalDecision": "allowed"} for name in names]}

    listing, calls = simulate(allowed, tmp_path)
    asked = {"PolicySourceArn": f"{ROLE}/ops", "ResourceArns": [TRAIL.arn], "ActionNames": ["cloudtrail:StopLogging"]}
    assert asked in calls
    assert {call["PolicySourceArn"] for call in calls} == {f"{ROLE}/ops", f"{ROLE}/app"}
    (simulation,) = listing.items
    assert simulation.decisions[f"{ROLE}/app", "cloudtrail:StopLogging", "*"] == "allowed"
    assert listing.statuses[-1].complete


@pytest.mark.parametrize(
    ("code", "offered", "problem"),
    [
        ("NotImplemented", False, None),
        ("NoSuchEntity", True, None),
        ("AccessDenied", True, Cause.DENIED),
        ("Throttling", True, Cause.THROTTLED),
    ],
)
def test_only_a_simulator_that_is_not_offered_is_no_missing_evidence(
    code: str, offered: bool, problem: Cause | None, tmp_path: Path
) -> None:
    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "SimulatePrincipalPolicy")

    listing, _ = simulate(refuse, tmp_path)
    status = listing.statuses[-1]
    assert (listing.items[0].offered, listing.items[0].answers) == (offered, ())
    assert (status.problem.cause if status.problem else None) is problem
    assert ("not offered" in status.query) == (not offered)
