"""The comparison at the end of ``make demo``: what is not as documented is said; an old run never counts as the new one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.demo.company.weaknesses import Expected
from soc2.demo.run import compare, run_demo

NAMES = st.sampled_from(["Pod/a/x", "Pod/a/y", "Namespace/a"])


def results(*resources: str, outcome: str = "fail") -> dict[str, Any]:
    found = []
    for text in resources:
        kind, *namespace, name = text.split("/")
        found.append({"resource": {"kind": kind, "namespace": "".join(namespace), "name": name}, "waiver": None})
    return {"checks": [{"id": "c", "outcome": outcome, "reason": "", "deviations": found}]}


@given(st.sets(NAMES), st.sets(NAMES))
def test_exactly_what_is_expected_is_as_documented(found: set[str], planted: set[str]) -> None:
    differences = compare(results(*sorted(found)), [Expected("c", name) for name in sorted(planted)])
    assert len(differences) == len(found ^ planted)


def test_two_weaknesses_may_show_in_one_deviation() -> None:
    assert compare(results("Pod/a/x"), [Expected("c", "Pod/a/x"), Expected("c", "Pod/a/x")]) == []


def test_an_earlier_run_is_not_taken_for_one_that_did_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / "results.json").write_text(json.dumps(results(outcome="pass")))
    (tmp_path / "latest").symlink_to("earlier")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 10))
    assert run_demo("compliant", tmp_path) == 1
    assert "did not run to its end" in capsys.readouterr().err
