"""Rules on external stores of secrets, for every age, interval and state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.codec import Codec
from soc2.model.kubernetes.secret_stores import (
    ClusterExternalSecret,
    ExternalSecret,
    SealedSecret,
    SyncedObject,
    SyncSpec,
    VaultStaticSecret,
)
from soc2.rules.secret_stores import synced

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def messages(item: SyncedObject) -> list[str]:
    return [each.message for each in synced(NOW)(item)]


def external(body: str, kind: type[SyncedObject] = ExternalSecret) -> list[str]:
    return messages(Codec().decode(body.encode(), kind))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h", 3600),
        ("1h30m", 5400),
        ("90s", 90),
        ("1h0m0s", 3600),
        ("0.5h", 1800),
        (".5m", 30),
        ("2h3us", 7200),
        ("750ms", 0.75),
    ],
)
def test_intervals_are_durations_of_go(text: str, seconds: float) -> None:
    interval = ExternalSecret(spec=SyncSpec(refresh_interval=text)).interval
    assert interval
    assert interval.total_seconds() == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize("text", ["0", "0s", "0h0m", "", "never", "-"])
def test_without_an_interval_nothing_is_fetched_again(text: str) -> None:
    assert ExternalSecret(spec=SyncSpec(refresh_interval=text)).interval is None


@given(st.integers(0, 10**6), st.integers(1, 10**5))
def test_a_refresh_may_be_one_interval_late(age_minutes: int, interval_minutes: int) -> None:
    at = NOW - timedelta(minutes=age_minutes)
    body = (
        f'{{"spec": {{"refreshInterval": "{interval_minutes}m"}}, "status": {{"refreshTime": "{at:%FT%TZ}",'
        ' "conditions": [{"type": "Ready", "status": "True"}]}}'
    )
    assert bool(external(body)) is (age_minutes > max(2 * interval_minutes, 60))


@given(st.sampled_from(["True", "False", "Unknown", "", "true"]), st.sampled_from(["Ready", "Deleted", "Synced"]))
def test_only_a_true_condition_counts(status: str, kind: str) -> None:
    body = f'{{"status": {{"conditions": [{{"type": "{kind}", "status": "{status}"}}]}}}}'
    assert bool(external(body, ClusterExternalSecret)) is ((kind, status) != ("Ready", "True"))
    assert bool(external(body, SealedSecret)) is ((kind, status) != ("Synced", "True"))


@pytest.mark.parametrize("policy", ["CreatedOnce", "OnChange"])
def test_a_policy_wins_over_an_interval(policy: str) -> None:
    body = (
        f'{{"spec": {{"refreshInterval": "1h", "refreshPolicy": "{policy}"}},'
        ' "status": {"refreshTime": "2026-05-31T23:59:00Z", "conditions": [{"type": "Ready", "status": "True"}]}}'
    )
    assert external(body) == [f"it is fetched once ({policy}), so a value that rotates in the store never arrives"]


def test_one_bad_condition_of_several_counts() -> None:
    told = '{"status": {"lastGeneration": 4, "conditions": [%s]}}'
    good, bad = '{"type": "Ready", "status": "True"}', '{"type": "SecretSynced", "status": "False", "reason": "Denied"}'
    assert external(told % good, VaultStaticSecret) == []
    assert external(told % f"{good}, {bad}", VaultStaticSecret) == ["its condition SecretSynced is False (Denied)"]
    assert external('{"status": {"conditions": null}}', VaultStaticSecret) == [
        "nothing says that it works: its operator may not run"
    ]


def test_what_a_store_answered_is_not_kept() -> None:
    body = b'{"status": {"conditions": [{"type": "Ready", "status": "False", "message": "got hunter2"}]}}'
    assert "hunter2" not in repr(Codec().decode(body, ExternalSecret))
