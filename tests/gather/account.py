"""Populations of an account of two regions, and answers of AWS that are not moto's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from fixtures.population import DECLARED, build_population
from soc2.demo.aws.answers import error_answer
from soc2.evidence import EvidenceStore
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.source import Gatherer
from soc2.model.population import Population
from soc2.system import About, Aws, Data, System
from tests.case import load_populations
from tests.logs.reading import ACCOUNT, REGION

OTHER = "eu-west-2"


def gathered(connection: AwsConnection, folder: Path, name: str, accounts: tuple[str, ...] = ()) -> Population[Any]:
    load_populations()
    system = System(
        system=About(name="t", owner="t"),
        aws=Aws(regions=(REGION, OTHER), accounts=(ACCOUNT,)),
        data=Data(perimeter=True, accounts=accounts),
    )
    gatherer = Gatherer(system, lambda: pytest.fail("no cluster here"), lambda: connection, EvidenceStore(folder))
    return build_population(DECLARED[name], system, gatherer.get)


def refused(
    connection: AwsConnection, service: str, region: str, operation: str, part: str, code: str
) -> AbstractContextManager[None]:
    """Have AWS refuse an operation where ``part`` stands in what is sent."""
    protocol = str(connection.client(service, region).meta.service_model.resolved_protocol)
    return answered(connection, service, region, operation, part, error_answer(protocol, code, "refused").body)


@contextmanager
def answered(
    connection: AwsConnection, service: str, region: str, operation: str, part: str, body: bytes, status: int = 400
) -> Iterator[None]:
    def answer(request: Any, **_: Any) -> AWSResponse | None:
        sent = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        raw = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, {}, raw) if part.encode() in sent else None

    client = connection.client(service, region).meta
    events, event = client.events, f"before-send.{client.service_model.service_id.hyphenize()}.{operation}"
    events.register_first(event, answer)
    yield
    events.unregister(event, answer)
