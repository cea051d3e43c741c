"""Nothing that a cluster controls becomes markup in the page, and the one renderer says what it should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from fixtures import html
from soc2.judge import Judged, Verdict
from soc2.model.deviation import Deviation, Resource
from soc2.model.outcome import Outcome
from soc2.model.population import Cause, Problem, SourceStatus
from soc2.report.render import render_deviation, render_verdict
from tests.test_judge import CHECK

MARKUP = st.sampled_from(["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "&lt;"])


@dataclass(frozen=True, kw_only=True)
class Bad(Deviation):
    template: ClassVar[str] = "{word}"
    word: str


def verdict(text: str, count: int = 1) -> Verdict:
    deviations = tuple(Judged(Bad(resource=Resource(text, f"{text}{n}", text), word=text)) for n in range(count))
    sources = (SourceStatus(text, text, 1, count, "a" * 64, Problem(Cause.DENIED, text)),)
    return Verdict(Outcome.FAIL, text, count, False, sources, deviations)


@given(MARKUP, MARKUP)
def test_markup_in_names_stays_text(one: str, other: str) -> None:
    report = SimpleNamespace(soc2=(CHECK, verdict(one + other)), nodeid=other)
    detail: list[str] = []
    html.pytest_html_results_table_html(report, detail)
    cells = ["<td>Failed</td>", f"<td>{other}</td>", "<td>1 ms</td>", "<td></td>"]
    html.pytest_html_results_table_row(report, cells)
    nothing_known = SimpleNamespace(nodeid=one)
    plain = ["<td>Failed</td>", f"<td>{one}</td>", "<td>1 ms</td>", "<td></td>"]
    html.pytest_html_results_table_row(nothing_known, plain)
    page = "".join([*detail, *cells, *plain])
    assert not [tag for tag in ("<script", "<img", "<svg") if tag in page]


def test_a_page_stays_readable_with_very_many_deviations() -> None:
    detail: list[str] = []
    html.pytest_html_results_table_html(SimpleNamespace(soc2=(CHECK, verdict("bad", 20_000))), detail)
    assert len(detail[0]) < 60_000
    assert "and 19,800 more, all in results.json" in detail[0]


@given(st.text(alphabet="\x00\x1b\x07\r\n\u202eab[2J"))
def test_control_characters_do_not_reach_a_terminal(text: str) -> None:
    deviation = Bad(resource=Resource("Pod", "p", "n"), word=text)
    assert render_deviation(Judged(deviation)).isprintable()


def test_a_failure_says_what_how_many_where_and_how_to_go_on() -> None:
    text = render_verdict(CHECK, verdict("word", 12), "pytest this")
    assert text.splitlines() == list(_expected())


def _expected() -> Iterator[str]:
    yield "check-x (CC6.1, high): A question"
    yield "  word"
    for number in range(10):
        yield f"  - word/word/word{number}: word"
    yield "  - and 2 more, all in results.json"
    yield "  mend: mend it"
    yield "  population: 12 items from word (access denied: word)"
    yield "  re-run: pytest this"
