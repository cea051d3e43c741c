"""The picture of a matrix: every connection is where its row and column are, nothing in it is markup of a cluster's."""

from __future__ import annotations

import re
from types import SimpleNamespace
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import html
from soc2.judge import Verdict
from soc2.model.matrix import Cell, CellState, Matrix
from soc2.model.outcome import Outcome
from soc2.report.matrix_picture import draw_matrix
from tests.test_judge import CHECK

COLOURS = {
    CellState.DECLARED: "#b5dfba",
    CellState.UNDECLARED: "#d6333a",
    CellState.BLOCKED: "#f6c453",
    CellState.WITHIN: "#e3e8f0",
}
NAME = st.one_of(
    st.sampled_from(["internet", "nodes", "10.0.0.0/8", "fd00::/8", "aws:bastion"]),
    st.from_regex(r"[a-z]{1,3}/[a-z]{1,40}", fullmatch=True),
    st.sampled_from(
        ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a/]]>&lt;", "\x00\x1b[2J/\u202e", "", "/"]
    ),
)


@st.composite
def matrices(draw: st.DrawFn, largest: int = 8) -> Matrix:
    rows = draw(st.lists(NAME, min_size=1, max_size=largest))
    columns = draw(st.lists(NAME, min_size=1, max_size=largest))
    places = draw(st.sets(st.tuples(st.integers(0, len(rows) - 1), st.integers(0, len(columns) - 1))))
    cells = tuple(Cell(*place, draw(st.sampled_from(CellState)), "tcp/1", draw(NAME)) for place in sorted(places))
    restricted = draw(st.sets(st.integers(0, len(columns) - 1)))
    return Matrix(tuple(rows), tuple(columns), cells, tuple(sorted(restricted)))


def parsed(matrix: Matrix) -> ElementTree.Element:
    return ElementTree.fromstring(draw_matrix(matrix))  # noqa: S314


def drawn_cells(picture: ElementTree.Element) -> list[tuple[str, int, int, str]]:
    """Return (colour, x, y, title) of every cell."""
    return [
        (group.get("fill", ""), int(rect.get("x", "")), int(rect.get("y", "")), rect.findtext("{*}title") or "")
        for group in picture.iterfind("{*}g/{*}g")
        for rect in group.iterfind("{*}rect")
    ]


@settings(max_examples=80)
@given(matrices())
def test_every_connection_is_drawn_once_and_named(matrix: Matrix) -> None:
    picture = parsed(matrix)
    cells = drawn_cells(picture)
    assert sorted(colour for colour, *_ in cells) == sorted(COLOURS[cell.state] for cell in matrix.cells)
    assert len({(x, y) for _, x, y, _ in cells}) == len(cells)
    for cell in matrix.cells:
        names = re.sub(r"[\x00\x1b\u202e]", "?", f"{matrix.rows[cell.row]} to {matrix.columns[cell.column]}: tcp/1. ")
        assert any(colour == COLOURS[cell.state] and title.startswith(names) for colour, _, _, title in cells)


@settings(max_examples=80)
@given(matrices())
def test_nothing_is_markup_or_steers_the_reader(matrix: Matrix) -> None:
    drawn = draw_matrix(matrix)
    assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(drawn).iter()} <= {  # noqa: S314
        "svg", "g", "rect", "path", "text", "tspan", "title",
    }  # fmt: skip
    assert drawn.isprintable()
    assert "onerror" not in re.sub(r">[^<>]*<", "><", drawn)


@settings(max_examples=80)
@given(matrices())
def test_names_are_in_line_with_their_cells(matrix: Matrix) -> None:
    """Names are drawn once for each row and column, at the place of their cells, and the restricted ones are marked."""
    picture = parsed(matrix)
    (area,) = picture.findall("{*}g")
    texts = area.findall("{*}text")
    rows = [text for text in texts if text.get("text-anchor") == "end"]
    columns = [text for text in texts if text.get("text-anchor") is None]
    assert (len(rows), len(columns)) == (len(matrix.rows), len(matrix.columns))
    assert sum("◆" in "".join(text.itertext()) for text in columns) == len(matrix.restricted)
    heights = [float(text.get("y", "")) for text in rows]
    assert heights == sorted(set(heights))
    assert all(any(y < height < y + 22 for height in heights) for _, _, y, _ in drawn_cells(picture))


def test_namespaces_are_beside_each_other_with_lines_between() -> None:
    matrix = Matrix(("b/x", "nodes", "a/x", "b/y", "internet"), ("a/x",), ())
    (area,) = parsed(matrix).findall("{*}g")
    names = ["".join(text.itertext()) for text in area.findall("{*}text") if text.get("text-anchor") == "end"]
    assert names == ["b/x", "b/y", "nodes", "internet", "a/x"]
    (_, strong) = area.findall("{*}path")
    assert re.findall(r"M-\d+ (\d+)H", strong.get("d", "")) == ["0", "44", "88", "110"]


def test_long_names_are_short_and_whole_under_the_pointer() -> None:
    name = "a-rather-long-namespace/a-workload-whose-name-goes-on-and-on-nightly"
    wide = "文" * 60 + "/x"
    texts = list(parsed(Matrix((name, wide), ("a/b",), ())).iterfind("{*}g/{*}text"))
    assert [text.findtext("{*}title") for text in texts] == [name, wide, None]
    shown = [
        "".join("".join(part.itertext()) for part in text if "title" not in part.tag) + (text[-1].tail or "") for text in texts
    ]
    assert shown[:2] == ["a-rath…espace/a-workload…on-nightly", "文文文文文文文文…文文文文文文文文/x"]


def test_a_part_of_a_name_has_the_room_that_the_other_does_not_need() -> None:
    """Or namespaces that begin and end alike would all be one."""
    names = ("team-003-production/*", "team-004-production/*", "a/" + "w" * 30 + "-1", "a/" + "w" * 30 + "-2")
    shown = ["".join(text.itertext()) for text in parsed(Matrix(names, ("b/c",), ())).iterfind("{*}g/{*}text")]
    assert tuple(shown[:4]) == names


def test_a_large_matrix_is_bounded_and_keeps_what_is_looked_for() -> None:
    names = tuple(f"ns{index // 20}/w{index}" for index in range(3000))
    plain = [Cell(row, column, CellState.DECLARED, "tcp/1") for row in range(0, 3000, 10) for column in range(0, 3000, 10)]
    wrong = [Cell(2999, 1777, CellState.UNDECLARED, "tcp/5432"), Cell(2001, 13, CellState.BLOCKED, "tcp/2")]
    drawn = draw_matrix(Matrix(names, names, (*plain, *wrong)))
    picture = ElementTree.fromstring(drawn)  # noqa: S314
    cells = drawn_cells(picture)
    assert len(cells) <= 60 * 60
    assert [title for colour, _, _, title in cells if colour == COLOURS[CellState.UNDECLARED]] == [
        "ns149/w2999 to ns88/w1777: tcp/5432. Possible, not declared."
    ]
    assert [colour for colour, *_ in cells].count(COLOURS[CellState.BLOCKED]) == 1
    words = " ".join("".join(text.itertext()) for text in picture.findall("{*}text"))
    assert "60 of 3,000 sources and 60 of 3,000 targets are drawn" in words
    assert "possible and declared (90,000)" in words
    assert len(drawn) < 700_000
    assert float(picture.get("width", "")) < 1100


def test_an_empty_matrix_says_so() -> None:
    assert parsed(Matrix((), (), ())).findtext("{*}title") == "0 sources, 0 targets: no connection"


def test_the_page_shows_the_matrix_of_the_verdict() -> None:
    matrix = Matrix(("a/x",), ("a/y",), (Cell(0, 0, CellState.UNDECLARED, "tcp/1", "<b>"),))
    detail: list[str] = []
    verdict = Verdict(Outcome.FAIL, "", 1, matrix=matrix)
    html.pytest_html_results_table_html(SimpleNamespace(soc2=(CHECK, verdict)), detail)
    assert draw_matrix(matrix) in detail[0]
    assert "<b>" not in detail[0]
