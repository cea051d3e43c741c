"""The catalogue of checks, and what it refuses."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from soc2.catalog import CatalogError, all_checks, make_check
from soc2.report.catalogue import as_markdown

ROOT = Path(__file__).resolve().parents[1]
GOOD: dict[str, Any] = {"severity": "high", "kind": "probe", "official": ["CC6.1"], "remedy": "mend it"}


def test_the_documented_list_is_the_list() -> None:
    assert (ROOT / "docs" / "CHECKS.md").read_text() == as_markdown(all_checks())


def test_every_required_criterion_has_its_checks() -> None:
    counts = Counter(check.criterion for check in all_checks())
    wanted = {"CC6.1", "CC6.2", "CC6.3", "CC6.6", "CC6.7", "CC6.8", "CC7.2", "CC7.3", "A1.2", "C1.1"}
    assert wanted <= set(counts)
    seeds = {check.criterion for check in all_checks() if check.seed}
    assert {"CC6.1", "CC6.2", "CC6.3", "CC6.6", "CC6.7", "CC6.8", "CC7.2", "CC7.3"} <= seeds


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        ((), {}, "the id"),
        (("Not An Id",), {}, "lower-case words"),
        (("x",), {"severity": "awful"}, "severity"),
        (("x",), {"kind": "guess"}, "kind"),
        (("x",), {"official": ["CC9.9"]}, "unknown criterion"),
        (("x",), {"official": []}, "at least one"),
        (("x",), {"remedy": " "}, "remedy"),
        (("x",), {"hipaa": ["45 CFR 164"]}, "hipaa"),
        (("x",), {"gdpr": ["Art. 32"]}, "gdpr"),
        (("x",), {"colour": "red"}, "unknown key"),
    ],
)
def test_wrong_metadata_is_refused(arguments: tuple[str, ...], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        make_check("test_cc6_1_x", "test_x", "A question.", arguments, {**GOOD, **changes})


def test_a_check_needs_a_docstring_and_a_known_criterion() -> None:
    with pytest.raises(CatalogError, match="docstring"):
        make_check("test_cc6_1_x", "test_x", None, ("x",), GOOD)
    with pytest.raises(CatalogError, match="name it"):
        make_check("test_something", "test_x", "A question.", ("x",), GOOD)
