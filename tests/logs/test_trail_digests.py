"""Which trails are verified, over which time, and what it means that there is no digest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from soc2.evidence import EvidenceStore
from soc2.gather.aws.sources import TRAILS
from soc2.gather.logs.trail_digests import TrailDigests
from soc2.gather.source import Gatherer, Listing
from soc2.log_sources import Logs
from soc2.model.aws.monitoring import Trail, TrailStatus
from soc2.model.digests import DigestFault, DigestVerdict
from soc2.model.population import Cause
from soc2.system import About, System
from tests.logs import test_digests as made
from tests.logs.reading import ACCOUNT, REGION, connected, refused

ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main_trail"
TRAIL = Trail(
    name="main_trail",
    arn=ARN,
    home_region=REGION,
    s3_bucket_name=made.BUCKET,
    s3_key_prefix="audit",
    log_file_validation_enabled=True,
)
LOGGING = TrailStatus(parent_key=ARN, is_logging=True)


def this_hour() -> datetime:
    """Asked anew by each test: the whole of them may run past the end of an hour."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def delivered(first_hours_ago: int = 10) -> made.Objects:
    """Digests of every hour since then, the last of which ended an hour before this one."""
    trail = made.Trail()
    for hours in range(first_hours_ago, 1, -1):
        trail.hour(this_hour() - timedelta(hours=hours))
    return trail.objects


def gathered(
    folder: Path, objects: made.Objects, trail: Trail = TRAIL, status: TrailStatus = LOGGING, **errors: Any
) -> Listing[DigestVerdict]:
    clients = {"s3": made.Memory(objects), "cloudtrail": made.CloudTrail(errors.get("keys"))}
    system = System(system=About(name="t", owner="t"), logs=Logs(window_hours=6))
    listings: dict[Any, Any] = {TRAILS: (trail,)}
    gatherer = SimpleNamespace(
        get=lambda source: Listing(listings.get(source, (status,)), ()),
        system=system,
        aws=connected(lambda service, _: clients[service]),
        evidence=EvidenceStore(folder),
    )
    return TrailDigests().gather(cast(Gatherer, gatherer))


def faults(listing: Listing[DigestVerdict]) -> list[DigestFault]:
    return [verdict.fault for verdict in listing.items if verdict.fault]


def test_the_chain_of_a_trail_is_proved_over_the_window(tmp_path: Path) -> None:
    listing = gathered(tmp_path, delivered())
    assert (faults(listing), [status.problem for status in listing.statuses]) == ([], [None])
    assert len([verdict for verdict in listing.items if verdict.what == "digest"]) >= 6


def test_a_deleted_digest_is_a_fault(tmp_path: Path) -> None:
    objects = delivered()
    del objects[made.digest_key(this_hour() - timedelta(hours=4))]
    assert faults(gathered(tmp_path, objects)) == [DigestFault.DELETED]


def test_the_time_before_a_trail_logged_needs_no_proof(tmp_path: Path) -> None:
    begun = this_hour() - timedelta(hours=5)
    fresh = TrailStatus(parent_key=ARN, is_logging=True, start_logging_time=begun)
    assert faults(gathered(tmp_path, delivered(5), status=fresh)) == []
    assert faults(gathered(tmp_path, delivered(5), status=LOGGING)) == [DigestFault.FIRST]


def test_no_digest_at_all_is_no_evidence(tmp_path: Path) -> None:
    absent = gathered(tmp_path, {})
    early = TrailStatus(parent_key=ARN, is_logging=True, start_logging_time=this_hour())
    soon = gathered(tmp_path, {}, status=early)
    denied = gathered(tmp_path, delivered(), keys=refused("AccessDeniedException", "ListPublicKeys"))
    found = [
        (each.items, *(status.problem.cause for status in each.statuses if status.problem)) for each in (absent, soon, denied)
    ]
    assert found == [((), Cause.ABSENT), ((), Cause.INCONCLUSIVE), ((), Cause.DENIED)]


@pytest.mark.parametrize(
    ("trail", "status"),
    [
        (TRAIL, TrailStatus(parent_key=ARN, is_logging=False)),
        (Trail(name="main_trail", arn=ARN, s3_bucket_name=made.BUCKET), LOGGING),
    ],
)
def test_a_trail_that_is_off_or_keeps_no_digests_is_left_to_other_checks(
    tmp_path: Path, trail: Trail, status: TrailStatus
) -> None:
    assert gathered(tmp_path, delivered(), trail, status) == Listing((), ())


def test_a_trail_of_an_organization_is_found_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Organizations(made.Memory):
        def list_objects_v2(self, Prefix: str, **parameters: Any) -> Any:  # noqa: N803
            if "Delimiter" in parameters and Prefix.endswith("/o-"):
                return {"CommonPrefixes": [{"Prefix": "audit/AWSLogs/o-example/"}]}
            asked.append(Prefix)
            return super().list_objects_v2(Prefix=Prefix, **parameters)

    monkeypatch.setattr(made, "Memory", Organizations)
    gathered(tmp_path, {}, msgspec.structs.replace(TRAIL, is_organization_trail=True))
    assert asked
    assert all(prefix.startswith(f"audit/AWSLogs/o-example/{ACCOUNT}/CloudTrail") for prefix in asked)
