"""An account that moto answers for within the tests' own process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from soc2.gather.aws.connection import AwsConnection
from tests.gather.account import OTHER
from tests.logs.reading import KEYS, REGION


@pytest.fixture(scope="module")
def clients() -> Iterator[AwsConnection]:
    """Clients take long to make: all tests share them, each in an account of its own."""
    connection = AwsConnection((REGION, OTHER), environment=KEYS)
    yield connection
    connection.close()


@pytest.fixture
def connection(clients: AwsConnection) -> Iterator[AwsConnection]:
    with mock_aws():
        yield clients
