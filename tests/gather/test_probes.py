"""A refusal counts only when it is a policy's, and for the point that was tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from soc2.gather.kubernetes.probes import EveryonesAccess, PrivilegedPods, UnauthorizedRequests
from soc2.model.population import Cause
from tests.gather.scripted import Answer, scripted
from tests.gather.test_lists import page, refusal

ADMITTED = Answer(201, b'{"kind": "Pod"}')
POD_SECURITY = 'pods "p" is forbidden: violates PodSecurity "baseline:latest": privileged (container "probe" ...)'
OTHER_POLICY = "ValidatingAdmissionPolicy 'labels' with binding 'labels' denied request: a team label is needed"
NO_RIGHT = 'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "shop"'
BROKEN = 'Internal error occurred: failed calling webhook "w.example": connection refused'
QUOTA = 'pods "p" is forbidden: exceeded quota: compute'


def test_an_admitted_pod_is_told_as_admitted(tmp_path: Path) -> None:
    with scripted(tmp_path, page("shop"), ADMITTED) as (gatherer, script):
        (probe,) = gatherer.get(PrivilegedPods()).items
    assert probe.admitted
    assert all("dryRun=All" in path for path in script.paths[1:])


def test_a_refusal_is_proven_by_the_twin_that_is_admitted(tmp_path: Path) -> None:
    with scripted(tmp_path, page("shop"), refusal(403, OTHER_POLICY), ADMITTED) as (gatherer, _):
        listing = gatherer.get(PrivilegedPods())
    assert [probe.admitted for probe in listing.items] == [False]
    assert all(status.complete for status in listing.statuses)


def test_a_policy_that_names_the_point_needs_no_twin(tmp_path: Path) -> None:
    with scripted(tmp_path, page("shop"), refusal(403, POD_SECURITY), refusal(403, OTHER_POLICY)) as (gatherer, _):
        listing = gatherer.get(PrivilegedPods())
    assert [probe.admitted for probe in listing.items] == [False]


def test_a_policy_that_is_only_named_after_the_point_proves_nothing(tmp_path: Path) -> None:
    named = "ValidatingAdmissionPolicy 'no-privileged' with binding 'all' denied request: a team label is needed"
    with scripted(tmp_path, page("shop"), refusal(403, named), refusal(403, named)) as (gatherer, _):
        listing = gatherer.get(PrivilegedPods())
    assert listing.items == ()
    assert listing.statuses[-1].problem is not None
    assert listing.statuses[-1].problem.cause is Cause.INCONCLUSIVE


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (refusal(403, NO_RIGHT), Cause.DENIED),
        (refusal(500, BROKEN), Cause.INCONCLUSIVE),
        (refusal(403, QUOTA), Cause.INCONCLUSIVE),
        (refusal(403, OTHER_POLICY), Cause.INCONCLUSIVE),
        (refusal(404, "namespaces not found"), Cause.INCONCLUSIVE),
        (refusal(401), Cause.INCONCLUSIVE),
        (Answer(200 + 100, b""), Cause.INCONCLUSIVE),
    ],
)
def test_any_other_refusal_is_missing_evidence(tmp_path: Path, answer: Answer, cause: Cause) -> None:
    with scripted(tmp_path, page("shop"), answer) as (gatherer, _):
        listing = gatherer.get(PrivilegedPods())
    assert listing.items == ()
    assert listing.statuses[-1].problem is not None
    assert listing.statuses[-1].problem.cause is cause


def test_without_namespaces_nothing_was_tried(tmp_path: Path) -> None:
    with scripted(tmp_path, refusal(403)) as (gatherer, script):
        listing = gatherer.get(PrivilegedPods())
    assert listing.items == ()
    assert not listing.statuses[0].complete
    assert len(script.paths) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_refuses_nobody(tmp_path: Path, status: int) -> None:
    with scripted(tmp_path, page("shop"), refusal(status)) as (gatherer, _):
        listing = gatherer.get(UnauthorizedRequests())
    assert listing.items == ()
    assert listing.statuses[-1].problem is not None


def test_reviews_that_could_not_be_evaluated_are_missing_evidence(tmp_path: Path) -> None:
    unclear = {"status": {"allowed": False, "evaluationError": "role not found"}}
    with scripted(tmp_path, page("shop"), Answer(201, json.dumps(unclear).encode())) as (gatherer, _):
        listing = gatherer.get(EveryonesAccess())
    assert listing.items == ()
    assert listing.statuses[-1].problem is not None
    assert listing.statuses[-1].problem.cause is Cause.INCONCLUSIVE
