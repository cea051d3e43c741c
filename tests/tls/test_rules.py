"""Dates and names at their edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from soc2.model.tls import Certificate, Certificates, name_matches
from soc2.rules.tls import CertificateEnds, NotYetValid, certificates_valid, when_it_ends

_MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
_LABEL = st.sampled_from(["a", "b", "www", "example", "test"])
_NAMES = st.lists(_LABEL, min_size=1, max_size=4).map(".".join)


def endpoint(not_before: datetime, not_after: datetime) -> Certificates:
    own = Certificate(
        subject="CN=a.test",
        issuer="CN=root",
        not_before=not_before,
        not_after=not_after,
        key="EC",
        key_bits=256,
        signature_hash="sha256",
        dns_names=("a.test",),
    )
    return Certificates(host="a.test", name="a.test:443", chain=(own,))


@given(_MOMENTS, st.integers(1, 400), st.integers(-(10**8), 10**8))
def test_a_certificate_is_renewed_in_time_or_not(as_of: datetime, limit: int, seconds: int) -> None:
    """More than the limit has to be left, so that a second makes the difference."""
    end = as_of + timedelta(days=limit, seconds=seconds)
    found = list(certificates_valid(limit, as_of)(endpoint(as_of - timedelta(days=1), end)))
    assert [type(each) for each in found] == ([] if seconds > 0 else [CertificateEnds])


@given(_MOMENTS, st.integers(-(10**7), 10**7))
def test_a_certificate_is_valid_from_its_first_second_on(as_of: datetime, seconds: int) -> None:
    begins = as_of + timedelta(seconds=seconds)
    found = list(certificates_valid(30, as_of)(endpoint(begins, as_of + timedelta(days=400))))
    assert [type(each) for each in found] == ([NotYetValid] if seconds > 0 else [])


def test_how_the_end_is_told() -> None:
    as_of = datetime(2026, 6, 1, tzinfo=UTC)
    told = {
        timedelta(days=30, seconds=1): "",
        timedelta(days=30): "expires in 30 days",
        timedelta(days=1): "expires in 1 day",
        timedelta(hours=23): "expires in less than a day",
        timedelta(0): "expires in less than a day",
        -timedelta(seconds=1): "expired less than a day ago",
        -timedelta(days=2, hours=5): "expired 2 days ago",
    }
    assert {left: when_it_ends(as_of + left, 30, as_of) for left in told} == told


@given(_NAMES, _NAMES)
def test_a_star_is_any_one_label_and_nothing_else(name: str, pattern: str) -> None:
    assert name_matches(name.upper(), pattern) == (name == pattern)
    labels = name.split(".")
    expected = len(labels) > 2 and ".".join(labels[1:]) == pattern
    assert name_matches(name, f"*.{pattern}") == expected
    assert not name_matches(name, f"w*.{pattern}")
    assert not name_matches(name, f"www.*.{pattern}")
