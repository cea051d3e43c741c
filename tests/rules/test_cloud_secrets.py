"""Keys of EKS clusters and secrets of Secrets Manager, of which a part is out of sight."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.catalog import all_checks
from soc2.judge import Verdict
from soc2.model.aws.storage import Secret
from soc2.model.outcome import Outcome
from soc2.rules.cloud_storage import secret_rotates
from tests.case import AS_OF, Case, run_check

CHECKS = {check.id: check for check in all_checks()}
OWN, OTHER = "arn:aws:kms:eu-west-1:123456789012:key/1", "arn:aws:kms:eu-west-1:210987654321:key/1"


def cluster(key: str) -> Verdict:
    given: dict[str, Any] = {
        "name": "main",
        "arn": "arn:aws:eks:eu-west-1:123456789012:cluster/main",
        "encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": key}}],
    }
    key_two = {"KeyId": "2", "Arn": OWN.replace("/1", "/2"), "KeyManager": "CUSTOMER", "KeyState": "Enabled"}
    return run_check(CHECKS["cluster-secrets-encrypted"], Case({"eks clusters": [given], "kms keys": [key_two]}))


def test_a_key_that_is_gone_is_no_evidence() -> None:
    """One that was deleted is not listed any more, and one of another region is not seen."""
    gone = cluster(OWN)
    assert (gone.outcome, gone.deviations) == (Outcome.EVIDENCE_MISSING, ())
    assert OWN in gone.reason
    assert cluster(OTHER).outcome is Outcome.PASS
    assert cluster(OWN.replace("/1", "/2")).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("primary", "outcome"),
    [
        ({"SourceRegion": "eu-west-1"}, Outcome.PASS),
        ({"SourceRegion": "eu-west-2"}, Outcome.EVIDENCE_MISSING),
        ({"SourceRegion": "eu-west-1", "SourceAccount": "210987654321"}, Outcome.EVIDENCE_MISSING),
    ],
)
def test_a_replica_is_judged_by_its_primary(primary: dict[str, str], outcome: Outcome) -> None:
    first = {"Name": "db", "RotationEnabled": True, "LastRotatedDate": "2026-05-01T00:00:00Z", **primary}
    copy = {"Name": "db", "SourceRegion": "eu-central-1", "PrimaryRegion": "eu-west-1"}
    verdict = run_check(CHECKS["cloud-secrets-rotate"], Case({"secrets manager": [first, copy]}))
    assert (verdict.outcome, verdict.deviations) == (outcome, ())
    assert ("db of eu-west-1" in verdict.reason) is (outcome is Outcome.EVIDENCE_MISSING)


@given(st.integers(0, 400), st.integers(-72, 72))
def test_a_rotation_that_is_due_may_take_a_day(age_days: int, late_hours: int) -> None:
    secret = Secret(
        rotation_enabled=True,
        last_rotated_date=AS_OF - timedelta(days=age_days),
        next_rotation_date=AS_OF - timedelta(hours=late_hours),
    )
    found = list(secret_rotates(90, AS_OF)(secret))
    assert bool(found) is (age_days > 90 or late_hours > 24)
