"""Feeds in every form, and what is wrong with one said with file, place and mend."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from soc2.evidence import EvidenceStore
from soc2.gather.feeds import LEAVERS, ROSTER, _read
from soc2.gather.source import Gatherer
from soc2.model.feeds import Leaver, RosterEntry
from soc2.model.population import Cause
from soc2.system import About, Feed, System

TEXT = st.from_regex(r"[A-Za-z:/ -]{1,20}", fullmatch=True).map(str.strip).filter(bool)


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
        assert _read(folder / name, Leaver) == (expected, None)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("f.csv", "identity,left\nUser/a,2026-01-01\nUser/b,soon\n", "line 3"),
        ("f.csv", "who,left\nUser/a,2026-01-01\n", "a row has identity, left"),
        ("f.json", '[{"identity": "User/a"}]', "row 1: Object missing required field `left`"),
        ("f.json", "{", "f.json"),
        ("f.yaml", "a: b", "expected a list of rows"),
        ("f.yaml", "- [", "f.yaml"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    rows, problem = _read(tmp_path / name, Leaver)
    assert problem is not None
    assert problem.cause is Cause.MALFORMED
    assert name in problem.detail
    assert said in problem.detail
    assert len(rows) == (1 if "line 3" in said else 0)


def gathered(tmp_path: Path, *feeds: Feed) -> Any:
    system = System(system=About(name="t", owner="t"), feeds=feeds)
    return ROSTER.gather(cast(Gatherer, SimpleNamespace(system=system, evidence=EvidenceStore(tmp_path / "evidence"))))


def test_an_old_feed_is_no_evidence(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text("identity,owner\nUser/a,team\n")
    today = date.today()
    fresh = Feed(kind="roster", path=str(path), owner="people", date=today)
    listing = gathered(tmp_path, fresh)
    assert (listing.items, listing.statuses[0].complete) == ((RosterEntry("User/a", "team"),), True)
    old = Feed(kind="roster", path=str(path), owner="people", date=today - timedelta(days=91))
    assert gathered(tmp_path, old).statuses[0].problem.cause is Cause.STALE


def test_without_a_feed_a_person_has_to_show_it(tmp_path: Path) -> None:
    assert "roster" in (gathered(tmp_path).manual or "")
    assert (
        gathered(tmp_path, Feed(kind="roster", path="missing", owner="p", date=date.today())).statuses[0].problem is not None
    )
    assert LEAVERS.name == "leavers"
