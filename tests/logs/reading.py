"""What the tests of readers share: a connection to whatever client they want, and what is in the files fetched."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import zstandard
from botocore.exceptions import ClientError

from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.readers import Fetched

ACCOUNT = "123456789012"
REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTINGTESTING00", "AWS_SECRET_ACCESS_KEY": "testing"}


def connected(client: Any, regions: tuple[str, ...] = (REGION,)) -> AwsConnection:
    """A connection whose clients are ``client``, or what it makes of service and region."""
    make: Callable[[str, str], Any] = client if callable(client) else lambda _service, _region: client
    return cast(AwsConnection, SimpleNamespace(client=make, regions=regions, account=ACCOUNT, identity="tester"))


def records(fetched: Fetched) -> list[Any]:
    """The JSON objects of all files, in order."""
    return [record for path, _ in fetched.files for record in lines(path)]


def lines(path: Path) -> list[Any]:
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def at(text: str) -> datetime:
    """``25 10:30`` in November 2026."""
    return datetime.strptime(f"2026-11-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
