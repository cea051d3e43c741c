"""Draws a matrix of who can talk to whom as SVG: a row for each source, a column for each target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import cos, degrees, radians, sin
from unicodedata import east_asian_width

from soc2.model.matrix import Cell, CellState, Matrix

_DRAWN = 60
"""Rows and columns that are drawn at most; more could not be read, and would make the page heavy."""
_LARGEST, _SMALLEST, _ROOM = 22, 12, 560
"""Sides of a cell in pixels, and the width that the cells of a row should fit in: with the names, a page of A4."""
_CHARACTER = 6.3
"""Width of a character of the names, in pixels: a wide letter of the page's font at 11 pixels."""
_NAMESPACE, _WORKLOAD, _TITLE = 13, 21, 400
"""Characters that are shown of a name's two parts (one gets what the other does not need), and of the text of a cell
under the pointer."""
_SLANTED = 16
"""Sides of cells from which names of columns are slanted; lines of slanted names are closer, and would overlap in smaller."""
_LEGEND_LINE, _MARGIN = 19, 8


@dataclass(frozen=True)
class _Look:
    """How a state looks: its colour and, so that it is told without colour too, a mark in a square of side 1."""

    fill: str
    mark: tuple[tuple[tuple[float, float], ...], ...]
    stroke: str
    words: str


_LOOKS = {
    CellState.UNDECLARED: _Look(
        "#d6333a", (((0.3, 0.3), (0.7, 0.7)), ((0.7, 0.3), (0.3, 0.7))), "#fff", "possible, not declared"
    ),
    CellState.BLOCKED: _Look("#f6c453", (((0.25, 0.5), (0.75, 0.5)),), "#4a3200", "declared, but stopped"),
    CellState.DECLARED: _Look("#b5dfba", (((0.25, 0.5), (0.45, 0.7), (0.78, 0.3)),), "#14521a", "possible and declared"),
    CellState.WITHIN: _Look("#e3e8f0", (((0.45, 0.5), (0.55, 0.5)),), "#66707f", "possible, needs no declaration"),
}
"""In the order in which rows and columns are kept when not all can be drawn."""
_RESTRICTED, _BAND = "#7a1fa2", "#f3e6f8"


def draw_matrix(matrix: Matrix) -> str:
    """Return the picture; every text is escaped, and names are shortened in their middle (whole under the pointer).

    At most 60 rows and 60 columns are drawn, those first that have connections which nothing declares or something stops;
    a line says what was left out.
    """
    shown = _Shown.of(matrix)
    side = max(_SMALLEST, min(_LARGEST, _ROOM // max(1, len(shown.columns))))
    left = _MARGIN + max(map(_width, (_short(matrix.rows[row]) for row in shown.rows)), default=0) + 8
    heads = [_short(matrix.columns[column]) + ("◆ " if column in shown.restricted else "") for column in shown.columns]
    longest = max(map(_width, heads), default=0)
    lean = radians(60 if side >= _SLANTED else 90)
    legend = _Legend.of(shown)
    top = legend.height + longest * sin(lean) + 12
    width = max(left + side * len(shown.columns) + longest * cos(lean) + 14, legend.width)
    height = top + side * len(shown.rows) + _MARGIN
    parts = [
        *legend.parts,
        f'<g transform="translate({left:.0f} {top:.0f})">',
        *_grid(shown, side, left),
        *_cells(shown, side),
        *_row_names(shown, side),
        *_column_names(shown, side, degrees(lean)),
        "</g>",
    ]
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="max-width:100%;height:auto" role="img" font-size="11" '
        f'font-family="Helvetica, Arial, sans-serif"><title>{escape(shown.summary)}</title>{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Shown:
    """What is drawn of a matrix: indices of its rows and columns in their order in the picture."""

    matrix: Matrix
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    cells: tuple[Cell, ...]
    restricted: frozenset[int]

    @staticmethod
    def of(matrix: Matrix) -> _Shown:
        restricted = frozenset(matrix.restricted)
        rows = _kept(len(matrix.rows), ((cell.row, cell) for cell in matrix.cells), restricted)
        cells = tuple(cell for cell in matrix.cells if cell.row in rows)
        columns = _kept(len(matrix.columns), ((cell.column, cell) for cell in cells), restricted)
        cells = tuple(cell for cell in cells if cell.column in columns)
        return _Shown(matrix, _grouped(matrix.rows, rows), _grouped(matrix.columns, columns), cells, restricted)

    @property
    def summary(self) -> str:
        counts = Counter(cell.state for cell in self.matrix.cells)
        found = ", ".join(f"{counts[state]:,} {look.words}" for state, look in _LOOKS.items() if counts[state])
        return f"{len(self.matrix.rows):,} sources, {len(self.matrix.columns):,} targets: {found or 'no connection'}"


def _kept(count: int, cells: Iterable[tuple[int, Cell]], restricted: frozenset[int]) -> frozenset[int]:
    """Return the indices to draw: those that have most of what a reader looks for."""
    if count <= _DRAWN:
        return frozenset(range(count))
    order = list(_LOOKS)
    weights = [[0] * (2 * len(order)) for _ in range(count)]
    for index, cell in cells:
        weights[index][2 * order.index(cell.state) + (cell.column not in restricted)] -= 1
    return frozenset(sorted(range(count), key=lambda index: (weights[index], index))[:_DRAWN])


def _grouped(names: Sequence[str], kept: Iterable[int]) -> tuple[int, ...]:
    """Return the indices with those of a namespace beside each other, and otherwise in their order."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        first.setdefault(_group(name), index)
    return tuple(sorted(kept, key=lambda index: (first[_group(names[index])], index)))


def _group(name: str) -> str:
    """Return the namespace of a workload, and nothing for what is none: nodes, addresses, the internet."""
    namespace, slash, _ = name.partition("/")
    return namespace if slash and "." not in namespace and ":" not in namespace else ""


@dataclass(frozen=True)
class _Legend:
    """What stands over the picture, and how much room it takes."""

    parts: tuple[str, ...]
    width: float
    height: int

    @staticmethod
    def of(shown: _Shown) -> _Legend:
        counts = Counter(cell.state for cell in shown.matrix.cells)
        states = [(state, f"{look.words} ({counts[state]:,})") for state, look in _LOOKS.items()]
        lines: list[list[tuple[CellState | None, str]]] = [[*states[:2]], [*states[2:]]]
        lines.append([(None, "Rows are sources, columns targets. An empty field: neither possible nor declared.")])
        if shown.restricted:
            lines[-1].append((None, "◆ holds restricted data"))
        rows, columns = len(shown.matrix.rows), len(shown.matrix.columns)
        if (len(shown.rows), len(shown.columns)) != (rows, columns):
            drawn = f"{len(shown.rows)} of {rows:,} sources and {len(shown.columns)} of {columns:,} targets are drawn"
            lines.append([(None, f"{drawn}: first those with most that is not declared, or stopped. results.json has all.")])
        parts: list[str] = []
        widths: list[float] = []
        for index, entries in enumerate(lines):
            top, left = _MARGIN + _LEGEND_LINE * index, float(_MARGIN)
            for state, words in entries:
                if state is not None:
                    parts += _sample(_LOOKS[state], left, top)
                    left += 18
                colour = "#222" if words.isascii() else _RESTRICTED
                parts.append(f'<text x="{left:.0f}" y="{top + 11}" fill="{colour}">{words}</text>')
                left += max(_width(words) * 0.88, 160 if state else 0) + 16
            widths.append(left)
        return _Legend(tuple(parts), max(widths), _MARGIN + _LEGEND_LINE * len(lines))


def _sample(look: _Look, left: float, top: float) -> tuple[str, str]:
    square = f'<rect x="{left:.0f}" y="{top:.0f}" width="13" height="13" fill="{look.fill}"/>'
    return square, _marks(look, [_path(look, left, top, 13)])


def _grid(shown: _Shown, side: int, left: float) -> Iterator[str]:
    """Yield the band of each restricted column, thin lines, and stronger ones between namespaces."""
    width, height = side * len(shown.columns), side * len(shown.rows)
    for place, column in enumerate(shown.columns):
        if column in shown.restricted:
            yield f'<rect x="{place * side}" width="{side}" height="{height}" fill="{_BAND}"/>'
    thin = "".join(f"M0 {row * side}h{width}" for row in range(len(shown.rows) + 1))
    thin += "".join(f"M{column * side} 0v{height}" for column in range(len(shown.columns) + 1))
    yield f'<path d="{thin}" fill="none" stroke="#ddd"/>'
    strong = "".join(
        f"M{6 - left:.0f} {row * side}H{width}" for row in _borders([shown.matrix.rows[index] for index in shown.rows])
    )
    strong += "".join(
        f"M{column * side} {height}V0" for column in _borders([shown.matrix.columns[index] for index in shown.columns])
    )
    yield f'<path d="{strong}" fill="none" stroke="#888"/>'


def _borders(names: Sequence[str]) -> list[int]:
    """Return the places before which another namespace begins, both ends among them."""
    inner = [place for place in range(1, len(names)) if _group(names[place]) != _group(names[place - 1])]
    return [0, *inner, len(names)]


def _cells(shown: _Shown, side: int) -> Iterator[str]:
    rows = {row: place * side for place, row in enumerate(shown.rows)}
    columns = {column: place * side for place, column in enumerate(shown.columns)}
    for state, look in _LOOKS.items():
        drawn = [(cell, columns[cell.column], rows[cell.row]) for cell in shown.cells if cell.state is state]
        if drawn:
            yield f'<g fill="{look.fill}">'
            for cell, x, y in drawn:
                title = escape(_title(shown.matrix, cell))
                yield f'<rect x="{x + 1}" y="{y + 1}" width="{side - 2}" height="{side - 2}"><title>{title}</title></rect>'
            yield "</g>" + _marks(look, [_path(look, x, y, side) for _, x, y in drawn])


def _title(matrix: Matrix, cell: Cell) -> str:
    text = f"{matrix.rows[cell.row]} to {matrix.columns[cell.column]}: {cell.ports}. {_LOOKS[cell.state].words.capitalize()}."
    text = _clean(f"{text} {cell.why}" if cell.why else text)
    return text if len(text) <= _TITLE else text[: _TITLE - 1] + "…"


def _marks(look: _Look, paths: Iterable[str]) -> str:
    attributes = f'fill="none" stroke="{look.stroke}" stroke-width="2" stroke-linecap="round" pointer-events="none"'
    return f'<path d="{"".join(paths)}" {attributes}/>'


def _path(look: _Look, left: float, top: float, side: int) -> str:
    lines = ("L".join(f"{left + x * side:.1f} {top + y * side:.1f}" for x, y in line) for line in look.mark)
    return "".join(f"M{line}" for line in lines)


def _row_names(shown: _Shown, side: int) -> Iterator[str]:
    for place, row in enumerate(shown.rows):
        name = shown.matrix.rows[row]
        yield f'<text x="-6" y="{place * side + side / 2 + 4:.0f}" text-anchor="end">{_label(name)}</text>'


def _column_names(shown: _Shown, side: int, degrees: float) -> Iterator[str]:
    for place, column in enumerate(shown.columns):
        name = shown.matrix.columns[column]
        x, restricted = place * side + side / 2 + 4, column in shown.restricted
        look = f' font-weight="bold" fill="{_RESTRICTED}"' if restricted else ""
        label = ("◆ " if restricted else "") + _label(name, None if restricted else "#777")
        yield f'<text transform="translate({x:.0f} -6) rotate(-{degrees:.0f})"{look}>{label}</text>'


def _label(name: str, namespace_colour: str | None = "#777") -> str:
    """Return the name's markup: the namespace fainter than the workload, the whole of it under the pointer."""
    short = _short(name)
    namespace, slash, workload = short.partition("/")
    if slash and namespace_colour and _group(name):
        shown = f'<tspan fill="{namespace_colour}">{escape(namespace)}/</tspan>{escape(workload)}'
    else:
        shown = escape(short)
    return shown if short == name else f"<title>{escape(_clean(name))}</title>{shown}"


def _short(name: str) -> str:
    """Return a name with what is too long of its parts replaced in the middle."""
    if not _group(name):
        return _shortened(_clean(name), _NAMESPACE + _WORKLOAD)
    namespace, _, workload = _clean(name).partition("/")
    both = _NAMESPACE + _WORKLOAD
    head = _shortened(namespace, max(_NAMESPACE, both - _units(workload)))
    return f"{head}/{_shortened(workload, max(_WORKLOAD, both - _units(namespace)))}"


def _shortened(text: str, longest: int) -> str:
    if _units(text) <= longest:
        return text
    head = _fitting(text, longest // 2)
    tail = _fitting(text[::-1], longest - longest // 2 - 1)[::-1]
    return f"{head}…{tail}"


def _fitting(text: str, longest: int) -> str:
    while _units(text) > longest:
        text = text[: min(len(text) - 1, longest)]
    return text


def _units(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _width(text: str) -> float:
    return _units(text) * _CHARACTER


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
