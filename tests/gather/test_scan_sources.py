"""Which images ECR is asked about, and where Inspector is not asked at all."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from soc2.evidence import EvidenceStore
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.aws.scan_sources import (
    ECR_MANIFESTS,
    INSPECTOR_ACCOUNTS,
    INSPECTOR_COVERAGE,
    RUNNING_ECR_IMAGES,
    SCANNABLE_ECR_IMAGES,
)
from soc2.gather.source import Gatherer, Listing
from soc2.model.aws.scanning import EcrManifest, InspectorAccount, InspectorResources, InspectorState, RunningEcrImage
from soc2.model.population import Cause, SourceStatus
from soc2.system import About, Aws, System
from tests.gather.account import answered
from tests.gather.scripted import Answer, scripted
from tests.logs.reading import ACCOUNT, REGION

DIGEST = f"sha256:{'a' * 64}"
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def pods(*images: str) -> Answer:
    items = [
        {
            "metadata": {"name": f"p{number}", "namespace": "shop"},
            "spec": {"containers": [{"name": "c", "image": image}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "c", "image": image, "imageID": image}]},
        }
        for number, image in enumerate(images)
    ]
    return Answer(body=json.dumps({"kind": "PodList", "metadata": {}, "items": items}).encode())


NODES = Answer(body=b'{"kind": "NodeList", "metadata": {}, "items": []}')


def test_only_images_of_ecr_are_asked_for_in_their_region_and_account(tmp_path: Path) -> None:
    wanted = f"{HOST}/team/app@{DIGEST}"
    strangers = (f"registry.example/team/app@{DIGEST}", f"{HOST}.evil.example/team/app@{DIGEST}", f"{HOST}/team/app:v1")
    with scripted(tmp_path, pods(wanted, wanted, *strangers), NODES) as (gatherer, _):
        listing = gatherer.get(RUNNING_ECR_IMAGES)
    assert listing.items == (
        RunningEcrImage(source_region="eu-west-1", registry_id="123456789012", repository_name="team/app", digest=DIGEST),
    )
    assert all(status.complete for status in listing.statuses)


def test_inspector_is_asked_only_where_it_looks_at_images() -> None:
    def asked(status: str) -> bool:
        account = InspectorAccount(resource_state=InspectorResources(ecr=InspectorState(status)))
        return INSPECTOR_COVERAGE.parameters(account) is not None

    assert [asked(status) for status in ("ENABLED", "DISABLED", "SUSPENDED", "")] == [True, False, False, False]


DIGESTS = [f"sha256:{each * 64}" for each in "abcd"]


def test_an_index_is_asked_for_by_its_images() -> None:
    status = SourceStatus("ecr image manifests", "q", 1, 1, None, None)
    children = [
        {"digest": DIGESTS[2], "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": DIGESTS[3], "platform": {"os": "unknown", "architecture": "unknown"}},
    ]
    running = [RunningEcrImage(source_region="eu-west-1", registry_id="1", digest=digest) for digest in DIGESTS[:2]]
    listings: dict[Any, Listing[Any]] = {
        RUNNING_ECR_IMAGES: Listing(tuple(running), ()),
        ECR_MANIFESTS: Listing(
            (
                EcrManifest(parent_key=DIGESTS[0], image_manifest=json.dumps({"manifests": children})),
                EcrManifest(parent_key=DIGESTS[1], image_manifest=json.dumps({"config": {"digest": DIGESTS[3]}})),
            ),
            (status,),
        ),
    }
    gatherer: Any = SimpleNamespace(get=listings.__getitem__)
    found = SCANNABLE_ECR_IMAGES.gather(gatherer)
    assert [(each.source_region, each.digest) for each in found.items] == [
        ("eu-west-1", DIGESTS[2]),
        ("eu-west-1", DIGESTS[1]),
    ]
    assert found.statuses == (status,)


@pytest.mark.parametrize(
    ("code", "cause"), [("ACCESS_DENIED", Cause.DENIED), ("INTERNAL_ERROR", Cause.INCONCLUSIVE), (None, Cause.INCONCLUSIVE)]
)
def test_what_inspector_cannot_tell_of_the_account_is_missing(
    connection: AwsConnection, tmp_path: Path, code: str | None, cause: Cause
) -> None:
    failed = {"accountId": ACCOUNT, "errorMessage": "not now", **({"errorCode": code} if code else {})}
    system = System(system=About(name="t", owner="t"), aws=Aws(regions=(REGION,), accounts=(ACCOUNT,)))
    gatherer = Gatherer(system, lambda: pytest.fail("no cluster here"), lambda: connection, EvidenceStore(tmp_path))
    body = json.dumps({"accounts": [], "failedAccounts": [failed]}).encode()
    with answered(connection, "inspector2", REGION, "BatchGetAccountStatus", "", body, 200):
        (status,) = gatherer.get(INSPECTOR_ACCOUNTS).statuses
    assert status.problem is not None
    assert (status.problem.cause, "not now" in status.problem.detail) == (cause, True)
