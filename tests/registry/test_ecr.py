"""Registries of ECR: the account's own credentials are exchanged for a login there, as moto's ECR gives one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError
from moto import mock_aws

from soc2.demo.images import image
from soc2.gather.aws.connection import AwsConnection
from tests.registry.pulling import PROGRAM
from tests.registry.server import Registry
from tests.registry.test_source import gathered, kept, pod

REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
IMAGE = image([[PROGRAM]])
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def aws() -> Iterator[AwsConnection]:
    with mock_aws():
        yield AwsConnection((REGION,), environment=KEYS)


def test_an_image_of_a_repository_is_read_with_what_the_account_is_given(aws: AwsConnection, tmp_path: Path) -> None:
    service = aws.client("ecr", REGION)
    name = service.create_repository(repositoryName="team/app")["repository"]["repositoryUri"]
    (given,) = service.get_authorization_token()["authorizationData"]
    host = given["proxyEndpoint"].removeprefix("https://")
    with Registry(authorization="basic", basic=f"Basic {given['authorizationToken']}") as registry:
        running = pod(image_id=f"{name}@{registry.add(IMAGE)}")
        listing = gathered(registry, tmp_path, running, host=host, aws=aws)
    assert (listing.statuses[0].problem, [each.name for each in listing.items]) == (None, [f"{name}@{IMAGE.digest}"])
    assert given["authorizationToken"].encode() not in kept(tmp_path)


def test_an_authorization_that_the_registry_refuses_is_told(aws: AwsConnection, tmp_path: Path) -> None:
    with Registry(authorization="basic") as registry:
        running = pod(image_id=f"{ECR}/team/app@{registry.add(IMAGE)}")
        listing = gathered(registry, tmp_path, running, host=ECR, aws=aws)
    expected = f"not authenticated: {ECR}/team/app@{IMAGE.digest}: {ECR} refuses the credentials for team/app"
    assert str(listing.statuses[0].problem) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetAuthorizationToken"),
            "access denied: {}: no authorization for {}: GetAuthorizationToken: AccessDeniedException",
        ),
        (EndpointConnectionError(endpoint_url="x"), "unreachable: {}: no authorization for {}: "),
        (ResponseParserError("<html>"), "malformed answer: {}: no authorization for {}: "),
        ({"authorizationData": []}, "malformed answer: {}: no authorization for {}: "),
        ({"authorizationData": None}, "malformed answer: {}: no authorization for {}: "),
        ({"authorizationData": [{"authorizationToken": "/w=="}]}, "malformed answer: {}: no authorization for {}: "),
    ],
)
def test_an_account_that_gives_no_authorization_is_told(answer: Any, expected: str, tmp_path: Path) -> None:
    def answered() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    service = SimpleNamespace(get_authorization_token=answered)
    connection = SimpleNamespace(client=lambda *_: service, close=lambda: None)
    with Registry(authorization="basic") as registry:
        running = pod(image_id=f"{ECR}/team/app@{registry.add(IMAGE)}")
        listing = gathered(registry, tmp_path, running, host=ECR, aws=connection)
    image = f"{ECR}/team/app@{IMAGE.digest}"
    assert str(listing.statuses[0].problem).startswith(expected.format(image, ECR))
