"""Feeds in every form, and what is wrong with one said with file, place and mend."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from soc2.catalog import all_checks
from soc2.evidence import EvidenceStore
from soc2.gather.codec import Codec, canonical
from soc2.gather.feeds import ROSTER, _read
from soc2.gather.source import Gatherer
from soc2.model.feeds import AddressRow, AlertRow, Leaver, Moment, RosterEntry
from soc2.model.outcome import Outcome
from soc2.model.population import Cause, Problem
from soc2.system import About, Feed, System
from tests.case import read_case, run_check

TEXT = st.from_regex(r"[A-Za-z:/ -]{1,20}", fullmatch=True).map(str.strip).filter(bool)


def read(path: Path, kind: type[Any]) -> tuple[list[Any], Problem | None]:
    day = date(2026, 1, 1)
    return _read(Feed(kind="roster", path=str(path), owner="people", date=day), kind, day, Codec())


@given(st.lists(st.tuples(TEXT, st.dates(date(2000, 1, 1), date(2030, 1, 1))), max_size=5))
def test_every_form_gives_the_same_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, date]]) -> None:
    folder = tmp_path_factory.mktemp("feeds")
    plain = [{"identity": identity, "left": left.isoformat()} for identity, left in rows]
    (folder / "a.json").write_text(json.dumps(plain))
    (folder / "a.yaml").write_text(yaml.safe_dump([{**row, "left": left} for row, (_, left) in zip(plain, rows, strict=True)]))
    lines = ["identity,left", *(f"{row['identity']},{row['left']}" for row in plain)]
    (folder / "a.csv").write_text("\n".join(lines))
    expected = [Leaver(identity, left) for identity, left in rows]
    for name in ("a.json", "a.yaml", "a.csv"):
        assert read(folder / name, Leaver) == (expected, None)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), st.booleans())
def test_a_moment_reads_alike_from_every_form(instant: datetime, whole_day: bool) -> None:
    if whole_day:
        day = instant.date()
        assert Moment.of(day.isoformat()) == Moment.of(day) == Moment.of(str(Moment.of(day)))
        assert Moment.of(day).first <= instant.replace(microsecond=0) <= Moment.of(day).last
    else:
        forms = (instant, instant.replace(tzinfo=None), instant.isoformat(), instant.isoformat().replace("+00:00", "Z"))
        assert {Moment.of(form) for form in forms} == {Moment(instant, instant)} == {Moment.of(str(Moment.of(instant)))}


def test_an_alert_keeps_nothing_of_its_rationale(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("rule,opened,rationale\nRoot login,2026-01-01T10:00Z,the password was hunter2\n")
    (row,), problem = read(tmp_path / "a.csv", AlertRow)
    assert (problem, row.opened.first, row.triaged) == (None, datetime(2026, 1, 1, 10, tzinfo=UTC), None)
    assert row.rationale.features.length == len("the password was hunter2")
    assert b"hunter2" not in canonical([row])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("f.csv", "identity,left\nUser/a,2026-01-01\nUser/b,soon\n", "line 3"),
        ("f.csv", "who,left\nUser/a,2026-01-01\n", "a row has identity, left"),
        ("f.json", '[{"identity": "User/a"}]', "row 1: Object missing required field `left`"),
        ("f.json", "{", "f.json"),
        ("f.yaml", "a: b", "expected a list of rows"),
        ("f.yaml", "- identity: a\n- [", "line 2"),
        ("f.csv", "identity,left\n,2026-01-01\n", "line 2: Object missing required field `identity`"),
        ("f.csv", "identity,left\nUser/a,2026-01-01,x\n", "line 2: Object contains unknown field"),
        ("f.csv", "identity,left\nUser/a\n", "line 2: Object missing required field `left`"),
        ("alerts.csv", "rule,opened\n*,2026-01-01\n", "line 2: Expected `str` matching regex"),
        ("alerts.csv", "rule,opened\nr,soon\n", "line 2: Invalid isoformat string: 'soon' - at `$.opened`"),
        ("alerts.yaml", "- {rule: r, opened: 3}", "row 1: Expected a day or a time, got `int`"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    rows, problem = read(tmp_path / name, AlertRow if name.startswith("alerts") else Leaver)
    assert problem is not None
    assert problem.cause is Cause.MALFORMED
    assert name in problem.detail
    assert said in problem.detail
    assert len(rows) == (1 if "line 3" in said else 0)


def gathered(tmp_path: Path, *feeds: Feed) -> Any:
    system = System(system=About(name="t", owner="t"), feeds=feeds)
    return ROSTER.gather(
        cast(Gatherer, SimpleNamespace(system=system, codec=Codec(), evidence=EvidenceStore(tmp_path / "evidence")))
    )


def test_comments_of_a_csv_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "# of the security team,\n# 2026\naddress,reason\n192.0.2.1,\n#192.0.2.2,gone\n2001:db8::/32,x\n192.0.2.1,\n"
    )
    assert read(path, AddressRow) == (
        [AddressRow("192.0.2.1"), AddressRow("2001:db8::/32", "x"), AddressRow("192.0.2.1")],
        None,
    )
    path.write_text("# of the security team\naddress\n192.0.2.0/24\n192.0.2.300\n192.0.2.7:443\n")
    rows, problem = read(path, AddressRow)
    assert (rows, problem and problem.detail) == (
        [AddressRow("192.0.2.0/24")],
        f"{path}: line 4: '192.0.2.300' does not appear to be an IPv4 or IPv6 network; a row has address, reason, source",
    )


def test_an_old_feed_is_no_evidence(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text("identity,owner\nUser/a,team\n")
    today = date.today()
    fresh = Feed(kind="roster", path=str(path), owner="people", date=today)
    listing = gathered(tmp_path, fresh)
    assert (listing.items, listing.statuses[0].complete) == ((RosterEntry("User/a", "team"),), True)
    old = Feed(kind="roster", path=str(path), owner="people", date=today - timedelta(days=91))
    assert gathered(tmp_path, old).statuses[0].problem.cause is Cause.STALE
    coming = Feed(kind="roster", path=str(path), owner="people", date=today + timedelta(days=1))
    assert "yet to come" in gathered(tmp_path, coming).statuses[0].problem.detail


def test_only_the_declared_file_counts(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text("identity,owner\nUser/a,team\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    declared = Feed(kind="roster", path=str(path), owner="people", date=date.today(), sha256=digest)
    assert gathered(tmp_path, declared).statuses[0].complete
    path.write_text("identity,owner\nUser/a,team\nUser/b,team\n")
    assert "sha256" in gathered(tmp_path, declared).statuses[0].problem.detail


def test_a_feed_that_is_not_there_is_no_evidence(tmp_path: Path) -> None:
    missing = Feed(kind="roster", path="missing", owner="p", date=date.today())
    assert gathered(tmp_path, missing).statuses[0].problem is not None


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("identities-on-roster", "roster"),
        ("leavers-have-no-access", "leavers"),
        ("access-reviewed", "access-review"),
        ("duties-separated", "duty_conflicts"),
    ],
)
def test_without_a_feed_a_person_has_to_show_it(check: str, said: str) -> None:
    found = next(item for item in all_checks() if item.id == check)
    verdict = run_check(found, replace(read_case(check, "compliant"), system={"feeds": []}))
    assert verdict.outcome is Outcome.MANUAL
    assert said in verdict.reason
